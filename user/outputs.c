// SPDX-License-Identifier: Apache-2.0
/* Opening and closing of destinations; see outputs.h. */
#include "outputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

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

static int open_file(struct outputs *o, const struct options *options, struct buf *message)
{
	const struct output_file_options file = {.path = options->output,
	    .append = o->append,
	    .max_bytes = options->output_max_bytes,
	    .keep = options->output_keep ? options->output_keep : OPTIONS_OUTPUT_KEEP};

	o->file = output_file_open(&file);
	if (!o->file) {
		int err = -errno;

		buf_printf(message, "cannot write '%s': %s", options->output, strerror(-err));
		return err;
	}
	return add(o, export_json_new(o->file, &o->clock), options->output, message);
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

	enum output_format format = terminal_format(options, o->otlp_url != NULL);

	if (format != FORMAT_TREE && format != FORMAT_OTLP_JSON)
		return 0;
	o->terminal = output_file_of_fd(STDOUT_FILENO);
	if (!o->terminal)
		return add(o, NULL, "stdout", message);
	return add(o,
	    format == FORMAT_TREE ? export_tree_new(o->terminal, colour, &o->clock)
				  : export_json_new(o->terminal, &o->clock),
	    "stdout", message);
}

static int open_otlp(struct outputs *o, struct buf *message)
{
	int err = otlp_options_from_env(&o->otlp, env);

	if (err) {
		buf_append_cstr(message, "the OTEL_* environment cannot be used as it is");
		return err;
	}
	if (!o->otlp.traces_url)
		return 0;
	o->otlp_url = o->otlp.traces_url;
	return add(o, export_otlp_new(&o->otlp, &o->clock), o->otlp_url, message);
}

static int open_listener(
    struct outputs *o, const struct options *options, struct metrics *metrics, struct buf *message)
{
	struct http_listener_options listener = {
	    .address = options->listen_address,
	    .port = options->listen_port,
	    .metrics = metrics,
	};

	o->listener = http_listener_new(&listener);
	if (o->listener)
		return 0;
	buf_printf(message, "cannot listen on %s:%d: %s, choose another address with --listen",
	    options->listen_address, options->listen_port, strerror(errno));
	return errno ? -errno : -EIO;
}

int outputs_open(
    struct outputs *o, const struct options *options, struct metrics *metrics, struct buf *message)
{
	int err = 0;

	if (options->command == COMMAND_RUN)
		err = open_otlp(o, message);
	if (!err && options->command == COMMAND_RUN)
		err = open_listener(o, options, metrics, message);
	if (!err && options->output)
		err = open_file(o, options, message);
	if (!err && o->collector)
		err = add(o, why_sink_new(o->collector), "the report", message);
	if (!err)
		err = open_terminal(o, options, message);
	if (err)
		outputs_close(o);
	return err;
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

void outputs_close(struct outputs *o)
{
	http_listener_free(o->listener);
	o->listener = NULL;
	while (o->n_sinks > 0)
		o->undelivered += close_sink(o->sinks[--o->n_sinks]);
	output_file_unref(o->file);
	output_file_unref(o->terminal);
	o->file = o->terminal = NULL;
	otlp_options_release(&o->otlp);
	o->otlp_url = NULL;
}
