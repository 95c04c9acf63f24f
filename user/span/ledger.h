/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a span's time went: its duration by the state that the work was in. The parts add up to the duration.
 *
 * What the kernel side tells of a thread (enum zsp_wait) becomes a state by what the thread was doing: who waits for the
 * bytes of a socket waits for another service if a call to one is under way.
 */
#ifndef ZS_SPAN_LEDGER_H
#define ZS_SPAN_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"

enum ledger_state {
	LEDGER_CPU = 0,
	LEDGER_RUNQUEUE = 1,   /* could run, but another one ran */
	LEDGER_QUEUED = 2,     /* ready, but not yet looked at by the program */
	LEDGER_SLEEP = 3,      /* timers */
	LEDGER_LOCK = 4,       /* futexes and the like */
	LEDGER_DISK = 5,       /* file I/O and its synchronisation */
	LEDGER_NET_SEND = 6,   /* no room in a socket's buffer */
	LEDGER_DOWNSTREAM = 7, /* the answer of another service */
	LEDGER_PAGEFAULT = 8,
	LEDGER_SQLITE_BUSY = 9,   /* back-off inside of SQLite */
	LEDGER_OTHER = 10,        /* waited for anything else */
	LEDGER_UNATTRIBUTED = 11, /* not known */
	LEDGER_STATES = 12,
};

/* All 0: nothing is known, not even the duration. */
struct ledger {
	uint64_t ns[LEDGER_STATES]; /* by enum ledger_state */
};

/* Longest key of ledger_attr_key(). */
#define LEDGER_KEY_MAX 32

/* "cpu", "runqueue" ...: the state's name in attributes and metrics. */
const char *ledger_state_name(enum ledger_state state);

/* The same by number; NULL: there is no such state. */
const char *ledger_state_names(size_t state);

/* The attribute that has the state's time, in milliseconds: "zerospan.time.cpu_ms" ... */
const char *ledger_attr_key(enum ledger_state state);

/* The state that took the most. */
enum ledger_state ledger_longest(const struct ledger *ledger);

uint64_t ledger_sum(const struct ledger *ledger);

/*
 * What such a wait of a thread is to its request. polling: what it is that the thread waits for descriptors: DOWNSTREAM if a call of the
 * request's is under way, NET_SEND if its client has no room for more of the answer, OTHER if nothing is known.
 */
enum ledger_state ledger_state_of(enum zsp_wait wait, enum ledger_state polling);

/*
 * Add what a thread did in lasted_ns, of which it waited for the given times; for the rest it was on the CPU. polling: as
 * above. Waits that are longer than lasted_ns are cut.
 */
void ledger_add(struct ledger *ledger, uint64_t lasted_ns, const __u64 waits[ZSP_WAIT_MAX],
    enum ledger_state polling);

/* So much of the time asleep inside of SQLite was not spent in waiting for a lock. */
void ledger_slept(struct ledger *ledger, uint64_t slept_ns);

/* Make the parts add up to the duration: what is missing is unattributed, what is too much was not of this span. */
void ledger_fit(struct ledger *ledger, uint64_t duration_ns);

#endif
