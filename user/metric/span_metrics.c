// SPDX-License-Identifier: Apache-2.0
/* Span metrics and edges of service graphs; see span_metrics.h. */
#include "metric/span_metrics.h"

#include <errno.h>

#include "metric/span_size.h"
#include "span/semconv.h"

/* Tempo's: 0.002 s doubled 13 times, 0.1 s doubled 7 times. */
static const double latency_bounds[] = {0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256,
    0.512, 1.024, 2.048, 4.096, 8.192, 16.384};
static const double edge_bounds[] = {0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8};

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Units in braces add nothing to a name in Prometheus, "s" adds "_seconds". The names of the latency and the size have no unit, though they
 * are in s and bytes. */
static const struct metric_desc calls_desc = {.name = "traces_spanmetrics_calls",
    .unit = "{call}",
    .description = "Spans by service, name, kind and status.",
    .type = METRIC_COUNTER};
static const struct metric_desc latency_desc = {.name = "traces_spanmetrics_latency",
    .unit = "",
    .description = "Durations of spans in seconds.",
    .type = METRIC_HISTOGRAM,
    .bounds = latency_bounds,
    .n_bounds = N(latency_bounds)};
static const struct metric_desc size_desc = {.name = "traces_spanmetrics_size",
    .unit = "By",
    .description = "Bytes of spans in OTLP by service, name, kind and status.",
    .type = METRIC_COUNTER,
    .plain_name = true};
static const struct metric_desc target_info_desc = {.name = "traces_target_info",
    .unit = "",
    .description = "Resource attributes of the services that spans are of.",
    .type = METRIC_GAUGE,
    .plain_name = true};
static const struct metric_desc requests_desc = {.name = "traces_service_graph_request",
    .unit = "{request}",
    .description = "Requests between two nodes.",
    .type = METRIC_COUNTER};
static const struct metric_desc failed_desc = {.name = "traces_service_graph_request_failed",
    .unit = "{request}",
    .description = "Requests between two nodes that failed on either side.",
    .type = METRIC_COUNTER};
static const struct metric_desc server_desc = {.name = "traces_service_graph_request_server",
    .unit = "s",
    .description = "Duration of requests between two nodes as the server sees it.",
    .type = METRIC_HISTOGRAM,
    .bounds = edge_bounds,
    .n_bounds = N(edge_bounds)};
static const struct metric_desc client_desc = {.name = "traces_service_graph_request_client",
    .unit = "s",
    .description = "Duration of requests between two nodes as the client sees it.",
    .type = METRIC_HISTOGRAM,
    .bounds = edge_bounds,
    .n_bounds = N(edge_bounds)};

int span_metrics_init(struct span_metrics *metrics, struct metrics *registry)
{
	metrics->calls = metrics_add(registry, &calls_desc);
	metrics->latency = metrics_add(registry, &latency_desc);
	metrics->size = metrics_add(registry, &size_desc);
	metrics->target_info = metrics_add(registry, &target_info_desc);
	metrics->requests = metrics_add(registry, &requests_desc);
	metrics->failed = metrics_add(registry, &failed_desc);
	metrics->server_seconds = metrics_add(registry, &server_desc);
	metrics->client_seconds = metrics_add(registry, &client_desc);
	return metrics->calls && metrics->latency && metrics->size && metrics->target_info &&
		metrics->requests && metrics->failed && metrics->server_seconds &&
		metrics->client_seconds
	    ? 0
	    : -ENOMEM;
}

static double seconds(const struct span *span)
{
	return (double)(span->end_ns - span->start_ns) / 1e9;
}

static struct sv name_of(const struct span *span)
{
	return sv_cstr(span->service ? span->service->name : "");
}

static struct attr text_attr(const char *key, struct sv text)
{
	return (struct attr){.key = key, .type = ATTR_STRING, .string = text};
}

/* --- spans --- */

static struct sv kind_name(enum span_kind kind)
{
	switch (kind) {
	case SPAN_KIND_SERVER:
		return SV("SPAN_KIND_SERVER");
	case SPAN_KIND_CLIENT:
		return SV("SPAN_KIND_CLIENT");
	default:
		return SV("SPAN_KIND_INTERNAL");
	}
}

static struct sv status_name(enum span_status status)
{
	switch (status) {
	case SPAN_STATUS_OK:
		return SV("STATUS_CODE_OK");
	case SPAN_STATUS_ERROR:
		return SV("STATUS_CODE_ERROR");
	default:
		return SV("STATUS_CODE_UNSET");
	}
}

/* metric_record_together() or metric_offer_together(). */
typedef void take_values(const struct metric_value *values, size_t n, struct service *service,
    const struct attr *attrs, size_t n_attrs, const struct span *exemplar_of);

enum {
	SPAN_ATTRS = 4,
};

/* What spans are told apart by. */
static void set_span_attrs(struct attr attrs[SPAN_ATTRS], const struct span *span)
{
	attrs[0] = text_attr("service", name_of(span));
	attrs[1] = text_attr("span_name", span->name);
	attrs[2] = text_attr("span_kind", kind_name(span->kind));
	attrs[3] = text_attr("status_code", status_name(span->status));
}

static void tell_span(
    const struct span_metrics *metrics, const struct span *span, take_values *take)
{
	const struct metric_value values[] = {
	    {.instrument = metrics->calls, .value = 1},
	    {.instrument = metrics->latency, .value = seconds(span)},
	};
	struct attr attrs[SPAN_ATTRS];

	set_span_attrs(attrs, span);
	take(values, span->untimed ? 1 : 2, span->service, attrs, SPAN_ATTRS, span);
}

