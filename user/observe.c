// SPDX-License-Identifier: Apache-2.0
/*
 * The observing program: one thread reads the ring and runs the pipeline until the end is asked for, while sinks and listener have
 * threads of their own.
 */
#include "observe.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/priority.h"
#include "exit_status.h"
#include "observation.h"
#include "privileges.h"
#include "report/explain.h"
#include "report/open_requests.h"
#include "report/summary.h"

/* By how much the reader may wake up later, if that is together with something else that the kernel has to do. */
#define READER_SLACK_NS (NS_PER_MS / 2)
/* The same while it looks at short waits: many end by a timer, and would always be looked at as they end. */
#define READER_SLACK_CLOSE_NS 1
/* How often own metrics are brought up to date, and losses looked at. */
#define UPDATE_NS (500 * NS_PER_MS)
/* So often each observed process is read about in /proc, if there are not so many that updates have no room for it. */
#define PROCESS_NS (10 * NS_PER_S)
/* Longest sleep while traces wait for completion or their turn, and while nothing does. */
#define TICK_BUSY_MS 50
#define TICK_IDLE_MS 500
/* How long stacks that people ask for are waited for, and how long the ring is left alone meanwhile. */
#define PATIENCE_NS       NS_PER_S
#define PATIENCE_SLICE_NS (5 * NS_PER_MS)
/*
 * Files are searched for SQLite without symbols when nothing was to read, every 5 ms or sooner, and a little at each update:
 * a piece takes 0.2 ms, since a record that waits longer may find its process closing what it tells of. At the end
 * there is 30 ms for what is left.
 */
#define SEARCH_MS        5
#define SEARCH_BYTES     ((size_t)512 << 10)
#define SEARCH_END_BYTES ((size_t)64 << 20)

/* --- running ------------------------------------------------------------------------------------- */

/* Scripts wait for what is announced; OTEL_LOG_LEVEL, which a host may set for all of its programs, is no reason to let them hang. */
static void announce(struct observation *o)
{
	watch_describe(o->watch, &o->who);
	if (o->options->quiet && !o->options->verbose)
		return;
	log_announce("observing %s%s%s", o->who.data ? o->who.data : "",
	    o->outputs.otlp.len ? ", traces to " : "",
	    o->outputs.otlp.len ? o->outputs.otlp.data : "");
	if (o->collector && o->options->duration_ns)
		log_info("the report comes in %.3g s, or with Ctrl-C",
		    (double)o->options->duration_ns / (double)NS_PER_S);
	if (o->outputs.listener)
		log_announce(strchr(o->options->listen_address, ':')
			? "metrics at http://[%s]:%d/metrics"
			: "metrics at http://%s:%d/metrics",
		    o->options->listen_address, http_listener_port(o->outputs.listener));
}

static void take_counts(const struct observation *o, struct self_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	probes_counters(o->probes, counts->kernel);
	counts->skipped_runs = probes_lost_runs(o->probes);
	pipeline_stats(o->pipeline, &counts->pipeline);
	sqlite_probes_stats(o->sqlite, &counts->sqlite);
	lookout_stats(o->lookout, &counts->stacks);
	counts->records = reader_records(o->reader);
	counts->bad_records = reader_bad_records(o->reader);
	counts->processes = watch_count(o->watch);
	counts->unrecorded = journal_dropped(o->journal);
	counts->unlogged = diagnostics_lost(o->outputs.diagnostics);
	metrics_stats(o->metrics, &counts->metrics);
	self_counts_take_cost(counts);
}

static void record_counts(const struct observation *o, const struct self_counts *counts)
{
	struct journal_counts record = {
	    .processes = watch_total(o->watch),
	    .skipped_runs = counts->skipped_runs,
	    .sqlite_late = counts->sqlite.late,
	    .bad_records = counts->bad_records,
	};

	memcpy(record.kernel, counts->kernel, sizeof(record.kernel));
	journal_counts(o->journal, &record);
}

static void on_tier(void *ctx, uint32_t pid, enum zsp_sqlite_detail detail)
{
	const struct observation *o = ctx;
	struct service *service = pipeline_service(o->pipeline, pid ? pid : (uint32_t)o->child.pid);

	if (service)
		self_metrics_tier(o->collect.self, service, detail);
}

static void on_process(void *ctx, uint32_t pid)
{
	const struct observation *o = ctx;
	struct service *service = pipeline_service(o->pipeline, pid);

	if (service)
		process_metrics_update(o->collect.process, service);
}

/* Some of the processes at a time. */
static void update_processes(struct observation *o, uint64_t now_ns)
{
	size_t n = watch_count(o->watch);

	if (now_ns < o->next_process_ns)
		return;
	watch_each(o->watch, PROCESS_METRICS_AT_ONCE, on_process, o);
	n = n < PROCESS_METRICS_AT_ONCE ? PROCESS_METRICS_AT_ONCE : n;
	o->next_process_ns = now_ns + PROCESS_NS * PROCESS_METRICS_AT_ONCE / n;
}

