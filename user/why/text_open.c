// SPDX-License-Identifier: Apache-2.0
/* The requests without an answer, one by one: how old each is, where its time went so far, in what it waits. See text.h. */
#include "export/tree.h"
#include "span/frames.h"
#include "why/text.h"
#include "why/words.h"

enum {
	OPEN_SHOWN = 10,
	AGE_WIDTH = 8,
};

/* A state that has less of its time is not told. */
#define STATE_TOLD 0.05

static void append_ledger(struct buf *line, const struct why_open *open)
{
	const char *before = "  ";
	double sum = 0;

	for (int i = 0; i < LEDGER_STATES; i++)
		sum += open->state_ns[i];
	for (int i = 0; i < LEDGER_STATES; i++) {
		if (open->state_ns[i] <= STATE_TOLD * sum)
			continue;
		buf_printf(line, "%s%s ", before, ledger_state_name((enum ledger_state)i));
		tree_append_duration(line, (uint64_t)open->state_ns[i]);
		before = ", ";
	}
}

static void write_open(struct text *t, const struct why_open *open)
{
	struct sv frame = frames_own(why_name_part(t->report->names, open->stack, 0));
	struct buf *line = text_fresh(t);

	tree_append_duration(line, open->age_ns);
	layout_left(&t->layout, (struct sv){0}, TEXT_INDENT);
	layout_right(&t->layout, buf_sv(line), AGE_WIDTH);
	line = text_fresh(t);
	buf_append_cstr(line, "  ");
	why_append_route(line, t->report, open->route);
	append_ledger(line, open);
	layout_styled(&t->layout, buf_sv(line), NULL);
	text_end_line(t);
	if (open->place == WHY_NAME_NONE && !frame.len)
		return;
	line = text_fresh(t);
	buf_printf(line, "%s", ledger_state_name(open->state));
	if (open->place != WHY_NAME_NONE) {
		buf_append_cstr(line, " in ");
		why_append_place(line, t->report, open->place);
	}
	if (frame.len) {
		buf_append_cstr(line, " at ");
		tree_append_text(line, frame, t->layout.width);
	}
	layout_left(&t->layout, (struct sv){0}, TEXT_INDENT + AGE_WIDTH + 2);
	layout_styled(&t->layout, buf_sv(line), ANSI_DIM);
	text_end_line(t);
}

void text_open(struct text *t)
{
	const struct why_report *r = t->report;
	struct buf *line;
	size_t i;

	if (r->n_opens == 0)
		return;
	layout_heading(&t->layout, "Requests without an answer, oldest first");
	for (i = 0; i < r->n_opens && i < OPEN_SHOWN; i++)
		write_open(t, &r->opens[i]);
	if (r->open - (double)i < 0.5)
		return;
	line = text_fresh(t);
	buf_printf(line, "and %.0f more", r->open - (double)i);
	layout_wrapped(&t->layout, buf_sv(line), TEXT_INDENT);
}
