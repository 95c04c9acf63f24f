// SPDX-License-Identifier: Apache-2.0
/*
 * The container of recordings: what is written is read; a file that is cut or changed anywhere gives what
 * stands in the blocks before and an error that names the place; writing that fails is counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "recording_fixture.h"

enum {
	HEAD = sizeof(struct recording_head),
	BLOCK = sizeof(struct recording_block),
	SMALL_ENTRIES =
	    12, /* of small(): three in each of four blocks, and one with RECORDING_LAST */
};

static uint8_t pattern(size_t entry, size_t i)
{
	return (uint8_t)(entry * 37 + i * 11 + 1);
}

static void put(struct recorder *recorder, size_t entry, size_t len)
{
	uint8_t *body = malloc(len + 1);
	size_t half = len / 2;
	struct sv parts[2];

	assert_non_null(body);
	for (size_t i = 0; i < len; i++)
		body[i] = pattern(entry, i);
	parts[0] = sv_from(body, half);
	parts[1] = sv_from(body + half, len - half);
	recorder_put(recorder, (uint16_t)(1 + entry % 100), parts, 2);
	free(body);
}

static void expect_entry(const struct recording_entry *got, size_t entry, size_t len)
{
	assert_int_equal(got->type, 1 + entry % 100);
	assert_int_equal(got->body.len, len);
	assert_int_equal((uintptr_t)got->body.p % 8, 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal((uint8_t)got->body.p[i], pattern(entry, i));
}

/* A recording of four small blocks and a fifth that only ends it. ret_ends: where each block ends. */
static struct bytes small(size_t ret_ends[5])
{
	int fd = memory_file(), copy = dup(fd);
	struct recorder *recorder = recorder_new(fd);
	struct recorder_stats stats;
	struct bytes bytes;

	assert_non_null(recorder);
	for (size_t i = 0; i < SMALL_ENTRIES; i++) {
		put(recorder, i, i * 3);
		if (i % 3 == 2) {
			assert_int_equal(recorder_flush(recorder), 0);
			recorder_stats(recorder, &stats);
			ret_ends[i / 3] = stats.bytes;
		}
	}
	assert_int_equal(recorder_close(recorder), 0);
	bytes = bytes_of(copy);
	ret_ends[4] = bytes.len;
	close(copy);
	return bytes;
}

/* Read to the end or to the error; every entry must be the right one. */
static size_t read_small(struct recording *recording, int *ret_err)
{
	struct recording_entry entry;
	size_t n = 0;
	int err;

	while ((err = recording_next(recording, &entry)) > 0) {
		assert_true(n < SMALL_ENTRIES);
		expect_entry(&entry, n, n * 3);
		n++;
	}
	assert_int_equal(recording_next(recording, &entry), err); /* it stays so */
	*ret_err = err;
	return n;
}

static void every_size(void **state)
{
	static const size_t sizes[] = {0, 1, 7, 8, 9, 4095, 16448, 30000, RECORDING_BODY_MAX - 1,
	    RECORDING_BODY_MAX, 0, 3, RECORDING_BODY_MAX - 8, 8};
	int fd = memory_file(), copy = dup(fd);
	struct recorder *recorder = recorder_new(fd);
	struct recording *recording;
	struct recording_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		put(recorder, i, sizes[i]);
	assert_int_equal(recorder_close(recorder), 0);
	assert_int_equal(lseek(copy, 0, SEEK_SET), 0);
	recording = recording_new(copy);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(recording_next(recording, &entry), 1);
		expect_entry(&entry, i, sizes[i]);
	}
	assert_int_equal(recording_next(recording, &entry), 0);
	recording_free(recording);
}

