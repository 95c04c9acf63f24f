/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each process is at and was at of late: its requests and statements, in brief, held in memory so that a request that turns out
 * to be slow has its neighbours. Knows of requests only when they were, whose trace they are, and what they are called.
 *
 *	open    │ GET /poll ───────────────────────────────────────────    slots; when there is none, another open one gives way
 *	ended   │ ─ UPDATE orders   ── POST /checkout   ─ GET /            a ring; the oldest gives way
 *
 * Bounded: RECENT_PROCESSES_MAX processes of 63 KB, each made when it is first needed; of more processes the one gives way that has
 * been quiet for longest. So neighbours are those that are still remembered: in a busy process the last RECENT_ENDED_MAX.
 * Internal to trace/.
 */
#ifndef ZS_TRACE_RECENT_H
#define ZS_TRACE_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "span/neighbours.h"

#define RECENT_PROCESSES_MAX 64
#define RECENT_OPEN_MAX      256 /* a multiple of 64 */
#define RECENT_ENDED_MAX     512

/* Where one is remembered; all zero: nowhere. It may be forgotten at any time: then the reference means nothing. */
struct recent_ref {
	uint64_t id;
	uint16_t process, slot;
	bool ended;
};

/*
 * What an open one is called, asked when a slow one has overlapped with it; empty: not known, then it is no neighbour. owner is as given. Valid
 * UTF-8, borrowed by the call.
 */
typedef struct sv recent_name(void *ctx, const void *owner);

struct recent;

struct recent *recent_new(recent_name *name, void *ctx); /* NULL: no memory */
void recent_free(struct recent *recent);                 /* NULL is fine */

/* One of the process has begun (CLOCK_MONOTONIC); trace: a number that those of one trace share. Without memory it is not remembered. */
void recent_open(struct recent *recent, uint32_t pid, uint64_t trace, uint64_t start_ns,
    const void *owner, struct recent_ref *ret_ref);

/* It is open no longer; does nothing if it was forgotten. Before its owner is gone. */
void recent_close(struct recent *recent, struct recent_ref *ref);

/* One has ended. */
void recent_add(struct recent *recent, uint32_t pid, uint64_t trace, uint64_t start_ns,
    uint64_t end_ns, struct sv name, struct recent_ref *ret_ref);

/* It is known now to be of this trace. */
void recent_join(struct recent *recent, const struct recent_ref *ref, uint64_t trace);

/* Those of the process and of other traces that were under way between these times. *ret_tally is all zero. */
void recent_overlaps(struct recent *recent, uint32_t pid, uint64_t trace, uint64_t from_ns,
    uint64_t to_ns, struct neighbour_tally *ret_tally);

/* The process has ended, or another one has its pid. */
void recent_forget(struct recent *recent, uint32_t pid);

#endif
