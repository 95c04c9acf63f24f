// SPDX-License-Identifier: Apache-2.0
/* What the findings rest on: routes with their ledgers, slow against normal requests, stacks, what was seen. See text.h. */
#include "base/clock.h"
#include "export/tree.h"
#include "span/frames.h"
#include "why/text.h"
#include "why/words.h"

enum {
	ROUTES_SHOWN = 6,
	LEDGERS_SHOWN = 3, /* of which so many with bars */
	STATES_SHOWN = 4,
	COMPARISONS_SHOWN = 3,
	FRAMES_SHOWN = 12,
	KERNEL_FRAMES_SHOWN = 4,
	NUMBER_WIDTH = 8,
	BAR_WIDTH = 24,
	STATE_WIDTH = 13,
};

/* A state with less of a route's time has no bar. */
#define STATE_SHOWN 0.01
/* A statement or call outside of requests is shown among routes if it loses so much of all. */
#define LONE_SHOWN 0.01

/* --- routes ------------------------------------------------------------------------------------ */

/* The columns behind the route's name. */
static const struct {
	const char *name;
	size_t width;
} columns[] = {
    {"number", 7},
    {"/s", 7},
    {"failed", 7},
    {"lost", 9},
    {"p50", 8},
    {"p95", 8},
    {"p99", 8},
    {"max", 8},
};

enum {
	COLUMNS = sizeof(columns) / sizeof(columns[0]),
	FIRST_QUANTILE = 4,
};

static size_t route_width(const struct text *t)
{
	size_t width = t->layout.width;

	for (size_t i = 0; i < COLUMNS; i++)
		width -= columns[i].width;
	return width;
}

static void write_columns(struct text *t)
{
	struct layout plain = {.out = text_fresh(t), .width = t->layout.width};

	layout_left(&plain, SV("Routes by time lost"), route_width(t));
	for (size_t i = 0; i < COLUMNS; i++)
		layout_right(&plain, sv_cstr(columns[i].name), columns[i].width);
	text_end_line(t);
	layout_styled(&t->layout, buf_sv(&t->line), ANSI_BOLD);
	text_end_line(t);
}

/* What stands in a column, as the scratch. */
static void append_column(struct text *t, const struct why_route *route, size_t column)
{
	const uint64_t quantiles[] = {route->p50_ns, route->p95_ns, route->p99_ns, route->max_ns};
	double seconds = (double)t->report->coverage.observed_ns / (double)NS_PER_S;
	double rate = seconds > 0 ? route->requests / seconds : 0;
	struct buf *line = text_fresh(t);

	if (column == 0)
		buf_printf(line, "%.0f", route->requests);
	else if (column == 1)
		buf_printf(line, "%.*f", rate < 99.5, rate);
	else if (column == 2)
		buf_printf(line, "%.0f", route->failed);
	else if (column == 3)
		tree_append_duration(line, (uint64_t)route->lost_ns);
	else if (route->requests > 0)
		tree_append_duration(line, quantiles[column - FIRST_QUANTILE]);
	else
		buf_append_char(line, '-');
}

static void write_route(struct text *t, const struct why_route *route)
{
	why_append_route(text_fresh(t), t->report, route->name);
	layout_left(&t->layout, buf_sv(&t->line), route_width(t) - 1);
	buf_append_char(t->layout.out, route->sampled ? '~' : ' ');
	for (size_t i = 0; i < COLUMNS; i++) {
		append_column(t, route, i);
		layout_right(&t->layout, buf_sv(&t->line), columns[i].width);
	}
	text_end_line(t);
}

static void write_state(struct text *t, const struct why_route *route, enum ledger_state state)
{
	double share = route->state_ns[state] / route->total_ns;
	struct buf *line;

	layout_left(&t->layout, (struct sv){0}, TEXT_INDENT);
	layout_left(&t->layout, sv_cstr(ledger_state_name(state)), STATE_WIDTH);
	layout_bar(&t->layout, share, BAR_WIDTH);
	line = text_fresh(t);
	why_append_percent(line, share);
	layout_right(&t->layout, buf_sv(line), NUMBER_WIDTH);
	line = text_fresh(t);
	buf_append_cstr(line, "  ");
	tree_append_duration(line, (uint64_t)route->state_ns[state]);
	for (size_t i = 0; state == LEDGER_DOWNSTREAM && i < route->n_passed; i++) {
		buf_append_cstr(line, i == 0 ? "  " : ", ");
		why_append_route(line, t->report, route->passed[i].name);
	}
	layout_styled(&t->layout, buf_sv(line), ANSI_DIM);
	text_end_line(t);
}

static void write_ledger(struct text *t, const struct why_route *route)
{
	bool shown[LEDGER_STATES] = {false};

	for (int n = 0; n < STATES_SHOWN && route->total_ns > 0; n++) {
		int most = -1;

		for (int i = 0; i < LEDGER_STATES; i++)
			if (!shown[i] && (most < 0 || route->state_ns[i] > route->state_ns[most]))
				most = i;
		if (route->state_ns[most] < STATE_SHOWN * route->total_ns)
			return;
		shown[most] = true;
		write_state(t, route, (enum ledger_state)most);
	}
}

