/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings in memory: written by the recorder or by hand, read from any bytes. */
#ifndef ZS_TESTS_RECORDING_FIXTURE_H
#define ZS_TESTS_RECORDING_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "ingest/recording.h"
#include "support.h"

struct bytes {
	uint8_t *p;
	size_t len;
};

static inline int memory_file(void)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* All of a file. */
static inline struct bytes bytes_of(int fd)
{
	struct stat st;
	struct bytes bytes;

	assert_int_equal(fstat(fd, &st), 0);
	bytes.len = (size_t)st.st_size;
	bytes.p = malloc(bytes.len + 1);
	assert_non_null(bytes.p);
	assert_int_equal(pread(fd, bytes.p, bytes.len, 0), bytes.len);
	return bytes;
}

static inline struct recording *recording_of(const void *p, size_t len)
{
	int fd = memory_file();
	struct recording *recording;

	assert_int_equal(write(fd, p, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	recording = recording_new(fd);
	assert_non_null(recording);
	return recording;
}

/* Give every whole block the checksum that its bytes have: for contents that only the next check can refuse. */
static inline void bytes_seal(struct bytes *bytes)
{
	size_t at = sizeof(struct recording_head);
	struct recording_block block;

	while (at + sizeof(block) <= bytes->len) {
		memcpy(&block, bytes->p + at, sizeof(block));
		if (block.bytes > bytes->len - at - sizeof(block))
			return;
		block.crc = (uint32_t)crc32(0, bytes->p + at + 8, (uInt)(8 + block.bytes));
		memcpy(bytes->p + at, &block, sizeof(block));
		at += sizeof(block) + block.bytes;
	}
}

/* The recording cannot be read on, for this reason. */
static inline void expect_refused(struct recording *recording, const char *why)
{
	uint64_t offset;

	assert_string_equal(recording_error(recording, &offset), why);
}

#endif
