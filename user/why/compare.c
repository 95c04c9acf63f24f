// SPDX-License-Identifier: Apache-2.0
/*
 * What slow requests of a route have that the others have not.
 *
 * Slow is what took longer than the threshold: the one asked for, else the one that parts the route's requests best (the
 * largest variance between the logarithms of their durations: Otsu, A threshold selection method from gray-level histograms,
 * 1979) among those that leave only requests of twice the median and more above: requests that all take about the same
 * time have none. A difference matters if it is a twentieth of that between the mean
 * durations; for executions of a statement, if there is at least one more; for failures and culprits, if they concern a fifth
 * more of the requests.
 */
#include <assert.h>
#include <stdlib.h>

#include "why/analysis.h"

#define SLOW_MEDIANS        2
#define MATTERS_OF_TIME     0.05
#define MATTERS_OF_REQUESTS 0.2
#define MATTERS_EXECUTIONS  1.0
/* Distinct facts that are compared; those met later are not. */
#define COMPARED_MAX 256

/* The best of each kind is told, however much there is of the others. */
static_assert(WHY_DIFFERENCES_MAX >= 5, "TIME, PASSED_ON, STATEMENT, FAILURE, CULPRIT");

struct side {
	double sum; /* of ns or executions */
	double having;
};

struct row {
	enum why_fact_kind kind;
	enum ledger_state state;
	uint32_t place;
	struct side slow, normal;
};

struct table {
	struct row rows[COMPARED_MAX];
	size_t n;
};

static struct row *row_of(struct table *table, const struct why_fact *fact)
{
	struct row *row;

	for (size_t i = 0; i < table->n; i++) {
		row = &table->rows[i];
		if (row->kind == fact->kind && row->state == fact->state &&
		    row->place == fact->place)
			return row;
	}
	if (table->n == COMPARED_MAX)
		return NULL;
	row = &table->rows[table->n++];
	*row = (struct row){.kind = fact->kind, .state = fact->state, .place = fact->place};
	return row;
}

static double amount_of(const struct why_fact *fact)
{
	switch (fact->kind) {
	case WHY_FACT_TIME:
	case WHY_FACT_PASSED_ON:
		return (double)fact->ns;
	case WHY_FACT_STATEMENT:
		return fact->count;
	default:
		return 1;
	}
}

/* Where it waited and what was beside it are told of findings. */
static bool is_compared(const struct why_fact *fact)
{
	return fact->kind != WHY_FACT_STACK && fact->kind != WHY_FACT_BESIDE;
}

static void add(struct table *table, const struct why_kept *kept, bool slow)
{
	for (uint32_t i = 0; i < kept->request->n_facts; i++) {
		const struct why_fact *fact = &kept->request->facts[i];
		struct row *row = is_compared(fact) ? row_of(table, fact) : NULL;
		struct side *side;

		if (!row)
			continue;
		side = slow ? &row->slow : &row->normal;
		side->having += kept->weight;
		side->sum += kept->weight * amount_of(fact);
	}
}

/* How much a difference explains: 0 does not matter; the more the earlier it is told. */
static double worth(const struct why_comparison *c, const struct why_difference *d)
{
	double more = d->slow - d->normal, longer_ns = c->slow_mean_ns - c->normal_mean_ns;

	switch (d->kind) {
	case WHY_FACT_TIME:
	case WHY_FACT_PASSED_ON:
		return more >= MATTERS_OF_TIME * longer_ns ? more : 0;
	case WHY_FACT_STATEMENT:
		return more >= MATTERS_EXECUTIONS ? more : 0;
	case WHY_FACT_FAILURE:
	case WHY_FACT_CULPRIT:
		return more >= MATTERS_OF_REQUESTS ? more : 0;
	default:
		return 0;
	}
}

/* Whether there is one of this kind that is worth more. */
static bool is_second(const struct why_comparison *c, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (c->differences[k].kind == c->differences[i].kind)
			return true;
	return false;
}