/* The status codes, where there is more than one. */
static void write_statuses(struct text *t, const struct why_route *route)
{
	struct buf *line = text_fresh(t);

	if (route->n_statuses < 2)
		return;
	for (size_t i = 0; i < route->n_statuses; i++)
		buf_printf(line, "%s%d ×%.0f", i == 0 ? "" : "  ", route->statuses[i].status,
		    route->statuses[i].requests);
	layout_left(&t->layout, (struct sv){0}, TEXT_INDENT);
	layout_left(&t->layout, SV("status"), STATE_WIDTH);
	layout_styled(&t->layout, buf_sv(line), NULL);
	text_end_line(t);
}

/* Of statements and calls outside of requests only those that lose time, unless there is nothing else. */
static bool is_shown(const struct why_report *report, const struct why_route *route)
{
	return why_name_kind(report->names, route->name) == WHY_NAME_REQUEST ||
	    report->requests + report->open == 0 || route->lost_ns >= LONE_SHOWN * report->lost_ns;
}

static void write_open(struct text *t, const struct why_route *route)
{
	struct buf *line = text_fresh(t);

	if (route->open == 0)
		return;
	buf_printf(line, "%.0f, for up to ", route->open);
	tree_append_duration(line, route->open_max_ns);
	layout_left(&t->layout, (struct sv){0}, TEXT_INDENT);
	layout_left(&t->layout, SV("no answer"), STATE_WIDTH);
	layout_styled(&t->layout, buf_sv(line), NULL);
	text_end_line(t);
}

static void write_routes(struct text *t)
{
	const struct why_report *r = t->report;
	size_t shown = 0, more = 0;
	bool sampled = false;
	struct buf *line;

	write_columns(t);
	for (size_t i = 0; i < r->n_routes; i++) {
		if (shown == ROUTES_SHOWN || !is_shown(r, &r->routes[i])) {
			more++;
			continue;
		}
		write_route(t, &r->routes[i]);
		sampled |= r->routes[i].sampled;
		if (shown++ >= LEDGERS_SHOWN)
			continue;
		write_ledger(t, &r->routes[i]);
		write_statuses(t, &r->routes[i]);
		write_open(t, &r->routes[i]);
	}
	if (more) {
		line = text_fresh(t);
		buf_printf(line, "and %zu more that lose less, see --format json", more);
		layout_wrapped(&t->layout, buf_sv(line), 0);
	}
	if (sampled)
		layout_wrapped(
		    &t->layout, SV("~ estimated from a sample, which has all that were rare"), 0);
}

/* --- slow against normal ----------------------------------------------------------------------- */

static void append_more(struct buf *line, const struct why_difference *d)
{
	switch (d->kind) {
	case WHY_FACT_STATEMENT:
		buf_printf(line, "+%.0f", d->slow - d->normal);
		break;
	case WHY_FACT_FAILURE:
	case WHY_FACT_CULPRIT:
		buf_append_char(line, '+');
		why_append_percent(line, d->slow - d->normal);
		break;
	default:
		buf_append_char(line, '+');
		tree_append_duration(line, (uint64_t)(d->slow - d->normal));
	}
}

static void append_what(
    struct buf *line, const struct why_report *report, const struct why_difference *d)
{
	switch (d->kind) {
	case WHY_FACT_STATEMENT:
		buf_append_cstr(line, "executions of ");
		break;
	case WHY_FACT_CULPRIT:
		buf_append_cstr(line, "behind ");
		break;
	case WHY_FACT_PASSED_ON:
		buf_append_cstr(line, "waiting for ");
		break;
	case WHY_FACT_FAILURE:
		why_append_failure(line, report, d->place);
		return;
	default:
		if (why_name_kind(report->names, d->place) == WHY_NAME_PEER) {
			buf_append_cstr(line, "waiting for ");
			break;
		}
		buf_append_cstr(line, ledger_state_name(d->state));
		if (d->place == WHY_NAME_NONE)
			return;
		buf_append_cstr(line, " in ");
	}
	why_append_place(line, report, d->place);
}

static void write_difference(
    struct text *t, const struct why_comparison *c, const struct why_difference *d)
{
	struct buf *line = text_fresh(t);

	append_more(line, d);
	layout_left(&t->layout, (struct sv){0}, TEXT_INDENT);
	layout_right(&t->layout, buf_sv(line), NUMBER_WIDTH);
	line = text_fresh(t);
	buf_append_cstr(line, "  ");
	append_what(line, t->report, d);
	layout_styled(&t->layout, buf_sv(line), NULL);
	line = text_fresh(t);
	buf_printf(line, "  (%.0f of %.0f slow, %.0f of %.0f others)", d->in_slow, c->slow,
	    d->in_normal, c->normal);
	layout_styled(&t->layout, buf_sv(line), ANSI_DIM);
	text_end_line(t);
}

