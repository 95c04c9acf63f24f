// SPDX-License-Identifier: Apache-2.0
/* Parents, groups and publication; see assembler.h for the rules of evidence. */
#include "trace/assembler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "span/builder.h"
#include "span/http_span.h"
#include "span/semconv.h"
#include "span/statement.h"
#include "span/write_lock.h"
#include "trace/beside.h"
#include "trace/doubt.h"
#include "trace/graph.h"
#include "trace/header_link.h"
#include "trace/held_logs.h"
#include "trace/open_nodes.h"
#include "trace/pair_table.h"
#include "trace/thread_look.h"
#include "trace/thread_work.h"
#include "trace/time_share.h"

struct assembler {
	struct assembler_options options;
	struct span_builder builder;
	struct route_table *routes;
	struct statement_texts *texts;
	struct transactions *transactions;
	struct write_locks *locks;
	struct thread_works threads;
	struct thread_work *now; /* the thread of the last event of a connection; NULL: not known */
	const struct node
	    *answering; /* what was moved last is a part of its answer; NULL: of none */
	struct graph graph;
	struct assembler_stats stats;
	struct buf name; /* of a request that is open */
};

/* --- nodes ----------------------------------------------------------------------------------- */

/* The request that the thread is serving, as the parent of a call it makes now. */
static struct node *caller_by_thread(
    struct assembler *a, uint32_t tid, uint32_t slice, uint64_t start_ns)
{
	struct thread_work *work = thread_work_find(&a->threads, tid);
	bool ambiguous;
	struct node *caller;

	if (!work)
		return NULL;
	caller = thread_work_current(work, slice, start_ns, &ambiguous);
	a->stats.ambiguous += ambiguous;
	work->n_orphans += ambiguous;
	return caller;
}

/* The node's span is there: count it, hand it to the metrics. */
static void node_ended(struct assembler *a, struct node *node)
{
	beside_end(&a->graph, node);
	if (!node->span) {
		a->stats.dropped++;
		return;
	}
	a->stats.spans++;
	a->stats.untimed += node->span->untimed;
	node->group->slow |=
	    node->span->cut || node->span->end_ns - node->span->start_ns > a->graph.slow_ns;
	node->span->trace_id = node->group->trace_id;
	node->span->span_id = node->span_id;
	node->span->flags = node->group->flags;
	a->options.span(a->options.ctx, node->span, node->exchange);
}

/* What an open request is called, as its span will be. Borrowed until the next one is asked for. */
static struct sv request_name(void *ctx, const void *owner)
{
	struct assembler *a = ctx;
	const struct exchange *exchange = ((const struct node *)owner)->exchange;
	struct service *service = service_table_get(a->options.services, exchange->pid);
	char text[HTTP_SPAN_NAME_MAX];

	buf_clear(&a->name);
	if (!service || !exchange->has_head)
		return (struct sv){0};
	route_table_keep(a->routes, true); /* who only asks changes nothing */
	utf8_append_repaired(&a->name,
	    http_span_name(text, a->routes, a->options.naming->methods, exchange, service));
	route_table_keep(a->routes, false);
	return buf_sv(&a->name);
}

/* --- exchanges ------------------------------------------------------------------------------- */

static void on_piece(void *ctx, struct exchange *exchange, const struct piece *piece)
{
	struct assembler *a = ctx;
	struct node *node = exchange ? exchange->owner : NULL;
	struct node *request = node && node->kind == SPAN_KIND_CLIENT ? node->caller : node;

	a->now = thread_work_get(&a->threads, piece->tid);
	a->answering = piece->direction == ZSP_OUT && request == node ? node : NULL;
	if (a->graph.held && a->now)
		held_logs_moved(a->graph.held, a->now, request == node ? node : NULL, piece);
	if (a->now)
		time_event(a->now, piece, request);
	if (a->answering)
		time_answer(node, piece);
}

static void on_began(void *ctx, struct exchange *exchange)
{
	struct assembler *a = ctx;
	struct node *caller = NULL, *node;

	if (exchange->kind == SPAN_KIND_CLIENT)
		caller = caller_by_thread(a, exchange->tid, exchange->slice, exchange->start_ns);
	node = node_new(&a->graph, exchange->kind, exchange, caller);
	exchange->owner = node;
	if (!node) {
		a->stats.dropped++;
		return;
	}
	if (caller) {
		node->caller = caller;
		caller->calls++;
		caller->call_slice = exchange->slice;
		doubt_call(node, caller, a->now, a->now ? a->now->waits.ns[ZSP_WAIT_LOCK] : 0);
	}
	if (exchange->kind == SPAN_KIND_SERVER) {
		doubt_read(a->now);
		thread_work_begin(&a->threads, a->now, node);
		time_request_begin(node, a->now);
	} else {
		time_call_begin(node, a->now);
	}
}

