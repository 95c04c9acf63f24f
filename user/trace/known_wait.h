/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The waits of a thread that were looked at while they lasted, and which of them a span's time holds. Internal to trace/.
 */
#ifndef ZS_TRACE_KNOWN_WAIT_H
#define ZS_TRACE_KNOWN_WAIT_H

#include "event.h"
#include "span/wait_place.h"
#include "trace/assembler.h"

/* Waits of a thread that are remembered: spans end soon after theirs. */
#define KNOWN_WAITS_MAX 4

struct known_wait {
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	/* At most: it, and those of its kind that came after it. UINT64_MAX: it lasts as far as is known. */
	uint64_t until_ns;
	enum zsp_wait kind;
	struct wait_place *place; /* a reference */
};

struct known_waits {
	struct known_wait all[KNOWN_WAITS_MAX]; /* latest first */
	size_t n;
	/* The last look: the thread's totals then, with what had passed of the wait that it was in. */
	uint64_t looked_ns; /* 0: never */
	struct zsp_waits totals;
};

/* Most threads are never looked at: for those, NULL stands for no waits in what follows, but for look and release. */

/* The thread was looked at. */
void known_waits_look(struct known_waits *known, const struct thread_wait *wait);

/* The thread has acted at this time: it waits no more. */
void known_waits_over(struct known_waits *known, uint64_t time_ns);

/* The place of the wait that began then; borrowed, NULL when it is not remembered. */
struct wait_place *known_waits_place(const struct known_waits *known, uint64_t since_ns);

/* The kinds that may be told of the same wait, as bits: of one for descriptors that is known only at its end. */
unsigned known_waits_alike(enum zsp_wait kind);

/* What for were those that began then or later: 1 << enum zsp_wait of each. */
unsigned known_waits_kinds(const struct known_waits *known, uint64_t from_ns);

/*
 * Of the waits that began and ended in that time, in which the thread has waited for so long for what: the longest, if it is longer than
 * *longest was, which it replaces. polling: as for ledger_add().
 */
void known_waits_take(const struct known_waits *known, uint64_t from_ns, uint64_t to_ns,
    const __u64 waits[ZSP_WAIT_MAX], enum ledger_state polling, struct span_wait *longest);

void known_waits_release(struct known_waits *known);

#endif
