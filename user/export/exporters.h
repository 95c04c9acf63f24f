/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The destinations that exist: makers of sinks for the terminal, for files and for OTLP, and the
 * HTTP listener with /metrics. One header, since the composer in main.c needs all and each is one
 * function.
 */
#ifndef ZS_EXPORT_EXPORTERS_H
#define ZS_EXPORT_EXPORTERS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "export/otlp_options.h"
#include "export/otlp_target.h"
#include "export/output_file.h"
#include "export/sink.h"
#include "metric/metric.h"

/*
 * Those that write lines take a reference on the file, which several may share, and expect SIGPIPE to
 * be ignored; a closed pipe then counts as failed spans. All makers return NULL and errno on failure.
 */

/* Trees for people. colour: ANSI colours. */
struct sink *export_tree_new(struct output_file *file, bool colour, const struct clock_base *clock);

/* One OTLP/JSON TracesData object per trace and line (OpenTelemetry file exporter). */
struct sink *export_json_new(struct output_file *file, const struct clock_base *clock);

/* Log records: a line each for people, and one OTLP/JSON LogsData object per batch and line. */
struct sink *export_console_logs_new(struct output_file *file, const struct clock_base *clock);
struct sink *export_json_logs_new(struct output_file *file, const struct clock_base *clock);

/*
 * Traces or log records (signal) over OTLP, by HTTP or gRPC, with retry, back-off with jitter and partial success; options are
 * copied. NULL and errno on failure; a certificate or key that cannot be read is one.
 */
struct sink *export_otlp_new(
    const struct otlp_options *options, enum otlp_signal signal, const struct clock_base *clock);

/* The same to any target, which is moved, also on failure. A field of queue that is 0 takes its default (otlp_options.h). */
struct sink *export_otlp_to(const struct otlp_target *target, enum otlp_signal signal,
    const struct sink_options *queue, const struct clock_base *clock);

/* --- encoders, pure, for tests and for the sinks; out->failed tells of a lack of memory ------ */

/* Append the tree of one trace (several lines). */
void encode_tree(struct buf *out, const struct trace *trace, bool colour);

/* Append a line for each record. */
void encode_logs_text(
    struct buf *out, const struct log_batch *batch, const struct clock_base *clock);

/* Append one TracesData JSON object without line end for n traces. */
void encode_otlp_json(
    struct buf *out, struct trace *const *traces, size_t n, const struct clock_base *clock);

/* Append one ExportTraceServiceRequest in protobuf; returns the number of spans encoded. */
size_t encode_otlp_protobuf(
    struct buf *out, struct trace *const *traces, size_t n, const struct clock_base *clock);

/*
 * Append all points of a snapshot, one ExportMetricsServiceRequest in protobuf, or one MetricsData JSON object without
 * line end, which has the same contents. own is the resource of points that have no service: zerospan itself. A snapshot
 * without points gives an empty message, which must not be sent, or {"resourceMetrics":[]}. Returns the number of
 * points. What is a delta in the snapshot (metric_delta.h) is said to be one.
 */
size_t encode_otlp_metrics_protobuf(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock);
size_t encode_otlp_metrics_json(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock);
/* The same two for log records: one LogsData object, one ExportLogsServiceRequest. */
void encode_otlp_logs_json(
    struct buf *out, struct log_batch *const *logs, size_t n, const struct clock_base *clock);
size_t encode_otlp_logs_protobuf(
    struct buf *out, struct log_batch *const *logs, size_t n, const struct clock_base *clock);

/* Append the Prometheus text exposition, format 0.0.4. */
void encode_prometheus_text(struct buf *out, const struct metric_snapshot *snapshot);

/* Append the same as OpenMetrics 1.0, which also has units and exemplars, whose times are of the clock. */
void encode_openmetrics(
    struct buf *out, const struct metric_snapshot *snapshot, const struct clock_base *clock);

/* --- the HTTP listener ----------------------------------------------------------------------- */

struct http_listener;

struct http_listener_options {
	const char *address; /* "127.0.0.1" or "::1" ... */
	int port;            /* 0: any free port */
	struct metrics *metrics;
	struct clock_base clock; /* of exemplars */
};

/* Serves /metrics, /healthz and /readyz, which says 503 until http_listener_set_ready(). NULL and errno (EADDRINUSE ...) when it cannot listen. */
struct http_listener *http_listener_new(const struct http_listener_options *options);
void http_listener_set_ready(struct http_listener *listener); /* NULL is fine */
int http_listener_port(const struct http_listener *listener);
void http_listener_free(struct http_listener *listener);

#endif
