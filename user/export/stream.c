// SPDX-License-Identifier: Apache-2.0
/*
 * Sinks that write lines: trees and log lines for people, OTLP/JSON for programs. A reader that
 * stalls (a stopped pager, a full pipe) costs only this sink's queue and never the end of the
 * program.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "export/exporters.h"

enum {
	STREAM_QUEUE_ITEMS = 16384, /* some 20 MB of spans at 1.2 KB */
	STREAM_BATCH_ITEMS = 512,
	STREAM_FLUSH_MS = 2000,
};

struct stream {
	/* One of them, as the driver has it. */
	void (*encode)(struct stream *stream, struct trace *const *trace);
	void (*encode_logs)(struct stream *stream, struct log_batch *const *batch);
	struct output_file *file;
	struct buf out;
	size_t ends[STREAM_BATCH_ITEMS]; /* where each trace or batch ends in out */
	bool colour;
	struct clock_base clock;
	struct log_limit limit;
};

static bool stopping(void *sink)
{
	return sink_stopping(sink);
}

/* Write what was encoded; returns the bytes that arrived, whole lines. */
static size_t stream_write(struct stream *stream, struct sink *sink)
{
	uint64_t suppressed;
	size_t done = 0;
	int err = -ENOMEM;

	if (!stream->out.failed) {
		done = output_file_write(stream->file, buf_sv(&stream->out), stopping, sink, &err);
		if (done == stream->out.len)
			return done;
	}
	sink_say_error(sink, export_error_of(-err));
	if (err != -ECANCELED && log_limit_pass(&stream->limit, clock_monotonic_ns(), &suppressed))
		log_warn("cannot write to '%s': %s; what is not written counts as failed, and "
			 "later lines are tried again (%llu earlier failures not shown)",
		    output_file_name(stream->file), strerror(-err), (unsigned long long)suppressed);
	return done;
}

static size_t stream_deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	struct stream *stream = driver;
	size_t delivered = 0, written;

	buf_clear(&stream->out);
	for (size_t i = 0; i < n; i++) {
		stream->encode(stream, traces + i);
		stream->ends[i] = stream->out.len;
	}
	written = stream_write(stream, sink);
	for (size_t i = 0; i < n; i++)
		*(stream->ends[i] <= written ? &delivered : ret_failed) += traces[i]->n_spans;
	return delivered;
}

static size_t stream_deliver_logs(
    void *driver, struct sink *sink, struct log_batch *const *logs, size_t n, size_t *ret_failed)
{
	struct stream *stream = driver;
	size_t delivered = 0, written;

	buf_clear(&stream->out);
	for (size_t i = 0; i < n; i++) {
		stream->encode_logs(stream, logs + i);
		stream->ends[i] = stream->out.len;
	}
	written = stream_write(stream, sink);
	for (size_t i = 0; i < n; i++)
		*(stream->ends[i] <= written ? &delivered : ret_failed) += logs[i]->n_records;
	return delivered;
}

static void stream_free(void *driver)
{
	struct stream *stream = driver;

	output_file_unref(stream->file);
	buf_release(&stream->out);
	free(stream);
}

static void encode_as_tree(struct stream *stream, struct trace *const *trace)
{
	encode_tree(&stream->out, *trace, stream->colour);
}

/* A line per trace: what is written depends on the traces alone, not on how many the queue held. */
static void encode_as_json(struct stream *stream, struct trace *const *trace)
{
	encode_otlp_json(&stream->out, trace, 1, &stream->clock);
	buf_append_char(&stream->out, '\n');
}

static void encode_logs_as_text(struct stream *stream, struct log_batch *const *batch)
{
	encode_logs_text(&stream->out, *batch, &stream->clock);
}

static void encode_logs_as_json(struct stream *stream, struct log_batch *const *batch)
{
	encode_otlp_logs_json(&stream->out, batch, 1, &stream->clock);
	buf_append_char(&stream->out, '\n');
}

static const struct sink_driver console_driver = {
    .name = "console", .deliver = stream_deliver, .free = stream_free};
static const struct sink_driver file_driver = {
    .name = "file", .deliver = stream_deliver, .free = stream_free};
static const struct sink_driver console_logs_driver = {
    .name = "console", .deliver_logs = stream_deliver_logs, .free = stream_free};
static const struct sink_driver file_logs_driver = {
    .name = "file", .deliver_logs = stream_deliver_logs, .free = stream_free};

static struct sink *stream_new(const struct sink_driver *ops, const struct stream *model)
{
	const struct sink_options options = {.max_queue_items = STREAM_QUEUE_ITEMS,
	    .max_batch_items = STREAM_BATCH_ITEMS,
	    .flush_timeout_ns = STREAM_FLUSH_MS * NS_PER_MS};
	struct stream *stream = malloc(sizeof(*stream));

	if (!stream) {
		errno = ENOMEM;
		return NULL;
	}
	*stream = *model;
	output_file_ref(stream->file);
	return sink_new(ops, stream, &options);
}

struct sink *export_tree_new(struct output_file *file, bool colour, const struct clock_base *clock)
{
	const struct stream model = {
	    .encode = encode_as_tree, .file = file, .colour = colour, .clock = *clock};

	return stream_new(&console_driver, &model);
}

struct sink *export_json_new(struct output_file *file, const struct clock_base *clock)
{
	const struct stream model = {.encode = encode_as_json, .file = file, .clock = *clock};

	return stream_new(&file_driver, &model);
}

struct sink *export_console_logs_new(struct output_file *file, const struct clock_base *clock)
{
	const struct stream model = {
	    .encode_logs = encode_logs_as_text, .file = file, .clock = *clock};

	return stream_new(&console_logs_driver, &model);
}

struct sink *export_json_logs_new(struct output_file *file, const struct clock_base *clock)
{
	const struct stream model = {
	    .encode_logs = encode_logs_as_json, .file = file, .clock = *clock};

	return stream_new(&file_logs_driver, &model);
}