static void nothing_but_the_end(void **state)
{
	int fd = memory_file(), copy = dup(fd);
	struct recording_entry entry;
	struct recording *recording;

	(void)state;
	assert_int_equal(recorder_close(recorder_new(fd)), 0);
	assert_int_equal(lseek(copy, 0, SEEK_END), HEAD + BLOCK + 8);
	assert_int_equal(lseek(copy, 0, SEEK_SET), 0);
	recording = recording_new(copy);
	assert_int_equal(recording_next(recording, &entry), 0);
	recording_free(recording);
}

static void too_long_is_dropped(void **state)
{
	struct recorder *recorder = recorder_new(memory_file());
	struct recorder_stats stats;

	(void)state;
	put(recorder, 0, RECORDING_BODY_MAX + 1);
	put(recorder, 1, 5);
	recorder_stats(recorder, &stats);
	assert_int_equal(stats.entries, 2);
	assert_int_equal(stats.dropped, 1);
	assert_int_equal(recorder_close(recorder), 0);
}

static void cut_at_every_offset(void **state)
{
	size_t ends[5];
	struct bytes bytes = small(ends);

	(void)state;
	for (size_t len = 0; len < bytes.len; len++) {
		struct recording *recording = recording_of(bytes.p, len);
		size_t blocks = 0, n;
		uint64_t offset;
		const char *why;
		int err;

		while (blocks < 4 && ends[blocks] <= len)
			blocks++;
		n = read_small(recording, &err);
		assert_int_equal(err, -EBADMSG);
		assert_int_equal(n, blocks * 3);
		why = recording_error(recording, &offset);
		assert_int_equal(offset, len);
		if (len == 0)
			assert_string_equal(why, "the file is empty");
		else if (len < HEAD)
			assert_string_equal(why, "the file ends within its head");
		else if (len == HEAD || (blocks && len == ends[blocks - 1]))
			assert_string_equal(why, "the file ends before the recording does");
		else
			assert_string_equal(why, "the file ends within a block");
		recording_free(recording);
	}
	free(bytes.p);
}

static void every_byte_flipped(void **state)
{
	size_t ends[5];
	struct bytes bytes = small(ends);

	(void)state;
	for (size_t at = 0; at < bytes.len; at++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			struct recording *recording;
			size_t before = 0, n;
			uint64_t offset;
			int err;

			while (before < 4 && ends[before] <= at)
				before++;
			bytes.p[at] ^= (uint8_t)(1u << bit);
			recording = recording_of(bytes.p, bytes.len);
			n = read_small(recording, &err);
			assert_int_equal(err, -EBADMSG);
			assert_int_equal(n, at < HEAD ? 0 : before * 3);
			recording_error(recording, &offset);
			assert_true(
			    at < HEAD ? offset == 0 : offset >= (before ? ends[before - 1] : HEAD));
			recording_free(recording);
			bytes.p[at] ^= (uint8_t)(1u << bit);
		}
	}
	free(bytes.p);
}

/* A head with these fields and the checksum it should have. */
static void refuse_head(const char *why, void (*change)(struct recording_head *head))
{
	size_t ends[5];
	struct bytes bytes = small(ends);
	struct recording *recording;
	struct recording_head head;
	int err;

	memcpy(&head, bytes.p, sizeof(head));
	change(&head);
	head.crc = (uint32_t)crc32(0, (const Bytef *)&head, offsetof(struct recording_head, crc));
	memcpy(bytes.p, &head, sizeof(head));
	recording = recording_of(bytes.p, bytes.len);
	assert_int_equal(read_small(recording, &err), 0);
	assert_int_equal(err, -EBADMSG);
	expect_refused(recording, why);
	recording_free(recording);
	free(bytes.p);
}

static void as_text(struct recording_head *head)
{
	memmove(head->magic + 4, head->magic + 5, 3); /* CR LF became LF */
}

static void later(struct recording_head *head)
{
	head->version++;
}

static void swapped(struct recording_head *head)
{
	head->byte_order = 0x0d0c0b0au;
	head->version = 0x01000000u;
}

static void odd(struct recording_head *head)
{
	head->head_bytes += 4;
}

static void larger_blocks(struct recording_head *head)
{
	head->block_max *= 2;
}

