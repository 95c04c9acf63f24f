// SPDX-License-Identifier: Apache-2.0
/* Duration histograms per operation; see operation.h. */
#include "metric/operation.h"

#include <errno.h>

#include "span/semconv.h"

static const double http_bounds[] = {
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
static const double db_bounds[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10};

static const struct metric_desc http_server_desc = {
    .name = "http.server.request.duration",
    .unit = "s",
    .description = "Duration of HTTP server requests.",
    .type = METRIC_HISTOGRAM,
    .bounds = http_bounds,
    .n_bounds = sizeof(http_bounds) / sizeof(http_bounds[0]),
};

static const struct metric_desc http_client_desc = {
    .name = "http.client.request.duration",
    .unit = "s",
    .description = "Duration of HTTP client requests.",
    .type = METRIC_HISTOGRAM,
    .bounds = http_bounds,
    .n_bounds = sizeof(http_bounds) / sizeof(http_bounds[0]),
};

static const struct metric_desc db_desc = {
    .name = "db.client.operation.duration",
    .unit = "s",
    .description = "Duration of database client operations.",
    .type = METRIC_HISTOGRAM,
    .bounds = db_bounds,
    .n_bounds = sizeof(db_bounds) / sizeof(db_bounds[0]),
};

/*
 * Attributes of each metric, by address of their keys; NULL ends the list. In the order in which spans have
 * them, which makes them quick to find.
 */
static const char *const http_server_keys[] = {semconv_http_request_method, semconv_url_scheme,
    semconv_http_route, semconv_http_response_status_code, semconv_error_type,
    semconv_network_protocol_version, NULL};
static const char *const http_client_keys[] = {semconv_http_request_method, semconv_server_address,
    semconv_server_port, semconv_http_response_status_code, semconv_error_type,
    semconv_network_protocol_version, NULL};
static const char *const db_keys[] = {semconv_db_system_name, semconv_db_namespace,
    semconv_db_query_summary, semconv_db_response_status_code, semconv_error_type, NULL};

enum {
	OPERATION_MAX_ATTRS = 8
};

int operation_metrics_init(struct operation_metrics *operations, struct metrics *metrics)
{
	operations->http_server = metrics_add(metrics, &http_server_desc);
	operations->http_client = metrics_add(metrics, &http_client_desc);
	operations->database = metrics_add(metrics, &db_desc);
	return operations->http_server && operations->http_client && operations->database ? 0
											  : -ENOMEM;
}

/* The attribute with this key: looked for from `from` on, then before it. n_attrs: there is none. */
static size_t find(const struct span *span, const char *key, size_t from)
{
	for (size_t i = from; i < span->n_attrs; i++)
		if (span->attrs[i].key == key)
			return i;
	for (size_t i = 0; i < from; i++)
		if (span->attrs[i].key == key)
			return i;
	return span->n_attrs;
}

static size_t pick(const struct span *span, const char *const *keys, struct attr *ret_attrs)
{
	size_t n = 0, next = 0;

	for (size_t k = 0; keys[k]; k++) {
		size_t at = find(span, keys[k], next);

		if (at == span->n_attrs)
			continue;
		ret_attrs[n++] = span->attrs[at];
		next = at + 1;
	}
	return n;
}

void operation_metrics_span(struct operation_metrics *operations, const struct span *span)
{
	struct attr attrs[OPERATION_MAX_ATTRS];
	struct instrument *instrument = operations->http_client;
	const char *const *keys = http_client_keys;
	size_t n;

	if (span->kind == SPAN_KIND_SERVER) {
		instrument = operations->http_server;
		keys = http_server_keys;
	} else if (span->n_attrs && span->attrs[0].key == semconv_db_system_name) {
		instrument = operations->database;
		keys = db_keys;
	}
	n = pick(span, keys, attrs);
	metric_record(instrument, span->service, attrs, n,
	    (double)(span->end_ns - span->start_ns) / 1e9, span);
}
