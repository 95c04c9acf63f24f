// SPDX-License-Identifier: Apache-2.0
/*
 * The lines of a trace's requests below its tree, in the order of time:
 *
 *	  +5.7 ms   INFO   POST /inventory/deduct  {"level":"info","msg":"request", ...
 *	  +9.1 ms   INFO   POST /checkout          {"level":"info","msg":"request", ...
 *
 * when it was written, counted from the beginning of the trace; how serious; during which span; what it says.
 */
#include <stdlib.h>

#include "export/tree.h"
#include "span/log_record.h"

enum {
	NAME_MAX_WIDTH = 32,
	TEXT_MAX_WIDTH = 1000, /* longer lines are cut: other outputs have them whole */
	TIME_WIDTH = 9,
	SEVERITY_WIDTH = 7,
};

/* In the order of time; of the same time, in that in which they came. */
struct entry {
	const struct log_record *record;
	size_t number;
};

/* What all lines of a trace have in common. */
struct view {
	struct buf *out;
	const struct trace *trace;
	uint64_t start_ns;
	size_t name_width;
	bool colour;
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->record->time_ns != y->record->time_ns)
		return x->record->time_ns < y->record->time_ns ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static uint64_t start_of(const struct trace *trace)
{
	uint64_t start_ns = UINT64_MAX;

	for (size_t i = 0; i < trace->n_spans; i++)
		if (trace->spans[i]->start_ns < start_ns)
			start_ns = trace->spans[i]->start_ns;
	return start_ns;
}

static struct sv name_of(const struct trace *trace, const struct log_record *record)
{
	for (size_t i = 0; i < trace->n_spans; i++)
		if (span_id_eq(&trace->spans[i]->span_id, &record->span_id))
			return trace->spans[i]->name;
	return (struct sv){0};
}

static void append_severity(struct buf *out, const struct log_record *record, bool colour)
{
	const char *name = log_severity_name(record->severity);
	bool red = colour && record->severity >= LOG_SEVERITY_ERROR;

	if (red)
		buf_append_cstr(out, ANSI_RED);
	buf_append_cstr(out, name);
	if (red)
		buf_append_cstr(out, ANSI_RESET);
	tree_append_padding(out, strlen(name), SEVERITY_WIDTH);
}

/* So wide is the widest name of those that are shown. */
static size_t name_width(const struct trace *trace, struct buf *scratch)
{
	size_t widest = 0;

	for (size_t i = 0; i < trace->logs->n_records; i++) {
		size_t width = tree_append_text(
		    scratch, name_of(trace, trace->logs->records[i]), NAME_MAX_WIDTH);

		buf_clear(scratch);
		widest = width > widest ? width : widest;
	}
	return widest;
}

static void append_entry(const struct view *view, const struct log_record *record)
{
	struct buf *out = view->out;
	uint64_t after_ns = record->time_ns > view->start_ns ? record->time_ns - view->start_ns : 0;
	size_t width;

	buf_append_cstr(out, "  +");
	tree_append_padding(out, tree_append_duration(out, after_ns), TIME_WIDTH);
	append_severity(out, record, view->colour);
	if (view->colour)
		buf_append_cstr(out, ANSI_DIM);
	width = tree_append_text(out, name_of(view->trace, record), NAME_MAX_WIDTH);
	if (view->colour)
		buf_append_cstr(out, ANSI_RESET);
	tree_append_padding(out, width, view->name_width + 2);
	tree_append_text(out, record->body, TEXT_MAX_WIDTH);
	buf_append_char(out, '\n');
}

void tree_append_logs(struct buf *out, const struct trace *trace, bool colour)
{
	const struct log_batch *logs = trace->logs;
	struct entry *entries = logs ? calloc(logs->n_records + 1, sizeof(*entries)) : NULL;
	struct view view = {.out = out, .trace = trace, .colour = colour};
	struct buf scratch;

	if (!logs)
		return;
	if (!entries) {
		out->failed = true;
		return;
	}
	buf_init(&scratch);
	view.start_ns = start_of(trace);
	view.name_width = name_width(trace, &scratch);
	buf_release(&scratch);
	for (size_t i = 0; i < logs->n_records; i++)
		entries[i] = (struct entry){logs->records[i], i};
	qsort(entries, logs->n_records, sizeof(*entries), compare);
	for (size_t i = 0; i < logs->n_records; i++)
		append_entry(&view, entries[i].record);
	free(entries);
}