void span_metrics_span(const struct span_metrics *metrics, const struct span *span)
{
	tell_span(metrics, span, metric_record_together);
}

static void tell_size(const struct span_metrics *metrics, const struct span *span)
{
	struct attr attrs[SPAN_ATTRS];

	set_span_attrs(attrs, span);
	metric_record(
	    metrics->size, span->service, attrs, SPAN_ATTRS, (double)span_size_bytes(span), NULL);
}

/* The attributes' keys live as long as the service, which the registry refers to. Spans of one service mostly follow each other. */
static void tell_target(const struct span_metrics *metrics, struct service *service)
{
	if (service)
		metric_record(
		    metrics->target_info, service, service->attrs, service->n_attrs, 1, NULL);
}

/* --- edges --- */

/* A request between two nodes; one of the spans may be NULL. */
struct edge {
	struct sv client, server, type;
	const struct span *client_span, *server_span;
};

static bool failed(const struct span *span)
{
	return span && span->status == SPAN_STATUS_ERROR;
}

static void tell_edge(
    const struct span_metrics *metrics, const struct edge *edge, take_values *take)
{
	const struct span *told_by = edge->server_span ? edge->server_span : edge->client_span;
	const struct attr attrs[] = {
	    text_attr("client", edge->client),
	    text_attr("server", edge->server),
	    text_attr("connection_type", edge->type),
	};
	struct metric_value values[4] = {{.instrument = metrics->requests, .value = 1}};
	size_t n = 1;

	if (failed(edge->client_span) || failed(edge->server_span))
		values[n++] = (struct metric_value){.instrument = metrics->failed, .value = 1};
	if (edge->server_span && !edge->server_span->untimed)
		values[n++] = (struct metric_value){
		    .instrument = metrics->server_seconds, .value = seconds(edge->server_span)};
	if (edge->client_span && !edge->client_span->untimed)
		values[n++] = (struct metric_value){
		    .instrument = metrics->client_seconds, .value = seconds(edge->client_span)};
	take(values, n, told_by->service, attrs, N(attrs), told_by);
}

static struct sv attr_text(const struct span *span, const char *key)
{
	const struct attr *attr = span_attr(span, key);

	return attr && attr->type == ATTR_STRING ? attr->string : (struct sv){0};
}

/* The span of this kind that is the other side of the call: parent of a request, or child of a call. */
static const struct span *other_side(const struct trace *trace, const struct span *span)
{
	bool server = span->kind == SPAN_KIND_SERVER;

	for (size_t i = 0; i < trace->n_spans; i++) {
		const struct span *other = trace->spans[i];

		if (server ? other->kind == SPAN_KIND_CLIENT &&
			    span_id_eq(&other->span_id, &span->parent_id)
			   : other->kind == SPAN_KIND_SERVER &&
			    span_id_eq(&other->parent_id, &span->span_id))
			return other;
	}
	return NULL;
}

/* A request that arrived; one whose caller is observed elsewhere is told there. */
static void request_edge(const struct span_metrics *metrics, const struct trace *trace,
    const struct span *span, take_values *take)
{
	struct edge edge = {.client = SV("user"), .server = name_of(span), .server_span = span};

	edge.client_span = other_side(trace, span);
	if (edge.client_span)
		edge.client = name_of(edge.client_span);
	else if (!span_id_is_zero(&span->parent_id))
		return;
	tell_edge(metrics, &edge, take);
}

/* A statement, or a call whose other side is not here. */
static void call_edge(const struct span_metrics *metrics, const struct trace *trace,
    const struct span *span, take_values *take)
{
	struct edge edge = {.client = name_of(span), .client_span = span};

	if (span->n_attrs && span->attrs[0].key == semconv_db_system_name) {
		edge.type = SV("database");
		edge.server = attr_text(span, semconv_db_namespace);
		if (!edge.server.len)
			edge.server = attr_text(span, semconv_db_system_name);
		edge.server_span = span; /* whoever asks a database sees what it does */
	} else if (!other_side(trace, span)) {
		edge.type = SV("virtual_node");
		edge.server = attr_text(span, semconv_server_address);
	}
	if (edge.server.len)
		tell_edge(metrics, &edge, take);
}

static void tell_edges(
    const struct span_metrics *metrics, const struct trace *trace, take_values *take)
{
	for (size_t i = 0; i < trace->n_spans; i++) {
		const struct span *span = trace->spans[i];

		if (span->kind == SPAN_KIND_SERVER)
			request_edge(metrics, trace, span, take);
		else if (span->kind == SPAN_KIND_CLIENT)
			call_edge(metrics, trace, span, take);
	}
}

void span_metrics_trace(const struct span_metrics *metrics, const struct trace *trace)
{
	const struct service *last = NULL;

	for (size_t i = 0; i < trace->n_spans; i++) {
		struct span *span = trace->spans[i];

		tell_size(metrics, span);
		if (span->service != last)
			tell_target(metrics, span->service);
		last = span->service;
	}
	tell_edges(metrics, trace, metric_record_together);
}

void span_metrics_offer(const struct span_metrics *metrics, const struct trace *trace)
{
	for (size_t i = 0; i < trace->n_spans; i++)
		tell_span(metrics, trace->spans[i], metric_offer_together);
	tell_edges(metrics, trace, metric_offer_together);
}