static void write_comparison(struct text *t, const struct why_route *route)
{
	const struct why_comparison *c = &route->comparison;
	struct buf *line = text_fresh(t);

	why_append_route(line, t->report, route->name);
	buf_printf(line, ": %.0f slow (over ", c->slow);
	tree_append_duration(line, c->threshold_ns);
	buf_append_cstr(line, "), mean ");
	tree_append_duration(line, (uint64_t)c->slow_mean_ns);
	buf_printf(line, ", against %.0f others, mean ", c->normal);
	tree_append_duration(line, (uint64_t)c->normal_mean_ns);
	layout_wrapped(&t->layout, buf_sv(line), 0);
	for (size_t i = 0; i < c->n_differences; i++)
		write_difference(t, c, &c->differences[i]);
}

/* Who is slow by microseconds is not slow. */
static bool is_worth(const struct why_comparison *c)
{
	return c->n_differences > 0 && c->slow_mean_ns - c->normal_mean_ns >= (double)WHY_WORTH_NS;
}

static void write_comparisons(struct text *t)
{
	size_t shown = 0;

	for (size_t i = 0; i < t->report->n_routes && shown < COMPARISONS_SHOWN; i++) {
		const struct why_route *route = &t->report->routes[i];

		if (!is_worth(&route->comparison))
			continue;
		if (shown++ == 0)
			layout_heading(&t->layout, "What slow requests have more of");
		write_comparison(t, route);
	}
}

/* --- stacks ------------------------------------------------------------------------------------ */

static void write_frames(
    struct text *t, struct sv frames, size_t max, struct sv own, const char *mark)
{
	struct sv frame;

	for (size_t i = 0; i < max && frames_next(&frames, &frame); i++) {
		bool is_own = own.len && frame.p == own.p;
		struct buf *line = text_fresh(t);

		buf_append_cstr(line, is_own ? "  ▸ " : "    ");
		buf_append_cstr(line, mark);
		tree_append_text(
		    line, frame, t->layout.width - TEXT_INDENT - layout_width(sv_cstr(mark)));
		layout_styled(&t->layout, buf_sv(line), is_own ? ANSI_BOLD : NULL);
		text_end_line(t);
	}
}

static void write_stack(struct text *t, const struct why_stack *stack)
{
	struct sv user = why_name_part(t->report->names, stack->name, 0);
	struct sv kernel = why_name_part(t->report->names, stack->name, 1);
	struct buf *line = text_fresh(t);

	buf_printf(line, "%s ", ledger_state_name(stack->state));
	tree_append_duration(line, (uint64_t)stack->total_ns);
	buf_printf(line, " in %.0f %s of ", stack->requests,
	    why_noun(t->report, stack->route, stack->requests != 1));
	why_append_route(line, t->report, stack->route);
	layout_wrapped(&t->layout, buf_sv(line), 0);
	write_frames(t, user, FRAMES_SHOWN, frames_own(user), "");
	write_frames(t, kernel, KERNEL_FRAMES_SHOWN, (struct sv){0}, "kernel: ");
}

static void write_stacks(struct text *t)
{
	if (t->report->n_stacks)
		layout_heading(&t->layout, "Where the longest waits were");
	for (size_t i = 0; i < t->report->n_stacks; i++)
		write_stack(t, &t->report->stacks[i]);
}

/* --- what was seen ----------------------------------------------------------------------------- */

static void write_coverage(struct text *t)
{
	const struct why_report *r = t->report;
	const struct why_coverage *c = &r->coverage;
	struct buf *line = text_fresh(t);

	buf_printf(line, "%llu events, %llu lost", (unsigned long long)c->events,
	    (unsigned long long)c->lost);
	if (c->lost_causes && *c->lost_causes)
		buf_printf(line, " (%s)", c->lost_causes);
	buf_append_cstr(line, "; ");
	why_append_percent(line, c->seen_share);
	buf_append_cstr(line, " of the HTTP bytes seen; ");
	why_append_percent(line, r->unattributed_share);
	buf_append_cstr(line, " of the time unattributed");
	if (r->lone > 0)
		buf_printf(line, "; %.0f statements or calls outside of requests", r->lone);
	if (c->ambiguous)
		buf_printf(line, "; %llu calls that may be of several requests",
		    (unsigned long long)c->ambiguous);
	if (r->early > 0)
		buf_printf(line, "; %.0f left out that began before", r->early);
	if (r->collected.untimed)
		buf_printf(line, "; %llu statements told without duration (--budget)",
		    (unsigned long long)r->collected.untimed);
	layout_heading(&t->layout, "What was seen");
	layout_wrapped(&t->layout, buf_sv(line), 0);
	layout_wrapped(&t->layout,
	    SV("Time lost is all time of a request but the first 10 ms on the CPU and what it passed on to another request seen here."),
	    0);
}

void text_details(struct text *t)
{
	text_open(t);
	write_routes(t);
	write_comparisons(t);
	write_stacks(t);
	write_coverage(t);
}
