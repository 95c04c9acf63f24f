/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of one request: a few numbers and a list of facts, with names as numbers (names.h). A request here is a
 * server's span, or a statement or call that belongs to none. Its facts of the kinds TIME and PASSED_ON add up to its
 * duration.
 */
#ifndef ZS_WHY_REQUEST_H
#define ZS_WHY_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "span/ledger.h"

/* Distinct facts of one request; time that finds no room counts as of the program's own code. */
#define WHY_FACTS_MAX 48

/*
 * Time on the CPU up to here is no loss: it is taken for the request's work. As much as nobody notices, and as long as
 * a wait must be for its stack to be kept.
 */
#define WHY_WORK_NS (10 * NS_PER_MS)

enum why_fact_kind {
	WHY_FACT_INVALID = 0,
	WHY_FACT_TIME =
	    1, /* time in a state; place: a statement, a peer, a way; none: its own code */
	WHY_FACT_PASSED_ON =
	    2, /* time it waited for an observed request; place: that one's route */
	WHY_FACT_STATEMENT =
	    3, /* a statement was executed; place: which, count: how often, ns: their durations */
	WHY_FACT_FAILURE =
	    4, /* a part of it failed; place: a failure, or the route that it called; count */
	WHY_FACT_CULPRIT =
	    5, /* somebody was in the way; place: who, ns: held for so long, at most */
	WHY_FACT_STACK =
	    6, /* where it waited the longest; place: the stack, ns: for so long, at most */
	WHY_FACT_BESIDE =
	    7, /* others of its process overlapped with it; place: a neighbour, count, ns: the longest overlap */
};

struct why_fact {
	enum why_fact_kind kind;
	enum ledger_state state; /* TIME, CULPRIT, STACK */
	uint32_t place;          /* a name */
	uint32_t count;
	uint64_t ns;
	uint64_t transaction; /* CULPRIT: its number, 0: none */
	uint32_t thread;      /* CULPRIT: its id, 0: unknown */
};

struct why_request {
	uint32_t route; /* a name */
	uint32_t error; /* a name: error.type; none: no error */
	/* A name: what failed last of its parts, as in FAILURE facts; none: nothing that is known. */
	uint32_t failure;
	int status;      /* of HTTP, 0: none */
	bool failed;     /* its span's status is an error */
	bool open;       /* it had no answer, or not all of it, when the observation ended */
	bool known;      /* it is known where most of its time went */
	uint64_t end_ns; /* monotonic */
	uint64_t duration_ns;
	uint32_t n_facts;
	struct why_fact facts[];
};

/* Time in a state that was not passed on. */
uint64_t why_request_state_ns(const struct why_request *request, enum ledger_state state);

/* The same, less work (WHY_WORK_NS). */
uint64_t why_request_lost_in(const struct why_request *request, enum ledger_state state);

/* Time lost: all time that was neither passed on nor work. */
uint64_t why_request_lost_ns(const struct why_request *request);

/* The first fact of this kind and place, or NULL. */
const struct why_fact *why_request_fact(
    const struct why_request *request, enum why_fact_kind kind, uint32_t place);

#endif
