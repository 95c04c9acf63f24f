// SPDX-License-Identifier: Apache-2.0
/* Composition of the stages between events and sinks; see pipeline.h. */
#include "pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "journal/journal.h"
#include "metric/operation.h"
#include "metric/rule_metrics.h"
#include "metric/span_metrics.h"
#include "proto/url.h"

/* Connections of an ended process close, and are reported, after its end. */
#define AFTERLIFE_NS (5 * NS_PER_S)

struct ended_process {
	struct list link; /* in the order of ending */
	uint64_t forget_ns;
	uint32_t pid;
	struct service *service; /* reference held: the pid may be another's by then */
};

struct pipeline {
	struct pipeline_options options;
	struct operation_metrics operations;
	struct span_metrics span_metrics; /* if the options want them */
	struct rule_metrics *rules;
	bool brief; /* nobody reads the spans but the metrics */
	struct hidden
	    *hidden; /* of the last record of a connection; NULL: nothing is to be hidden */
	struct service_table *services;
	struct exchanges *exchanges;
	struct conn_table *conns;
	struct assembler *assembler;
	struct sampler *sampler; /* NULL: there never was one */
	bool sampled;            /* it decides; else every trace is published */
	struct log_flow *logs;   /* NULL: they are not asked for */
	struct databases databases;
	struct list ended;
	uint64_t now_ns; /* latest time of an event or a tick */
	struct sink *sinks[PIPELINE_MAX_SINKS];
	size_t n_sinks;
	uint64_t events;
};

/* What rules make of it, if there are any. */
static void apply_rules(struct pipeline *p, struct span *span, const struct exchange *exchange)
{
	if (!exchange)
		rule_metrics_statement(p->rules, span, p->brief);
	else if (exchange->payload)
		rule_metrics_request(p->rules, exchange->payload, span,
		    url_target_parse(exchange->target, false).query, p->brief);
}

static void on_span(void *ctx, struct span *span, const struct exchange *exchange)
{
	struct pipeline *p = ctx;

	apply_rules(p, span, exchange);
	operation_metrics_span(&p->operations, span);
	if (p->options.span_metrics)
		span_metrics_span(&p->span_metrics, span);
}

static void publish(struct pipeline *p, struct trace *trace)
{
	if (p->options.limits)
		attr_limits_trace(p->options.limits, trace);
	for (size_t i = 0; i < p->n_sinks; i++)
		sink_publish(p->sinks[i], trace);
}

/* Exemplars name only traces that somebody can look at. */
static void on_kept(void *ctx, struct trace *trace)
{
	struct pipeline *p = ctx;

	for (size_t i = 0; i < trace->n_spans; i++)
		operation_metrics_offer(&p->operations, trace->spans[i]);
	if (p->options.span_metrics)
		span_metrics_offer(&p->span_metrics, trace);
	publish(p, trace);
}

static void on_trace(void *ctx, struct trace *trace)
{
	struct pipeline *p = ctx;

	if (p->options.span_metrics)
		span_metrics_trace(&p->span_metrics, trace);
	if (p->options.only_trace &&
	    !trace_id_begins(&trace->spans[0]->trace_id, p->options.only_trace))
		return;
	if (p->sampled)
		sampler_take(p->sampler, trace, p->now_ns);
	else
		publish(p, trace);
}

static void on_logs(void *ctx, struct log_batch *logs, bool in_trace)
{
	struct pipeline *p = ctx;

	log_flow_publish(p->logs, logs, in_trace);
}

/* --- database paths ------------------------------------------------------------------------------ */

/* Ask whoever knows, and write down the answer: a replay needs it. */
static int ask_path(void *ctx, const struct database_handle *handle, char *ret_path, size_t len)
{
	struct pipeline *p = ctx;
	int err = p->options.database_path(p->options.ctx, handle, ret_path, len);

	journal_database(p->options.journal, handle, err ? "" : ret_path);
	return err;
}

static struct sv on_database(void *ctx, uint32_t pid, uint64_t db, uint32_t db_closes)
{
	struct pipeline *p = ctx;
	const struct database_handle handle = {.pid = pid, .closes = db_closes, .db = db};

