/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recording file: entries in checked blocks. Knows what a block and an entry are, not what an entry
 * means: that is user/journal/journal.h.
 *
 *	file    head, block, block, ...            nothing is between or behind them
 *	head    struct recording_head, head_bytes long
 *	block   struct recording_block, then `bytes` bytes of entries
 *	entry   struct recording_item, then `bytes` bytes of body, then zeros up to a multiple of 8
 *
 * All numbers are little-endian, of fixed width and naturally aligned: a block and an entry start at a multiple
 * of 8, so that records inside can be used where they are. An entry never crosses a block.
 *
 * How to read it. Check the magic (its line ends betray a transfer as text), the byte order, the version, then
 * the checksum of the head, and skip to head_bytes. A block's checksum covers its head from `bytes` on and its entries;
 * blocks are numbered from 0, so that one that is missing is noticed. Stop at the first thing that is not
 * as described: everything before it is good. A file that was written to its end has an entry of type
 * RECORDING_LAST as the last one; without it the recorder died, or the file is cut.
 *
 * Compatibility. `version` becomes higher when an older reader would misread the file, and a reader refuses
 * higher ones. What can be added without that: fields at the end of the head (head_bytes tells) and at the end
 * of a body (an entry's bytes tell).
 *
 * Checksums are CRC-32 as in gzip (zlib's crc32).
 */
#ifndef ZS_INGEST_RECORDING_H
#define ZS_INGEST_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"

#define RECORDING_MAGIC      "\x89ZSP\r\n\x1a\n" /* 8 bytes without the NUL */
#define RECORDING_BYTE_ORDER 0x0a0b0c0du
#define RECORDING_VERSION    3u
#define RECORDING_MARK       0x4b4c425au /* "ZBLK" */
#define RECORDING_LAST       0xffffu /* type of the entry, without body, that ends a recording */

/* Most bytes of entries in a block: one write per block, and a body of 16 KiB still finds room. */
#define RECORDING_BLOCK_MAX 65536u
/* Most bytes of one body. */
#define RECORDING_BODY_MAX (RECORDING_BLOCK_MAX - 8u)

struct recording_head {
	uint8_t magic[8];
	uint32_t byte_order; /* RECORDING_BYTE_ORDER */
	uint32_t version;    /* RECORDING_VERSION */
	uint32_t head_bytes; /* where the first block begins; a multiple of 8 */
	uint32_t block_max;  /* no block has more bytes */
	uint32_t reserved;   /* 0 */
	uint32_t crc;        /* of the bytes before it */
};

struct recording_block {
	uint32_t mark;   /* RECORDING_MARK */
	uint32_t crc;    /* of all bytes behind it: the rest of this head, and the entries */
	uint32_t bytes;  /* of entries: a multiple of 8, not 0 */
	uint32_t number; /* counts from 0 */
};

struct recording_item {
	uint16_t type;     /* not 0 */
	uint16_t reserved; /* 0 */
	uint32_t bytes;    /* of the body, without the zeros behind it */
};

_Static_assert(sizeof(struct recording_head) == 32, "head layout");
_Static_assert(sizeof(struct recording_block) == 16, "block layout");
_Static_assert(sizeof(struct recording_item) == 8, "item layout");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "recordings are little-endian");

/* --- writing ----------------------------------------------------------------------------------- */

struct recorder;

/*
 * Start a recording in fd, which must be empty and at its beginning; it is closed by recorder_close(), also on failure
 * here. Nothing is written yet. NULL: no memory.
 */
struct recorder *recorder_new(int fd);

/*
 * Append an entry whose body is the n parts one after the other (together at most RECORDING_BODY_MAX; longer
 * ones count as dropped). Writes when a block is full. After a failure everything is dropped and counted: a recording with
 * a hole would be none.
 */
void recorder_put(struct recorder *recorder, uint16_t type, const struct sv *parts, size_t n);

/* Write what is buffered. Returns 0, or the negative errno of the write that failed, now or earlier. */
int recorder_flush(struct recorder *recorder);

struct recorder_stats {
	uint64_t bytes;   /* in the file */
	uint64_t entries; /* taken */
	uint64_t dropped; /* entries that are not in the file */
	int err;          /* negative errno of the write that failed; 0: none */
	bool torn;        /* then: a part of a block stands behind bytes */
};

void recorder_stats(const struct recorder *recorder, struct recorder_stats *ret_stats);

/* Put RECORDING_LAST, write, close, free. Returns as recorder_flush(). NULL is fine. */
int recorder_close(struct recorder *recorder);

/* --- reading ----------------------------------------------------------------------------------- */

struct recording;

/* Read fd from its beginning; closed by recording_free(), also on failure here. NULL: no memory. */
struct recording *recording_new(int fd);
void recording_free(struct recording *recording); /* NULL is fine */

struct recording_entry {
	uint16_t type;
	struct sv body; /* 8-byte aligned; borrowed until the next call */
};

/*
 * The next entry. Returns 1; 0 behind RECORDING_LAST; -EBADMSG when the file is damaged, cut or no recording of
 * this version, else negative errno of a read. Errors stay.
 */
int recording_next(struct recording *recording, struct recording_entry *ret_entry);

/* The file is good, the entry last returned is not, for this reason (a string constant): the error from now on. -EBADMSG. */
int recording_refuse(struct recording *recording, const char *why);

/* After an error: the cause, and the offset in the file at which it was met. */
const char *recording_error(const struct recording *recording, uint64_t *ret_offset);

#endif
