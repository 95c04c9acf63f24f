/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request's facts, gathered from its spans: begin with its own, add its parts, take the result. A part's time is taken
 * out of the request's own, state by state, and never more than that has.
 */
#ifndef ZS_WHY_SPAN_FACTS_H
#define ZS_WHY_SPAN_FACTS_H

#include "span/span.h"
#include "why/names.h"
#include "why/request.h"

struct span_facts {
	struct why_names *names;     /* borrowed */
	struct why_request *request; /* room for WHY_FACTS_MAX facts */
	const struct span *span;     /* the request's own; borrowed from begin to end */
	struct ledger left;          /* of the request's time, what no part has taken */
	uint64_t failed_ns;          /* end of the part that failed last */
};

/* 0 or -ENOMEM. */
int span_facts_init(struct span_facts *facts, struct why_names *names);
void span_facts_release(struct span_facts *facts);

/* Whether it is the execution of a database statement. */
bool span_is_statement(const struct span *span);

/* A request: a server's span, or a client's that belongs to none. */
void span_facts_begin(struct span_facts *facts, const struct span *span);

/* A statement that was executed for it, or is it. */
void span_facts_statement(struct span_facts *facts, const struct span *span);

/* A call that was made for it, or is it; answered_by: the server's span, NULL if that was not observed. */
void span_facts_call(
    struct span_facts *facts, const struct span *span, const struct span *answered_by);

/* The request, complete; borrowed until the next begin. */
const struct why_request *span_facts_end(struct span_facts *facts);

#endif
