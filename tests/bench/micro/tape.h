/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording in memory that can be played over and over: with every pass all its times move on by its length, so
 * that to the stages it is one long observation.
 */
#ifndef ZS_BENCH_TAPE_H
#define ZS_BENCH_TAPE_H

#include "journal/journal.h"

struct tape_entry {
	uint16_t type; /* JOURNAL_PROCESS, JOURNAL_EVENT or JOURNAL_TICK */
	size_t len;
	void *body; /* 8-byte aligned; of an event: a record that event_decode() takes */
};

struct tape {
	struct tape_entry *entries;
	size_t n, n_events;
	uint64_t length_ns;
};

/* Read a recording; exits with a message when it cannot. */
void tape_read(struct tape *tape, const char *path);
void tape_free(struct tape *tape);

/* Add length_ns to the times of this entry. */
void tape_move_on(const struct tape *tape, struct tape_entry *entry);

#endif