static void other_heads(void **state)
{
	(void)state;
	refuse_head("not a recording of zerospan", as_text);
	refuse_head(
	    "recorded by a later version of zerospan, whose format this one does not know", later);
	refuse_head("recorded on a machine of the other byte order", swapped);
	refuse_head("the head has sizes that this version of zerospan does not know", odd);
	refuse_head(
	    "the head has sizes that this version of zerospan does not know", larger_blocks);
}

/* A later version may have a longer head. */
static void longer_head(void **state)
{
	size_t ends[5];
	struct bytes bytes = small(ends);
	uint8_t *longer = calloc(1, bytes.len + 16);
	struct recording_head *head = (struct recording_head *)longer;
	struct recording *recording;
	int err;

	(void)state;
	memcpy(longer, bytes.p, HEAD);
	memcpy(longer + HEAD + 16, bytes.p + HEAD, bytes.len - HEAD);
	head->head_bytes += 16;
	head->crc = (uint32_t)crc32(0, longer, offsetof(struct recording_head, crc));
	recording = recording_of(longer, bytes.len + 16);
	assert_int_equal(read_small(recording, &err), SMALL_ENTRIES);
	assert_int_equal(err, 0);
	recording_free(recording);
	free(longer);
	free(bytes.p);
}

static void blocks_in_disorder(void **state)
{
	size_t ends[5];
	struct bytes bytes = small(ends);
	struct recording *recording;
	int err;

	(void)state;
	/* The second one is missing. */
	memmove(bytes.p + ends[0], bytes.p + ends[1], bytes.len - ends[1]);
	recording = recording_of(bytes.p, bytes.len - (ends[1] - ends[0]));
	assert_int_equal(read_small(recording, &err), 3);
	assert_int_equal(err, -EBADMSG);
	expect_refused(recording, "a block is missing or stands twice");
	recording_free(recording);
	free(bytes.p);
}

static void something_behind_the_end(void **state)
{
	size_t ends[5];
	struct bytes bytes = small(ends);
	uint8_t *more = calloc(1, bytes.len + BLOCK);
	struct recording *recording;
	int err;

	(void)state;
	memcpy(more, bytes.p, bytes.len);
	for (size_t extra = 1; extra <= BLOCK; extra += BLOCK - 1) {
		recording = recording_of(more, bytes.len + extra);
		assert_int_equal(read_small(recording, &err), SMALL_ENTRIES);
		assert_int_equal(err, -EBADMSG);
		recording_free(recording);
	}
	free(more);
	free(bytes.p);
}

