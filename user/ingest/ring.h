/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading side of a BPF ring buffer (kernel/bpf/ringbuf.c; the layout is user ABI: one page with the consumer's
 * position, one with the producer's, then the data, twice in a row, so that every record is in one piece). libbpf's own
 * reader maps all of it, and each mapped page counts as resident memory of the process, those of the second time again.
 * Here a window moves over the data. Knows nothing of what records hold.
 *
 *	position   0 ............ size ............ 2 size     only ever grows; at position & (size - 1) lies
 *	record     u32 length and flags, u32 not ours, payload, padding to 8 bytes
 *	window     [k W, (k + 1) W + longest record)            has the whole of each record that begins in [k W, (k + 1) W)
 */
#ifndef ZS_INGEST_RING_H
#define ZS_INGEST_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* W. What moving costs is the mapping of pages, 1100 instructions each, so a larger one would not be cheaper. */
#define RING_WINDOW_BYTES (512u << 10)
/* Longest record, with its header, that is sure to be delivered; a longer one may be told to the callback with NULL. */
#define RING_MAX_RECORD (64u << 10)

struct ring {
	unsigned long *consumer;       /* ours to write */
	const unsigned long *producer; /* the kernel's */
	size_t size;                   /* bytes of data, a power of two */
	int fd;                        /* borrowed */
	const unsigned char *window;   /* NULL: none yet */
	size_t window_at;              /* where in the data it begins */
};

/* A record's payload, 8-byte aligned, borrowed until the call returns; NULL when it could not be had. */
typedef void (*ring_record_fn)(void *ctx, const void *record, size_t size);

/* Map the ring behind a map's descriptor, which stays the caller's and open. Returns 0 or negative errno. */
int ring_map(struct ring *ring, int map_fd);

/* ring_map() for whatever has that layout, with so many bytes of data: a power of two, whole pages. */
int ring_map_sized(struct ring *ring, int fd, size_t size);
void ring_unmap(struct ring *ring); /* a zeroed one is fine */

/*
 * Deliver what was in the ring when called, and give its room back record by record; what comes meanwhile is left for the
 * next call, so a call is bounded. Without memory for the window it delivers less, and the next call tries again. Returns
 * the number of records.
 */
size_t ring_consume(struct ring *ring, ring_record_fn record, void *ctx);

/* Is nothing in it, not even a record that is still being filled? */
bool ring_is_empty(const struct ring *ring);

#endif
