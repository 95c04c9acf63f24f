// SPDX-License-Identifier: Apache-2.0
/* The reading side of a BPF ring buffer, on memory that a test fills as the kernel does. */
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ring.h"
#include "support.h"

enum {
	SIZE = 256
};

struct fixture {
	struct ring ring;
	unsigned long consumer, producer;
	_Alignas(8) unsigned char data[SIZE];
	/* what was delivered */
	unsigned char got[SIZE];
	size_t got_size, records, missing;
};

static void on_record(void *ctx, const void *record, size_t size)
{
	struct fixture *f = ctx;

	f->records++;
	f->got_size = size;
	if (record)
		memcpy(f->got, record, size);
	else
		f->missing++;
}

static void start(struct fixture *f, unsigned long at)
{
	memset(f, 0, sizeof(*f));
	f->consumer = f->producer = at;
	f->ring = (struct ring){.consumer = &f->consumer,
	    .producer = &f->producer,
	    .data = f->data,
	    .size = SIZE,
	    .scratch = malloc(RING_MAX_RECORD)};
	assert_non_null(f->ring.scratch);
}

static void put(struct fixture *f, size_t size, uint32_t flags, unsigned char fill)
{
	uint32_t word = (uint32_t)size | flags;

	memcpy(f->data + f->producer % SIZE, &word, sizeof(word));
	for (size_t i = 0; i < size; i++)
		f->data[(f->producer + 8 + i) % SIZE] = (unsigned char)(fill + i);
	f->producer += (8 + size + 7) / 8 * 8;
}

static void expect(const struct fixture *f, size_t size, unsigned char fill)
{
	assert_int_equal(f->got_size, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(f->got[i], (unsigned char)(fill + i));
}

static void delivers_and_gives_room_back(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 0);
	assert_int_equal(ring_consume(&f.ring, on_record, &f), 0);
	put(&f, 13, 0, 3);
	put(&f, 16, 0, 9);
	assert_int_equal(ring_consume(&f.ring, on_record, &f), 2);
	expect(&f, 16, 9);
	assert_int_equal(f.consumer, f.producer);
	free(f.ring.scratch);
}

static void passes_over_what_was_discarded(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 0);
	put(&f, 24, BPF_RINGBUF_DISCARD_BIT, 1);
	put(&f, 8, 0, 5);
	assert_int_equal(ring_consume(&f.ring, on_record, &f), 1);
	expect(&f, 8, 5);
	assert_int_equal(f.consumer, f.producer);
	free(f.ring.scratch);
}

static void stops_at_what_is_being_filled(void **state)
{
	struct fixture f;
	unsigned long busy;
	uint32_t word = 8;

	(void)state;
	start(&f, 0);
	put(&f, 8, 0, 1);
	busy = f.producer;
	put(&f, 8, BPF_RINGBUF_BUSY_BIT, 2);
	put(&f, 8, 0, 3);
	assert_int_equal(ring_consume(&f.ring, on_record, &f), 1);
	assert_int_equal(f.consumer, busy);
	memcpy(f.data + busy, &word, sizeof(word));
	assert_int_equal(ring_consume(&f.ring, on_record, &f), 2);
	expect(&f, 8, 3);
	free(f.ring.scratch);
}

static void puts_together_what_wraps(void **state)
{
	struct fixture f;

	(void)state;
	/* every place at which a record of 40 bytes can lie, far beyond the first round too */
	for (unsigned long at = 0; at < SIZE; at += 8) {
		start(&f, 1000 * SIZE + at);
		put(&f, 40, 0, (unsigned char)at);
		assert_int_equal(ring_consume(&f.ring, on_record, &f), 1);
		expect(&f, 40, (unsigned char)at);
		assert_int_equal(f.missing, 0);
		free(f.ring.scratch);
	}
}

static void tells_of_what_is_too_long_to_put_together(void **state)
{
	static unsigned char data[4 * RING_MAX_RECORD];
	unsigned long consumer = sizeof(data) - 16, producer = consumer + 8 + RING_MAX_RECORD + 8;
	struct ring ring = {
	    .consumer = &consumer, .producer = &producer, .data = data, .size = sizeof(data)};
	uint32_t word = RING_MAX_RECORD + 8;
	struct fixture f = {0};

	(void)state;
	memcpy(data + consumer, &word, sizeof(word));
	assert_int_equal(ring_consume(&ring, on_record, &f), 1);
	assert_int_equal(f.missing, 1);
	assert_int_equal(consumer, producer);
}

static void cannot_map_what_is_no_ring(void **state)
{
	struct ring ring;

	(void)state;
	assert_true(ring_map(&ring, -1) < 0);
	ring_unmap(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(delivers_and_gives_room_back),
	    cmocka_unit_test(passes_over_what_was_discarded),
	    cmocka_unit_test(stops_at_what_is_being_filled),
	    cmocka_unit_test(puts_together_what_wraps),
	    cmocka_unit_test(tells_of_what_is_too_long_to_put_together),
	    cmocka_unit_test(cannot_map_what_is_no_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
