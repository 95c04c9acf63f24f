// SPDX-License-Identifier: Apache-2.0
/* Opening and closing of destinations; see outputs.h. */
#include "outputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "export/metric_lines.h"
#include "export/otlp_client.h"
#include "watch/resource.h"

/* At the end everything that is queued has so long to arrive; lines of the log, which come until then, a moment more. */
#define FLUSH_NS      (5 * NS_PER_S)
#define LOGS_FLUSH_NS (500 * NS_PER_MS)

static const char *env(const char *name)
{
	return getenv(name);
}

static int add(struct outputs *o, struct sink *sink, const char *what, struct buf *message)
{
	if (!sink) {
		int err = errno ? -errno : -ENOMEM;

		buf_printf(message, "cannot start the output to %s: %s", what, strerror(-err));
		return err;
	}
	o->sinks[o->n_sinks++] = sink;
	return 0;
}

static int add_logs(struct outputs *o, struct sink *sink)
{
	if (!sink)
		return -errno;
	o->logs[o->n_logs++] = sink;
	return 0;
}

/* zerospan as who says and measures what is of no observed process. */
static int need_self(struct outputs *o)
{
	if (!o->self)
		o->self = service_self();
	return o->self ? 0 : -ENOMEM;
}

/* The terminal shows trees unless something else is asked for or the traces go elsewhere. */
static enum output_format terminal_format(const struct options *options, bool otlp)
{
	if (options->format == FORMAT_OTLP_JSON && options->output)
		return FORMAT_NONE;
	if (options->format != FORMAT_DEFAULT)
		return options->format;
	if (options->command == COMMAND_WHY)
		return FORMAT_NONE;
	return options->command == COMMAND_RUN && otlp ? FORMAT_NONE : FORMAT_TREE;
}

static int open_terminal(struct outputs *o, const struct options *options, struct buf *message)
{
	bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	enum output_format format =
	    terminal_format(options, o->otlp.len > 0 && !o->console[OTLP_TRACES]);

	o->terminal = output_file_of_fd(STDOUT_FILENO);
	if (!o->terminal)
		return add(o, NULL, "stdout", message);
	if (format != FORMAT_TREE && format != FORMAT_OTLP_JSON)
		return 0;
	return add(o,
	    format == FORMAT_TREE ? export_tree_new(o->terminal, colour, &o->clock)
				  : export_json_new(o->terminal, &o->clock),
	    "stdout", message);
}

/* --- OTLP, and what the environment says of the console --- */

/* An endpoint that cannot be used is no reason to do without the others. Returns -errno if it is one. */
static int cannot_be_used(const struct otlp_options *otlp, enum otlp_signal signal, int err)
{
	struct buf url;

	if (err == -ENOMEM)
		return err;
	buf_init(&url);
	otlp_endpoint_show(&url, otlp->url);
	log_error("no %s go to %s: reading its certificates or key failed: %s",
	    otlp_signal_name(signal), url.data ? url.data : "its endpoint", strerror(-err));
	buf_release(&url);
	return 0;
}

static int open_traces(struct outputs *o, const struct otlp_options *otlp, struct buf *message)
{
	struct sink *sink = export_otlp_new(otlp, OTLP_TRACES, &o->clock);

	if (!sink)
		return cannot_be_used(otlp, OTLP_TRACES, -errno);
	if (o->otlp.len)
		buf_append_cstr(&o->otlp, ", ");
	otlp_endpoint_show(&o->otlp, otlp->url);
	return add(o, sink, "OTLP", message);
}

static int open_logs(struct outputs *o, const struct otlp_options *otlp)
{
	struct sink *sink = export_otlp_new(otlp, OTLP_LOGS, &o->clock);

	return sink ? add_logs(o, sink) : cannot_be_used(otlp, OTLP_LOGS, -errno);
}

/* A periodic exporter to the target, which is moved. */
static int add_metrics(struct outputs *o, const struct otlp_target *target, struct metrics *metrics,
    size_t (*encode)(struct buf *out, const struct metric_snapshot *snapshot,
	const struct service *own, const struct clock_base *clock))
{
	const struct otlp_metrics_options options = {.interval_ms = o->metrics_env.interval_ms,
	    .timeout_ms = o->metrics_env.timeout_ms,
	    .temporality = o->metrics_env.temporality,
	    .encode = encode};

	o->metrics[o->n_metrics] = otlp_metrics_new(&options, target, metrics, o->self, &o->clock);
	if (!o->metrics[o->n_metrics])
		return -errno;
	o->n_metrics++;
	return 0;
}

