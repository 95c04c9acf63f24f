// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics as OTLP/JSON (opentelemetry-proto v1.11.0, docs/specification.md "JSON Protobuf Encoding"), what
 * otlp_metrics_protobuf.c says in protobuf. Pure; every point reserves its worst case once and is then written without
 * checks.
 */
#include "export/exporters.h"
#include "export/otlp_attrs.h"
#include "export/otlp_batch.h"
#include "export/otlp_json_group.h"
#include "export/otlp_metric_batch.h"
#include "export/put.h"

enum {
	/* Upper bounds of text: around a resource and its scope; of a metric's names; of a point beside its attributes
	 * and lists; of a number in a list; of an exemplar. */
	GROUP_FIXED_MAX = 512,
	METRIC_FIXED_MAX = 256,
	POINT_FIXED_MAX = 512,
	NUMBER_MAX = PUT_DOUBLE_MAX + 3,
	EXEMPLAR_MAX = 256,
};

struct writer {
	struct buf *out;
	const struct clock_base *clock;
	const struct otlp_metric_batch *batch;
};

/* Where to write, with room for bound bytes; NULL without memory. */
static char *begin(struct buf *out, size_t bound)
{
	return buf_reserve(out, bound) ? NULL : out->data + out->len;
}

static void end(struct buf *out, char *p)
{
	out->len = (size_t)(p - out->data);
	*p = '\0';
}

/* --- points ---------------------------------------------------------------------------------- */

/* 64-bit integers are strings. */
static char *put_counts(char *p, const uint64_t *counts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p = i ? PUT_LIT(p, ",\"") : PUT_LIT(p, "\"");
		p = put_u64(p, counts[i]);
		*p++ = '"';
	}
	return p;
}

static char *put_times(char *p, const struct writer *w, const struct otlp_metric_run *run,
    const struct metric_point *point)
{
	if (run->form != OTLP_FORM_GAUGE) {
		p = PUT_LIT(p, "\"startTimeUnixNano\":\"");
		p = put_u64(p, clock_wall_ns(w->clock, point->start_ns));
		p = PUT_LIT(p, "\",");
	}
	p = PUT_LIT(p, "\"timeUnixNano\":\"");
	p = put_u64(p, clock_wall_ns(w->clock, w->batch->time_ns));
	return PUT_LIT(p, "\"");
}

static char *put_exemplar(char *p, const struct writer *w, const struct metric_exemplar *exemplar,
    const struct metric_point *point)
{
	p = PUT_LIT(p, "{\"timeUnixNano\":\"");
	p = put_u64(
	    p, clock_wall_ns(w->clock, otlp_exemplar_ns(exemplar, point, w->batch->time_ns)));
	p = PUT_LIT(p, "\",\"asDouble\":");
	p = otlp_put_json_double(p, exemplar->value);
	p = PUT_LIT(p, ",\"spanId\":\"");
	p = put_hex(p, exemplar->span_id.b, sizeof(exemplar->span_id.b));
	p = PUT_LIT(p, "\",\"traceId\":\"");
	p = put_hex(p, exemplar->trace_id.b, sizeof(exemplar->trace_id.b));
	return PUT_LIT(p, "\"}");
}

static char *put_exemplars(char *p, const struct writer *w, const struct otlp_metric_run *run,
    const struct metric_point *point)
{
	const char *comma = "";

	if (!otlp_point_exemplars(run, point))
		return p;
	p = PUT_LIT(p, ",\"exemplars\":[");
	for (size_t i = 0; i <= run->family->desc.n_bounds; i++) {
		if (!point->exemplars[i].present)
			continue;
		p = put_bytes(p, comma, strlen(comma));
		p = put_exemplar(p, w, &point->exemplars[i], point);
		comma = ",";
	}
	return PUT_LIT(p, "]");
}

/* What both kinds of histograms begin with. */
static char *put_summary(char *p, const struct metric_point *point)
{
	p = PUT_LIT(p, ",\"count\":\"");
	p = put_u64(p, point->count);
	p = PUT_LIT(p, "\",\"sum\":");
	p = otlp_put_json_double(p, point->value);
	if (!otlp_point_has_extremes(point))
		return p;
	p = PUT_LIT(p, ",\"min\":");
	p = otlp_put_json_double(p, point->min);
	p = PUT_LIT(p, ",\"max\":");
	return otlp_put_json_double(p, point->max);
}

static char *put_buckets(char *p, const struct metric_desc *desc, const struct metric_point *point)
{
	p = PUT_LIT(p, ",\"bucketCounts\":[");
	p = put_counts(p, point->buckets, desc->n_bounds + 1);
	p = PUT_LIT(p, "],\"explicitBounds\":[");
	for (size_t i = 0; i < desc->n_bounds; i++) {
		if (i)
			*p++ = ',';
		p = otlp_put_json_double(p, desc->bounds[i]);
	}
	return PUT_LIT(p, "]");
}

static char *put_exponential(char *p, const struct metric_exponential *exponential)
{
	p = PUT_LIT(p, ",\"scale\":");
	p = put_i64(p, exponential->scale);
	p = PUT_LIT(p, ",\"zeroCount\":\"");
	p = put_u64(p, exponential->zero_count);
	p = PUT_LIT(p, "\"");
	if (!exponential->n)
		return p;
	p = PUT_LIT(p, ",\"positive\":{\"offset\":");
	p = put_i64(p, exponential->offset);
	p = PUT_LIT(p, ",\"bucketCounts\":[");
	p = put_counts(p, exponential->counts, exponential->n);
	return PUT_LIT(p, "]}");
}

