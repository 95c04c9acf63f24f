/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages from event to sinks, put together: connections, exchanges, traces, metrics, sampling. No privileges,
 * no kernel, no threads of its own: what feeds it events may as well be a test. Facts that only a live
 * process can tell come in from outside, so that they can be recorded with the events.
 */
#ifndef ZS_PIPELINE_H
#define ZS_PIPELINE_H

#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"
#include "conn/conn.h"
#include "databases.h"
#include "export/limits.h"
#include "export/sink.h"
#include "ingest/decode.h"
#include "log_flow.h"
#include "metric/metric.h"
#include "proto/http_naming.h"
#include "proto/sampling_policy.h"
#include "sampling/sampler.h"
#include "span/exchange.h"
#include "span/service.h"
#include "trace/assembler.h"

#define PIPELINE_MAX_SINKS 8

struct pipeline_options {
	struct rng rng;                   /* for ids */
	struct metrics *metrics;          /* borrowed */
	const struct http_naming *naming; /* borrowed; NULL: the default */
	databases_ask *database_path;     /* see databases.h; with ctx; may be NULL */
	void *ctx;
	uint32_t slow_us;  /* slow_ns of assembler.h, neighbours only if there is a sink */
	bool span_metrics; /* feed span_metrics.h, too */
	const struct signal_limits *limits; /* of attributes; borrowed; NULL: none */
	/* Of what processes write to stdout and stderr; 0 per second: ignore it. */
	struct rate_limit logs;
	const struct attr_limits *log_attrs; /* of those; borrowed; NULL: none */
	/* Sinks get what belongs to a trace whose id begins so; borrowed; NULL: all. */
	const char *only_trace;
	struct journal *journal;                /* is told every input; borrowed; NULL: none */
	bool payloads;                          /* with what is secret, and with bodies */
	const struct sampling_policy *sampling; /* as pipeline_set_sampling() has it */
};

struct pipeline_stats {
	struct conn_stats conns;
	struct exchange_stats exchanges;
	struct assembler_stats assembler;
	struct sampler_stats sampling;
	bool sampled; /* the sinks were given what sampling keeps, not every trace */
	struct log_flow_stats logs;
	uint64_t events;
};

struct pipeline;

struct pipeline *pipeline_new(const struct pipeline_options *options); /* NULL: no memory */

/*
 * No more events come: end what is open as of time_ns and publish everything. Afterwards only
 * pipeline_stats() and pipeline_free() make sense.
 */
void pipeline_end(struct pipeline *pipeline, uint64_t time_ns);

/* pipeline_end() if that was not called, then frees; NULL is fine. Sinks stay the caller's. */
void pipeline_free(struct pipeline *pipeline, uint64_t time_ns);

/* Publish traces to this sink from now on; borrowed. -E2BIG beyond PIPELINE_MAX_SINKS. */
int pipeline_add_sink(struct pipeline *pipeline, struct sink *sink);

/* Publish records of logs to this sink from now on; borrowed. See log_flow_add_sink(). Without options.logs nothing comes. */
int pipeline_add_log_sink(struct pipeline *pipeline, struct sink *sink, bool loose);

/*
 * Which traces the sinks are given from now on; metrics count all. Borrowed; NULL: every one. 0, or -ENOMEM: then they are
 * given every one.
 */
int pipeline_set_sampling(struct pipeline *pipeline, const struct sampling_policy *policy);

/*
 * Requests that begin from now on, and statements that end, are for these rules; NULL: none. Takes its own reference. Returns 0; -EEXIST or
 * -ENOMEM with a message: then nothing has changed.
 */
int pipeline_set_rules(struct pipeline *pipeline, struct rules *rules, struct buf *message);

/* options.naming is about to say something else, before the next event. While what it says now still lives. */
void pipeline_naming_changes(struct pipeline *pipeline);

/* Could a pipeline use these rules? Returns as pipeline_set_rules(). */
int pipeline_check_rules(struct rules *rules, struct buf *message);

/*
 * A process is observed from now on, runs another program, or has the pid of one that ended. Whatever
 * was kept for the pid's service until now is forgotten: routes, databases, and its metrics once they are read. 0 or -ENOMEM.
 */
int pipeline_process(struct pipeline *pipeline, const struct service_facts *facts);

/* The process ended. What its sockets still have to say is awaited for a few seconds, then it is forgotten. */
void pipeline_process_end(struct pipeline *pipeline, uint32_t pid, uint64_t now_ns);

/* Take an event of a connection, a statement, a lock or a log; others are ignored. */
void pipeline_event(struct pipeline *pipeline, const struct event *event);

/* database_path can tell of this handle now: ask it again, if it could not before. */
void pipeline_database_told(struct pipeline *pipeline, const struct database_handle *handle);

/* A thread was looked at; its place follows. See trace/assembler.h, here and below. */
void pipeline_wait(struct pipeline *pipeline, const struct thread_wait *wait);
void pipeline_culprit(struct pipeline *pipeline, const struct thread_culprit *culprit);
void pipeline_place(struct pipeline *pipeline, const struct thread_place *place);

/* Time passes: publish what is complete. UINT64_MAX: the end, nothing is awaited any longer. */
void pipeline_tick(struct pipeline *pipeline, uint64_t now_ns);

/* The service of an observed process, borrowed until the next call; NULL when there is none. */
struct service *pipeline_service(const struct pipeline *pipeline, uint32_t pid);

bool pipeline_wants(const struct pipeline *pipeline, const struct thread_wait *wait);
void pipeline_contender(struct pipeline *pipeline, const struct thread_contender *contender);
size_t pipeline_serving(const struct pipeline *pipeline, uint64_t before_ns,
    struct serving_thread *ret_threads, size_t max);
size_t pipeline_open(const struct pipeline *pipeline, uint64_t before_ns,
    struct open_process *ret_processes, size_t max);
uint64_t pipeline_oldest(const struct pipeline *pipeline);
void pipeline_each_open(struct pipeline *pipeline, uint64_t now_ns, uint64_t before_ns,
    void (*span)(void *ctx, const struct span *span), void *ctx);
void pipeline_each_active(const struct pipeline *pipeline,
    void (*take)(void *ctx, const struct active_request *request), void *ctx);

/* Does something wait for its completion or its turn, so that pipeline_tick() has something to do soon? */
bool pipeline_busy(const struct pipeline *pipeline);

void pipeline_stats(const struct pipeline *pipeline, struct pipeline_stats *ret_stats);

#endif
