/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading side of a BPF ring buffer (kernel/bpf/ringbuf.c; the layout is user ABI: one page with the consumer's
 * position, one with the producer's, then the data). libbpf's own reader maps the data twice in a row, so that a record that
 * wraps around the end is in one piece; that counts every page of the ring twice in the resident memory of the process. Here
 * it is mapped once, and the rare record that wraps is put together in a buffer. Knows nothing of what records hold.
 *
 *	position   0 ............ size ............ 2 size     only ever grows; at position & (size - 1) lies
 *	record     u32 length and flags, u32 not ours, payload, padding to 8 bytes
 */
#ifndef ZS_INGEST_RING_H
#define ZS_INGEST_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	unsigned long *consumer;       /* ours to write */
	const unsigned long *producer; /* the kernel's */
	const unsigned char *data;
	size_t size;            /* bytes of data, a power of two */
	unsigned char *scratch; /* for a record that wraps */
	size_t scratch_size;
};

/* Largest payload that may wrap; longer ones are passed over and told to the callback with NULL. */
#define RING_MAX_RECORD (64u << 10)

/* A record's payload, 8-byte aligned, borrowed until the call returns; NULL when it could not be had. */
typedef void (*ring_record_fn)(void *ctx, const void *record, size_t size);

/* Map the ring behind a map's descriptor, which stays the caller's. Returns 0 or negative errno. */
int ring_map(struct ring *ring, int map_fd);
void ring_unmap(struct ring *ring); /* a zeroed one is fine */

/*
 * Deliver what was in the ring when called, and give its room back record by record; what comes meanwhile is left for the
 * next call, so a call is bounded. Returns the number of records.
 */
size_t ring_consume(struct ring *ring, ring_record_fn record, void *ctx);

/* Is nothing in it, not even a record that is still being filled? */
bool ring_is_empty(const struct ring *ring);

#endif