static size_t point_bound(const struct otlp_metric_run *run, const struct metric_point *point)
{
	size_t bound = POINT_FIXED_MAX + otlp_json_attrs_bound(point->attrs, point->n_attrs) +
	    otlp_point_exemplars(run, point) * EXEMPLAR_MAX;

	if (point->part.key)
		bound += otlp_json_attrs_bound(&point->part, 1);
	if (run->form == OTLP_FORM_HISTOGRAM)
		bound += (2 * run->family->desc.n_bounds + 1) * NUMBER_MAX;
	if (run->form == OTLP_FORM_EXPONENTIAL)
		bound += point->exponential->n * NUMBER_MAX;
	return bound;
}

static char *put_point_attrs(char *p, const struct metric_point *point)
{
	p = PUT_LIT(p, "{\"attributes\":[");
	p = otlp_put_json_attrs(p, point->attrs, point->n_attrs);
	if (point->part.key) {
		if (point->n_attrs)
			*p++ = ',';
		p = otlp_put_json_attrs(p, &point->part, 1);
	}
	return PUT_LIT(p, "],");
}

static void append_point(
    struct writer *w, const struct otlp_metric_run *run, const struct metric_point *point)
{
	char *p = begin(w->out, point_bound(run, point));

	if (!p)
		return;
	p = put_point_attrs(p, point);
	p = put_times(p, w, run, point);
	switch (run->form) {
	case OTLP_FORM_HISTOGRAM:
		p = put_summary(p, point);
		p = put_buckets(p, &run->family->desc, point);
		p = put_exemplars(p, w, run, point);
		break;
	case OTLP_FORM_EXPONENTIAL:
		p = put_summary(p, point);
		p = put_exponential(p, point->exponential);
		p = put_exemplars(p, w, run, point);
		break;
	case OTLP_FORM_GAUGE:
	case OTLP_FORM_SUM:
	case OTLP_FORM_INVALID:
		p = PUT_LIT(p, ",\"asDouble\":");
		p = otlp_put_json_double(p, point->value);
		break;
	}
	end(w->out, PUT_LIT(p, "}"));
}

/* --- envelopes ------------------------------------------------------------------------------- */

static const char *form_name(enum otlp_metric_form form)
{
	switch (form) {
	case OTLP_FORM_SUM:
		return "sum";
	case OTLP_FORM_HISTOGRAM:
		return "histogram";
	case OTLP_FORM_EXPONENTIAL:
		return "exponentialHistogram";
	case OTLP_FORM_GAUGE:
	case OTLP_FORM_INVALID:
		break;
	}
	return "gauge";
}

/* The names of a metric, up to its first point. */
static void append_head(struct buf *out, const struct otlp_metric_run *run)
{
	struct sv name = sv_cstr(run->family->desc.name), unit = sv_cstr(run->family->desc.unit);
	struct sv description = sv_cstr(run->family->desc.description);
	char *p = begin(
	    out, METRIC_FIXED_MAX + PUT_JSON_FACTOR * (name.len + unit.len + description.len));

	if (!p)
		return;
	p = PUT_LIT(p, "{\"name\":\"");
	p = put_json_escaped(p, name);
	p = PUT_LIT(p, "\",\"description\":\"");
	p = put_json_escaped(p, description);
	p = PUT_LIT(p, "\",\"unit\":\"");
	p = put_json_escaped(p, unit);
	p = PUT_LIT(p, "\",\"");
	p = put_bytes(p, form_name(run->form), strlen(form_name(run->form)));
	end(out, PUT_LIT(p, "\":{\"dataPoints\":["));
}

static void append_metric(struct writer *w, const struct otlp_metric_run *run)
{
	append_head(w->out, run);
	for (size_t i = 0; i < run->n_points; i++) {
		if (i)
			buf_append_char(w->out, ',');
		append_point(w, run, w->batch->points[run->first + i]);
	}
	buf_append_char(w->out, ']');
	if (run->form != OTLP_FORM_GAUGE)
		buf_printf(w->out, ",\"aggregationTemporality\":%d", run->temporality);
	if (run->form == OTLP_FORM_SUM)
		buf_append_cstr(w->out, run->monotonic ? ",\"isMonotonic\":true" : "");
	buf_append_cstr(w->out, "}}");
}

static void append_group(struct writer *w, const struct otlp_metric_group *group)
{
	otlp_json_begin_group(w->out, group->service, "scopeMetrics", "metrics");
	for (size_t i = 0; i < group->n_runs; i++) {
		if (i)
			buf_append_char(w->out, ',');
		append_metric(w, &w->batch->runs[group->first_run + i]);
	}
	otlp_json_end_group(w->out);
}

size_t encode_otlp_metrics_json(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock)
{
	struct otlp_metric_batch batch;
	struct writer w = {.out = out, .clock = clock, .batch = &batch};
	size_t n;

	if (otlp_metric_batch_init(&batch, snapshot, own)) {
		out->failed = true;
		return 0;
	}
	buf_append_cstr(out, "{\"resourceMetrics\":[");
	for (size_t g = 0; g < batch.n_groups; g++) {
		if (g)
			buf_append_char(out, ',');
		append_group(&w, &batch.groups[g]);
	}
	buf_append_cstr(out, "]}");
	n = out->failed ? 0 : batch.n_points;
	otlp_metric_batch_release(&batch);
	return n;
}
