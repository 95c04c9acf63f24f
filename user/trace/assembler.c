// SPDX-License-Identifier: Apache-2.0
/* Parents, groups and publication; see assembler.h for the rules of evidence. */
#include "trace/assembler.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "span/builder.h"
#include "span/http_span.h"
#include "span/statement.h"
#include "trace/node.h"
#include "trace/pair_table.h"
#include "trace/thread_work.h"

/*
 * A complete group waits this long for the other end of its connection: that end's record comes
 * when its system call returns, which the scheduler may delay.
 */
#define GROUP_LINGER_NS (100 * NS_PER_MS)
/* Spans of one publication at most; more of a group go out in several. */
#define TRACE_MAX_SPANS 1024

struct assembler {
	struct assembler_options options;
	struct span_builder builder;
	struct route_table *routes;
	struct statement_texts *texts;
	struct thread_works threads;
	struct pair_table pairs;
	struct hmap names; /* nodes by the span id in their request's traceparent */
	struct list flush; /* groups whose nodes have all ended, in the order of their flush_ns */
	uint64_t now_ns;
	size_t n_nodes;
	struct assembler_stats stats;
};

/* --- ids ------------------------------------------------------------------------------------- */

static struct span_id new_span_id(struct assembler *a)
{
	struct span_id id;
	uint64_t bits;

	do
		bits = rng_next(&a->options.rng);
	while (bits == 0);
	memcpy(id.b, &bits, sizeof(id.b));
	return id;
}

static struct trace_id new_trace_id(struct assembler *a)
{
	uint64_t bits[2] = {rng_next(&a->options.rng), rng_next(&a->options.rng)};
	struct trace_id id;

	bits[1] |= bits[0] == 0 && bits[1] == 0;
	memcpy(id.b, bits, sizeof(id.b));
	return id;
}

/* --- groups ---------------------------------------------------------------------------------- */

static struct group *group_new(struct assembler *a)
{
	struct group *group = calloc(1, sizeof(*group));

	if (!group)
		return NULL;
	list_init(&group->nodes);
	list_init(&group->flush);
	group->trace_id = new_trace_id(a);
	group->flags = SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM;
	return group;
}

static void group_add(struct group *group, struct node *node)
{
	node->group = group;
	list_add_tail(&group->nodes, &node->member);
	group->n_nodes++;
	if (node->exchange)
		group->n_open++;
	list_remove(&group->flush);
}

static void group_publish_some(struct assembler *a, struct group *group);

/* Queue the group for publication when all of it has ended; a long one goes out in parts. */
static void group_settle(struct assembler *a, struct group *group)
{
	if (group->n_open > 0) {
		if (group->n_nodes - group->n_open >= TRACE_MAX_SPANS)
			group_publish_some(a, group);
		return;
	}
	group->flush_ns = a->now_ns + GROUP_LINGER_NS;
	list_remove(&group->flush);
	list_add_tail(&a->flush, &group->flush);
}

/* Move all nodes of from into to; from is gone afterwards. */
static void group_merge(struct assembler *a, struct group *to, struct group *from)
{
	list_for_each (at, &from->nodes) {
		container_of(at, struct node, member)->group = to;
	}
	list_splice_tail(&to->nodes, &from->nodes);
	to->n_nodes += from->n_nodes;
	to->n_open += from->n_open;
	list_remove(&from->flush);
	list_remove(&to->flush);
	free(from);
	group_settle(a, to);
}

static void node_free(struct assembler *a, struct node *node)
{
	pair_table_leave(&a->pairs, node);
	if (node->is_named)
		hmap_remove(&a->names, &node->named);
	if (node->other_end)
		node->other_end->other_end = NULL;
	list_remove(&node->member);
	span_free(node->span);
	free(node);
	a->n_nodes--;
}

/* The span of an ended node with the ids of its group; the node keeps none. */
static struct span *node_take_span(struct assembler *a, struct node *node)
{
	const struct group *group = node->group;
	struct span *span = node->span;

	node->span = NULL;
	a->stats.by_basis[node->basis]++;
	span->trace_id = group->trace_id;
	span->span_id = node->span_id;
	span->parent_id = node->parent_id;
	span->flags = group->flags | SPAN_FLAG_REMOTE_KNOWN;
	span_set_basis(span, node->basis);
	if (node->parent_remote)
		span->flags |= SPAN_FLAG_PARENT_IS_REMOTE;
	return span;
}