static int open_metrics(struct outputs *o, const struct otlp_options *otlp, struct metrics *metrics)
{
	struct otlp_target target;
	int err = otlp_client_target(&target, otlp, OTLP_METRICS);

	return err ? cannot_be_used(otlp, OTLP_METRICS, err)
		   : add_metrics(o, &target, metrics, NULL);
}

/* One destination. */
static int open_destination(struct outputs *o, const struct otlp_options *signals,
    struct metrics *metrics, struct buf *message)
{
	int err = 0;

	if (signals[OTLP_TRACES].url)
		err = open_traces(o, &signals[OTLP_TRACES], message);
	if (!err && signals[OTLP_METRICS].url)
		err = open_metrics(o, &signals[OTLP_METRICS], metrics);
	if (!err && signals[OTLP_LOGS].url)
		err = open_logs(o, &signals[OTLP_LOGS]);
	return err;
}

/* What is wrong on the command line ends the program. */
static int no_url(int err, struct buf *message)
{
	if (err == -EINVAL)
		buf_append_cstr(message,
		    "--otlp-endpoint: no URL that starts with http:// or https://, for example \"http://localhost:4318\"");
	return err;
}

/* To the endpoints of flags, or as the environment says, to those that can be used. */
static int open_otlp(
    struct outputs *o, const struct options *options, struct metrics *metrics, struct buf *message)
{
	struct otlp_settings settings;
	int err = otlp_settings_from_env(&settings, env, options->n_otlp ? options->otlp[0] : NULL);

	if (err)
		return no_url(err, message);
	memcpy(o->console, settings.console, sizeof(o->console));
	err = need_self(o);
	if (!err)
		err = open_destination(o, settings.signals, metrics, message);
	for (size_t i = 1; i < options->n_otlp && !err; i++) {
		err = no_url(otlp_settings_aim(&settings, options->otlp[i]), message);
		if (!err)
			err = open_destination(o, settings.signals, metrics, message);
	}
	otlp_settings_release(&settings);
	if (o->n_sinks || o->n_metrics || o->n_logs)
		otlp_headers_warn(env);
	return err;
}

/* Metrics and log lines on the terminal, by OTEL_{METRICS,LOGS}_EXPORTER=console; traces are shown there as trees. */
static int open_console(struct outputs *o, struct metrics *metrics)
{
	if (o->console[OTLP_METRICS]) {
		struct otlp_target target;
		int err = metric_lines_target(&target, o->terminal);

		if (!err)
			err = add_metrics(o, &target, metrics, metric_lines_text);
		if (err)
			return err;
	}
	return o->console[OTLP_LOGS] ? add_logs(o, export_console_logs_new(o->terminal, &o->clock))
				     : 0;
}

/* --- files of OTLP/JSON lines, each of one signal --- */

/* NULL and errno, with a message. */
static struct output_file *open_file(struct outputs *o, enum otlp_signal signal, const char *path,
    const struct options *options, struct buf *message)
{
	const struct output_file_options file = {.path = path,
	    .append = o->append,
	    .max_bytes = options->output_max_bytes,
	    .keep = options->output_keep ? options->output_keep : OPTIONS_OUTPUT_KEEP};
	int err;

	o->files[signal] = output_file_open(&file);
	if (!o->files[signal]) {
		err = errno;
		buf_printf(message, "cannot write '%s': %s", path, strerror(err));
		errno = err;
	}
	return o->files[signal];
}

static int open_traces_file(struct outputs *o, const struct options *options, struct buf *message)
{
	struct output_file *file = open_file(o, OTLP_TRACES, options->output, options, message);

	return file ? add(o, export_json_new(file, &o->clock), options->output, message) : -errno;
}

static int open_metrics_file(
    struct outputs *o, const struct options *options, struct metrics *metrics, struct buf *message)
{
	struct output_file *file =
	    open_file(o, OTLP_METRICS, options->output_metrics, options, message);
	struct otlp_target target;
	int err = file ? need_self(o) : -errno;

	if (!err)
		err = metric_lines_target(&target, file);
	return err ? err : add_metrics(o, &target, metrics, metric_lines_json);
}

