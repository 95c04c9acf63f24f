// SPDX-License-Identifier: Apache-2.0
/*
 * Findings: what is worth a sentence at the top. One for each state in which a route loses time, one for each kind of
 * failure of a route, one for requests that wait for their answers too long; the heaviest are kept.
 *
 * Time is worth telling if requests lose at least WHY_WORTH_NS in that state, and it is either LOST_SHARE_MIN of all time
 * lost or more than half of what its route loses, in ALIKE_MIN requests or more: so a slow disk under all requests of one
 * route is told beside the few requests of another that sleep for seconds. SQLite's back-off before a failure is told with
 * the failure.
 */
#include <stdlib.h>

#include "why/analysis.h"

#define LOST_SHARE_MIN 0.03
#define ALIKE_MIN      5
/* A percentile is told if it would be better by a fifth, among so many requests. */
#define BETTER_MAX     0.8
#define PERCENTILE_MIN 20
/* Part of a request's time that makes it one of those concerned. */
#define CONCERNED_PART 10
/* SQLite's back-off is told with the failures after it, if they had so much of it. */
#define TOLD_PART 0.9

/* --- who waits for it -------------------------------------------------------------------------- */

/* The route that passes the most on to this one, as time or as failures; its share. */
static struct why_share caller_of(const struct why_report *report, uint32_t name, bool failures)
{
	struct why_share best = {0};

	for (size_t i = 0; i < report->n_routes; i++) {
		const struct why_route *route = &report->routes[i];
		const struct why_share *shares = failures ? route->fails_with : route->passed;
		size_t n = failures ? route->n_fails_with : route->n_passed;

		for (size_t k = 0; k < n; k++) {
			if (shares[k].name != name || shares[k].amount <= best.amount)
				continue;
			best = (struct why_share){route->name, shares[k].amount};
		}
	}
	return best;
}

static bool is_named(const struct why_finding *finding, uint32_t name)
{
	for (size_t i = 0; i < finding->n_callers; i++)
		if (finding->callers[i].name == name)
			return true;
	return finding->route == name;
}

static void find_callers(
    const struct why_report *report, struct why_finding *finding, bool failures)
{
	uint32_t name = finding->route;

	while (finding->n_callers < WHY_SHARES_MAX) {
		struct why_share caller = caller_of(report, name, failures);

		if (caller.name == WHY_NAME_NONE || is_named(finding, caller.name))
			return;
		name = caller.name;
		if (!failures)
			caller.amount /= why_report_route(report, name)->total_ns;
		finding->callers[finding->n_callers++] = caller;
	}
}

/* --- time -------------------------------------------------------------------------------------- */

static bool is_concerned(const struct why_request *request, const void *ctx)
{
	uint64_t ns = why_request_lost_in(request, *(const enum ledger_state *)ctx);

	return ns > 0 && ns >= request->duration_ns / CONCERNED_PART;
}

static void take_request(struct why_finding *f, const struct why_kept *kept)
{
	uint64_t ns = why_request_lost_in(kept->request, f->state);

	f->lost_ns += kept->weight * (double)ns;
	if (!is_concerned(kept->request, &f->state))
		return;
	ns = why_request_state_ns(kept->request, f->state); /* with what was work */
	f->max_ns = ns > f->max_ns ? ns : f->max_ns;
	f->mean_ns += kept->weight * (double)ns; /* a sum until all are in */
	f->requests += kept->weight;
}

static void find_places(const struct why_set *set, struct why_finding *f)
{
	struct why_tally places = {.n = 0}, stacks = {.n = 0};
	struct why_share stack = {0};

	for (size_t i = 0; i < set->n; i++) {
		const struct why_request *request = set->all[i].request;

		for (uint32_t k = 0; why_set_counts(set, i) && k < request->n_facts; k++) {
			const struct why_fact *fact = &request->facts[k];
			double ns = set->all[i].weight * (double)fact->ns;

			if (fact->state == f->state && fact->kind == WHY_FACT_TIME)
				why_tally_add(&places, fact->place, ns);
			if (fact->state == f->state && fact->kind == WHY_FACT_STACK)
				why_tally_add(&stacks, fact->place, ns);
		}
	}
	f->n_places = why_tally_top(&places, f->places, WHY_SHARES_MAX);
	why_tally_top(&stacks, &stack, 1);
	f->stack = stack.name;
}

static void find_percentile(
    const struct why_set *set, const struct why_route *route, struct why_finding *f)
{
	static const int percentiles[] = {95, 99};

	for (size_t i = 0; i < 2 && set->weight >= PERCENTILE_MIN; i++) {
		uint64_t now_ns = i == 0 ? route->p95_ns : route->p99_ns;
		uint64_t without_ns =
		    why_set_percentile_without(set, percentiles[i] / 100.0, f->state);

		if ((double)without_ns > BETTER_MAX * (double)now_ns)
			continue;
		f->percentile = percentiles[i];
		f->now_ns = now_ns;
		f->without_ns = without_ns;
		return;
	}
}