static void on_moved(void *ctx, struct exchange *exchange)
{
	struct assembler *a = ctx;
	struct node *node = exchange->owner;

	if (!node)
		return;
	thread_work_end(&a->threads, node, exchange->taken_ns);
	doubt_read(a->now);
	thread_work_begin(&a->threads, a->now, node);
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
		group_merge(&a->graph, group, server->group);
}

static void on_headed(void *ctx, struct exchange *exchange)
{
	struct assembler *a = ctx;
	struct node *node = exchange->owner, *other;

	if (!node)
		return;
	other = pair_table_enter(&a->graph.pairs, node);
	if (other && other->other_end)
		other = NULL; /* it has found its end: this cannot be another one */
	if (other) {
		node->other_end = other;
		other->other_end = node;
	}
	if (exchange->has_context && node->kind == SPAN_KIND_CLIENT)
		client_take_context(&a->graph, node);
	else if (exchange->has_context)
		server_take_context(&a->graph, node);
	if (other && node->kind == SPAN_KIND_CLIENT)
		link_ends(a, node, other);
	else if (other)
		link_ends(a, other, node);
	if (node->kind == SPAN_KIND_SERVER)
		beside_begin(&a->graph, node);
}

static void end_at(struct assembler *a, struct node *node, uint64_t end_ns)
{
	struct span *span = node->span;

	span->end_ns = end_ns;
	span_wait_end_at(&span->wait, &span->ledger, end_ns);
	ledger_fit(&span->ledger, end_ns - span->start_ns);
	beside_look(&a->graph, node);
}

/*
 * The server's last byte was on its way before the client had it, however long the server's write then
 * took to return: what the client saw bounds the server's end. Whichever end is told first waits for the
 * other in its group.
 */
static void bound_by_client(struct assembler *a, struct node *node, struct exchange *exchange)
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
		end_at(a, other, exchange->end_ns);
}

static void take_time(struct assembler *a, struct node *node)
{
	struct span *span = node->span;

	if (node->kind == SPAN_KIND_SERVER)
		time_request_end(node, &span->ledger, &span->wait);
	else
		time_call_end(node, a->now, &span->ledger, &span->wait);
}

/* Its caller has waited for nothing as long as for this call. */
static void note_slowest(struct assembler *a, const struct node *call)
{
	const struct node *answer = call->other_end;
	struct node *request = call->caller;
	uint64_t ns = call->span->ledger.ns[LEDGER_DOWNSTREAM];
	struct service *peer = NULL;

	if (!request || ns <= request->slowest_ns)
		return;
	if (answer && answer->group == call->group)
		peer = service_table_get(a->options.services, answer->pid);
	request->slowest_ns = ns;
	request->slowest_id = peer ? answer->span_id : call->span_id;
	service_unref(request->peer);
	request->peer = peer ? service_ref(peer) : NULL;
}

static void on_ended(void *ctx, struct exchange *exchange)
{
	struct assembler *a = ctx;
	struct node *node = exchange->owner;
	struct service *service = service_table_get(a->options.services, exchange->pid);
	struct thread_work *answerer;

	if (!node)
		return;
	answerer = a->answering == node ? a->now : NULL;
	bound_by_client(a, node, exchange);
	if (node->kind == SPAN_KIND_SERVER && answerer && exchange->error == EXCHANGE_OK)
		a->stats.ambiguous += doubt_answered(&a->graph, answerer, node);
	if (exchange->has_head && service)
		node->span = http_span_build(
		    &a->builder, a->routes, a->options.naming->methods, exchange, service);
	if (node->span)
		take_time(a, node);
	if (node->span && node->kind == SPAN_KIND_CLIENT)
		note_slowest(a, node);
	if (exchange->has_head)
		node_ended(a, node);
	node->exchange = NULL;
	list_remove(&node->open);
	node->group->n_open--;
	node_leave_caller(node);
	node_release_calls(node);
	if (a->graph.held && answerer)
		held_logs_answered(a->graph.held, answerer, node);
	thread_work_end(&a->threads, node, node->end_ns);
	group_settle(&a->graph, node->group);
}

const struct exchange_listener assembler_listener = {
    .piece = on_piece,
    .began = on_began,
    .headed = on_headed,
    .moved = on_moved,
    .ended = on_ended,
};

