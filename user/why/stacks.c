// SPDX-License-Identifier: Apache-2.0
/* The stacks in which the longest waits were; see report.h. */
#include <stdlib.h>

#include "why/analysis.h"

/* Distinct stacks, by state and route, that are followed; those met later, when it is full, are not. */
#define FOLLOWED_MAX 256

static struct why_stack *stack_of(
    struct why_stack *stacks, size_t *n, uint32_t route, const struct why_fact *fact)
{
	for (size_t i = 0; i < *n; i++)
		if (stacks[i].name == fact->place && stacks[i].state == fact->state &&
		    stacks[i].route == route)
			return &stacks[i];
	if (*n == FOLLOWED_MAX)
		return NULL;
	stacks[*n] = (struct why_stack){.name = fact->place, .route = route, .state = fact->state};
	return &stacks[(*n)++];
}

static void add_request(
    struct why_stack *stacks, size_t *n, uint32_t route, const struct why_kept *kept)
{
	for (uint32_t i = 0; i < kept->request->n_facts; i++) {
		const struct why_fact *fact = &kept->request->facts[i];
		struct why_stack *stack;

		if (fact->kind != WHY_FACT_STACK)
			continue;
		stack = stack_of(stacks, n, route, fact);
		if (!stack)
			continue;
		stack->requests += kept->weight;
		stack->total_ns += kept->weight * (double)fact->ns;
	}
}

static int compare(const void *a, const void *b)
{
	const struct why_stack *x = a, *y = b;

	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* A stack that stands with another route already is told once. */
static void take_distinct(const struct why_stack *stacks, size_t n, struct why_report *report)
{
	for (size_t i = 0; i < n && report->n_stacks < WHY_STACKS_MAX; i++) {
		size_t k = 0;

		while (k < report->n_stacks && report->stacks[k].name != stacks[i].name)
			k++;
		if (k == report->n_stacks)
			report->stacks[report->n_stacks++] = stacks[i];
	}
}

void why_find_stacks(const struct why_sets *sets, struct why_report *report)
{
	struct why_stack *stacks = calloc(FOLLOWED_MAX, sizeof(*stacks));
	size_t n = 0;

	for (size_t i = 0; stacks && i < report->n_routes; i++) {
		const struct why_set *set = why_sets_find(sets, report->routes[i].name);

		for (size_t k = 0; k < set->n; k++)
			add_request(stacks, &n, set->route, &set->all[k]);
	}
	if (n > 0)
		qsort(stacks, n, sizeof(*stacks), compare);
	take_distinct(stacks, n, report);
	free(stacks);
}