/* The checksum is right and the entry wrong: written by something else. */
static void false_entries(void **state)
{
	static const struct recording_item items[] = {
	    {.type = 0, .bytes = 0}, {.type = 5, .bytes = 1000}, {.type = 5, .bytes = UINT32_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		size_t ends[5];
		struct bytes bytes = small(ends);
		struct recording *recording;
		uint64_t offset;
		int err;

		memcpy(bytes.p + ends[1] + BLOCK, &items[i], sizeof(items[i]));
		bytes_seal(&bytes);
		recording = recording_of(bytes.p, bytes.len);
		assert_int_equal(read_small(recording, &err), 6);
		assert_int_equal(err, -EBADMSG);
		expect_refused(recording, "an entry is not as it must be");
		recording_error(recording, &offset);
		assert_int_equal(offset, ends[1] + BLOCK);
		recording_free(recording);
		free(bytes.p);
	}
}

static void refused_by_the_caller(void **state)
{
	size_t ends[5];
	struct bytes bytes = small(ends);
	struct recording *recording = recording_of(bytes.p, bytes.len);
	struct recording_entry entry;
	uint64_t offset;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(recording_next(recording, &entry), 1);
	assert_int_equal(recording_refuse(recording, "not for me"), -EBADMSG);
	assert_string_equal(recording_error(recording, &offset), "not for me");
	assert_int_equal(offset, ends[0] + BLOCK); /* the first of the second block */
	assert_int_equal(recording_next(recording, &entry), -EBADMSG);
	recording_free(recording);
	free(bytes.p);
}

static void a_folder_is_no_file(void **state)
{
	struct recording *recording = recording_new(open("/", O_RDONLY | O_CLOEXEC));
	struct recording_entry entry;

	(void)state;
	assert_int_equal(recording_next(recording, &entry), -EISDIR);
	expect_refused(recording, strerror(EISDIR));
	recording_free(recording);
}

/* --- writing that fails ------------------------------------------------------------------------- */

static void full_disk(void **state)
{
	struct recorder *recorder = recorder_new(open("/dev/full", O_WRONLY | O_CLOEXEC));
	struct recorder_stats stats;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		put(recorder, i, 100);
	assert_int_equal(recorder_flush(recorder), -ENOSPC);
	put(recorder, 3, 100);
	assert_int_equal(recorder_flush(recorder), -ENOSPC);
	recorder_stats(recorder, &stats);
	assert_int_equal(stats.err, -ENOSPC);
	assert_int_equal(stats.entries, 4);
	assert_int_equal(stats.dropped, 4);
	assert_int_equal(stats.bytes, 0);
	assert_int_equal(recorder_close(recorder), -ENOSPC);
}

/* The disk is full within a block: the file ends with the block before. */
static void torn_block(void **state)
{
	char path[] = "/tmp/zerospan-recording-XXXXXX";
	int fd = mkstemp(path), copy = dup(fd);
	struct rlimit old, low = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
	struct recorder *recorder = recorder_new(fd);
	struct recording_entry entry;
	struct recorder_stats stats;
	struct recording *recording;
	size_t n = 0;
	int err;

	(void)state;
	unlink(path);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	for (size_t i = 0; i < 200; i++)
		put(recorder, i, 1000);
	recorder_stats(recorder, &stats);
	assert_false(stats.torn);
	assert_int_equal(recorder_close(recorder), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(lseek(copy, 0, SEEK_END), stats.bytes);
	assert_int_equal(lseek(copy, 0, SEEK_SET), 0);
	recording = recording_new(copy);
	while ((err = recording_next(recording, &entry)) > 0)
		expect_entry(&entry, n++, 1000);
	assert_int_equal(err, -EBADMSG);
	expect_refused(recording, "the file ends before the recording does");
	assert_int_equal(n + stats.dropped, stats.entries);
	assert_true(n > 0);
	recording_free(recording);
}

/* Any bytes behind a good head. */
static void noise(void **state)
{
	uint8_t bytes[600];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 4);
	for (int round = 0; round < 2000; round++) {
		struct recording_entry entry;
		struct recording *recording;
		size_t ends[5];

		if (round == 0) {
			struct bytes good = small(ends);

			memcpy(bytes, good.p, HEAD);
			free(good.p);
		}
		for (size_t i = HEAD; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rng_next(&rng);
		if (round % 2)
			memcpy(bytes + HEAD, "ZBLK", 4);
		recording = recording_of(bytes, sizeof(bytes));
		assert_int_equal(recording_next(recording, &entry), -EBADMSG);
		recording_free(recording);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_size),
	    cmocka_unit_test(nothing_but_the_end),
	    cmocka_unit_test(too_long_is_dropped),
	    cmocka_unit_test(cut_at_every_offset),
	    cmocka_unit_test(every_byte_flipped),
	    cmocka_unit_test(other_heads),
	    cmocka_unit_test(longer_head),
	    cmocka_unit_test(blocks_in_disorder),
	    cmocka_unit_test(something_behind_the_end),
	    cmocka_unit_test(false_entries),
	    cmocka_unit_test(refused_by_the_caller),
	    cmocka_unit_test(a_folder_is_no_file),
	    cmocka_unit_test(full_disk),
	    cmocka_unit_test(torn_block),
	    cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