/* --- statements ------------------------------------------------------------------------------ */

/* Others may be waiting for a lock that the execution took: tell of it. The span is in its node. */
static struct write_hold *tell_of_locks(struct assembler *a, const struct zsp_statement *statement,
    const struct node *node, const struct transaction_part *part)
{
	const struct attr *summary = span_attr(node->span, semconv_db_query_summary);
	struct write_hold_facts facts = {
	    .span = {node->group->trace_id, node->span_id,
		node->group->flags | SPAN_FLAG_REMOTE_KNOWN},
	    .transaction = part->id,
	};

	if (summary)
		facts.summary = summary->string;
	return write_locks_took(a->locks, statement, &facts);
}

void assembler_lock(struct assembler *a, const struct zsp_lock *lock)
{
	write_locks_event(a->locks, lock);
}

void assembler_statement(struct assembler *a, const struct zsp_statement *statement)
{
	struct service *service = service_table_get(a->options.services, statement->h.pid);
	struct statement_facts facts;
	struct thread_work *work;
	struct node *caller, *node;

	if (!service) {
		a->stats.dropped++;
		return;
	}
	facts.part = transactions_execution(a->transactions, statement);
	facts.wait = write_locks_wait(a->locks, statement);
	caller = caller_by_thread(a, statement->h.tid, statement->h.slice, statement->start_ns);
	work = thread_work_find(&a->threads, statement->h.tid);
	if (work)
		time_statement(work, statement, caller);
	if (caller && !facts.wait.backed_off_ns)
		caller->time.slept_ns += statement->waits[ZSP_WAIT_SQLITE_BUSY];
	node = node_new(&a->graph, SPAN_KIND_CLIENT, NULL, caller);
	if (!node) {
		write_hold_unref(facts.wait.holder);
		a->stats.dropped++;
		return;
	}
	if (caller)
		doubt_call(node, caller, work, statement->waits_before[ZSP_WAIT_LOCK]);
	node->waited_for = facts.wait.holder;
	facts.database = a->options.database(
	    a->options.ctx, statement->h.pid, statement->db, statement->db_closes);
	node->span = statement_span_build(&a->builder, a->texts, statement, &facts, service);
	if (node->span && work)
		time_statement_wait(work, statement, node->span);
	if (node->span)
		node->taken = tell_of_locks(a, statement, node, &facts.part);
	if (node->taken && caller && !a->builder.brief)
		write_hold_set_request(node->taken, request_name(a, caller));
	node_ended(a, node);
	group_settle(&a->graph, node->group);
}

/* --- lines of logs --------------------------------------------------------------------------- */

int assembler_keep_logs(struct assembler *a)
{
	if (!a->graph.held)
		a->graph.held = held_logs_new();
	return a->graph.held ? 0 : -ENOMEM;
}

bool assembler_log(struct assembler *a, struct log_record *record, const struct line_author *author)
{
	return held_logs_line(&a->graph, &a->threads, record, author);
}

/* --- threads that are looked at ---------------------------------------------------------------- */

bool assembler_wants(const struct assembler *a, const struct thread_wait *wait)
{
	return thread_look_wants(&a->threads, wait);
}

void assembler_wait(struct assembler *a, const struct thread_wait *wait)
{
	a->now = NULL; /* it may be forgotten for this one */
	thread_look_wait(&a->threads, wait);
}

void assembler_place(struct assembler *a, const struct thread_place *place)
{
	thread_look_place(&a->threads, place);
}

void assembler_culprit(struct assembler *a, const struct thread_culprit *culprit)
{
	thread_look_culprit(&a->threads, culprit, request_name, a);
}

void assembler_contender(struct assembler *a, const struct thread_contender *contender)
{
	thread_look_contender(&a->threads, contender, request_name, a);
}

/* --- what is open -------------------------------------------------------------------------------- */

size_t assembler_open(
    const struct assembler *a, uint64_t before_ns, struct open_process *ret_processes, size_t max)
{
	return open_processes(&a->graph, before_ns, ret_processes, max);
}

uint64_t assembler_oldest(const struct assembler *a)
{
	return open_oldest(&a->graph);
}

size_t assembler_serving(
    const struct assembler *a, uint64_t before_ns, struct serving_thread *ret_threads, size_t max)
{
	return open_threads(&a->graph, before_ns, ret_threads, max);
}

