// SPDX-License-Identifier: Apache-2.0
/* What an observation is made of; see observation.h. */
#include "observation.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/collectors.h"
#include "discover/sqlite_db.h"
#include "report/explain.h"

/* Longest pause between looks at what happens, while something does, if the lookout needs no shorter one. */
#define PAUSE_MS 20

/* --- what comes in ------------------------------------------------------------------------------- */

static void on_event(void *ctx, const struct event *event)
{
	struct observation *o = ctx;

	if (event->h->kind == ZSP_KIND_WAKE) {
		lookout_wake(o->lookout, event->wake);
		return;
	}
	if (!event_is_of_process(event)) {
		pipeline_event(o->pipeline, event);
		return;
	}
	watch_event(o->watch, event);
	if (event->h->kind == ZSP_KIND_PROC_EXIT)
		lookout_process_end(o->lookout, (pid_t)event->h->pid);
}

/*
 * What the process has at the address now is what the statement ran on only if nothing was closed there
 * since: not before we looked, and not while we did.
 */
static int on_database_path(
    void *ctx, const struct database_handle *handle, char *ret_path, size_t len)
{
	const struct observation *o = ctx;
	int err = sqlite_db_path((pid_t)handle->pid, handle->db, ret_path, len);

	if (!err && probes_db_closes(o->probes, handle->pid, handle->db) != handle->closes)
		return -ESTALE;
	return err;
}

/* --- opening ------------------------------------------------------------------------------------- */

/* Block the signals that end us before any thread starts, so that only the main loop sees them. */
static int open_signals(void)
{
	static const int ours[] = {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGHUP};
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaddset(&set, ours[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What is slow to the pipeline, in the unit of recordings. */
static uint32_t slow_us(const struct options *options)
{
	uint64_t us = options->stack_over_ns / NS_PER_US;

	return us == 0 ? 1 : us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int open_pipeline(struct observation *o, struct buf *message)
{
	struct pipeline_options options = {.database_path = on_database_path, .ctx = o};
	uint64_t seed = rng_random_seed();
	int err = 0;

	if (o->options->record)
		err = journal_new(o->options->record, seed, slow_us(o->options), &o->outputs.clock,
		    &o->journal, message);
	if (err)
		return err;
	rng_seed(&options.rng, seed);
	options.metrics = o->metrics;
	options.journal = o->journal;
	options.payloads = o->options->record_payloads;
	options.slow_us = slow_us(o->options);
	options.span_metrics = o->options->span_metrics;
	outputs_ask_pipeline(&o->outputs, o->options, o->config, &options);
	o->pipeline = pipeline_new(&options);
	if (!o->pipeline)
		return -ENOMEM;
	outputs_feed(&o->outputs, o->pipeline);
	err = o->config->rules ? pipeline_set_rules(o->pipeline, o->config->rules, message) : 0;
	return err == -EEXIST ? -EINVAL : err;
}

static int pause_ms(const struct observation *o)
{
	uint64_t ms = o->options->stack_over_ns / NS_PER_MS;

	return ms > PAUSE_MS ? PAUSE_MS : ms > 0 ? (int)ms : 1;
}

static int open_reader(struct observation *o)
{
	struct reader_options options = {
	    .ring_fd = probes_ring_fd(o->probes),
	    .waits = probes_reader_waits(o->probes),
	    .wake_fd = o->signal_fd,
	    .pause_ms = pause_ms(o),
	    .event = on_event,
	    .ctx = o,
	};

	o->reader = reader_new(&options);
	return o->reader ? 0 : -errno;
}

static int open_lookout(struct observation *o)
{
	const struct lookout_options options = {
	    .probes = o->probes,
	    .pipeline = o->pipeline,
	    .over_ns = o->options->stack_over_ns,
	};

	o->lookout = lookout_new(&options);
	return o->lookout ? 0 : -ENOMEM;
}

int observation_open(struct observation *o, struct buf *message)
{
	struct probes_options probes = watch_probes_options(o->options);
	int err = o->options->program ? child_start(&o->child, o->options->program, message) : 0;

	probes.logs = o->config->logs.wanted;
	if (err)
		return -ENOENT; /* whatever the reason, the command line names no program that runs */
	o->signal_fd = open_signals();
	o->metrics = metrics_new();
	if (o->signal_fd < 0 || !o->metrics || collectors_init(&o->collect, o->metrics))
		return -ENOMEM;
	if (explain_is_wanted(o->options)) {
		o->collector = o->outputs.collector = why_collector_new();
		if (!o->collector)
			return -ENOMEM;
	}
	err = watch_new(o->options, buf_sv(&o->config->resource), &o->watch, message);
	o->outputs.clock = clock_base_now();
	o->outputs.wants_lines = o->config->logs.wanted;
	if (!err)
		err = outputs_open(&o->outputs, o->options, o->metrics, message);
	if (!err)
		err = open_pipeline(o, message);
	if (!err)
		err = probes_open(&probes, &o->probes, message);
	if (!err)
		err = open_lookout(o);
	if (!err)
		err = open_reader(o);
	if (err)
		return err;
	o->sqlite = sqlite_probes_new(o->probes, o->options->budget_pct);
	if (!o->sqlite)
		return -ENOMEM;
	if (outputs_have_metrics(&o->outputs)) {
		o->collect.probe = probe_metrics_new(o->metrics, o->probes);
		if (!o->collect.probe)
			return -ENOMEM;
	}
	return watch_start(
	    o->watch, o->probes, o->sqlite, o->pipeline, (uint32_t)o->child.pid, o->child.path);
}

/* --- closing ------------------------------------------------------------------------------------- */

void observation_close(struct observation *o)
{
	pipeline_free(o->pipeline, clock_monotonic_ns());
	journal_free(o->journal);
	outputs_close(&o->outputs);
	watch_free(o->watch);
	lookout_free(o->lookout);
	reader_free(o->reader);
	sqlite_probes_free(o->sqlite);
	collectors_release(&o->collect);
	probes_close(o->probes);
	metrics_free(o->metrics);
	why_collector_free(o->collector);
	buf_release(&o->who);
	if (o->signal_fd > 0)
		close(o->signal_fd);
}
