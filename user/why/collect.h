/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From traces to requests (request.h). Each server's span becomes a request, and each statement or call that belongs to
 * none; what such a span's time was is told more closely by the statements and calls below it:
 *
 *	POST /checkout            SERVER   disk 3 ms ─┐     time: disk 2 ms in INSERT orders, 1 ms in its own code
 *	├─ INSERT orders          CLIENT   disk 2 ms ─┘
 *	└─ POST /inventory/deduct CLIENT   downstream 9 ms ── passed on: 8 ms to the request below
 *	   └─ POST /inventory/... SERVER   8 ms               time: downstream 1 ms on the way there
 *
 * So each nanosecond is one request's alone.
 */
#ifndef ZS_WHY_COLLECT_H
#define ZS_WHY_COLLECT_H

#include "export/sink.h"
#include "why/names.h"
#include "why/sample.h"

struct why_collector;

struct why_collect_stats {
	uint64_t spans;
	uint64_t requests; /* servers' spans */
	uint64_t lone;     /* statements and calls that belong to no request */
	uint64_t
	    detached; /* statements and calls whose request is in another part of a long trace */
	uint64_t untimed;   /* statements of which only the beginning was seen: in nothing else */
	uint64_t no_memory; /* traces */
};

struct why_collector *why_collector_new(void);            /* NULL: no memory */
void why_collector_free(struct why_collector *collector); /* NULL is fine */

/* Take the requests of one trace. */
void why_collector_trace(struct why_collector *collector, const struct trace *trace);

/* What was collected; borrowed until the collector is freed, the statistics copied. */
const struct why_names *why_collector_names(const struct why_collector *collector);
const struct why_sample *why_collector_sample(const struct why_collector *collector);
void why_collector_stats(
    const struct why_collector *collector, struct why_collect_stats *ret_stats);

/*
 * A sink that feeds the collector, which stays the caller's, may be looked at once the sink is closed, and must live until then.
 * NULL and errno on failure.
 */
struct sink *why_sink_new(struct why_collector *collector);

#endif
