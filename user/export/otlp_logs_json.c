// SPDX-License-Identifier: Apache-2.0
/*
 * Log records as OTLP/JSON (opentelemetry-proto v1.11.0, docs/specification.md "JSON Protobuf
 * Encoding"). A body that is no text is bytesValue, in base64. Pure; every record reserves its worst
 * case once and is then written without checks.
 */
#include "export/exporters.h"
#include "export/otlp_attrs.h"
#include "export/otlp_batch.h"
#include "export/otlp_json_group.h"
#include "export/put.h"

/* Upper bound of the fixed text around one record (the longest forms below). */
#define RECORD_FIXED_MAX 512

static char *put_times(char *p, const struct log_record *record, const struct clock_base *clock)
{
	*p++ = '{';
	if (record->time_ns) {
		p = PUT_LIT(p, "\"timeUnixNano\":\"");
		p = put_u64(p, clock_wall_ns(clock, record->time_ns));
		p = PUT_LIT(p, "\",");
	}
	p = PUT_LIT(p, "\"observedTimeUnixNano\":\"");
	p = put_u64(p, clock_wall_ns(clock, record->observed_ns));
	return PUT_LIT(p, "\"");
}

static char *put_severity(char *p, const struct log_record *record)
{
	if (record->severity) {
		p = PUT_LIT(p, ",\"severityNumber\":");
		p = put_u64(p, record->severity);
	}
	if (record->severity_text.len) {
		p = PUT_LIT(p, ",\"severityText\":\"");
		p = put_json_escaped(p, record->severity_text);
		*p++ = '"';
	}
	return p;
}

static char *put_body(char *p, const struct log_record *record)
{
	if (record->binary) {
		p = PUT_LIT(p, ",\"body\":{\"bytesValue\":\"");
		p = put_base64(p, (const uint8_t *)record->body.p, record->body.len);
	} else {
		p = PUT_LIT(p, ",\"body\":{\"stringValue\":\"");
		p = put_json_escaped(p, record->body);
	}
	return PUT_LIT(p, "\"}");
}

static char *put_ids(char *p, const struct log_record *record)
{
	if (record->flags) {
		p = PUT_LIT(p, ",\"flags\":");
		p = put_u64(p, record->flags);
	}
	if (trace_id_is_zero(&record->trace_id))
		return p;
	p = PUT_LIT(p, ",\"traceId\":\"");
	p = put_hex(p, record->trace_id.b, sizeof(record->trace_id.b));
	if (!span_id_is_zero(&record->span_id)) {
		p = PUT_LIT(p, "\",\"spanId\":\"");
		p = put_hex(p, record->span_id.b, sizeof(record->span_id.b));
	}
	return PUT_LIT(p, "\"");
}

static char *put_record(char *p, const struct log_record *record, const struct clock_base *clock)
{
	p = put_times(p, record, clock);
	p = put_severity(p, record);
	p = put_body(p, record);
	p = PUT_LIT(p, ",\"attributes\":[");
	p = otlp_put_json_attrs(p, record->attrs, record->n_attrs);
	*p++ = ']';
	if (record->dropped_attrs) {
		p = PUT_LIT(p, ",\"droppedAttributesCount\":");
		p = put_u64(p, record->dropped_attrs);
	}
	p = put_ids(p, record);
	return PUT_LIT(p, "}");
}

static void append_record(
    struct buf *out, const struct log_record *record, const struct clock_base *clock)
{
	size_t bound = RECORD_FIXED_MAX +
	    PUT_JSON_FACTOR * (record->body.len + record->severity_text.len) +
	    otlp_json_attrs_bound(record->attrs, record->n_attrs);

	if (buf_reserve(out, bound))
		return;
	out->len = (size_t)(put_record(out->data + out->len, record, clock) - out->data);
	out->data[out->len] = '\0';
}

void encode_otlp_logs_json(
    struct buf *out, struct log_batch *const *logs, size_t n, const struct clock_base *clock)
{
	struct otlp_batch batch;

	if (otlp_batch_init_logs(&batch, logs, n)) {
		out->failed = true;
		return;
	}
	buf_append_cstr(out, "{\"resourceLogs\":[");
	for (size_t g = 0; g < batch.n_groups; g++) {
		const struct otlp_group *group = &batch.groups[g];

		if (g)
			buf_append_char(out, ',');
		otlp_json_begin_group(out, group->service, "scopeLogs", "logRecords");
		for (size_t i = 0; i < group->n_items; i++) {
			if (i)
				buf_append_char(out, ',');
			append_record(out, otlp_batch_record(&batch, group->first + i), clock);
		}
		otlp_json_end_group(out);
	}
	buf_append_cstr(out, "]}");
	otlp_batch_release(&batch);
}