static int open_logs_file(struct outputs *o, const struct options *options, struct buf *message)
{
	struct output_file *file = open_file(o, OTLP_LOGS, options->output_logs, options, message);
	int err = file ? need_self(o) : -errno;

	return err ? err : add_logs(o, export_json_logs_new(file, &o->clock));
}

static int open_files(
    struct outputs *o, const struct options *options, struct metrics *metrics, struct buf *message)
{
	int err = 0;

	if (options->output)
		err = open_traces_file(o, options, message);
	if (!err && options->output_metrics)
		err = open_metrics_file(o, options, metrics, message);
	if (!err && options->output_logs)
		err = open_logs_file(o, options, message);
	return err;
}

/* Lines of observed processes stand on the terminal with the traces: in a tree below it, and what is in none is a line by itself. */
static int open_lines(struct outputs *o, const struct options *options)
{
	enum output_format format =
	    terminal_format(options, o->otlp.len > 0 && !o->console[OTLP_TRACES]);
	int err;

	o->n_own = o->n_logs;
	if (!o->wants_lines || o->console[OTLP_LOGS])
		return 0;
	if (format == FORMAT_OTLP_JSON)
		return add_logs(o, export_json_logs_new(o->terminal, &o->clock));
	if (format != FORMAT_TREE)
		return 0;
	err = add_logs(o, export_console_logs_new(o->terminal, &o->clock));
	if (!err)
		o->loose = o->logs[o->n_logs - 1];
	return err;
}

/* Each export is measured. Before any begins. */
static int watch_exports(struct outputs *o)
{
	int err = 0;

	for (size_t i = 0; i < o->n_sinks && !err; i++)
		err = exporter_metrics_watch_sink(o->figures, OTLP_TRACES, o->sinks[i], i);
	for (size_t i = 0; i < o->n_logs && !err; i++)
		err = exporter_metrics_watch_sink(o->figures, OTLP_LOGS, o->logs[i], i);
	for (size_t i = 0; i < o->n_metrics && !err; i++)
		err = exporter_metrics_watch_reader(o->figures, o->metrics[i], i);
	return err;
}

/* From here on zerospan's own lines go to the sinks, too. */
static int begin_diagnostics(struct outputs *o)
{
	if (o->n_own == 0)
		return 0;
	o->diagnostics = diagnostics_new(o->self, o->logs, o->n_own);
	return o->diagnostics ? 0 : -errno;
}

/* --- all --- */

static int open_listener(
    struct outputs *o, const struct options *options, struct metrics *metrics, struct buf *message)
{
	struct http_listener_options listener = {
	    .address = options->listen_address,
	    .port = options->listen_port,
	    .metrics = metrics,
	    .clock = o->clock,
	};

	o->listener = http_listener_new(&listener);
	if (o->listener)
		return 0;
	buf_printf(message, "cannot listen on %s:%d: %s, choose another address with --listen",
	    options->listen_address, options->listen_port, strerror(errno));
	return errno ? -errno : -EIO;
}

/* How metrics are kept, for whoever is to have them. */
static void read_metrics_env(struct outputs *o, struct metrics *metrics)
{
	o->metrics_env = otlp_metrics_from_env(env);
	metrics_set_exemplar_filter(metrics, o->metrics_env.exemplars);
	if (o->metrics_env.exponential)
		metrics_keep_exponential(metrics);
}

int outputs_open(
    struct outputs *o, const struct options *options, struct metrics *metrics, struct buf *message)
{
	int err = 0;

	o->limits = attr_limits_from_env(env);
	o->figures = exporter_metrics_new(metrics);
	if (!o->figures)
		return -ENOMEM;
	if (options->command == COMMAND_RUN || options->output_metrics)
		read_metrics_env(o, metrics);
	if (options->command == COMMAND_RUN)
		err = open_otlp(o, options, metrics, message);
	if (!err && options->command == COMMAND_RUN)
		err = open_listener(o, options, metrics, message);
	if (!err)
		err = open_files(o, options, metrics, message);
	if (!err && o->collector)
		err = add(o, why_sink_new(o->collector), "the report", message);
	if (!err)
		err = open_terminal(o, options, message);
	if (!err)
		err = open_console(o, metrics);
	if (!err)
		err = open_lines(o, options);
	if (!err)
		err = watch_exports(o);
	if (!err)
		err = begin_diagnostics(o);
	if (err)
		outputs_close(o);
	return err;
}

