// SPDX-License-Identifier: Apache-2.0
/* When neighbours are remembered, and when they are looked up; see beside.h. */
#include "trace/beside.h"

#include <stdlib.h>

void beside_begin(struct graph *g, struct node *request)
{
	if (g->recent)
		recent_open(g->recent, request->pid, request->group->number,
		    request->exchange->start_ns, request, &request->recent);
}

void beside_look(struct graph *g, struct node *node)
{
	struct span *span = node->span;
	struct neighbour_tally tally;

	free(span->neighbours);
	span->neighbours = NULL;
	if (!g->recent || span->end_ns - span->start_ns <= g->slow_ns)
		return;
	tally.count = tally.n = 0;
	recent_overlaps(g->recent, (uint32_t)span->service->pid, node->group->number,
	    span->start_ns, span->end_ns, &tally);
	span->neighbours = neighbours_new(&tally);
	if (span->neighbours && span->end_ns > node->group->looked_ns)
		node->group->looked_ns = span->end_ns;
}

void beside_end(struct graph *g, struct node *node)
{
	const struct span *span = node->span;

	if (!g->recent)
		return;
	recent_close(g->recent, &node->recent);
	if (!span)
		return;
	if (!node->exchange || node->kind != SPAN_KIND_CLIENT)
		recent_add(g->recent, (uint32_t)span->service->pid, node->group->number,
		    span->start_ns, span->end_ns, span->name, &node->recent);
	beside_look(g, node);
}

static uint64_t start_of(const struct node *node)
{
	return node->exchange ? node->exchange->start_ns
	    : node->span      ? node->span->start_ns
			      : UINT64_MAX;
}

bool beside_join(struct graph *g, struct group *to, const struct group *from)
{
	uint64_t first_ns = UINT64_MAX;

	if (!g->recent)
		return false;
	list_for_each (at, &from->nodes) {
		struct node *node = container_of(at, struct node, member);

		recent_join(g->recent, &node->recent, to->number);
		if (start_of(node) < first_ns)
			first_ns = start_of(node);
	}
	return from->looked_ns || to->looked_ns > first_ns;
}

void beside_look_again(struct graph *g, struct group *group)
{
	list_for_each (at, &group->nodes) {
		struct node *node = container_of(at, struct node, member);

		if (node->span && node->span->neighbours)
			beside_look(g, node);
	}
}
