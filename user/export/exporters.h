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

struct otlp_options {
	char *traces_url; /* complete URL; NULL: no endpoint configured */
	char **headers;   /* n "Name: value" lines, percent-decoded */
	size_t n_headers;
	uint64_t timeout_ms; /* per request; 0: none */
	char *ca_file; /* PEM file of the authorities to trust, and no others; NULL: the host's */

	/* Queue, batches, the time to drain at the end; a field that is 0 takes its default (16384
	 * and 512 spans, 1 s, 5 s). */
	struct sink_options queue;
	/* Back-off between attempts: first interval, its upper limit, and the age at which a batch
	 * is given up; 0: default (5 s, 30 s, 5 min). */
	uint64_t retry_initial_ms, retry_max_ms, retry_elapsed_ms;
};

/*
 * Read the OTEL_* variables that concern traces (getenv_fn like getenv, so that tests need no
 * environment): OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER, and OTEL_EXPORTER_OTLP_{ENDPOINT, HEADERS,
 * TIMEOUT, PROTOCOL, COMPRESSION, CERTIFICATE} with their _TRACES_ forms (opentelemetry-
 * specification v1.60.0, protocol/exporter.md), and after the last SSL_CERT_FILE, as OpenSSL has
 * it. The endpoint is configured by one of the endpoint variables or by OTEL_TRACES_EXPORTER=otlp,
 * which then means http://localhost:4318. Returns 0 (caller releases), or -EINVAL after logging
 * what is wrong with which variable.
 */
int otlp_options_from_env(
    struct otlp_options *ret_options, const char *(*getenv_fn)(const char *name));
void otlp_options_release(struct otlp_options *options);

/*
 * Set the URL as OTEL_EXPORTER_OTLP_ENDPOINT does, for a command-line flag: base is http:// or
 * https://, v1/traces is appended. Returns 0, -EINVAL for a base that is no such URL, or -ENOMEM.
 */
int otlp_options_set_endpoint(struct otlp_options *options, const char *base);

/* OTLP over HTTP/protobuf with retry, back-off with jitter and partial success; options are copied.
 * NULL and errno on failure. */
struct sink *export_otlp_new(const struct otlp_options *options, const struct clock_base *clock);

/*
 * Where requests with log records go: the transport of OTLP. Functions as in struct sink_driver, ctx first;
 * interrupt and free may be NULL.
 */
struct otlp_logs_target {
	const char *name; /* as that of a sink_driver; outlives the sink */
	/* Send one ExportLogsServiceRequest, borrowed, with n records, retries included; returns how
	 * many the destination took. Ends early when sink_stopping(). */
	size_t (*send)(void *ctx, struct sink *sink, const struct buf *request, size_t n);
	void (*interrupt)(void *ctx);
	void (*free)(void *ctx);
	void *ctx;
};

/* Log records as OTLP in protobuf to a target. A field of queue that is 0 takes its default (2048 and
 * 512 records, 1 s, 5 s: those of the batch processor of the OpenTelemetry SDK). Owns target->ctx, also on
 * failure. NULL and errno. */
struct sink *export_otlp_logs_new(const struct otlp_logs_target *target,
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

/* The same two for log records: one LogsData object, one ExportLogsServiceRequest. */
void encode_otlp_logs_json(
    struct buf *out, struct log_batch *const *logs, size_t n, const struct clock_base *clock);
size_t encode_otlp_logs_protobuf(
    struct buf *out, struct log_batch *const *logs, size_t n, const struct clock_base *clock);

/* Append the Prometheus text exposition, format 0.0.4. */
void encode_prometheus_text(struct buf *out, const struct metric_snapshot *snapshot);

/* --- the HTTP listener ----------------------------------------------------------------------- */

struct http_listener;

struct http_listener_options {
	const char *address; /* "127.0.0.1" or "::1" ... */
	int port;            /* 0: any free port */
	struct metrics *metrics;
	/* Called before each scrape, on a server thread, to refresh totals that are counted
	 * elsewhere; may be NULL. */
	void (*refresh)(void *ctx);
	void *refresh_ctx;
};

/* Serves /metrics. NULL and errno (EADDRINUSE ...) when it cannot listen. */
struct http_listener *http_listener_new(const struct http_listener_options *options);
int http_listener_port(const struct http_listener *listener);
void http_listener_free(struct http_listener *listener);

#endif
