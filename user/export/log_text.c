// SPDX-License-Identifier: Apache-2.0
/*
 * Log records for people, a line each: time (UTC), severity, process, what was said, attributes, the
 * span. Control characters are shown, not sent, so that what a program logs cannot steer a terminal. Pure.
 */
#include <time.h>

#include "base/utf8.h"
#include "export/attr_value.h"
#include "export/exporters.h"
#include "export/tree.h"

static void append_time(struct buf *out, uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	char text[sizeof("2026-11-26T23:22:13")];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(out, "%s.%03uZ ", text, (unsigned int)(wall_ns % NS_PER_S / NS_PER_MS));
}

static void append_value(struct buf *out, const struct attr *attr)
{
	buf_printf(out, "  %s=", attr->key);
	if (!attr_value_append(out, attr))
		tree_append_text(out, attr->string, SIZE_MAX);
}

static void append_body(struct buf *out, const struct log_record *record)
{
	struct buf repaired;

	if (!record->binary) {
		tree_append_text(out, record->body, SIZE_MAX);
		return;
	}
	buf_init(&repaired);
	utf8_append_repaired(&repaired, record->body);
	tree_append_text(out, buf_sv(&repaired), SIZE_MAX);
	out->failed |= repaired.failed;
	buf_release(&repaired);
}

static void append_record(
    struct buf *out, const struct log_record *record, const struct clock_base *clock)
{
	const struct service *service = record->service;
	char id[33];

	append_time(
	    out, clock_wall_ns(clock, record->time_ns ? record->time_ns : record->observed_ns));
	buf_printf(out, "%-5s ", log_severity_name(record->severity));
	if (service) {
		buf_append_char(out, '[');
		tree_append_text(out, sv_cstr(service->exe), SIZE_MAX);
		buf_printf(out, " %d] ", service->pid);
	}
	append_body(out, record);
	for (size_t i = 0; i < record->n_attrs; i++)
		append_value(out, &record->attrs[i]);
	if (!trace_id_is_zero(&record->trace_id)) {
		trace_id_hex(&record->trace_id, id);
		buf_printf(out, "  trace %s", id);
		if (!span_id_is_zero(&record->span_id)) {
			span_id_hex(&record->span_id, id);
			buf_printf(out, " span %s", id);
		}
	}
	buf_append_char(out, '\n');
}

void encode_logs_text(
    struct buf *out, const struct log_batch *batch, const struct clock_base *clock)
{
	for (size_t i = 0; i < batch->n_records; i++)
		append_record(out, batch->records[i], clock);
}
