/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the kernel's ring. While records flow, the reader comes by every few milliseconds (pause_ms at most) and the
 * targets pay for no wake-up; when the ring stays empty it sleeps and the first record wakes it. Records about
 * processes wake it at once.
 */
#ifndef ZS_INGEST_READER_H
#define ZS_INGEST_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/decode.h"

struct reader;

struct reader_options {
	int ring_fd;              /* the ring's map; the caller's, as long as the reader lives */
	volatile uint32_t *waits; /* the kernel side's "the reader sleeps" flag */
	int wake_fd;              /* ends a wait when readable; -1: none */
	int pause_ms;             /* longest pause while records flow */
	void (*event)(void *ctx, const struct event *event);
	void *ctx;
};

/* NULL and errno on failure. Options are copied. */
struct reader *reader_new(const struct reader_options *options);
void reader_free(struct reader *reader); /* NULL is fine */

/* Deliver what is in the ring now, without waiting. Returns how many records. */
size_t reader_drain(struct reader *reader);

/*
 * Wait for more, at most timeout_ms, until a record that wakes comes, or until wake_fd is readable. How long it is worth while, the last
 * reader_drain() tells. Returns whether wake_fd is readable.
 */
bool reader_wait(struct reader *reader, int timeout_ms);

/* All records that came. */
uint64_t reader_records(const struct reader *reader);

/* Those of them that event_decode() refused. */
uint64_t reader_bad_records(const struct reader *reader);

#endif
