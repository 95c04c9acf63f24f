// SPDX-License-Identifier: Apache-2.0
/* From traces to kept traces; see sampler.h. */
#include "sampling/sampler.h"

#include <stdlib.h>

#include "sampling/mark.h"
#include "sampling/route_memory.h"

/* What was decided of a trace of which more is to come. */
struct decision {
	struct hnode node;
	struct list heard; /* the one that was heard of last at the end */
	uint64_t number;   /* of the trace */
	bool keep;
	uint64_t threshold; /* OT_UNKNOWN */
};

struct sampler {
	struct sampler_options options;
	struct rate_window_owner windows;
	struct route_memory routes;
	struct hmap decisions;
	struct list heard;
	struct sampler_stats stats;
};

uint64_t sampler_stats_kept(const struct sampler_stats *stats)
{
	uint64_t kept = 0;

	for (int i = 0; i < SAMPLING_REASONS; i++)
		kept += stats->kept[i];
	return kept;
}

/* What is kept late was dropped before. */
uint64_t sampler_stats_traces(const struct sampler_stats *stats)
{
	uint64_t dropped = 0;

	for (int i = 0; i < SAMPLING_REASONS; i++)
		dropped += stats->dropped[i];
	return sampler_stats_kept(stats) - stats->kept[SAMPLING_LATE] + dropped;
}

static void keep(
    struct sampler *sampler, struct trace *trace, uint64_t threshold, const struct ot_state *state)
{
	trace_mark_kept(trace, threshold, state);
	sampler->options.keep(sampler->options.ctx, trace);
}

/* The second of a route is over, and the trace's turn has come. */
static void on_window_keep(void *ctx, struct trace *trace, uint64_t threshold)
{
	struct sampler *sampler = ctx;
	struct trace_facts facts;

	trace_facts_take(trace, &facts);
	sampler->stats.kept[SAMPLING_RATIO]++;
	keep(sampler, trace, threshold, &facts.state);
}

/* --- traces in parts --- */

static struct decision *find_decision(const struct sampler *sampler, const struct trace *trace)
{
	if (sampler->decisions.count == 0)
		return NULL;
	hmap_for_each_hash (node, &sampler->decisions, hash_u64(trace->number)) {
		struct decision *decision = container_of(node, struct decision, node);

		if (decision->number == trace->number)
			return decision;
	}
	return NULL;
}

static void forget_decision(struct sampler *sampler, struct decision *decision)
{
	hmap_remove(&sampler->decisions, &decision->node);
	list_remove(&decision->heard);
	free(decision);
}

/* Without memory the next part is decided anew, which is counted. */
static void remember(
    struct sampler *sampler, const struct trace *trace, const struct verdict *verdict)
{
	struct decision *decision;

	if (sampler->decisions.count == SAMPLER_MAX_PARTS) {
		forget_decision(sampler, container_of(sampler->heard.next, struct decision, heard));
		sampler->stats.parts_forgotten++;
	}
	decision = malloc(sizeof(*decision));
	if (!decision || hmap_add(&sampler->decisions, hash_u64(trace->number), &decision->node)) {
		sampler->stats.parts_forgotten++;
		free(decision);
		return;
	}
	decision->number = trace->number;
	decision->keep = verdict->keep;
	decision->threshold = verdict->threshold;
	list_init(&decision->heard);
	list_add_tail(&sampler->heard, &decision->heard);
}

/* Another part: as the ones before, unless this one gives a reason to keep it. */
static void take_part(struct sampler *sampler, struct decision *decision, struct trace *trace,
    const struct trace_facts *facts)
{
	struct verdict verdict = sampling_decide(sampler->options.policy, facts);

	if (verdict.keep && verdict_is_special(&verdict)) {
		if (!decision->keep)
			sampler->stats.kept[SAMPLING_LATE]++;
		if (!decision->keep || verdict.threshold < decision->threshold)
			decision->threshold = verdict.threshold;
		decision->keep = true;
	}
	if (decision->keep)
		keep(sampler, trace, decision->threshold, &facts->state);
	list_remove(&decision->heard);
	list_add_tail(&sampler->heard, &decision->heard);
	if (!trace->more)
		forget_decision(sampler, decision);
}

