// SPDX-License-Identifier: Apache-2.0
/* Sums and percentiles of one route's requests; see report.h. */
#include <stdlib.h>

#include "why/analysis.h"

/* A tally's names are numbers of any kind; status codes fit. */
static void take_statuses(struct why_route *route, struct why_tally *statuses)
{
	struct why_share top[WHY_STATUSES_MAX];

	route->n_statuses = why_tally_top(statuses, top, WHY_STATUSES_MAX);
	for (size_t i = 0; i < route->n_statuses; i++) {
		route->statuses[i].status = (int)top[i].name;
		route->statuses[i].requests = top[i].amount;
	}
}

static void add_time(struct why_route *route, struct why_tally *passed, const struct why_kept *kept)
{
	const struct why_request *request = kept->request;

	for (uint32_t i = 0; i < request->n_facts; i++) {
		const struct why_fact *fact = &request->facts[i];
		double ns = kept->weight * (double)fact->ns;

		if (fact->kind == WHY_FACT_TIME || fact->kind == WHY_FACT_PASSED_ON)
			route->state_ns[fact->state] += ns;
		if (fact->kind == WHY_FACT_PASSED_ON)
			why_tally_add(passed, fact->place, ns);
	}
	route->total_ns += kept->weight * (double)request->duration_ns;
	route->lost_ns += kept->weight * (double)why_request_lost_ns(request);
}

static bool is_route(const struct why_names *names, uint32_t name)
{
	return why_name_kind(names, name) == WHY_NAME_REQUEST;
}

static void add_outcome(struct why_route *route, const struct why_names *names,
    struct why_tally *statuses, struct why_tally *failures, const struct why_kept *kept)
{
	const struct why_request *request = kept->request;

	route->failed += request->failed ? kept->weight : 0;
	if (request->status)
		why_tally_add(statuses, (uint32_t)request->status, kept->weight);
	if (request->failed && is_route(names, request->failure))
		why_tally_add(failures, request->failure, kept->weight);
	route->sampled |= kept->weight > 1;
}

static void take_percentiles(const struct why_set *set, struct why_route *route)
{
	if (set->n_ended == 0)
		return;
	route->p50_ns = why_set_percentile(set, 0.50);
	route->p95_ns = why_set_percentile(set, 0.95);
	route->p99_ns = why_set_percentile(set, 0.99);
	route->max_ns = set->all[set->n_ended - 1].request->duration_ns;
}

void why_analyse_route(
    const struct why_set *set, const struct why_report *report, struct why_route *ret_route)
{
	struct why_tally statuses = {.n = 0}, passed = {.n = 0}, failures = {.n = 0};
	struct why_route route = {.name = set->route, .requests = set->weight};
	uint64_t open_ns;

	for (size_t i = 0; i < set->n; i++) {
		const struct why_kept *kept = &set->all[i];

		if (why_set_counts(set, i))
			add_time(&route, &passed, kept);
		if (i < set->n_ended) {
			add_outcome(&route, report->names, &statuses, &failures, kept);
			continue;
		}
		open_ns = why_open_ns(kept->request, report->options.end_ns);
		route.open += kept->weight;
		if (open_ns > route.open_max_ns)
			route.open_max_ns = open_ns;
	}
	take_percentiles(set, &route);
	take_statuses(&route, &statuses);
	route.n_passed = why_tally_top(&passed, route.passed, WHY_SHARES_MAX);
	route.n_fails_with = why_tally_top(&failures, route.fails_with, WHY_SHARES_MAX);
	*ret_route = route;
}