/* The one that gives way: the least of those that are not the best of their kind. */
static void drop_least(struct why_comparison *c)
{
	size_t i = c->n_differences - 1;

	while (i > 0 && !is_second(c, i))
		i--;
	c->n_differences--;
	for (; i < c->n_differences; i++)
		c->differences[i] = c->differences[i + 1];
}

/* Time first, whose worth is in ns. */
static void insert(struct why_comparison *c, const struct why_difference *difference, double value)
{
	size_t at = c->n_differences;

	while (at > 0 && worth(c, &c->differences[at - 1]) < value)
		at--;
	for (size_t i = c->n_differences++; i > at; i--)
		c->differences[i] = c->differences[i - 1];
	c->differences[at] = *difference;
	if (c->n_differences > WHY_DIFFERENCES_MAX)
		drop_least(c);
}

static void take_rows(const struct table *table, struct why_comparison *c)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct row *row = &table->rows[i];
		struct why_difference difference = {
		    .kind = row->kind,
		    .state = row->state,
		    .place = row->place,
		    .slow = row->slow.sum / c->slow,
		    .normal = row->normal.sum / c->normal,
		    .in_slow = row->slow.having,
		    .in_normal = row->normal.having,
		};
		double value = worth(c, &difference);

		if (value > 0)
			insert(c, &difference, value);
	}
}

/* Binary logarithm, straight between powers of two: off by a tenth at most. */
static double log2_about(uint64_t ns)
{
	int octave = 63 - __builtin_clzll(ns | 1);

	return octave + (double)ns / (double)(1ULL << octave) - 1;
}

/* The threshold that parts the requests best, see above; the longest duration if none parts them. */
static uint64_t parting_ns(const struct why_set *set, uint64_t p50_ns)
{
	double sum = 0, below = 0, weight = 0, best = 0;
	uint64_t threshold_ns = UINT64_MAX;

	for (size_t i = 0; i < set->n_ended; i++)
		sum += set->all[i].weight * log2_about(set->all[i].request->duration_ns);
	for (size_t i = 0; i + 1 < set->n_ended; i++) {
		uint64_t ns = set->all[i].request->duration_ns;
		uint64_t next_ns = set->all[i + 1].request->duration_ns;
		double apart, variance;

		below += set->all[i].weight * log2_about(ns);
		weight += set->all[i].weight;
		apart = (sum - below) / (set->weight - weight) - below / weight;
		variance = weight * (set->weight - weight) * apart * apart;
		if (next_ns < SLOW_MEDIANS * p50_ns || ns == next_ns || variance <= best)
			continue;
		best = variance;
		threshold_ns = ns;
	}
	return threshold_ns;
}

void why_compare(const struct why_set *set, const struct why_route *route, uint64_t slower_than_ns,
    struct why_comparison *ret_comparison)
{
	struct why_comparison c = {
	    .threshold_ns = slower_than_ns ? slower_than_ns : parting_ns(set, route->p50_ns)};
	struct table *table = calloc(1, sizeof(*table));

	for (size_t i = 0; table && i < set->n_ended; i++) {
		const struct why_kept *kept = &set->all[i];
		bool slow = kept->request->duration_ns > c.threshold_ns;

		*(slow ? &c.slow : &c.normal) += kept->weight;
		*(slow ? &c.slow_mean_ns : &c.normal_mean_ns) +=
		    kept->weight * (double)kept->request->duration_ns;
		add(table, kept, slow);
	}
	if (c.slow > 0)
		c.slow_mean_ns /= c.slow;
	if (c.normal > 0)
		c.normal_mean_ns /= c.normal;
	if (c.slow > 0 && c.normal > 0)
		take_rows(table, &c);
	else if (!slower_than_ns)
		c.threshold_ns = 0;
	free(table);
	*ret_comparison = c;
}