/* --- whole traces --- */

/* What is remembered of the route, and how this request compares with it, which is one of it from now on. */
static struct route_known *compare(struct sampler *sampler, struct trace_facts *facts)
{
	const struct span *entry = facts->entry;
	struct route_known *route = route_memory_get(
	    &sampler->routes, sv_cstr(entry->service ? entry->service->name : NULL), entry->name);

	if (!route || !route->latency)
		return route;
	facts->compared = latency_count(route->latency);
	facts->share = latency_share(route->latency, facts->duration_ns);
	if (!entry->cut && !entry->untimed)
		latency_add(route->latency, facts->duration_ns);
	return route;
}

void sampler_take(struct sampler *sampler, struct trace *trace, uint64_t now_ns)
{
	struct route_known *route = NULL;
	struct decision *decision;
	struct trace_facts facts;
	struct verdict verdict;

	sampler_tick(sampler, now_ns);
	trace_facts_take(trace, &facts);
	decision = find_decision(sampler, trace);
	/* Of parts, the last one has the request's own span, unless a call of it has outlived it. */
	if (!trace->more && (!decision || facts.entry->kind == SPAN_KIND_SERVER))
		route = compare(sampler, &facts);
	if (decision) {
		take_part(sampler, decision, trace, &facts);
		return;
	}
	verdict = sampling_decide(sampler->options.policy, &facts);
	if (trace->more)
		remember(sampler, trace, &verdict);
	if (!verdict.keep) {
		sampler->stats.dropped[verdict.reason]++;
		return;
	}
	if (route && route->window.per_s && verdict.reason == SAMPLING_RATIO) {
		rate_window_take(&sampler->windows, &route->window,
		    &(struct candidate){trace, facts.randomness, verdict.threshold}, now_ns);
		return;
	}
	if (route && route->window.per_s)
		rate_window_pass(&sampler->windows, &route->window, now_ns);
	sampler->stats.kept[verdict.reason]++;
	keep(sampler, trace, verdict.threshold, &facts.state);
}

void sampler_tick(struct sampler *sampler, uint64_t now_ns)
{
	rate_windows_tick(&sampler->windows, now_ns);
}

/* --- life cycle --- */

struct sampler *sampler_new(const struct sampler_options *options)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));

	if (!sampler)
		return NULL;
	sampler->options = *options;
	rate_window_owner_init(&sampler->windows, SAMPLER_MAX_HELD);
	sampler->windows.keep = on_window_keep;
	sampler->windows.ctx = sampler;
	route_memory_init(&sampler->routes, options->policy, &sampler->windows);
	hmap_init(&sampler->decisions);
	list_init(&sampler->heard);
	return sampler;
}

void sampler_set_policy(struct sampler *sampler, const struct sampling_policy *policy)
{
	uint64_t forgotten = sampler->routes.forgotten;

	route_memory_release(&sampler->routes);
	sampler->options.policy = policy;
	route_memory_init(&sampler->routes, policy, &sampler->windows);
	sampler->routes.forgotten = forgotten;
}

void sampler_free(struct sampler *sampler)
{
	if (!sampler)
		return;
	route_memory_release(&sampler->routes);
	list_for_each (at, &sampler->heard)
		forget_decision(sampler, container_of(at, struct decision, heard));
	hmap_release(&sampler->decisions);
	free(sampler);
}

void sampler_stats(const struct sampler *sampler, struct sampler_stats *ret_stats)
{
	*ret_stats = sampler->stats;
	ret_stats->dropped[SAMPLING_RATE] = sampler->windows.dropped;
	ret_stats->routes_forgotten = sampler->routes.forgotten;
	ret_stats->held = sampler->windows.held;
}