	if (!handle.db || !p->options.database_path)
		return (struct sv){0};
	return databases_path(&p->databases, &handle, p->now_ns);
}

void pipeline_database_told(struct pipeline *p, const struct database_handle *handle)
{
	databases_told(&p->databases, handle);
}

/* --- life cycle ---------------------------------------------------------------------------------- */

static void ended_free(struct ended_process *ended)
{
	list_remove(&ended->link);
	service_unref(ended->service);
	free(ended);
}

int pipeline_set_sampling(struct pipeline *p, const struct sampling_policy *policy)
{
	const struct sampler_options options = {.policy = policy, .keep = on_kept, .ctx = p};

	if (p->sampler && policy)
		sampler_set_policy(p->sampler, policy);
	else if (p->sampler)
		sampler_tick(p->sampler, UINT64_MAX);
	else if (policy)
		p->sampler = sampler_new(&options);
	p->sampled = p->sampler && policy;
	metrics_defer_exemplars(p->options.metrics, p->sampled);
	return policy && !p->sampled ? -ENOMEM : 0;
}

static int open_logs(struct pipeline *p)
{
	const struct log_flow_options options = {
	    .limit = p->options.logs,
	    .attrs = p->options.log_attrs,
	    .services = p->services,
	    .metrics = p->options.metrics,
	    .assembler = p->assembler,
	    .only_trace = p->options.only_trace,
	};

	p->logs = log_flow_new(&options);
	return p->logs ? 0 : -ENOMEM;
}

struct pipeline *pipeline_new(const struct pipeline_options *options)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	struct assembler_options assembler = {
	    .rng = options->rng,
	    .naming = options->naming,
	    .slow_ns = options->slow_us * NS_PER_US,
	    .span = on_span,
	    .trace = on_trace,
	    .logs = on_logs,
	    .database = on_database,
	    .ctx = p,
	};

	if (!p)
		return NULL;
	p->options = *options;
	databases_init(&p->databases, ask_path, p);
	list_init(&p->ended);
	p->services = service_table_new();
	assembler.services = p->services;
	p->assembler = assembler_new(&assembler);
	p->exchanges = exchanges_new(&assembler_listener, p->assembler);
	p->conns = conn_table_new(&exchange_conn_handler, p->exchanges);
	p->rules = rule_metrics_new(options->metrics);
	if (options->journal && !options->payloads)
		p->hidden = calloc(1, sizeof(*p->hidden));
	if ((options->journal && !options->payloads && !p->hidden) || !p->services ||
	    !p->assembler || !p->exchanges || !p->conns || !p->rules ||
	    operation_metrics_init(&p->operations, options->metrics) ||
	    pipeline_set_sampling(p, options->sampling) ||
	    (options->span_metrics && span_metrics_init(&p->span_metrics, options->metrics)) ||
	    (options->logs.per_second && open_logs(p))) {
		pipeline_free(p, 0);
		return NULL;
	}
	if (p->hidden)
		exchanges_hide(p->exchanges, p->hidden);
	p->brief = !options->span_metrics;
	assembler_set_brief(p->assembler, p->brief);
	return p;
}

static void end_all(struct pipeline *p, uint64_t time_ns)
{
	if (p->logs)
		log_flow_tick(p->logs, UINT64_MAX); /* lines first: their requests end below */
	if (p->assembler)
		assembler_end(p->assembler);
	if (p->conns)
		conn_table_close_all(p->conns, time_ns);
	if (p->assembler)
		assembler_tick(p->assembler, UINT64_MAX);
	if (p->sampler)
		sampler_tick(p->sampler, UINT64_MAX);
	if (p->logs)
		log_flow_tick(p->logs, UINT64_MAX);
}

void pipeline_end(struct pipeline *p, uint64_t time_ns)
{
	journal_end(p->options.journal, time_ns);
	end_all(p, time_ns);
}

void pipeline_free(struct pipeline *p, uint64_t time_ns)
{
	if (!p)
		return;
	end_all(p, time_ns);
	conn_table_free(p->conns, time_ns);
	exchanges_free(p->exchanges);
	rule_metrics_free(p->rules);
	free(p->hidden);
	assembler_free(p->assembler);
	sampler_free(p->sampler);
	log_flow_free(p->logs);
	databases_release(&p->databases);
	list_for_each (at, &p->ended) {
		ended_free(container_of(at, struct ended_process, link));
	}
	service_table_free(p->services);
	free(p);
}

