// SPDX-License-Identifier: Apache-2.0
/*
 * What else a process did while its requests waited. Told of waits for what requests of a process have from each other: its locks, its
 * threads, its disk, CPUs; and only if half of the requests had it beside them for BESIDE_PART of their time.
 */
#include "why/analysis.h"

#define BESIDE_PART     10
#define BESIDE_REQUESTS 0.5

static bool is_shared(enum ledger_state state)
{
	static const bool shared[LEDGER_STATES] = {
	    [LEDGER_RUNQUEUE] = true,
	    [LEDGER_QUEUED] = true,
	    [LEDGER_LOCK] = true,
	    [LEDGER_DISK] = true,
	    [LEDGER_SQLITE_BUSY] = true,
	};

	return shared[state];
}

static bool is_beside(const struct why_request *request, const struct why_fact *fact)
{
	return fact->kind == WHY_FACT_BESIDE && fact->ns >= request->duration_ns / BESIDE_PART;
}

static void add(struct why_beside *beside, const struct why_kept *kept, const struct why_fact *fact)
{
	beside->requests += kept->weight;
	beside->mean += kept->weight * fact->count;
	beside->max = fact->count > beside->max ? fact->count : beside->max;
	beside->longest_ns = fact->ns > beside->longest_ns ? fact->ns : beside->longest_ns;
}

void why_find_beside(const struct why_set *set, enum ledger_state state,
    bool (*concerned)(const struct why_request *request, const void *ctx), const void *ctx,
    struct why_beside *ret_beside)
{
	struct why_beside beside = {.name = WHY_NAME_NONE};
	struct why_tally tally = {.n = 0};
	struct why_share top = {0};
	double all = 0;

	for (size_t i = 0; is_shared(state) && i < set->n; i++) {
		const struct why_request *request = set->all[i].request;

		if (!why_set_counts(set, i) || !concerned(request, ctx))
			continue;
		all += set->all[i].weight;
		for (uint32_t k = 0; k < request->n_facts; k++)
			if (is_beside(request, &request->facts[k]))
				why_tally_add(&tally, request->facts[k].place, set->all[i].weight);
	}
	why_tally_top(&tally, &top, 1);
	if (top.name == WHY_NAME_NONE || top.amount < BESIDE_REQUESTS * all)
		return;
	beside.name = top.name;
	for (size_t i = 0; i < set->n; i++) {
		const struct why_request *request = set->all[i].request;
		const struct why_fact *fact = why_request_fact(request, WHY_FACT_BESIDE, top.name);

		if (fact && why_set_counts(set, i) && concerned(request, ctx) &&
		    is_beside(request, fact))
			add(&beside, &set->all[i], fact);
	}
	beside.mean /= beside.requests;
	*ret_beside = beside;
}