static void update(struct observation *o, uint64_t now_ns)
{
	struct self_counts counts;
	uint64_t lost, suppressed;
	struct buf causes;

	o->next_update_ns = now_ns + UPDATE_NS;
	o->searching = sqlite_probes_search(o->sqlite, SEARCH_BYTES);
	take_counts(o, &counts);
	record_counts(o, &counts);
	self_metrics_update(o->collect.self, &counts);
	outputs_update(&o->outputs);
	sqlite_probes_each(o->sqlite, on_tier, o);
	update_processes(o, now_ns);
	lookout_again(o->lookout, now_ns);
	open_metrics_update(o->collect.open, o->pipeline, now_ns, o->options->stack_over_ns);
	active_metrics_update(o->collect.active, o->pipeline);
	lost = self_counts_lost(&counts);
	if (lost > o->lost && log_limit_pass(&o->loss_limit, now_ns, &suppressed)) {
		buf_init(&causes);
		self_counts_describe_losses(&counts, &causes);
		log_warn("events lost so far: %s", causes.data ? causes.data : "");
		buf_release(&causes);
	}
	o->lost = lost;
}

static uint64_t on_cpu_ns(void *ctx, uint32_t pid)
{
	const struct observation *o = ctx;

	return watch_cpu_ns(o->watch, pid);
}

