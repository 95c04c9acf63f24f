// SPDX-License-Identifier: Apache-2.0
/*
 * The report for people: the findings, each with a headline and sentences, and how far to trust them; then what they rest on
 * (text_details.c). See write.h.
 */
#include "why/text.h"
#include "base/clock.h"
#include "export/tree.h"
#include "why/words.h"
#include "why/write.h"

/* --- header and findings ----------------------------------------------------------------------- */

static const char *plural(double n)
{
	return n == 1 ? "" : "s";
}

static void write_header(struct text *t)
{
	const struct why_report *r = t->report;
	double seconds = (double)r->coverage.observed_ns / (double)NS_PER_S;
	struct buf *line = text_fresh(t);

	buf_printf(line, "%s in %.1f s: %.0f request%s", r->coverage.who, seconds, r->requests,
	    plural(r->requests));
	if (r->requests > 0 && seconds > 0)
		buf_printf(line, " (%.1f/s)", r->requests / seconds);
	if (r->failed > 0) {
		buf_printf(line, ", %.0f failed (", r->failed);
		why_append_percent(line, r->failed / r->requests);
		buf_append_char(line, ')');
	}
	if (r->open > 0)
		buf_printf(line, ", %.0f without an answer yet", r->open);
	if (r->lone > 0)
		buf_printf(line, "; %.0f statement%s or call%s outside of requests", r->lone,
		    plural(r->lone), plural(r->lone));
	layout_wrapped(&t->layout, buf_sv(line), 0);
}

/* Who waits for a route is told once. */
static bool is_repeated(const struct why_report *report, size_t finding)
{
	const struct why_finding *f = &report->findings[finding];

	for (size_t i = 0; i < finding; i++)
		if (report->findings[i].kind == f->kind && report->findings[i].route == f->route)
			return true;
	return false;
}

static void write_finding(struct text *t, size_t i)
{
	const struct why_finding *f = &t->report->findings[i];
	bool bad = f->kind != WHY_FINDING_TIME;
	struct buf *line = text_fresh(t);

	text_end_line(t);
	buf_printf(line, "%zu. ", i + 1);
	why_append_headline(line, t->report, f);
	layout_styled(&t->layout, buf_sv(line), bad ? ANSI_BOLD ANSI_RED : ANSI_BOLD);
	if (f->kind == WHY_FINDING_TIME) {
		buf_clear(line);
		buf_append_cstr(line, " · ");
		why_append_percent(line, f->share);
		buf_append_cstr(line, " of the time lost (");
		tree_append_duration(line, (uint64_t)f->lost_ns);
		buf_append_char(line, ')');
		layout_styled(&t->layout, buf_sv(line), ANSI_DIM);
	}
	text_end_line(t);
	line = text_fresh(t);
	why_append_sentences(line, t->report, f, !is_repeated(t->report, i));
	layout_wrapped(&t->layout, buf_sv(line), TEXT_INDENT);
}

static void write_no_finding(struct text *t)
{
	struct buf *line = text_fresh(t);
	const struct why_route *slowest = &t->report->routes[0];

	for (size_t i = 1; i < t->report->n_routes; i++)
		if (t->report->routes[i].max_ns > slowest->max_ns)
			slowest = &t->report->routes[i];
	buf_append_cstr(line, "Nothing stands out: none failed, and no route loses ");
	tree_append_duration(line, WHY_WORTH_NS);
	buf_append_cstr(line, " and more in any state. The slowest took ");
	tree_append_duration(line, slowest->max_ns);
	buf_append_cstr(line, " (");
	why_append_route(line, t->report, slowest->name);
	buf_append_cstr(line, ").");
	text_end_line(t);
	layout_wrapped(&t->layout, buf_sv(line), 0);
}

static void write_confidence(struct text *t)
{
	const struct why_report *r = t->report;
	struct buf *line = text_fresh(t);

	buf_printf(line, "Confidence: %s", why_confidence_name(r->confidence));
	for (size_t i = 0; i < r->n_reasons; i++) {
		buf_append_cstr(line, i == 0 ? ": " : ", ");
		why_append_reason(line, &r->reasons[i]);
	}
	if (r->n_reasons == 0) {
		buf_printf(
		    line, ": no event of %llu lost, ", (unsigned long long)r->coverage.events);
		why_append_percent(line, 1 - r->unattributed_share);
		buf_append_cstr(line, " of the time accounted for");
	}
	buf_append_char(line, '.');
	text_end_line(t);
	layout_wrapped(&t->layout, buf_sv(line), 0);
}

/* --- the whole --------------------------------------------------------------------------------- */

static void write_nothing(struct text *t)
{
	struct buf *line = text_fresh(t);

	text_end_line(t);
	layout_styled(&t->layout, SV("Nothing was observed."), ANSI_BOLD);
	text_end_line(t);
	why_append_nothing(line, t->report);
	layout_wrapped(&t->layout, buf_sv(line), TEXT_INDENT);
}

void why_write_text(struct buf *out, const struct why_report *report, const struct why_style *style)
{
	struct text t = {.layout = {.out = out, .width = style->width, .colour = style->colour},
	    .report = report};

	if (t.layout.width < WHY_WIDTH_MIN)
		t.layout.width = WHY_WIDTH_MIN;
	if (t.layout.width > WHY_WIDTH_MAX)
		t.layout.width = WHY_WIDTH_MAX;
	buf_init(&t.line);
	write_header(&t);
	if (report->n_routes == 0) {
		write_nothing(&t);
	} else {
		for (size_t i = 0; i < report->n_findings; i++)
			write_finding(&t, i);
		if (report->n_findings == 0)
			write_no_finding(&t);
		write_confidence(&t);
		text_details(&t);
	}
	out->failed |= t.line.failed;
	buf_release(&t.line);
}
