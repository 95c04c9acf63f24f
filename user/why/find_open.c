// SPDX-License-Identifier: Apache-2.0
/*
 * Requests without an answer: those of a route that wait longer than others did are a finding, which says in what state most of their
 * time was so far and where; and the oldest of all routes are listed one by one.
 */
#include "why/analysis.h"

/* A request waits too long for its answer when it has waited longer than nearly all others, and this. */
#define NO_ANSWER_MIN_NS NS_PER_S

uint64_t why_open_ns(const struct why_request *request, uint64_t end_ns)
{
	uint64_t start_ns = request->end_ns - request->duration_ns;

	return end_ns > request->end_ns ? end_ns - start_ns : request->duration_ns;
}

/* Time in each state, what was passed on with it. */
static void add_states(const struct why_request *request, double weight, double states[])
{
	for (uint32_t i = 0; i < request->n_facts; i++) {
		const struct why_fact *fact = &request->facts[i];

		if (fact->kind == WHY_FACT_TIME || fact->kind == WHY_FACT_PASSED_ON)
			states[fact->state] += weight * (double)fact->ns;
	}
}

/* Of nothing at all, nothing is known. */
static enum ledger_state most_of(const double states[])
{
	int most = LEDGER_UNATTRIBUTED;

	for (int i = 0; i < LEDGER_STATES; i++)
		if (states[i] > states[most])
			most = i;
	return (enum ledger_state)most;
}

/* --- the finding ------------------------------------------------------------------------------- */

struct waiters {
	uint64_t usual_ns, end_ns;
};

static bool is_too_long(const struct why_request *request, const void *ctx)
{
	const struct waiters *w = ctx;

	return request->open && why_open_ns(request, w->end_ns) > w->usual_ns;
}

/* In what most of their time was, and where, so far as that is known. */
static void find_where(
    const struct why_set *set, const struct waiters *waiters, struct why_finding *f)
{
	struct why_tally places = {.n = 0}, stacks = {.n = 0};
	double states[LEDGER_STATES] = {0}, sum = 0;
	struct why_share stack = {0};

	for (size_t i = set->n_ended; i < set->n; i++)
		if (set->all[i].request->known && is_too_long(set->all[i].request, waiters))
			add_states(set->all[i].request, set->all[i].weight, states);
	f->state = most_of(states);
	f->lost_ns = states[f->state];
	for (int i = 0; i < LEDGER_STATES; i++)
		sum += states[i];
	f->share = sum > 0 ? f->lost_ns / sum : 0;
	for (size_t i = set->n_ended; i < set->n; i++) {
		const struct why_request *request = set->all[i].request;

		for (uint32_t k = 0; is_too_long(request, waiters) && k < request->n_facts; k++) {
			const struct why_fact *fact = &request->facts[k];
			double ns = set->all[i].weight * (double)fact->ns;

			if (fact->state != f->state)
				continue;
			if (fact->kind == WHY_FACT_TIME || fact->kind == WHY_FACT_PASSED_ON)
				why_tally_add(&places, fact->place, ns);
			else if (fact->kind == WHY_FACT_STACK)
				why_tally_add(&stacks, fact->place, ns);
		}
	}
	f->n_places = why_tally_top(&places, f->places, WHY_SHARES_MAX);
	why_tally_top(&stacks, &stack, 1);
	f->stack = stack.name;
}

bool why_find_no_answer(const struct why_set *set, const struct why_route *route, uint64_t end_ns,
    struct why_finding *ret_finding)
{
	struct waiters waiters = {.end_ns = end_ns,
	    .usual_ns = route->p99_ns > NO_ANSWER_MIN_NS ? route->p99_ns : NO_ANSWER_MIN_NS};
	struct why_finding f = {.kind = WHY_FINDING_NO_ANSWER,
	    .route = set->route,
	    .of = route->requests + route->open};

	for (size_t i = set->n_ended; i < set->n; i++) {
		uint64_t ns = why_open_ns(set->all[i].request, end_ns);

		if (!is_too_long(set->all[i].request, &waiters))
			continue;
		f.min_ns = f.requests == 0 || ns < f.min_ns ? ns : f.min_ns;
		f.max_ns = ns > f.max_ns ? ns : f.max_ns;
		f.mean_ns += set->all[i].weight * (double)ns;
		f.requests += set->all[i].weight;
		f.known |= set->all[i].request->known;
	}
	if (f.requests == 0)
		return false;
	f.mean_ns /= f.requests;
	if (f.known)
		find_where(set, &waiters, &f);
	if (f.known)
		why_find_culprit(set, f.state, is_too_long, &waiters, &f.culprit);
	*ret_finding = f;
	return true;
}

/* --- one by one -------------------------------------------------------------------------------- */

static struct why_open open_of(const struct why_request *request, uint64_t end_ns)
{
	struct why_open open = {.route = request->route, .age_ns = why_open_ns(request, end_ns)};
	uint64_t longest_ns = 0, most_ns = 0;

	add_states(request, 1, open.state_ns);
	open.state = most_of(open.state_ns);
	for (uint32_t i = 0; i < request->n_facts; i++) {
		const struct why_fact *fact = &request->facts[i];

		if (fact->kind == WHY_FACT_STACK && fact->ns >= longest_ns) {
			longest_ns = fact->ns;
			open.stack = fact->place;
			open.state = fact->state;
		}
	}
	for (uint32_t i = 0; i < request->n_facts; i++) {
		const struct why_fact *fact = &request->facts[i];

		if ((fact->kind == WHY_FACT_TIME || fact->kind == WHY_FACT_PASSED_ON) &&
		    fact->state == open.state && fact->ns > most_ns) {
			most_ns = fact->ns;
			open.place = fact->place;
		}
	}
	return open;
}

/* Oldest first; the youngest gives way when there is no room. */
static void insert(struct why_report *report, const struct why_open *open)
{
	size_t at = report->n_opens;

	while (at > 0 && report->opens[at - 1].age_ns < open->age_ns)
		at--;
	if (at == WHY_OPENS_MAX)
		return;
	if (report->n_opens < WHY_OPENS_MAX)
		report->n_opens++;
	for (size_t i = report->n_opens - 1; i > at; i--)
		report->opens[i] = report->opens[i - 1];
	report->opens[at] = *open;
}

void why_list_open(const struct why_sets *sets, struct why_report *report)
{
	for (size_t i = 0; i < report->n_routes; i++) {
		const struct why_set *set = why_sets_find(sets, report->routes[i].name);

		for (size_t k = set->n_ended; k < set->n; k++) {
			struct why_open open = open_of(set->all[k].request, report->options.end_ns);

			insert(report, &open);
		}
	}
}
