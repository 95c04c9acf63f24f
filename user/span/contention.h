/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who ran instead of a request's thread: the thread that was seen on its CPU when it could run and did not, look after look.
 */
#ifndef ZS_SPAN_CONTENTION_H
#define ZS_SPAN_CONTENTION_H

#include <stdint.h>

#include "base/sv.h"

/* Threads that are kept apart; of more, those that were seen first. */
#define CONTENTION_MAX 8

struct contender {
	uint32_t tid;
	uint32_t seen; /* so often */
	char name[48]; /* the thread's; valid UTF-8, as TASK_COMM_LEN bytes may become */
};

struct contention {
	uint32_t looks; /* at which the thread waited for its CPU */
	uint32_t n;
	struct contender all[CONTENTION_MAX];
};

/* This one was seen; *contention is made at the first look. Without memory nothing is known. */
void contention_add(struct contention **contention, uint32_t tid, struct sv name);

/* Who was seen the most; there is one. */
const struct contender *contention_top(const struct contention *contention);

#endif