int pipeline_add_sink(struct pipeline *p, struct sink *sink)
{
	if (p->n_sinks == PIPELINE_MAX_SINKS)
		return -E2BIG;
	p->sinks[p->n_sinks++] = sink;
	p->brief = false;
	assembler_set_brief(p->assembler, false);
	assembler_keep_neighbours(p->assembler);
	return 0;
}

int pipeline_add_log_sink(struct pipeline *p, struct sink *sink, bool loose)
{
	return p->logs ? log_flow_add_sink(p->logs, sink, loose) : 0;
}

int pipeline_set_rules(struct pipeline *p, struct rules *rules, struct buf *message)
{
	int err = rule_metrics_set(p->rules, rules, message);

	if (err)
		return err;
	exchanges_set_rules(p->exchanges, rules);
	/* What rules may ask of a statement is in its attributes. */
	assembler_set_brief(p->assembler, p->brief && !(rules && rules->has_statements));
	return 0;
}

void pipeline_naming_changes(struct pipeline *p)
{
	assembler_naming_changes(p->assembler);
}

int pipeline_check_rules(struct rules *rules, struct buf *message)
{
	struct metrics *metrics = metrics_new();
	const struct pipeline_options options = {.metrics = metrics, .span_metrics = true};
	struct pipeline *p = metrics ? pipeline_new(&options) : NULL;
	int err = p ? pipeline_set_rules(p, rules, message) : -ENOMEM;

	pipeline_free(p, 0);
	metrics_free(metrics);
	return err;
}

/* Drop what is kept for a service that is no longer in the table: no span begins in it any more. */
static void service_forget(struct pipeline *p, struct service *service)
{
	databases_forget(&p->databases, (uint32_t)service->pid);
	assembler_forget(p->assembler, service);
	metrics_end_service(p->options.metrics, service);
}

int pipeline_process(struct pipeline *p, const struct service_facts *facts)
{
	struct service *old = service_table_get(p->services, facts->pid);
	int err;

	journal_process(p->options.journal, facts);
	if (old)
		service_ref(old);
	err = service_table_put(p->services, facts);
	if (old && !err)
		service_forget(p, old);
	service_unref(old);
	if (!err)
		metrics_begin_service(
		    p->options.metrics, service_table_get(p->services, facts->pid));
	return err;
}

void pipeline_process_end(struct pipeline *p, uint32_t pid, uint64_t now_ns)
{
	struct service *service = service_table_get(p->services, pid);
	struct ended_process *ended = service ? calloc(1, sizeof(*ended)) : NULL;

	journal_process_end(p->options.journal, pid, now_ns);
	if (!ended) /* without memory its service stays in the table: a few hundred bytes */
		return;
	ended->pid = pid;
	ended->service = service_ref(service);
	ended->forget_ns = now_ns + AFTERLIFE_NS;
	list_add_tail(&p->ended, &ended->link);
}

static void process_forget(struct pipeline *p, const struct ended_process *ended)
{
	if (service_table_get(p->services, ended->pid) != ended->service)
		return; /* replaced, and forgotten then */
	conn_table_end_process(p->conns, ended->pid, p->now_ns);
	service_table_remove(p->services, ended->pid, NULL);
	service_forget(p, ended->service);
}

static void time_passes(struct pipeline *p, uint64_t now_ns)
{
	/* Events of several CPUs are not quite in order, and the last tick is no time. */
	if (now_ns > p->now_ns && now_ns != UINT64_MAX)
		p->now_ns = now_ns;
}

/* Take it, and have a copy of its payload as a recording may hold it. */
static void hide_data(struct pipeline *p, const struct event *event)
{
	size_t len = event->data->captured + event->data->tail;

	p->hidden->known = false;
	memcpy(p->hidden->payload, event->data->payload, len);
	conn_table_event(p->conns, event);
	if (!p->hidden->known)
		memset(p->hidden->payload, 0, len);
}

