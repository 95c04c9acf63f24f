// SPDX-License-Identifier: Apache-2.0
/* Life of nodes and groups, and their publication; see graph.h. */
#include "trace/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "span/write_lock.h"
#include "trace/beside.h"
#include "trace/held_logs.h"
#include "trace/pair_table.h"
#include "trace/thread_work.h"

/*
 * A complete group waits this long for the other end of its connection: that end's record comes
 * when its system call returns, which the scheduler may delay.
 */
#define GROUP_LINGER_NS (100 * NS_PER_MS)
/* So often it waits once more for the stacks of waits, of which the first of a program take time. */
#define GROUP_HOLDS 30
/* Nodes and groups whose memory is used again: what some thousand requests per second have within the linger. */
#define GRAPH_KEPT 1024
/* Spans of one publication at most; more of a group go out in several. */
#define TRACE_MAX_SPANS 1024

void graph_init(struct graph *g)
{
	hmap_init(&g->pairs);
	hmap_init(&g->names);
	list_init(&g->open);
	list_init(&g->flush);
	pool_init(&g->node_pool, sizeof(struct node), GRAPH_KEPT);
	pool_init(&g->group_pool, sizeof(struct group), GRAPH_KEPT);
}

void graph_release(struct graph *g)
{
	hmap_release(&g->pairs);
	hmap_release(&g->names);
	pool_release(&g->node_pool);
	pool_release(&g->group_pool);
	held_logs_free(g->held);
	recent_free(g->recent);
}

/* --- ids ------------------------------------------------------------------------------------- */

static struct span_id new_span_id(struct graph *g)
{
	struct span_id id;
	uint64_t bits;

	do
		bits = rng_next(&g->rng);
	while (bits == 0);
	memcpy(id.b, &bits, sizeof(id.b));
	return id;
}

static struct trace_id new_trace_id(struct graph *g)
{
	uint64_t bits[2] = {rng_next(&g->rng), rng_next(&g->rng)};
	struct trace_id id;

	bits[1] |= bits[0] == 0 && bits[1] == 0;
	memcpy(id.b, bits, sizeof(id.b));
	return id;
}

/* --- groups ---------------------------------------------------------------------------------- */

struct group *group_new(struct graph *g)
{
	struct group *group = pool_take(&g->group_pool);

	if (!group)
		return NULL;
	*group = (struct group){0};
	list_init(&group->nodes);
	list_init(&group->flush);
	group->number = ++g->n_groups;
	group->trace_id = new_trace_id(g);
	group->flags = SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM;
	return group;
}

void group_add(struct group *group, struct node *node)
{
	node->group = group;
	list_add_tail(&group->nodes, &node->member);
	group->n_nodes++;
	if (node->exchange)
		group->n_open++;
	list_remove(&group->flush);
}

static void group_publish_some(struct graph *g, struct group *group);

/* Queue the group for publication when all of it has ended; a long one goes out in parts. */
void group_settle(struct graph *g, struct group *group)
{
	if (group->n_open > 0) {
		if (group->n_nodes - group->n_open >= TRACE_MAX_SPANS)
			group_publish_some(g, group);
		return;
	}
	group->flush_ns = g->now_ns + GROUP_LINGER_NS;
	list_remove(&group->flush);
	list_add_tail(&g->flush, &group->flush);
}

/* Move all nodes of from into to; from is gone afterwards. */
void group_merge(struct graph *g, struct group *to, struct group *from)
{
	bool outdated = beside_join(g, to, from);

	list_for_each (at, &from->nodes) {
		container_of(at, struct node, member)->group = to;
	}
	list_splice_tail(&to->nodes, &from->nodes);
	to->n_nodes += from->n_nodes;
	to->n_open += from->n_open;
	to->slow |= from->slow;
	if (outdated)
		beside_look_again(g, to);
	list_remove(&from->flush);
	list_remove(&to->flush);
	pool_give(&g->group_pool, from);
	group_settle(g, to);
}

