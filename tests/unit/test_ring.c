// SPDX-License-Identifier: Apache-2.0
/* The reading side of a BPF ring buffer, on a file that a test fills as the kernel does. */
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ingest/ring.h"
#include "support.h"

enum {
	PAGE = 4096,
	SIZE = 2 * RING_WINDOW_BYTES,
	LONG = RING_MAX_RECORD - 8, /* the longest that is always delivered */
};

struct fixture {
	struct ring ring;
	unsigned char *file; /* two pages of positions, the data twice */
	unsigned long *consumer, *producer;
	int fd;
	/* what was delivered */
	unsigned char got[LONG];
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
	f->fd = memfd_create("ring", 0);
	assert_true(f->fd >= 0);
	assert_int_equal(ftruncate(f->fd, 2 * PAGE + 2 * SIZE), 0);
	f->file = mmap(NULL, 2 * PAGE + 2 * SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	assert_true(f->file != MAP_FAILED);
	f->consumer = (unsigned long *)f->file;
	f->producer = (unsigned long *)(f->file + PAGE);
	*f->consumer = *f->producer = at;
	assert_int_equal(ring_map_sized(&f->ring, f->fd, SIZE), 0);
}

static void end(struct fixture *f)
{
	ring_unmap(&f->ring);
	munmap(f->file, 2 * PAGE + 2 * SIZE);
	close(f->fd);
}

/* The kernel has the same pages at both places. */
static void put_bytes(struct fixture *f, unsigned long at, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char *data = f->file + 2 * PAGE, byte = ((const unsigned char *)bytes)[i];

		data[(at + i) % SIZE] = data[(at + i) % SIZE + SIZE] = byte;
	}
}

static void put(struct fixture *f, size_t size, uint32_t flags, unsigned char fill)
{
	uint32_t word = (uint32_t)size | flags;

	put_bytes(f, *f->producer, &word, sizeof(word));
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)(fill + i);

		put_bytes(f, *f->producer + 8 + i, &byte, 1);
	}
	*f->producer += (8 + size + 7) / 8 * 8;
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
	assert_int_equal(*f.consumer, *f.producer);
	end(&f);
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
	assert_int_equal(*f.consumer, *f.producer);
	end(&f);
}

static void stops_at_what_is_being_filled(void **state)
{
	struct fixture f;
	unsigned long busy;
	uint32_t word = 8;

	(void)state;
	start(&f, 0);
	put(&f, 8, 0, 1);
	busy = *f.producer;
	put(&f, 8, BPF_RINGBUF_BUSY_BIT, 2);
	put(&f, 8, 0, 3);
	assert_int_equal(ring_consume(&f.ring, on_record, &f), 1);
	assert_int_equal(*f.consumer, busy);
	put_bytes(&f, busy, &word, sizeof(word));
	assert_int_equal(ring_consume(&f.ring, on_record, &f), 2);
	expect(&f, 8, 3);
	end(&f);
}

static void finds_what_lies_across_windows(void **state)
{
	static const unsigned long ends[] = {RING_WINDOW_BYTES, SIZE};
	struct fixture f;

	(void)state;
	/* every place around the end of a window and of the ring, far beyond the first round too */
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		for (unsigned long before = 0; before <= 64; before += 8) {
			start(&f, 1000UL * SIZE + ends[i] - before);
			put(&f, 40, 0, (unsigned char)before);
			put(&f, 16, 0, 77);
			assert_int_equal(ring_consume(&f.ring, on_record, &f), 2);
			expect(&f, 16, 77);
			assert_int_equal(f.missing, 0);
			end(&f);
		}
		start(&f, ends[i] - 8);
		put(&f, LONG, 0, 1);
		assert_int_equal(ring_consume(&f.ring, on_record, &f), 1);
		expect(&f, LONG, 1);
		end(&f);
	}
}

static void delivers_rounds_of_records(void **state)
{
	struct fixture f;
	size_t n = 0;

	(void)state;
	start(&f, 0);
	for (size_t size = 0; *f.producer < 5UL * SIZE; size = (size + 4093) % LONG) {
		put(&f, size, 0, (unsigned char)size);
		assert_int_equal(ring_consume(&f.ring, on_record, &f), 1);
		expect(&f, size, (unsigned char)size);
		n++;
	}
	assert_int_equal(f.records, n);
	assert_int_equal(f.missing, 0);
	assert_true(ring_is_empty(&f.ring));
	end(&f);
}

static void tells_of_what_is_longer_than_the_window(void **state)
{
	uint32_t word = RING_MAX_RECORD + 8;
	struct fixture f;

	(void)state;
	start(&f, RING_WINDOW_BYTES - 8);
	put_bytes(&f, *f.producer, &word, sizeof(word));
	*f.producer += 8 + RING_MAX_RECORD + 8;
	assert_int_equal(ring_consume(&f.ring, on_record, &f), 1);
	assert_int_equal(f.missing, 1);
	assert_true(ring_is_empty(&f.ring));
	end(&f);
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
	    cmocka_unit_test(finds_what_lies_across_windows),
	    cmocka_unit_test(delivers_rounds_of_records),
	    cmocka_unit_test(tells_of_what_is_longer_than_the_window),
	    cmocka_unit_test(cannot_map_what_is_no_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