void assembler_each_open(struct assembler *a, uint64_t now_ns, uint64_t before_ns,
    void (*take)(void *ctx, const struct span *span), void *ctx)
{
	size_t looked_at = 0;

	route_table_keep(a->routes, true); /* who only asks changes nothing */
	list_for_each (at, &a->graph.open) {
		const struct node *node = container_of(at, struct node, open);
		struct exchange exchange = *node->exchange;
		struct service *service = service_table_get(a->options.services, exchange.pid);
		struct span *span = NULL;

		if (exchange.start_ns >= before_ns || ++looked_at > ASSEMBLER_OPEN_MAX)
			break;
		exchange.end_ns = now_ns;
		if (exchange.has_head && service && now_ns > exchange.start_ns)
			span = http_span_build(
			    &a->builder, a->routes, a->options.naming->methods, &exchange, service);
		if (!span)
			continue;
		span->trace_id = node->group->trace_id;
		span->span_id = node->span_id;
		span->parent_id = node->parent_id;
		span->flags = node->group->flags;
		span->cut = true;
		time_so_far(node, now_ns, &span->ledger, &span->wait);
		take(ctx, span);
		span_free(span);
	}
	route_table_keep(a->routes, false);
}

void assembler_each_active(const struct assembler *a,
    void (*take)(void *ctx, const struct active_request *request), void *ctx)
{
	list_for_each (at, &a->graph.open) {
		const struct exchange *exchange = container_of(at, struct node, open)->exchange;
		struct active_request request;

		if (exchange->kind != SPAN_KIND_SERVER || !exchange->has_head)
			continue;
		request.service = service_table_get(a->options.services, exchange->pid);
		if (!request.service)
			continue;
		request.method =
		    http_methods_canonical(a->options.naming->methods, exchange->method);
		request.scheme = http_span_scheme(exchange);
		take(ctx, &request);
	}
}

void assembler_end(struct assembler *a)
{
	list_for_each (at, &a->graph.open) {
		struct node *node = container_of(at, struct node, open);

		if (node->kind == SPAN_KIND_SERVER)
			time_request_look(node);
	}
}

/* --- the whole ------------------------------------------------------------------------------- */

struct assembler *assembler_new(const struct assembler_options *options)
{
	struct assembler *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->options = *options;
	if (!a->options.naming)
		a->options.naming = &http_naming_default;
	span_builder_init(&a->builder);
	buf_init(&a->name);
	thread_works_init(&a->threads);
	graph_init(&a->graph);
	a->graph.rng = options->rng;
	a->graph.publish = options->trace;
	a->graph.publish_logs = options->logs;
	a->graph.ctx = options->ctx;
	a->graph.stats = &a->stats;
	a->graph.slow_ns = options->slow_ns;
	a->routes = route_table_new(a->options.naming);
	a->texts = statement_texts_new();
	a->transactions = transactions_new();
	a->locks = write_locks_new(options->database, options->ctx);
	if (!a->routes || !a->texts || !a->transactions || !a->locks) {
		assembler_free(a);
		return NULL;
	}
	return a;
}

void assembler_set_brief(struct assembler *a, bool brief)
{
	a->builder.brief = brief;
}

void assembler_keep_neighbours(struct assembler *a)
{
	if (!a->graph.recent && a->options.slow_ns)
		a->graph.recent = recent_new(request_name, a);
}

void assembler_free(struct assembler *a)
{
	if (!a)
		return;
	assembler_tick(a, UINT64_MAX);
	span_builder_release(&a->builder);
	buf_release(&a->name);
	thread_works_release(&a->threads);
	graph_release(&a->graph);
	route_table_free(a->routes);
	statement_texts_free(a->texts);
	transactions_free(a->transactions);
	write_locks_free(a->locks);
	free(a);
}

void assembler_forget(struct assembler *a, const struct service *service)
{
	if (a->graph.recent)
		recent_forget(a->graph.recent, (uint32_t)service->pid);
	route_table_forget(a->routes, service);
	transactions_forget(a->transactions, (uint32_t)service->pid);
	write_locks_forget(a->locks, (uint32_t)service->pid);
}

void assembler_naming_changes(struct assembler *a)
{
	route_table_forget(a->routes, NULL);
}

void assembler_tick(struct assembler *a, uint64_t now_ns)
{
	graph_tick(&a->graph, now_ns);
}

bool assembler_busy(const struct assembler *a)
{
	return a->graph.n_nodes > 0;
}

void assembler_stats(const struct assembler *a, struct assembler_stats *ret_stats)
{
	*ret_stats = a->stats;
	ret_stats->open = a->graph.n_nodes;
}