static void node_free(struct graph *g, struct node *node)
{
	pair_table_leave(&g->pairs, node);
	if (node->answered_by)
		thread_work_forget_answered(node);
	if (node->is_named)
		hmap_remove(&g->names, &node->named);
	if (node->other_end)
		node->other_end->other_end = NULL;
	list_remove(&node->member);
	list_remove(&node->open);
	span_free(node->span);
	wait_place_unref(node->time.wait.place);
	service_unref(node->peer);
	free(node->contention);
	write_hold_unref(node->taken);
	write_hold_unref(node->waited_for);
	pool_give(&g->node_pool, node);
	g->n_nodes--;
}

/* Or will be: a trace of which a part has to go before all has ended. */
static bool group_is_slow(const struct group *group)
{
	return group->slow || group->n_open > 0;
}

/* What is not known of its longest wait by now will not be; and what was looked at may have turned out to be fast. */
static void span_settle_wait(const struct group *group, struct span *span)
{
	struct wait_place *place = span->wait.place;

	if (!place)
		return;
	if (!place->told || !group_is_slow(group)) {
		wait_place_unref(place);
		span->wait = (struct span_wait){0};
		return;
	}
	place->final = true;
	if (span->wait.state == LEDGER_LOCK && !span_id_is_zero(&place->culprit.span_id))
		span->culprit = (struct span_link){place->culprit.trace_id, place->culprit.span_id,
		    SPAN_FLAG_SAMPLED | SPAN_FLAG_REMOTE_KNOWN};
}

static void name_slowest_call(struct node *request, struct span *span)
{
	span->behind_call = true;
	span->culprit = (struct span_link){request->group->trace_id, request->slowest_id,
	    request->group->flags | SPAN_FLAG_REMOTE_KNOWN};
	span->peer = request->peer;
	request->peer = NULL;
}

static void name_contender(struct node *request, struct span *span)
{
	const struct contender *top = contention_top(request->contention);

	if (!span_id_is_zero(&top->request.span_id))
		span->culprit = (struct span_link){top->request.trace_id, top->request.span_id,
		    SPAN_FLAG_SAMPLED | SPAN_FLAG_REMOTE_KNOWN};
	span->contention = request->contention;
	request->contention = NULL;
}

/* The span of an ended node with the ids of its group; the node keeps none. */
static struct span *node_take_span(struct graph *g, struct node *node)
{
	const struct group *group = node->group;
	struct span *span = node->span;

	node->span = NULL;
	g->stats->by_basis[node->basis]++;
	span->trace_id = group->trace_id;
	span->span_id = node->span_id;
	span->parent_id = node->parent_id;
	span->flags = group->flags | SPAN_FLAG_REMOTE_KNOWN;
	span_set_basis(span, node->basis);
	if (node->parent_remote)
		span->flags |= SPAN_FLAG_PARENT_IS_REMOTE;
	span_settle_wait(group, span);
	if (node->slowest_ns && ledger_longest(&span->ledger) == LEDGER_DOWNSTREAM)
		name_slowest_call(node, span);
	if (node->contention && ledger_longest(&span->ledger) == LEDGER_RUNQUEUE)
		name_contender(node, span);
	if (node->taken) /* final from now on */
		node->taken->facts.span.trace_id = group->trace_id;
	if (node->waited_for)
		span->culprit = node->waited_for->facts.span;
	return span;
}

/* Publish all lines that are settled. */
static void publish_logs(struct graph *g)
{
	struct log_batch *logs;

	while ((logs = held_logs_take(g->held, &g->stats->logs_lost))) {
		g->publish_logs(g->ctx, logs, false);
		log_batch_unref(logs);
	}
}

/* Publish a trace and the lines that it has: as many as there is room for in one batch are a part of it. */
static void publish_trace(struct graph *g, struct trace *trace)
{
	struct log_batch *logs = g->held ? held_logs_take(g->held, &g->stats->logs_lost) : NULL;

	if (logs)
		trace->logs = log_batch_ref(logs);
	if (!trace->more)
		g->stats->traces++;
	g->publish(g->ctx, trace);
	if (logs)
		g->publish_logs(g->ctx, logs, true);
	log_batch_unref(logs);
}

/* What the tracestate says of the first request that is open and came with one. */
static void take_open_state(const struct group *group, struct ot_state *ret_state)
{
	if (!group->n_open)
		return;
	list_for_each (at, &group->nodes) {
		const struct node *node = container_of(at, struct node, member);

		if (node->exchange && node->kind == SPAN_KIND_SERVER &&
		    node->exchange->trace_state.len) {
			ot_state_parse(node->exchange->trace_state, ret_state);
			return;
		}
	}
}

