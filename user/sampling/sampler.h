/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage between the traces and their destinations: each local trace is looked at as a whole, after it ended, and goes
 * on or does not. No clock and no randomness of its own: the same traces at the same times give the same ones again.
 *
 *	trace ── facts ── verdict ──┬── by a rule that knows something of it, or the parent ─────────────── kept, marked
 *	                            └── by default ── the route's window of a second, if it has a rate ──── kept, marked
 *
 * A trace of more than a thousand spans comes in parts (struct trace.more), which have its number. The first part decides, and those that
 * follow are decided alike; but where a later part has an error, or has become slow, what is left of a dropped trace is kept from there
 * on. Parts are not subject to rates. Up to SAMPLER_MAX_PARTS traces are remembered for this; of more, those unheard of for longest are
 * decided anew.
 */
#ifndef ZS_SAMPLING_SAMPLER_H
#define ZS_SAMPLING_SAMPLER_H

#include "proto/sampling_policy.h"
#include "sampling/verdict.h"

#define SAMPLER_MAX_PARTS 4096
/* Spans that wait for the end of their second or their turn in the next, as many as sinks' queues have in four; beyond, traces with less randomness are dropped sooner. */
#define SAMPLER_MAX_HELD 65536

struct sampler_options {
	const struct sampling_policy *policy; /* borrowed */
	/* A trace is kept: marked as such, and the last stage that may change it. Borrowed for the call. */
	void (*keep)(void *ctx, struct trace *trace);
	void *ctx;
};

struct sampler_stats {
	uint64_t kept[SAMPLING_REASONS], dropped[SAMPLING_REASONS]; /* traces */
	uint64_t routes_forgotten; /* of more than are remembered */
	uint64_t parts_forgotten;  /* traces of which parts had come, likewise */
	uint64_t held;             /* spans that wait for their time now */
};

/* All of the kind, and what is kept of them. */
uint64_t sampler_stats_traces(const struct sampler_stats *stats);
uint64_t sampler_stats_kept(const struct sampler_stats *stats);

struct sampler;

struct sampler *sampler_new(const struct sampler_options *options); /* NULL: no memory */

/* Another policy, borrowed: what waits for the end of its second goes on, routes are learnt anew. */
void sampler_set_policy(struct sampler *sampler, const struct sampling_policy *policy);

/* After sampler_tick(UINT64_MAX): nothing is kept any more. NULL is fine. */
void sampler_free(struct sampler *sampler);

/* Decide on a trace, which has a span at least. */
void sampler_take(struct sampler *sampler, struct trace *trace, uint64_t now_ns);

/* Time passes: what waited for the end of its second goes on. UINT64_MAX: the end. */
void sampler_tick(struct sampler *sampler, uint64_t now_ns);

void sampler_stats(const struct sampler *sampler, struct sampler_stats *ret_stats);

#endif
