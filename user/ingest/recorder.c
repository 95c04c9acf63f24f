// SPDX-License-Identifier: Apache-2.0
/* Writing of recordings: entries gather in one block, which is written as a whole; see recording.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ingest/recording.h"

struct recorder {
	int fd;
	uint32_t blocks;
	size_t used;       /* bytes of entries in the block */
	uint64_t buffered; /* entries in the block */
	struct recorder_stats stats;
	struct recording_head head; /* written with the first block */
	struct recording_block block;
	_Alignas(8) uint8_t data[RECORDING_BLOCK_MAX]; /* directly behind block */
};

_Static_assert(offsetof(struct recorder, data) ==
	offsetof(struct recorder, block) + sizeof(struct recording_block),
    "a block is written at once");
_Static_assert(offsetof(struct recorder, block) ==
	offsetof(struct recorder, head) + sizeof(struct recording_head),
    "the first one with the head");

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

struct recorder *recorder_new(int fd)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (!r) {
		close(fd);
		return NULL;
	}
	r->fd = fd;
	memcpy(r->head.magic, RECORDING_MAGIC, sizeof(r->head.magic));
	r->head.byte_order = RECORDING_BYTE_ORDER;
	r->head.version = RECORDING_VERSION;
	r->head.head_bytes = sizeof(r->head);
	r->head.block_max = RECORDING_BLOCK_MAX;
	r->head.crc =
	    (uint32_t)crc32(0, (const Bytef *)&r->head, offsetof(struct recording_head, crc));
	r->block.mark = RECORDING_MARK;
	return r;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int recorder_flush(struct recorder *r)
{
	const uint8_t *from = (const uint8_t *)(r->blocks ? (void *)&r->block : (void *)&r->head);
	size_t covered = sizeof(r->block) - offsetof(struct recording_block, bytes);

	if (r->stats.err || r->used == 0)
		return r->stats.err;
	r->block.bytes = (uint32_t)r->used;
	r->block.number = r->blocks;
	r->block.crc =
	    (uint32_t)crc32(0, (const Bytef *)&r->block.bytes, (uInt)(covered + r->used));
	r->stats.err = write_all(r->fd, from, (size_t)(r->data + r->used - from));
	if (r->stats.err) {
		r->stats.dropped += r->buffered;
		/* Without the torn block the file is good up to its end. What is no file cannot be cut. */
		r->stats.torn = ftruncate(r->fd, (off_t)r->stats.bytes) != 0;
		return r->stats.err;
	}
	r->stats.bytes += (size_t)(r->data + r->used - from);
	r->blocks++;
	r->used = 0;
	r->buffered = 0;
	return 0;
}

void recorder_put(struct recorder *r, uint16_t type, const struct sv *parts, size_t n)
{
	struct recording_item item = {.type = type};
	size_t bytes = 0, need;
	uint8_t *p;

	for (size_t i = 0; i < n; i++)
		bytes += parts[i].len;
	need = sizeof(item) + padded(bytes);
	r->stats.entries++;
	if (bytes <= RECORDING_BODY_MAX && need > sizeof(r->data) - r->used)
		recorder_flush(r);
	if (r->stats.err || bytes > RECORDING_BODY_MAX) {
		r->stats.dropped++;
		return;
	}
	item.bytes = (uint32_t)bytes;
	p = r->data + r->used;
	memcpy(p, &item, sizeof(item));
	p += sizeof(item);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len)
			memcpy(p, parts[i].p, parts[i].len);
		p += parts[i].len;
	}
	memset(p, 0, padded(bytes) - bytes);
	r->used += need;
	r->buffered++;
}

void recorder_stats(const struct recorder *r, struct recorder_stats *ret_stats)
{
	*ret_stats = r->stats;
}

int recorder_close(struct recorder *r)
{
	int err;

	if (!r)
		return 0;
	recorder_put(r, RECORDING_LAST, NULL, 0);
	err = recorder_flush(r);
	if (close(r->fd) && !err)
		err = -errno;
	free(r);
	return err;
}
