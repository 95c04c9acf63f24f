// SPDX-License-Identifier: Apache-2.0
/*
 * Failures: requests of a route that failed alike are one finding. Those that only pass on the failure of an observed request are
 * none: that one's finding names them. And who was in the way of some requests.
 */
#include <stdlib.h>

#include "why/analysis.h"

/* --- culprits ---------------------------------------------------------------------------------- */

static void add_example(struct why_culprit *culprit, const struct why_fact *fact)
{
	for (size_t i = 0; i < culprit->n_examples; i++)
		if (culprit->examples[i].transaction == fact->transaction &&
		    culprit->examples[i].thread == fact->thread)
			return;
	if (culprit->n_examples == WHY_EXAMPLES_MAX) {
		culprit->more = true;
		return;
	}
	culprit->examples[culprit->n_examples].transaction = fact->transaction;
	culprit->examples[culprit->n_examples++].thread = fact->thread;
}

static const struct why_fact *culprit_fact(
    const struct why_request *request, enum ledger_state state, uint32_t place)
{
	for (uint32_t i = 0; i < request->n_facts; i++) {
		const struct why_fact *fact = &request->facts[i];

		if (fact->kind == WHY_FACT_CULPRIT && fact->state == state &&
		    (place == WHY_NAME_NONE || fact->place == place))
			return fact;
	}
	return NULL;
}

static int compare_examples(const void *a, const void *b)
{
	const struct why_culprit_example *x = a, *y = b;

	if (x->transaction != y->transaction)
		return x->transaction < y->transaction ? -1 : 1;
	return x->thread < y->thread ? -1 : x->thread > y->thread;
}

void why_find_culprit(const struct why_set *set, enum ledger_state state,
    bool (*concerned)(const struct why_request *request, const void *ctx), const void *ctx,
    struct why_culprit *ret_culprit)
{
	struct why_tally tally = {.n = 0};
	struct why_share top = {0};
	struct why_culprit culprit = {0};
	const struct why_fact *fact;

	for (size_t i = 0; i < set->n; i++) {
		fact = culprit_fact(set->all[i].request, state, WHY_NAME_NONE);
		if (fact && why_set_counts(set, i) && concerned(set->all[i].request, ctx))
			why_tally_add(&tally, fact->place, set->all[i].weight);
	}
	why_tally_top(&tally, &top, 1);
	culprit.name = top.name;
	for (size_t i = 0; i < set->n && top.name != WHY_NAME_NONE; i++) {
		fact = culprit_fact(set->all[i].request, state, top.name);
		if (!fact || !why_set_counts(set, i) || !concerned(set->all[i].request, ctx))
			continue;
		if (culprit.requests == 0 || fact->ns < culprit.min_ns)
			culprit.min_ns = fact->ns;
		if (fact->ns > culprit.max_ns)
			culprit.max_ns = fact->ns;
		culprit.requests += set->all[i].weight;
		add_example(&culprit, fact);
	}
	qsort(culprit.examples, culprit.n_examples, sizeof(culprit.examples[0]), compare_examples);
	*ret_culprit = culprit;
}

/* --- failures ---------------------------------------------------------------------------------- */

static bool is_alike(const struct why_request *request, const void *ctx)
{
	const struct why_finding *finding = ctx;

	return request->failed && request->status == finding->status &&
	    request->error == finding->error && request->failure == finding->failure;
}

/* The finding that this request is one more of, made if there is room; else NULL. */
static struct why_finding *finding_of(
    const struct why_request *request, struct why_finding *findings, size_t *n, size_t max)
{
	for (size_t i = 0; i < *n; i++)
		if (is_alike(request, &findings[i]))
			return &findings[i];
	if (*n == max)
		return NULL;
	findings[*n] = (struct why_finding){.kind = WHY_FINDING_FAILURE,
	    .route = request->route,
	    .status = request->status,
	    .error = request->error,
	    .failure = request->failure};
	return &findings[(*n)++];
}

/* How long SQLite backed off before it gave up, or how long it took at all. */
static void add_time(struct why_finding *finding, const struct why_kept *kept)
{
	uint64_t busy_ns = why_request_state_ns(kept->request, LEDGER_SQLITE_BUSY);
	uint64_t ns = busy_ns ? busy_ns : kept->request->duration_ns;

	finding->state = busy_ns ? LEDGER_SQLITE_BUSY : finding->state;
	finding->min_ns = finding->requests == 0 || ns < finding->min_ns ? ns : finding->min_ns;
	finding->max_ns = ns > finding->max_ns ? ns : finding->max_ns;
	finding->requests += kept->weight;
	finding->mean_ns += kept->weight * (double)ns;
}

size_t why_find_failures(const struct why_set *set, const struct why_report *report,
    struct why_finding *ret_findings, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_ended; i++) {
		const struct why_request *request = set->all[i].request;
		struct why_finding *finding;

		if (!request->failed ||
		    why_name_kind(report->names, request->failure) == WHY_NAME_REQUEST)
			continue;
		finding = finding_of(request, ret_findings, &n, max);
		if (finding)
			add_time(finding, &set->all[i]);
	}
	for (size_t i = 0; i < n; i++) {
		ret_findings[i].of = set->weight;
		ret_findings[i].mean_ns /= ret_findings[i].requests;
		why_find_culprit(
		    set, LEDGER_SQLITE_BUSY, is_alike, &ret_findings[i], &ret_findings[i].culprit);
	}
	return n;
}
