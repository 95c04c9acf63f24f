/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What observed processes write to stdout and stderr, on its way from the kernel's records to the sinks: joined to lines, limited in number, each
 * with its severity, and with the ids of the request that it is about. Puts together what logs/, trace/ and export/ have for that.
 *
 *	write → line → rate → record ─┬→ of a request: waits in the assembler for its trace ─┬→ sinks
 *	                              └→ of none: goes out with the next tick ───────────────┘
 */
#ifndef ZS_LOG_FLOW_H
#define ZS_LOG_FLOW_H

#include "export/limits.h"
#include "export/sink.h"
#include "logs/rate.h"
#include "metric/metric.h"
#include "span/service.h"
#include "trace/assembler.h"

#define LOG_FLOW_MAX_SINKS 16

/* Severities that are told apart: unspecified, and OpenTelemetry's six ranges. */
#define LOG_FLOW_SEVERITIES 7

struct log_flow_options {
	struct rate_limit limit;
	const struct attr_limits *attrs;      /* borrowed; NULL: none */
	const struct service_table *services; /* borrowed, like those below */
	struct metrics *metrics;
	struct assembler *assembler;
	const char *
	    only_trace; /* hexadecimal digits that its id begins with; NULL: all, and lines of none */
};

struct log_flow_stats {
	uint64_t records[LOG_FLOW_SEVERITIES]; /* lines that became records, */
	uint64_t of_requests;                  /* of these, told with trace and span */
	uint64_t truncated;                    /* of these, not whole */
	uint64_t limited;                      /* lines dropped: beyond the rate, */
	uint64_t unknown;                      /* of processes that are not known (any more), */
	uint64_t no_memory;
};

struct log_flow;

struct log_flow *log_flow_new(const struct log_flow_options *options); /* NULL: no memory */
void log_flow_free(struct log_flow *flow);                             /* NULL is fine */

/* Publish records to this sink, borrowed; loose: only those that no trace that is shown has. -E2BIG beyond the maximum. */
int log_flow_add_sink(struct log_flow *flow, struct sink *sink, bool loose);

/* Take a write. */
void log_flow_write(struct log_flow *flow, const struct zsp_log *log);

/* Time passes: tell what has waited. UINT64_MAX: all. */
void log_flow_tick(struct log_flow *flow, uint64_t now_ns);

/* For struct assembler_options: records whose trace is known now. */
void log_flow_publish(struct log_flow *flow, struct log_batch *logs, bool in_trace);

void log_flow_stats(const struct log_flow *flow, struct log_flow_stats *ret_stats);

#endif
