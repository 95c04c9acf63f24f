/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who ran instead of a request's thread: the thread that was seen on its CPU when it could run and did not, look after look, and the
 * request that it was at.
 */
#ifndef ZS_SPAN_CONTENTION_H
#define ZS_SPAN_CONTENTION_H

#include <stdint.h>

#include "base/sv.h"
#include "proto/trace_context.h"
#include "span/neighbours.h"

/* Threads that are kept apart; of more, those that were seen first. */
#define CONTENTION_MAX 8

/* A request that a thread was at; all zero: none that is known for sure. */
struct contender_request {
	struct trace_id trace_id;
	struct span_id span_id;
	uint32_t name_len;
	char name[NEIGHBOUR_NAME_MAX]; /* as neighbour_name() makes it */
};

struct contender {
	uint32_t tid;
	uint32_t seen; /* so often */
	char name[48]; /* the thread's; valid UTF-8, as TASK_COMM_LEN bytes may become */
	struct contender_request
	    request; /* each time at this one; the name stays if others were called the same */
};

struct contention {
	uint32_t looks; /* at which the thread waited for its CPU */
	uint32_t n;
	struct contender all[CONTENTION_MAX];
};

/* This one was seen, at a request; *contention is made at the first look. Without memory nothing is known. */
void contention_add(struct contention **contention, uint32_t tid, struct sv name,
    const struct contender_request *request);

/* Who was seen the most; there is one. */
const struct contender *contention_top(const struct contention *contention);

static inline struct sv contender_request_name(const struct contender *contender)
{
	return sv_from(contender->request.name, contender->request.name_len);
}

#endif
