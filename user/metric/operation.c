// SPDX-License-Identifier: Apache-2.0
/* Instruments per operation; see operation.h. */
#include "metric/operation.h"

#include <errno.h>

#include "span/semconv.h"

static const double http_bounds[] = {
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
static const double db_bounds[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10};

/* Those of the OpenTelemetry specification for histograms that conventions give no advice for. */
static const double size_bounds[] = {
    0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
static const double row_bounds[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};

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

static const struct metric_desc server_request_size_desc = {
    .name = "http.server.request.body.size",
    .unit = "By",
    .description = "Size of HTTP server request bodies.",
    .type = METRIC_HISTOGRAM,
    .bounds = size_bounds,
    .n_bounds = sizeof(size_bounds) / sizeof(size_bounds[0]),
};

static const struct metric_desc server_response_size_desc = {
    .name = "http.server.response.body.size",
    .unit = "By",
    .description = "Size of HTTP server response bodies.",
    .type = METRIC_HISTOGRAM,
    .bounds = size_bounds,
    .n_bounds = sizeof(size_bounds) / sizeof(size_bounds[0]),
};

static const struct metric_desc client_request_size_desc = {
    .name = "http.client.request.body.size",
    .unit = "By",
    .description = "Size of HTTP client request bodies.",
    .type = METRIC_HISTOGRAM,
    .bounds = size_bounds,
    .n_bounds = sizeof(size_bounds) / sizeof(size_bounds[0]),
};

static const struct metric_desc client_response_size_desc = {
    .name = "http.client.response.body.size",
    .unit = "By",
    .description = "Size of HTTP client response bodies.",
    .type = METRIC_HISTOGRAM,
    .bounds = size_bounds,
    .n_bounds = sizeof(size_bounds) / sizeof(size_bounds[0]),
};

static const struct metric_desc rows_desc = {
    .name = "db.client.response.returned_rows",
    .unit = "{row}",
    .description = "The actual number of records returned by the database operation.",
    .type = METRIC_HISTOGRAM,
    .bounds = row_bounds,
    .n_bounds = sizeof(row_bounds) / sizeof(row_bounds[0]),
};

static const char *state_name(size_t state)
{
	return ledger_state_name((enum ledger_state)state);
}

static const struct metric_desc time_desc = {
    .name = "zerospan.request.time",
    .unit = "s",
    .description = "Time of HTTP server requests by the state that they were in.",
    .type = METRIC_COUNTER,
    .part_key = "state",
    .part_name = state_name,
    .n_parts = LEDGER_STATES,
    .part_unit = 1e-9,
};

int operation_metrics_init(struct operation_metrics *operations, struct metrics *metrics)
{
	const struct {
		struct instrument **instrument;
		const struct metric_desc *desc;
	} rows[] = {
	    {&operations->http_server, &http_server_desc},
	    {&operations->http_client, &http_client_desc},
	    {&operations->database, &db_desc},
	    {&operations->request_time, &time_desc},
	    {&operations->server_request_size, &server_request_size_desc},
	    {&operations->server_response_size, &server_response_size_desc},
	    {&operations->client_request_size, &client_request_size_desc},
	    {&operations->client_response_size, &client_response_size_desc},
	    {&operations->rows, &rows_desc},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*rows[i].instrument = metrics_add(metrics, rows[i].desc);
		if (!*rows[i].instrument)
			return -ENOMEM;
	}
	return 0;
}

/* Sizes of bodies that are known as a whole: of a message that there was. Their number. */
static size_t add_sizes(struct metric_value *values, const struct span *span,
    struct instrument *request, struct instrument *response)
{
	size_t n = 0;

	if (!span->measured || span->cut)
		return 0;
	values[n++] =
	    (struct metric_value){.instrument = request, .value = (double)span->request_body_bytes};
	if (span->answered)
		values[n++] = (struct metric_value){
		    .instrument = response, .value = (double)span->response_body_bytes};
	return n;
}

/* A span is so many values at most. */
#define VALUES_MAX 4

/* What the span is to which instruments, the first of which is its duration's; 0: nothing. */
static size_t values_of(const struct operation_metrics *operations, const struct span *span,
    struct metric_value values[VALUES_MAX])
{
	size_t n = 1;

	if (span->untimed)
		return 0;
	values[0] = (struct metric_value){.value = (double)(span->end_ns - span->start_ns) / 1e9};
	if (span->kind == SPAN_KIND_SERVER) {
		values[0].instrument = operations->http_server;
		values[n++] = (struct metric_value){
		    .instrument = operations->request_time, .parts = span->ledger.ns};
		n += add_sizes(&values[n], span, operations->server_request_size,
		    operations->server_response_size);
	} else if (span->n_attrs && span->attrs[0].key == semconv_db_system_name) {
		values[0].instrument = operations->database;
		if (span->measured)
			values[n++] = (struct metric_value){
			    .instrument = operations->rows, .value = (double)span->returned_rows};
	} else {
		values[0].instrument = operations->http_client;
		n += add_sizes(&values[n], span, operations->client_request_size,
		    operations->client_response_size);
	}
	return n;
}

void operation_metrics_span(struct operation_metrics *operations, const struct span *span)
{
	struct metric_value values[VALUES_MAX];
	size_t n = values_of(operations, span, values);

	if (n)
		metric_record_together(
		    values, n, span->service, span->attrs, span->n_metric_attrs, span);
}

void operation_metrics_offer(const struct operation_metrics *operations, const struct span *span)
{
	struct metric_value values[VALUES_MAX];
	size_t n = values_of(operations, span, values);

	if (n)
		metric_offer_together(
		    values, n, span->service, span->attrs, span->n_metric_attrs, span);
}