/* Publish up to TRACE_MAX_SPANS of the group's ended nodes and free them. */
static void group_publish_some(struct graph *g, struct group *group)
{
	size_t ended = group->n_nodes - group->n_open, taken = 0;
	struct trace *trace = trace_new(ended < TRACE_MAX_SPANS ? ended : TRACE_MAX_SPANS);

	if (g->held) /* what is settled by now is not of this trace */
		publish_logs(g);
	list_for_each (at, &group->nodes) {
		struct node *node = container_of(at, struct node, member);

		if (node->exchange)
			continue;
		if (taken++ == TRACE_MAX_SPANS)
			break;
		if (node->logs)
			held_logs_settle(g->held, node, node->span && trace);
		if (node->span && trace)
			trace->spans[trace->n_spans++] = node_take_span(g, node);
		else if (node->span)
			g->stats->dropped++;
		group->n_nodes--;
		node_free(g, node);
	}
	if (trace) {
		trace->number = group->number;
		trace->given = group->fixed;
		trace->more = group->n_nodes > 0;
		take_open_state(group, &trace->opened_with);
	}
	if (trace && trace->n_spans)
		publish_trace(g, trace);
	if (g->held)
		publish_logs(g);
	trace_unref(trace);
}

/* Publish a group of which all has ended. */
static void group_publish(struct graph *g, struct group *group)
{
	while (group->n_nodes > 0)
		group_publish_some(g, group);
	list_remove(&group->flush);
	pool_give(&g->group_pool, group);
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* A node in the caller's group, or in a group of its own when caller is NULL. */
struct node *node_new(
    struct graph *g, enum span_kind kind, struct exchange *exchange, struct node *caller)
{
	struct group *group;
	struct node *node = g->n_nodes < ASSEMBLER_MAX_NODES ? pool_take(&g->node_pool) : NULL;

	if (!node)
		return NULL;
	group = caller ? caller->group : group_new(g);
	if (!group) {
		pool_give(&g->node_pool, node);
		return NULL;
	}
	*node = (struct node){0};
	node->kind = kind;
	node->exchange = exchange;
	node->pid = exchange ? exchange->pid : 0;
	node->span_id = new_span_id(g);
	list_init(&node->serving);
	list_init(&node->open);
	if (exchange)
		list_add_tail(&g->open, &node->open);
	if (caller) {
		node->parent_id = caller->span_id;
		node->basis = PARENT_BASIS_THREAD;
	}
	group_add(group, node);
	g->n_nodes++;
	return node;
}

/* A call in flight no longer parks its request. */
void node_leave_caller(struct node *node)
{
	if (node->caller)
		node->caller->calls--;
	node->caller = NULL;
}

/* The request ends before its calls do: they keep their parent's id but not the pointer. */
void node_release_calls(struct node *node)
{
	if (node->calls == 0)
		return;
	list_for_each (at, &node->group->nodes) {
		struct node *call = container_of(at, struct node, member);

		if (call->caller == node)
			node_leave_caller(call);
	}
}

/* Is there a span whose longest wait is known, but not yet where that was? */
static bool group_awaits_place(const struct group *group)
{
	list_for_each (at, &group->nodes) {
		const struct span *span = container_of(at, struct node, member)->span;

		if (span && span->wait.place && wait_place_is_awaited(span->wait.place))
			return true;
	}
	return false;
}

/* Complete, but it is worth waiting on. */
static bool group_is_held(struct group *group)
{
	if (group->held == GROUP_HOLDS || !group_is_slow(group) || !group_awaits_place(group))
		return false;
	group->held++;
	return true;
}

void graph_tick(struct graph *g, uint64_t now_ns)
{
	g->now_ns = now_ns;
	if (g->held && now_ns != UINT64_MAX) { /* at the end they go with their traces */
		held_logs_tick(g->held, now_ns);
		publish_logs(g);
	}
	list_for_each (at, &g->flush) {
		struct group *group = container_of(at, struct group, flush);

		if (group->flush_ns > now_ns)
			break;
		if (now_ns != UINT64_MAX && group_is_held(group))
			group_settle(g, group);
		else
			group_publish(g, group);
	}
}