bool outputs_have_metrics(const struct outputs *o)
{
	return o->listener || o->n_metrics;
}

void outputs_set_patient(const struct outputs *o)
{
	for (size_t i = 0; i < o->n_sinks; i++)
		sink_set_patient(o->sinks[i]);
	for (size_t i = 0; i < o->n_logs; i++)
		sink_set_patient(o->logs[i]);
}

void outputs_ask_pipeline(const struct outputs *o, const struct options *options,
    const struct config *config, struct pipeline_options *pipeline)
{
	pipeline->naming = &config->naming;
	pipeline->sampling = config_sampling(config, options);
	if (config->logs.wanted)
		pipeline->logs = (struct rate_limit){config->logs.rate, config->logs.burst};
	pipeline->log_attrs = &o->limits.logs;
	pipeline->only_trace = options->trace_id[0] ? options->trace_id : NULL;
	if (attr_limits_span_may_pass(&o->limits))
		pipeline->limits = &o->limits;
}

void outputs_feed(const struct outputs *o, struct pipeline *pipeline)
{
	for (size_t i = 0; i < o->n_sinks; i++)
		pipeline_add_sink(pipeline, o->sinks[i]);
	for (size_t i = 0; i < o->n_logs; i++)
		pipeline_add_log_sink(pipeline, o->logs[i], o->logs[i] == o->loose);
}

void outputs_update(const struct outputs *o)
{
	exporter_metrics_sinks(o->figures, OTLP_TRACES, o->sinks, o->n_sinks);
	exporter_metrics_sinks(o->figures, OTLP_LOGS, o->logs, o->n_logs);
	exporter_metrics_readers(o->figures, o->metrics, o->n_metrics);
}

/* Drain a sink and say what did not arrive; how many spans. */
static uint64_t close_sink(struct sink *sink)
{
	char name[64];
	struct sink_stats stats;
	uint64_t undelivered;

	snprintf(name, sizeof(name), "%s", sink_name(sink));
	sink_close(sink, &stats);
	undelivered = stats.failed + stats.dropped;
	if (undelivered)
		log_warn("%llu spans did not arrive at %s (%llu delivered)",
		    (unsigned long long)undelivered, name, (unsigned long long)stats.delivered);
	return undelivered;
}

/* All at the same time: one that does not answer takes nothing from the time of the others. */
static void begin_end(struct outputs *o, uint64_t deadline_ns)
{
	for (size_t i = 0; i < o->n_sinks; i++)
		sink_end_by(o->sinks[i], deadline_ns);
	for (size_t i = 0; i < o->n_metrics; i++)
		otlp_metrics_end_by(o->metrics[i], deadline_ns);
}

/* The last: what the closing of the others says is told, too. */
static void close_logs(struct outputs *o, uint64_t deadline_ns)
{
	uint64_t at_least_ns = clock_monotonic_ns() + LOGS_FLUSH_NS;

	diagnostics_free(o->diagnostics);
	o->diagnostics = NULL;
	for (size_t i = 0; i < o->n_logs; i++)
		sink_end_by(o->logs[i], at_least_ns > deadline_ns ? at_least_ns : deadline_ns);
	while (o->n_logs > 0)
		sink_free(o->logs[--o->n_logs]);
}

void outputs_close(struct outputs *o)
{
	uint64_t deadline_ns = clock_monotonic_ns() + FLUSH_NS;

	http_listener_free(o->listener);
	o->listener = NULL;
	begin_end(o, deadline_ns);
	while (o->n_sinks > 0)
		o->undelivered += close_sink(o->sinks[--o->n_sinks]);
	while (o->n_metrics > 0)
		otlp_metrics_free(o->metrics[--o->n_metrics]);
	close_logs(o, deadline_ns);
	service_unref(o->self);
	o->self = NULL;
	exporter_metrics_free(o->figures);
	o->figures = NULL;
	for (size_t i = 0; i < OTLP_SIGNALS; i++) {
		output_file_unref(o->files[i]);
		o->files[i] = NULL;
	}
	output_file_unref(o->terminal);
	o->terminal = NULL;
	buf_release(&o->otlp);
}
