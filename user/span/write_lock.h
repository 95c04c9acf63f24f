/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has the write lock of an SQLite database, and for whom a statement had to wait. Fed with the kernel side's lock
 * records and with executions, in the ring's order.
 *
 * A holder is named on this evidence, and not at all when two come into question:
 *
 *   refused   the kernel refused the statement a lock on that file, and told so: who took the file's write lock last has it
 *   process   SQLite gave the statement no lock without asking the kernel, as it does when another connection of the
 *             same process has it: just one write lock was held by other connections of the process then, on the same
 *             database
 */
#ifndef ZS_SPAN_WRITE_LOCK_H
#define ZS_SPAN_WRITE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hmap.h"
#include "base/list.h"
#include "base/sv.h"
#include "event.h"
#include "span/span.h"

enum {
	/* Locks held, and waits under way, that are followed at once; more are not. */
	WRITE_LOCKS_MAX = 4096,
	/* Released locks that are remembered: a wait is told when it is over. */
	WRITE_LOCKS_RELEASED_MAX = 1024,
	/* Holders that share the blame for one execution; the waits for others are nobody's. */
	LOCK_WAIT_HOLDERS_MAX = 4,
	/* Bytes of a holder's statement summary: as many as a summary has at most. And of its request's name. */
	WRITE_HOLD_SUMMARY_MAX = 255,
};

/* Of the statement that took a lock, known once its execution has ended. */
struct write_hold_facts {
	struct span_link span;
	uint64_t transaction; /* as in struct transaction_part */
	struct sv summary;    /* valid UTF-8 */
	struct sv
	    request; /* what the request is called that it was executed for; likewise; empty: none is known */
};

/* One time that a write lock was held. Reference counted: waits and spans outlive it. */
struct write_hold {
	struct list link;          /* among the held or the released ones */
	struct hnode by_file;      /* while held */
	struct hnode by_statement; /* until the statement's execution is told */
	int refs;
	bool held, untold;
	uint32_t pid, tid;
	char comm[16];     /* of the thread */
	uint64_t file;     /* as in struct zsp_lock */
	uint64_t stmt, db; /* addresses; 0: unknown */
	uint32_t db_closes;
	uint64_t since_ns, until_ns; /* until is 0 while held */
	struct write_hold_facts facts;
	char summary[WRITE_HOLD_SUMMARY_MAX]; /* facts.summary; longer than that: left out */
	char request[WRITE_HOLD_SUMMARY_MAX]; /* facts.request; likewise */
};

struct write_hold *write_hold_ref(struct write_hold *hold); /* NULL is fine */
void write_hold_unref(struct write_hold *hold);             /* NULL is fine */

/* Its request is called so; copied. */
void write_hold_set_request(struct write_hold *hold, struct sv request);

enum lock_evidence {
	LOCK_EVIDENCE_NONE = 0,
	LOCK_EVIDENCE_REFUSED = 1,
	LOCK_EVIDENCE_PROCESS = 2,
};

/* What an execution's waiting for write locks was. */
struct lock_wait {
	uint64_t backed_off_ns; /* asleep in SQLite's busy handler; 0: it did not wait for a lock */
	struct write_hold *holder; /* a reference; NULL: nobody is named */
	enum lock_evidence evidence;
};

struct write_locks;

/* Path of the main database file of a connection, empty when unknown; borrowed by the call. */
typedef struct sv write_locks_path(void *ctx, uint32_t pid, uint64_t db, uint32_t db_closes);

struct write_locks *write_locks_new(write_locks_path *path, void *ctx); /* NULL: no memory */
void write_locks_free(struct write_locks *locks);                       /* NULL is fine */

void write_locks_event(struct write_locks *locks, const struct zsp_lock *lock);

/* An execution has ended: whom did it wait for? The reference in the result is the caller's. */
struct lock_wait write_locks_wait(struct write_locks *locks, const struct zsp_statement *statement);

/*
 * More is known of an execution that has ended, and with it of the locks that it took. Returns the one that it took last (a
 * reference), whose facts may still be made more exact, or NULL.
 */
struct write_hold *write_locks_took(struct write_locks *locks,
    const struct zsp_statement *statement, const struct write_hold_facts *facts);

/* The process has ended: its waits are over. (The kernel told the end of its locks.) */
void write_locks_forget(struct write_locks *locks, uint32_t pid);

#endif
