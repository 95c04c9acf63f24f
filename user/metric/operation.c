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
	operations->http_server = metrics_add(metrics, &http_server_desc);
	operations->http_client = metrics_add(metrics, &http_client_desc);
	operations->database = metrics_add(metrics, &db_desc);
	operations->request_time = metrics_add(metrics, &time_desc);
	return operations->http_server && operations->http_client && operations->database &&
		operations->request_time
	    ? 0
	    : -ENOMEM;
}

void operation_metrics_span(struct operation_metrics *operations, const struct span *span)
{
	struct instrument *instrument = operations->http_client;

	if (span->untimed)
		return;
	if (span->kind == SPAN_KIND_SERVER) {
		instrument = operations->http_server;
		metric_record_parts(operations->request_time, span->service, span->attrs,
		    span->n_metric_attrs, span->ledger.ns);
	} else if (span->n_attrs && span->attrs[0].key == semconv_db_system_name) {
		instrument = operations->database;
	}
	metric_record(instrument, span->service, span->attrs, span->n_metric_attrs,
	    (double)(span->end_ns - span->start_ns) / 1e9, span);
}