static bool is_much(
    const struct why_report *report, const struct why_finding *f, const struct why_route *route)
{
	bool request = why_name_kind(report->names, route->name) == WHY_NAME_REQUEST;

	return f->share >= LOST_SHARE_MIN ||
	    (request && f->lost_ns > route->lost_ns / 2 && f->requests >= ALIKE_MIN);
}

/* The shortest and the mean of what those concerned waited, from one request of the set to another; false: there are none. */
static bool find_range(const struct why_set *set, size_t from, size_t to, struct why_finding *f)
{
	uint64_t min_ns = UINT64_MAX;
	double sum_ns = 0, weight = 0;

	for (size_t i = from; i < to; i++) {
		uint64_t ns = why_request_state_ns(set->all[i].request, f->state);

		if (!why_set_counts(set, i) || !is_concerned(set->all[i].request, &f->state))
			continue;
		min_ns = ns < min_ns ? ns : min_ns;
		sum_ns += set->all[i].weight * (double)ns;
		weight += set->all[i].weight;
	}
	if (weight == 0)
		return false;
	f->min_ns = min_ns;
	f->mean_ns = sum_ns / weight;
	return true;
}

/* False: not worth a sentence. */
static bool find_time(const struct why_set *set, const struct why_route *route,
    enum ledger_state state, const struct why_report *report, struct why_finding *ret_finding)
{
	struct why_finding f = {.kind = WHY_FINDING_TIME, .route = set->route, .state = state};

	for (size_t i = 0; i < set->n; i++) {
		if (!why_set_counts(set, i))
			continue;
		f.of += set->all[i].weight;
		take_request(&f, &set->all[i]);
	}
	if (f.requests == 0)
		return false;
	f.mean_ns /= f.requests;
	f.share = f.weight = f.lost_ns / report->lost_ns;
	if (f.mean_ns < (double)WHY_WORTH_NS || !is_much(report, &f, route))
		return false;
	/* Of open ones only the longest is telling, unless there are no others. */
	if (!find_range(set, 0, set->n_ended, &f))
		find_range(set, set->n_ended, set->n, &f);
	find_places(set, &f);
	find_percentile(set, route, &f);
	why_find_culprit(set, state, is_concerned, &state, &f.culprit);
	why_find_beside(set, state, is_concerned, &state, &f.beside);
	find_callers(report, &f, false);
	*ret_finding = f;
	return true;
}

/* --- the heaviest ------------------------------------------------------------------------------ */

static void insert(struct why_report *report, const struct why_finding *finding)
{
	size_t at = report->n_findings;
	double weight = finding->weight;

	while (at > 0 && report->findings[at - 1].weight < weight)
		at--;
	if (at == WHY_FINDINGS_MAX)
		return;
	if (report->n_findings < WHY_FINDINGS_MAX)
		report->n_findings++;
	for (size_t i = report->n_findings - 1; i > at; i--)
		report->findings[i] = report->findings[i - 1];
	report->findings[at] = *finding;
}

/* Of what is outside of requests, against everything: it may be all there is, or a thread on the side. */
static double weight_of(const struct why_report *report, const struct why_finding *f)
{
	bool lone = why_name_kind(report->names, f->route) != WHY_NAME_REQUEST;

	return WHY_FAILURE_WEIGHT * f->requests / (lone ? report->requests + report->lone : f->of);
}

static void find_in_route(
    const struct why_set *set, const struct why_route *route, struct why_report *report)
{
	struct why_finding failures[WHY_TALLY_MAX], finding;
	size_t n = why_find_failures(set, report, failures, WHY_TALLY_MAX);
	double told_ns = 0; /* of SQLite's back-off */

	for (size_t i = 0; i < n; i++) {
		find_callers(report, &failures[i], true);
		failures[i].weight = weight_of(report, &failures[i]);
		insert(report, &failures[i]);
		if (failures[i].state == LEDGER_SQLITE_BUSY)
			told_ns += failures[i].requests * failures[i].mean_ns;
	}
	for (int state = 0; state < LEDGER_STATES; state++) {
		if (!find_time(set, route, (enum ledger_state)state, report, &finding))
			continue;
		if (state == LEDGER_SQLITE_BUSY && told_ns >= TOLD_PART * finding.lost_ns)
			continue;
		insert(report, &finding);
	}
	if (why_find_no_answer(set, route, report->options.end_ns, &finding)) {
		finding.weight = weight_of(report, &finding);
		insert(report, &finding);
	}
}

void why_find(const struct why_sets *sets, struct why_report *report)
{
	for (size_t i = 0; i < report->n_routes; i++) {
		const struct why_route *route = &report->routes[i];

		find_in_route(why_sets_find(sets, route->name), route, report);
	}
}