/* True when a signal asks for the end. SIGUSR1 asks for what is open, SIGHUP for the file, SIGCHLD only wakes the loop. */
static bool asked_to_end(struct observation *o)
{
	struct signalfd_siginfo info;
	bool end = false;

	while (read(o->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		o->asked |= info.ssi_signo == SIGUSR1;
		o->reload |= info.ssi_signo == SIGHUP;
		end |= info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM;
	}
	return end;
}

static bool is_over(const struct observation *o, uint64_t now_ns)
{
	return o->options->duration_ns && now_ns - o->start_ns >= o->options->duration_ns;
}

static void set_slack(struct observation *o)
{
	bool closely = lookout_looks_closely(o->lookout);

	if (closely != o->closely)
		priority_slack(closely ? READER_SLACK_CLOSE_NS : READER_SLACK_NS);
	o->closely = closely;
}

static int wait_ms(const struct observation *o, uint64_t now_ns)
{
	uint64_t left_ms, ms = pipeline_busy(o->pipeline) ? TICK_BUSY_MS : TICK_IDLE_MS;

	ms = o->searching ? SEARCH_MS : ms;
	if (o->options->duration_ns) {
		left_ms = (o->start_ns + o->options->duration_ns - now_ns) / NS_PER_MS + 1;
		ms = left_ms < ms ? left_ms : ms;
	}
	return lookout_wait_ms(
	    o->lookout, now_ns, probe_metrics_wait_ms(o->collect.probe, (int)ms));
}

/*
 * Look at what all open requests wait in, and let it be told. The first stack of a program takes time; what happens meanwhile is read.
 */
static void look_around(struct observation *o)
{
	uint64_t now = clock_monotonic_ns(), end_ns = now + PATIENCE_NS;

	lookout_all(o->lookout, now);
	while (!lookout_await(o->lookout, PATIENCE_SLICE_NS) && clock_monotonic_ns() < end_ns)
		reader_drain(o->reader);
}

/* To stderr: what stdout has is for programs. */
static void tell_open(struct observation *o)
{
	struct buf text;

	o->asked = false;
	buf_init(&text);
	look_around(o);
	open_requests_append(&text, o->pipeline, clock_monotonic_ns());
	if (!text.failed)
		fprintf(stderr, "zerospan: %s", text.data);
	buf_release(&text);
}

static int on_reload(void *ctx, const struct config *next, struct buf *message)
{
	const struct observation *o = ctx;
	int err = pipeline_set_rules(o->pipeline, next->rules, message);

	if (err)
		return err;
	watch_set_resource(o->watch, buf_sv(&next->resource));
	pipeline_naming_changes(o->pipeline);
	if (logs_config_differ(&o->config->logs, &next->logs))
		log_warn("what the file says of logs holds from the next start on");
	return 0;
}

/* Between two events. What is wrong changes nothing. */
static void reload(struct observation *o)
{
	const char *path = o->options->config;
	struct buf text;
	int err;

	o->reload = false;
	if (!path) {
		log_warn(
		    "SIGHUP: there is no configuration file to read again, start with --config FILE");
		return;
	}
	buf_init(&text);
	err = config_reload(o->config, path, on_reload, o, &text);
	if (!err && pipeline_set_sampling(o->pipeline, config_sampling(o->config, o->options)))
		log_warn("sampling: no memory, every trace is kept");
	if (err) {
		log_warn("'%s' is not taken, all stays as it was: %s", path,
		    text.len ? text.data : strerror(-err));
	} else {
		config_describe(o->config, &text);
		log_info("'%s' is read again: %s", path, text.data ? text.data : "");
	}
	buf_release(&text);
}

static void loop(struct observation *o)
{
	uint64_t now = clock_monotonic_ns();
	bool end = asked_to_end(o); /* before anything was waited for */
	size_t events;

	while (!end && !is_over(o, now) && !child_poll(&o->child)) {
		set_slack(o);
		end = reader_wait(o->reader, wait_ms(o, now)) && asked_to_end(o);
		events = reader_drain(o->reader); /* who looks around knows all that has happened */
		now = clock_monotonic_ns();
		lookout_tick(o->lookout, now, events);
		if (o->asked)
			tell_open(o);
		if (o->reload)
			reload(o);
		watch_settle(o->watch);
		if (events == 0)
			o->searching = sqlite_probes_search(o->sqlite, SEARCH_BYTES);
		pipeline_tick(o->pipeline, now);
		sqlite_probes_tick(o->sqlite, now, on_cpu_ns, o);
		probe_metrics_tick(o->collect.probe);
		if (now >= o->next_update_ns)
			update(o, now);
	}
}

static int run(struct observation *o, struct buf *message)
{
	int err = 0;

	o->start_ns = clock_monotonic_ns();
	priority_raise("reader");
	priority_slack(READER_SLACK_NS);
	probes_begin(o->probes);
	pipeline_tick(o->pipeline, o->start_ns); /* a recording's observation begins then, too */
	announce(o);
	http_listener_set_ready(o->outputs.listener);
	if (o->child.pid)
		err = child_go(&o->child, o->options->program[0], message);
	if (!err)
		loop(o);
	return err;
}

/* --- the end ------------------------------------------------------------------------------------- */

/* The report is what the command is for: without it, it has failed. */
static int explain(struct observation *o, const struct self_counts *counts, uint64_t end_ns)
{
	const struct explain_end end = {
	    .who = o->who.data ? o->who.data : "",
	    .start_ns = o->start_ns,
	    .end_ns = end_ns,
	    .counts = counts,
	    .undelivered = o->outputs.undelivered,
	};

	return o->collector ? explain_print(o->collector, o->options, &end) : 0;
}

/*
 * Make the kernel side silent first, then read what it left in the ring while the pipeline still lives, end
 * what is open, give the sinks their time, and say how it went. Detaching comes after that: the kernel
 * takes its time for it, and the targets pay nothing for silent probes but the hook.
 */
static int finish(struct observation *o)
{
	struct self_counts counts;
	uint64_t end_ns;
	int err;

	look_around(o);
	probes_silence(o->probes);
	end_ns = clock_monotonic_ns();
	while (reader_drain(o->reader) > 0)
		;
	sqlite_probes_search(o->sqlite, SEARCH_END_BYTES);
	take_counts(o, &counts);
	record_counts(o, &counts);
	pipeline_end(o->pipeline, end_ns);
	take_counts(o, &counts);
	journal_free(o->journal);
	o->journal = NULL;
	self_metrics_update(o->collect.self, &counts); /* go out with the last export */
	outputs_update(&o->outputs);
	outputs_close(&o->outputs);
	err = explain(o, &counts, end_ns);
	if (o->options->quiet)
		return err;
	summary_print(&counts, watch_total(o->watch), end_ns - o->start_ns);
	summary_print_cost(&counts, end_ns - o->start_ns);
	return err;
}

static int status_of(const struct observation *o, int err, bool ran)
{
	if (err == -EPERM || err == -EACCES || err == -ENOTSUP)
		return EXIT_UNSUPPORTED;
	if (err == -ESRCH || err == -EINVAL || err == -ENOENT)
		return EXIT_USAGE;
	if (err)
		return EXIT_FAILED;
	return ran && o->child.pid ? child_exit_status(&o->child) : EXIT_DONE;
}

int observe_main(const struct options *options, struct config *config)
{
	struct observation o = {.options = options, .config = config};
	struct buf message;
	bool ran = false;
	int err, report_err;

	buf_init(&message);
	buf_init(&o.who);
	err = privileges_check(&message);
	if (!err)
		err = observation_open(&o, &message);
	if (!err) {
		err = run(&o, &message);
		ran = !err;
	}
	if (err)
		log_error("%s", message.len ? message.data : strerror(-err));
	child_stop(&o.child);
	report_err = ran ? finish(&o) : 0;
	observation_close(&o);
	buf_release(&message);
	return status_of(&o, err ? err : report_err, ran);
}
