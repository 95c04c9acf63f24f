// SPDX-License-Identifier: Apache-2.0
/*
 * OTLP/JSON (opentelemetry-proto v1.11.0, docs/specification.md "JSON Protobuf Encoding"):
 * lowerCamelCase names, ids as hex, enums as integers, 64-bit integers as strings. Pure; every
 * record reserves its worst case once and is then written without checks.
 */
#include "export/exporters.h"
#include "export/otlp_attrs.h"
#include "export/otlp_batch.h"
#include "export/otlp_json_group.h"
#include "export/put.h"

/* Upper bound of the fixed text around one span (the longest forms below). */
#define SPAN_FIXED_MAX 512

static char *put_ids(char *p, const struct span *span)
{
	p = PUT_LIT(p, "{\"traceId\":\"");
	p = put_hex(p, span->trace_id.b, sizeof(span->trace_id.b));
	p = PUT_LIT(p, "\",\"spanId\":\"");
	p = put_hex(p, span->span_id.b, sizeof(span->span_id.b));
	if (span->trace_state.len) {
		p = PUT_LIT(p, "\",\"traceState\":\"");
		p = put_json_escaped(p, span->trace_state);
	}
	if (!span_id_is_zero(&span->parent_id)) {
		p = PUT_LIT(p, "\",\"parentSpanId\":\"");
		p = put_hex(p, span->parent_id.b, sizeof(span->parent_id.b));
	}
	return PUT_LIT(p, "\",");
}

static char *put_link(char *p, const struct span_link *link)
{
	p = PUT_LIT(p, ",\"links\":[{\"traceId\":\"");
	p = put_hex(p, link->trace_id.b, sizeof(link->trace_id.b));
	p = PUT_LIT(p, "\",\"spanId\":\"");
	p = put_hex(p, link->span_id.b, sizeof(link->span_id.b));
	p = PUT_LIT(p, "\",\"flags\":");
	p = put_u64(p, link->flags);
	return PUT_LIT(p, "}]");
}

static char *put_span_attrs(char *p, const struct span *span)
{
	struct attr time[SPAN_TIME_ATTRS_MAX];
	size_t n = span_time_attrs(span, time);

	p = otlp_put_json_attrs(p, span->attrs, span->n_attrs);
	if (span->n_attrs && n)
		*p++ = ',';
	return otlp_put_json_attrs(p, time, n);
}

static char *put_span(char *p, const struct span *span, const struct clock_base *clock)
{
	p = put_ids(p, span);
	p = PUT_LIT(p, "\"flags\":");
	p = put_u64(p, span->flags);
	p = PUT_LIT(p, ",\"name\":\"");
	p = put_json_escaped(p, span->name);
	p = PUT_LIT(p, "\",\"kind\":");
	p = put_u64(p, span->kind);
	p = PUT_LIT(p, ",\"startTimeUnixNano\":\"");
	p = put_u64(p, clock_wall_ns(clock, span->start_ns));
	p = PUT_LIT(p, "\",\"endTimeUnixNano\":\"");
	p = put_u64(p, clock_wall_ns(clock, span->end_ns));
	p = PUT_LIT(p, "\",\"attributes\":[");
	p = put_span_attrs(p, span);
	*p++ = ']';
	if (span->dropped_attrs) {
		p = PUT_LIT(p, ",\"droppedAttributesCount\":");
		p = put_u64(p, span->dropped_attrs);
	}
	if (span_link(span))
		p = put_link(p, span_link(span));
	if (span->dropped_links) {
		p = PUT_LIT(p, ",\"droppedLinksCount\":");
		p = put_u64(p, span->dropped_links);
	}
	p = PUT_LIT(p, ",\"status\":{");
	if (span->status != SPAN_STATUS_UNSET) {
		p = PUT_LIT(p, "\"code\":");
		p = put_u64(p, span->status);
	}
	return PUT_LIT(p, "}}");
}

static void append_span(struct buf *out, const struct span *span, const struct clock_base *clock)
{
	size_t bound = SPAN_FIXED_MAX + PUT_JSON_FACTOR * (span->name.len + span->trace_state.len) +
	    otlp_json_attrs_bound(span->attrs, span->n_attrs) +
	    SPAN_TIME_ATTRS_MAX * OTLP_JSON_ATTR_FIXED_MAX +
	    PUT_JSON_FACTOR * span_time_text_max(span);

	if (buf_reserve(out, bound))
		return;
	out->len = (size_t)(put_span(out->data + out->len, span, clock) - out->data);
	out->data[out->len] = '\0';
}

void encode_otlp_json(
    struct buf *out, struct trace *const *traces, size_t n, const struct clock_base *clock)
{
	struct otlp_batch batch;

	if (otlp_batch_init(&batch, traces, n)) {
		out->failed = true;
		return;
	}
	buf_append_cstr(out, "{\"resourceSpans\":[");
	for (size_t g = 0; g < batch.n_groups; g++) {
		const struct otlp_group *group = &batch.groups[g];

		if (g)
			buf_append_char(out, ',');
		otlp_json_begin_group(out, group->service, "scopeSpans", "spans");
		for (size_t i = 0; i < group->n_items; i++) {
			if (i)
				buf_append_char(out, ',');
			append_span(out, otlp_batch_span(&batch, group->first + i), clock);
		}
		otlp_json_end_group(out);
	}
	buf_append_cstr(out, "]}");
	otlp_batch_release(&batch);
}