void pipeline_event(struct pipeline *p, const struct event *event)
{
	time_passes(p, event->h->time_ns);
	p->events++;
	if (event->h->kind == ZSP_KIND_STATEMENT)
		assembler_statement(p->assembler, event->statement);
	else if (event->h->kind == ZSP_KIND_LOCK)
		assembler_lock(p->assembler, event->lock);
	else if (event->h->kind == ZSP_KIND_LOG && p->logs)
		log_flow_write(p->logs, event->log);
	else if (p->hidden && event->h->kind == ZSP_KIND_DATA)
		hide_data(p, event);
	else
		conn_table_event(p->conns, event);
	/* Behind the answer that it may have asked for, and when it is known what it is. */
	journal_event(p->options.journal, event, p->hidden);
}

void pipeline_wait(struct pipeline *p, const struct thread_wait *wait)
{
	journal_wait(p->options.journal, wait);
	assembler_wait(p->assembler, wait);
}

void pipeline_culprit(struct pipeline *p, const struct thread_culprit *culprit)
{
	journal_culprit(p->options.journal, culprit);
	assembler_culprit(p->assembler, culprit);
}

void pipeline_contender(struct pipeline *p, const struct thread_contender *contender)
{
	journal_contender(p->options.journal, contender);
	assembler_contender(p->assembler, contender);
}

bool pipeline_wants(const struct pipeline *p, const struct thread_wait *wait)
{
	return assembler_wants(p->assembler, wait);
}

size_t pipeline_serving(
    const struct pipeline *p, uint64_t before_ns, struct serving_thread *ret_threads, size_t max)
{
	return assembler_serving(p->assembler, before_ns, ret_threads, max);
}

void pipeline_place(struct pipeline *p, const struct thread_place *place)
{
	journal_place(p->options.journal, place);
	assembler_place(p->assembler, place);
}

void pipeline_tick(struct pipeline *p, uint64_t now_ns)
{
	journal_tick(p->options.journal, now_ns);
	time_passes(p, now_ns);
	if (p->logs)
		log_flow_tick(p->logs, now_ns);
	assembler_tick(p->assembler, now_ns);
	if (p->sampler)
		sampler_tick(p->sampler, now_ns);
	list_for_each (at, &p->ended) {
		struct ended_process *ended = container_of(at, struct ended_process, link);

		if (ended->forget_ns > now_ns)
			break;
		process_forget(p, ended);
		ended_free(ended);
	}
}

struct service *pipeline_service(const struct pipeline *p, uint32_t pid)
{
	return service_table_get(p->services, pid);
}

size_t pipeline_open(
    const struct pipeline *p, uint64_t before_ns, struct open_process *ret_processes, size_t max)
{
	return assembler_open(p->assembler, before_ns, ret_processes, max);
}

uint64_t pipeline_oldest(const struct pipeline *p)
{
	return assembler_oldest(p->assembler);
}

void pipeline_each_open(struct pipeline *p, uint64_t now_ns, uint64_t before_ns,
    void (*span)(void *ctx, const struct span *span), void *ctx)
{
	assembler_each_open(p->assembler, now_ns, before_ns, span, ctx);
}

void pipeline_each_active(const struct pipeline *p,
    void (*take)(void *ctx, const struct active_request *request), void *ctx)
{
	assembler_each_active(p->assembler, take, ctx);
}

bool pipeline_busy(const struct pipeline *p)
{
	struct sampler_stats sampling = {0};

	if (p->sampler)
		sampler_stats(p->sampler, &sampling);
	return sampling.held || assembler_busy(p->assembler);
}

void pipeline_stats(const struct pipeline *p, struct pipeline_stats *ret_stats)
{
	conn_table_stats(p->conns, &ret_stats->conns);
	exchanges_stats(p->exchanges, &ret_stats->exchanges);
	assembler_stats(p->assembler, &ret_stats->assembler);
	ret_stats->sampling = (struct sampler_stats){0};
	ret_stats->sampled = p->sampler != NULL;
	if (p->sampler)
		sampler_stats(p->sampler, &ret_stats->sampling);
	ret_stats->events = p->events;
	ret_stats->logs = (struct log_flow_stats){0};
	if (p->logs)
		log_flow_stats(p->logs, &ret_stats->logs);
}
