// SPDX-License-Identifier: Apache-2.0
/* Requests by route and duration; see set.h. */
#include "why/set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct why_request *x = ((const struct why_kept *)a)->request;
	const struct why_request *y = ((const struct why_kept *)b)->request;

	if (x->route != y->route)
		return x->route < y->route ? -1 : 1;
	if (x->open != y->open)
		return x->open ? 1 : -1;
	return x->duration_ns < y->duration_ns ? -1 : x->duration_ns > y->duration_ns;
}

/* Where the route that begins at `from` ends. */
static struct why_set set_from(const struct why_kept *kept, size_t n, size_t from)
{
	struct why_set set = {.route = kept[from].request->route, .all = kept + from};

	for (size_t i = from; i < n && kept[i].request->route == set.route; i++) {
		set.n++;
		if (kept[i].request->open)
			continue;
		set.n_ended++;
		set.weight += kept[i].weight;
	}
	return set;
}

/* Leave those that began at start_ns or later; the number of the others. */
static double drop_early(struct why_kept *kept, size_t *n, uint64_t start_ns)
{
	double early = 0;
	size_t left = 0;

	for (size_t i = 0; i < *n; i++) {
		if (kept[i].request->end_ns - kept[i].request->duration_ns < start_ns)
			early += kept[i].weight;
		else
			kept[left++] = kept[i];
	}
	*n = left;
	return early;
}

int why_sets_make(const struct why_sample *sample, uint64_t start_ns, struct why_sets *ret_sets,
    double *ret_early)
{
	size_t n = why_sample_count(sample), routes = 0;
	double early;
	struct why_sets sets = {0};

	sets.kept = calloc(n + 1, sizeof(*sets.kept));
	if (!sets.kept)
		return -ENOMEM;
	why_sample_list(sample, sets.kept);
	early = drop_early(sets.kept, &n, start_ns);
	qsort(sets.kept, n, sizeof(*sets.kept), compare);
	for (size_t i = 0; i < n; i++)
		routes += i == 0 || sets.kept[i].request->route != sets.kept[i - 1].request->route;
	sets.sets = calloc(routes + 1, sizeof(*sets.sets));
	if (!sets.sets) {
		free(sets.kept);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i += sets.sets[sets.n++].n)
		sets.sets[sets.n] = set_from(sets.kept, n, i);
	*ret_sets = sets;
	*ret_early = early;
	return 0;
}

void why_sets_release(struct why_sets *sets)
{
	free(sets->kept);
	free(sets->sets);
	memset(sets, 0, sizeof(*sets));
}

const struct why_set *why_sets_find(const struct why_sets *sets, uint32_t route)
{
	for (size_t i = 0; i < sets->n; i++)
		if (sets->sets[i].route == route)
			return &sets->sets[i];
	return NULL;
}

bool why_set_counts(const struct why_set *set, size_t i)
{
	return i < set->n_ended || set->all[i].request->known;
}

/* --- percentiles ------------------------------------------------------------------------------- */

struct weighed {
	uint64_t ns;
	double weight;
};

/* Weights that stand for whole requests may miss them by rounding: so much less than one is one. */
#define WEIGHT_SLACK 1e-6

uint64_t why_set_percentile(const struct why_set *set, double q)
{
	double reached = 0;

	for (size_t i = 0; i < set->n_ended; i++) {
		reached += set->all[i].weight;
		if (reached + WEIGHT_SLACK >= q * set->weight)
			return set->all[i].request->duration_ns;
	}
	return set->n_ended ? set->all[set->n_ended - 1].request->duration_ns : 0;
}

static int compare_weighed(const void *a, const void *b)
{
	const struct weighed *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

uint64_t why_set_percentile_without(const struct why_set *set, double q, enum ledger_state state)
{
	struct weighed *rest = calloc(set->n_ended + 1, sizeof(*rest));
	double reached = 0;
	uint64_t ns = 0;

	if (!rest)
		return 0;
	for (size_t i = 0; i < set->n_ended; i++) {
		const struct why_request *request = set->all[i].request;

		rest[i].ns = request->duration_ns - why_request_lost_in(request, state);
		rest[i].weight = set->all[i].weight;
	}
	qsort(rest, set->n_ended, sizeof(*rest), compare_weighed);
	for (size_t i = 0; i < set->n_ended && reached + WEIGHT_SLACK < q * set->weight; i++) {
		reached += rest[i].weight;
		ns = rest[i].ns;
	}
	free(rest);
	return ns;
}

/* --- tallies ----------------------------------------------------------------------------------- */

void why_tally_add(struct why_tally *tally, uint32_t name, double amount)
{
	size_t least = 0;

	for (size_t i = 0; i < tally->n; i++) {
		if (tally->shares[i].name == name) {
			tally->shares[i].amount += amount;
			return;
		}
		if (tally->shares[i].amount < tally->shares[least].amount)
			least = i;
	}
	if (tally->n < WHY_TALLY_MAX)
		tally->shares[tally->n++] = (struct why_share){name, amount};
	else if (tally->shares[least].amount < amount)
		tally->shares[least] = (struct why_share){name, amount};
}

static int compare_shares(const void *a, const void *b)
{
	const struct why_share *x = a, *y = b;

	if (x->amount != y->amount)
		return x->amount > y->amount ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

size_t why_tally_top(struct why_tally *tally, struct why_share *ret_shares, size_t max)
{
	size_t n = tally->n < max ? tally->n : max;

	qsort(tally->shares, tally->n, sizeof(*tally->shares), compare_shares);
	memcpy(ret_shares, tally->shares, n * sizeof(*ret_shares));
	return n;
}
