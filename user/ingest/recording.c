// SPDX-License-Identifier: Apache-2.0
/* Reading of recordings, block by block, trusting nothing; see recording.h. */
#include "ingest/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

struct recording {
	int fd;
	uint64_t offset; /* of the next byte to be read */
	uint32_t blocks; /* read so far */
	size_t used;     /* bytes of the block that have been returned */
	bool headed, last;
	int err;
	const char *why;
	uint64_t where;             /* offset of the error */
	struct recording_item item; /* the entry last returned */
	struct recording_block block;
	_Alignas(8) uint8_t data[RECORDING_BLOCK_MAX]; /* directly behind block */
};

_Static_assert(offsetof(struct recording, data) ==
	offsetof(struct recording, block) + sizeof(struct recording_block),
    "the checksum runs over both");

struct recording *recording_new(int fd)
{
	struct recording *r = calloc(1, sizeof(*r));

	if (r)
		r->fd = fd;
	else
		close(fd);
	return r;
}

void recording_free(struct recording *r)
{
	if (!r)
		return;
	close(r->fd);
	free(r);
}

static int fail(struct recording *r, uint64_t where, const char *why)
{
	r->err = -EBADMSG;
	r->where = where;
	r->why = why;
	return r->err;
}

/* Read len bytes. 1: all; 0: there are none; -EBADMSG when the file ends before; negative errno. */
static int pull(struct recording *r, void *to, size_t len, const char *cut)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(r->fd, (uint8_t *)to + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r->err = -errno;
			r->where = r->offset + done;
			r->why = strerror(errno);
			return r->err;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	if (done > 0 && done < len)
		return fail(r, r->offset + done, cut);
	r->offset += done;
	return done > 0;
}

static const char *head_fault(const struct recording_head *head)
{
	if (memcmp(head->magic, RECORDING_MAGIC, sizeof(head->magic)) != 0)
		return "not a recording of zerospan";
	if (head->byte_order == __builtin_bswap32(RECORDING_BYTE_ORDER))
		return "recorded on a machine of the other byte order";
	if (head->byte_order != RECORDING_BYTE_ORDER)
		return "the head is damaged";
	if (head->version > RECORDING_VERSION)
		return "recorded by a later version of zerospan, whose format this one does not know";
	if (head->version && head->version < RECORDING_VERSION)
		return "recorded by an earlier version of zerospan, whose format this one reads no more";
	if (head->version < RECORDING_VERSION ||
	    head->crc !=
		(uint32_t)crc32(0, (const Bytef *)head, offsetof(struct recording_head, crc)))
		return "the head is damaged";
	if (head->head_bytes < sizeof(*head) || head->head_bytes % 8 != 0 ||
	    head->head_bytes > RECORDING_BLOCK_MAX || head->block_max > RECORDING_BLOCK_MAX)
		return "the head has sizes that this version of zerospan does not know";
	return NULL;
}

static int read_head(struct recording *r)
{
	struct recording_head head;
	int n = pull(r, &head, sizeof(head), "the file ends within its head");
	const char *fault;

	if (n < 0)
		return n;
	if (n == 0)
		return fail(r, 0, "the file is empty");
	fault = head_fault(&head);
	if (fault)
		return fail(r, 0, fault);
	r->headed = true;
	if (head.head_bytes == sizeof(head))
		return 0;
	n = pull(r, r->data, head.head_bytes - sizeof(head), "the file ends within its head");
	return n == 0 ? fail(r, r->offset, "the file ends within its head") : n < 0 ? n : 0;
}

static const char *block_fault(const struct recording *r)
{
	size_t covered = sizeof(r->block) - offsetof(struct recording_block, bytes);

	if ((uint32_t)crc32(0, (const Bytef *)&r->block.bytes, (uInt)(covered + r->block.bytes)) !=
	    r->block.crc)
		return "the checksum of a block does not match";
	if (r->block.number != r->blocks)
		return "a block is missing or stands twice";
	return NULL;
}

/* 1, or 0 at the end of a complete recording. */
static int read_block(struct recording *r)
{
	uint64_t start = r->offset;
	const char *fault;
	int n = pull(r, &r->block, sizeof(r->block), "the file ends within a block");

	if (n < 0)
		return n;
	if (n == 0)
		return r->last ? 0 : fail(r, start, "the file ends before the recording does");
	if (r->last || r->block.mark != RECORDING_MARK || r->block.bytes == 0 ||
	    r->block.bytes > sizeof(r->data) || r->block.bytes % 8 != 0)
		return fail(r, start, "this is not the beginning of a block");
	n = pull(r, r->data, r->block.bytes, "the file ends within a block");
	if (n == 0)
		return fail(r, r->offset, "the file ends within a block");
	fault = n < 0 ? NULL : block_fault(r);
	if (fault)
		return fail(r, start, fault);
	if (n > 0) {
		r->blocks++;
		r->used = 0;
	}
	return n;
}

/* Offset in the file of the block's byte at `at`. */
static uint64_t offset_of(const struct recording *r, size_t at)
{
	return r->offset - r->block.bytes + at;
}

/* The entry at r->used, which the block's checksum vouches for but nothing else does. */
static int take_entry(struct recording *r, struct recording_entry *ret_entry)
{
	size_t left = r->block.bytes - r->used - sizeof(r->item);
	const uint8_t *body = r->data + r->used + sizeof(r->item);

	memcpy(&r->item, r->data + r->used, sizeof(r->item));
	if (r->last || r->item.type == 0 || r->item.bytes > left)
		return fail(r, offset_of(r, r->used), "an entry is not as it must be");
	r->used += sizeof(r->item) + ((r->item.bytes + 7u) & ~7u);
	ret_entry->type = r->item.type;
	ret_entry->body = sv_from(body, r->item.bytes);
	r->last = r->item.type == RECORDING_LAST;
	return 1;
}

int recording_next(struct recording *r, struct recording_entry *ret_entry)
{
	struct recording_entry entry;
	int n = r->err;

	if (!n && !r->headed)
		n = read_head(r);
	if (!n)
		n = 1;
	if (n > 0 && r->used == r->block.bytes)
		n = read_block(r);
	if (n > 0)
		n = take_entry(r, &entry);
	if (n > 0 && r->last)
		return recording_next(r, ret_entry); /* nothing may follow */
	if (n > 0)
		*ret_entry = entry;
	return n;
}

int recording_refuse(struct recording *r, const char *why)
{
	size_t size = sizeof(r->item) + ((r->item.bytes + 7u) & ~7u);

	return fail(r, offset_of(r, r->used - size), why);
}

const char *recording_error(const struct recording *r, uint64_t *ret_offset)
{
	*ret_offset = r->where;
	return r->why ? r->why : "";
}