/* Publish up to TRACE_MAX_SPANS of the group's ended nodes and free them. */
static void group_publish_some(struct assembler *a, struct group *group)
{
	size_t ended = group->n_nodes - group->n_open, taken = 0;
	struct trace *trace = trace_new(ended < TRACE_MAX_SPANS ? ended : TRACE_MAX_SPANS);

	list_for_each (at, &group->nodes) {
		struct node *node = container_of(at, struct node, member);

		if (node->exchange)
			continue;
		if (taken++ == TRACE_MAX_SPANS)
			break;
		if (node->span && trace)
			trace->spans[trace->n_spans++] = node_take_span(a, node);
		else if (node->span)
			a->stats.dropped++;
		group->n_nodes--;
		node_free(a, node);
	}
	if (!trace)
		return;
	if (trace->n_spans) {
		a->stats.traces++;
		a->options.trace(a->options.ctx, trace);
	}
	trace_unref(trace);
}

/* Publish a group of which all has ended. */
static void group_publish(struct assembler *a, struct group *group)
{
	while (group->n_nodes > 0)
		group_publish_some(a, group);
	list_remove(&group->flush);
	free(group);
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* A node in the caller's group, or in a group of its own when caller is NULL. */
static struct node *node_new(
    struct assembler *a, enum span_kind kind, struct exchange *exchange, struct node *caller)
{
	struct group *group;
	struct node *node = a->n_nodes < ASSEMBLER_MAX_NODES ? calloc(1, sizeof(*node)) : NULL;

	if (!node)
		return NULL;
	group = caller ? caller->group : group_new(a);
	if (!group) {
		free(node);
		return NULL;
	}
	node->kind = kind;
	node->exchange = exchange;
	node->pid = exchange ? exchange->pid : 0;
	node->span_id = new_span_id(a);
	list_init(&node->serving);
	if (caller) {
		node->parent_id = caller->span_id;
		node->basis = PARENT_BASIS_THREAD;
	}
	group_add(group, node);
	a->n_nodes++;
	return node;
}

/* The request that the thread is serving, as the parent of a call it makes now. */
static struct node *caller_by_thread(
    struct assembler *a, uint32_t tid, uint32_t slice, uint64_t start_ns)
{
	bool ambiguous;
	struct node *caller = thread_work_current(&a->threads, tid, slice, start_ns, &ambiguous);

	a->stats.ambiguous += ambiguous;
	return caller;
}

/* The node's span is there: count it, hand it to the metrics. */
static void node_ended(struct assembler *a, struct node *node)
{
	if (!node->span) {
		a->stats.dropped++;
		return;
	}
	a->stats.spans++;
	node->span->trace_id = node->group->trace_id;
	node->span->span_id = node->span_id;
	node->span->flags = node->group->flags;
	a->options.span(a->options.ctx, node->span);
}

/* A call in flight no longer parks its request. */
static void node_leave_caller(struct node *node)
{
	if (node->caller)
		node->caller->calls--;
	node->caller = NULL;
}

/* The request ends before its calls do: they keep their parent's id but not the pointer. */
static void node_release_calls(struct node *node)
{
	if (node->calls == 0)
		return;
	list_for_each (at, &node->group->nodes) {
		struct node *call = container_of(at, struct node, member);

		if (call->caller == node)
			node_leave_caller(call);
	}
}

/* --- exchanges ------------------------------------------------------------------------------- */

static void on_began(void *ctx, struct exchange *exchange)
{
	struct assembler *a = ctx;
	struct node *caller = NULL, *node;

	if (exchange->kind == SPAN_KIND_CLIENT)
		caller = caller_by_thread(a, exchange->tid, exchange->slice, exchange->start_ns);
	node = node_new(a, exchange->kind, exchange, caller);
	exchange->owner = node;
	if (!node) {
		a->stats.dropped++;
		return;
	}
	if (caller) {
		node->caller = caller;
		caller->calls++;
		caller->call_slice = exchange->slice;
	}
	if (exchange->kind == SPAN_KIND_SERVER)
		thread_work_begin(&a->threads, exchange->tid, node);
}

static void on_moved(void *ctx, struct exchange *exchange, uint32_t old_tid)
{
	struct assembler *a = ctx;
	struct node *node = exchange->owner;

	if (!node)
		return;
	thread_work_end(&a->threads, old_tid, node);
	thread_work_begin(&a->threads, exchange->tid, node);
}

static uint64_t name_hash(const struct trace_context *context)
{
	return hash_bytes(context->parent_id.b, sizeof(context->parent_id.b));
}

/* Remember that this request names this span. */
static void node_name(struct assembler *a, struct node *node, const struct trace_context *context)
{
	node->context = *context;
	node->is_named = hmap_add(&a->names, name_hash(context), &node->named) == 0;
}

/*
 * Who else names the same span: how many nodes of this kind and process (0: any), node's own other end
 * not counted; *ret_one is one of them.
 */
static size_t find_named(const struct assembler *a, const struct node *node, enum span_kind kind,
    uint32_t pid, struct node **ret_one)
{
	const struct trace_context *context = &node->exchange->context;
	size_t n = 0;

	hmap_for_each_hash (at, &a->names, name_hash(context)) {
		struct node *other = container_of(at, struct node, named);

		if (other->kind == kind && other != node->other_end &&
		    (!pid || other->pid == pid) &&
		    span_id_eq(&other->context.parent_id, &context->parent_id) &&
		    trace_id_eq(&other->context.trace_id, &context->trace_id)) {
			*ret_one = other;
			n++;
		}
	}
	return n;
}

/* Move a call that is known by other evidence than its thread out of its caller's group. */
static struct group *client_leave_group(struct assembler *a, struct node *node)
{
	struct group *group = node->group, *own;

	if (node->basis == PARENT_BASIS_NONE)
		return group;
	own = group_new(a);
	if (!own)
		return NULL;
	node_leave_caller(node);
	list_remove(&node->member);
	group->n_nodes--;
	group->n_open--;
	group_settle(a, group);
	group_add(own, node);
	node->basis = PARENT_BASIS_NONE;
	node->parent_id = (struct span_id){0};
	return own;
}

/*
 * A client's request carries a traceparent. Either the process hands on what it got: then the request it
 * got it with is the parent. Or it has a tracer of its own: then the header's ids are this span's, so that
 * the other end's parent exists; a parent by thread stands only within the same trace.
 */
static void client_take_context(struct assembler *a, struct node *node)
{
	const struct trace_context *context = &node->exchange->context;
	struct node *source = NULL, *twin = NULL;
	size_t sources = find_named(a, node, SPAN_KIND_SERVER, node->pid, &source);
	bool same_trace =
	    node->group->fixed && trace_id_eq(&node->group->trace_id, &context->trace_id);
	struct group *group;

	if (sources > 0 && !same_trace) {
		group = client_leave_group(a, node);
		if (group && sources == 1) {
			group_merge(a, source->group, group);
			node->parent_id = source->span_id;
			node->basis = PARENT_BASIS_HEADER;
			return;
		}
	}
	if (sources == 0 && find_named(a, node, SPAN_KIND_CLIENT, 0, &twin) == 0) {
		node->span_id = context->parent_id;
		node_name(a, node, context);
	}
	if (same_trace)
		return;
	group = client_leave_group(a, node);
	if (!group)
		return;
	group->fixed = true;
	group->trace_id = context->trace_id;
	group->flags = context->flags;
}

static void server_take_context(struct assembler *a, struct node *node)
{
	const struct trace_context *context = &node->exchange->context;

	node_name(a, node, context);
	node->basis = PARENT_BASIS_HEADER;
	node->parent_id = context->parent_id;
	node->parent_remote = true;
	node->group->fixed = true;
	node->group->trace_id = context->trace_id;
	node->group->flags = context->flags;
}

/* Both ends of one request are known: the client's span is the server's parent, unless a header
 * said so. */
static void link_ends(struct assembler *a, struct node *client, struct node *server)
{
	struct group *group = client->group;

	if (server->basis == PARENT_BASIS_NONE) {
		server->basis = PARENT_BASIS_SOCKET;
		server->parent_id = client->span_id;
		server->parent_remote = true;
	} else if (!trace_id_eq(&group->trace_id, &server->group->trace_id)) {
		return;
	}
	if (server->group != group)
		group_merge(a, group, server->group);
}

static void on_headed(void *ctx, struct exchange *exchange)
{
	struct assembler *a = ctx;
	struct node *node = exchange->owner, *other;

	if (!node)
		return;
	other = pair_table_enter(&a->pairs, node);
	if (other && other->other_end)
		other = NULL; /* it has found its end: this cannot be another one */
	if (other) {
		node->other_end = other;
		other->other_end = node;
	}
	if (exchange->has_context && node->kind == SPAN_KIND_CLIENT)
		client_take_context(a, node);
	else if (exchange->has_context)
		server_take_context(a, node);
	if (other && node->kind == SPAN_KIND_CLIENT)
		link_ends(a, node, other);
	else if (other)
		link_ends(a, other, node);
}

/*
 * The server's last byte was on its way before the client had it, however long the server's write then
 * took to return: what the client saw bounds the server's end. Whichever end is told first waits for the
 * other in its group.
 */
static void bound_by_client(struct node *node, struct exchange *exchange)
{
	struct node *other = node->other_end;

	node->end_ns = exchange->end_ns;
	if (!other || other->end_ns == 0 || exchange->error != EXCHANGE_OK)
		return;
	if (node->kind == SPAN_KIND_SERVER && other->end_ns < exchange->end_ns &&
	    other->end_ns > exchange->start_ns)
		exchange->end_ns = other->end_ns;
	else if (node->kind == SPAN_KIND_CLIENT && other->span &&
	    other->span->end_ns > exchange->end_ns && other->span->start_ns < exchange->end_ns)
		other->span->end_ns = exchange->end_ns;
}

static void on_ended(void *ctx, struct exchange *exchange)
{
	struct assembler *a = ctx;
	struct node *node = exchange->owner;
	struct service *service = service_table_get(a->options.services, exchange->pid);

	if (!node)
		return;
	bound_by_client(node, exchange);
	if (exchange->has_head && service)
		node->span = http_span_build(&a->builder, a->routes, exchange, service);
	if (exchange->has_head)
		node_ended(a, node);
	node->exchange = NULL;
	node->group->n_open--;
	node_leave_caller(node);
	node_release_calls(node);
	if (node->kind == SPAN_KIND_SERVER)
		thread_work_end(&a->threads, exchange->tid, node);
	group_settle(a, node->group);
}

const struct exchange_listener assembler_listener = {
    .began = on_began,
    .headed = on_headed,
    .moved = on_moved,
    .ended = on_ended,
};

/* --- statements ------------------------------------------------------------------------------ */

void assembler_statement(struct assembler *a, const struct zsp_statement *statement)
{
	struct service *service = service_table_get(a->options.services, statement->h.pid);
	struct node *caller, *node;
	struct sv database;

	if (!service) {
		a->stats.dropped++;
		return;
	}
	caller = caller_by_thread(a, statement->h.tid, statement->h.slice, statement->start_ns);
	node = node_new(a, SPAN_KIND_CLIENT, NULL, caller);
	if (!node) {
		a->stats.dropped++;
		return;
	}
	database = a->options.database(a->options.ctx, statement);
	node->span = statement_span_build(&a->builder, a->texts, statement, database, service);
	node_ended(a, node);
	group_settle(a, node->group);
}

/* --- the whole ------------------------------------------------------------------------------- */

struct assembler *assembler_new(const struct assembler_options *options)
{
	struct assembler *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->options = *options;
	span_builder_init(&a->builder);
	thread_works_init(&a->threads);
	pair_table_init(&a->pairs);
	hmap_init(&a->names);
	list_init(&a->flush);
	a->routes = route_table_new();
	a->texts = statement_texts_new();
	if (!a->routes || !a->texts) {
		assembler_free(a);
		return NULL;
	}
	return a;
}

void assembler_free(struct assembler *a)
{
	if (!a)
		return;
	assembler_tick(a, UINT64_MAX);
	span_builder_release(&a->builder);
	thread_works_release(&a->threads);
	pair_table_release(&a->pairs);
	hmap_release(&a->names);
	route_table_free(a->routes);
	statement_texts_free(a->texts);
	free(a);
}

void assembler_forget(struct assembler *a, const struct service *service)
{
	route_table_forget(a->routes, service);
}

void assembler_tick(struct assembler *a, uint64_t now_ns)
{
	a->now_ns = now_ns;
	list_for_each (at, &a->flush) {
		struct group *group = container_of(at, struct group, flush);

		if (group->flush_ns > now_ns)
			break;
		group_publish(a, group);
	}
}

void assembler_stats(const struct assembler *a, struct assembler_stats *ret_stats)
{
	*ret_stats = a->stats;
	ret_stats->open = a->n_nodes;
}
