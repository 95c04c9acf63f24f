// SPDX-License-Identifier: Apache-2.0
/* Names and numbers in words; see words.h. */
#include "why/words.h"

#include "export/tree.h"

static void append_part(
    struct buf *out, const struct why_report *report, uint32_t name, size_t part)
{
	tree_append_text(out, why_name_part(report->names, name, part), WHY_WORDS_NAME_MAX);
}

/* Whether routes of several services are told of. */
static bool has_services(const struct why_report *report)
{
	for (size_t i = 1; i < report->n_routes; i++)
		if (!sv_eq(why_name_part(report->names, report->routes[i].name, 0),
			why_name_part(report->names, report->routes[0].name, 0)))
			return true;
	return false;
}

void why_append_route(struct buf *out, const struct why_report *report, uint32_t route)
{
	if (why_name_kind(report->names, route) == WHY_NAME_OTHERS) {
		buf_append_cstr(out, "all other routes");
		return;
	}
	append_part(out, report, route, 1);
	if (why_name_part(report->names, route, 2).len) {
		buf_append_cstr(out, " (");
		append_part(out, report, route, 2);
		buf_append_char(out, ')');
	}
	if (why_name_kind(report->names, route) == WHY_NAME_LONE_CALL)
		buf_append_cstr(out, " (call)");
	if (has_services(report)) {
		buf_append_cstr(out, " [");
		append_part(out, report, route, 0);
		buf_append_char(out, ']');
	}
}

/* "worker" at put (pool.c:41), serving POST /hold; "audit" with BEGIN. */
static void append_culprit_name(struct buf *out, const struct why_report *report, uint32_t name)
{
	struct sv kind = why_name_part(report->names, name, WHY_CULPRIT_KIND);

	buf_append_char(out, '"');
	append_part(out, report, name, WHY_CULPRIT_PROCESS);
	buf_append_char(out, '"');
	if (why_name_part(report->names, name, WHY_CULPRIT_STATEMENT).len) {
		buf_append_cstr(out, sv_eq(kind, SV("lock")) ? " at " : " with ");
		append_part(out, report, name, WHY_CULPRIT_STATEMENT);
	}
	if (why_name_part(report->names, name, WHY_CULPRIT_REQUEST).len) {
		buf_append_cstr(out, ", serving ");
		append_part(out, report, name, WHY_CULPRIT_REQUEST);
	}
}

void why_append_place(struct buf *out, const struct why_report *report, uint32_t place)
{
	switch (why_name_kind(report->names, place)) {
	case WHY_NAME_INVALID:
		buf_append_cstr(out, "its own code");
		break;
	case WHY_NAME_OTHERS:
		buf_append_cstr(out, "others");
		break;
	case WHY_NAME_WAY:
		buf_append_cstr(out, "the way to ");
		append_part(out, report, place, 0);
		break;
	case WHY_NAME_REQUEST:
		why_append_route(out, report, place);
		break;
	case WHY_NAME_CULPRIT:
		append_culprit_name(out, report, place);
		break;
	default:
		append_part(out, report, place, 0);
	}
}

/* "SQLITE_BUSY (5)", or the code alone. */
static void append_code(struct buf *out, struct sv code)
{
	const char *name = tree_sqlite_code_name(code);

	if (name) {
		buf_printf(out, "SQLITE_%s (%.*s)", name, SV_ARG(code));
		return;
	}
	buf_append_cstr(out, "error ");
	tree_append_text(out, code, WHY_WORDS_NAME_MAX);
}

static bool is_status(struct sv error)
{
	return error.len == 3 && error.p[0] >= '1' && error.p[0] <= '5';
}

void why_append_failure(struct buf *out, const struct why_report *report, uint32_t failure)
{
	struct sv error;

	switch (why_name_kind(report->names, failure)) {
	case WHY_NAME_FAILED_STATEMENT:
		append_part(out, report, failure, 0);
		buf_append_cstr(out, " got ");
		append_code(out, why_name_part(report->names, failure, 2));
		if (!why_name_part(report->names, failure, 1).len)
			break;
		buf_append_cstr(out, " from ");
		append_part(out, report, failure, 1);
		break;
	case WHY_NAME_FAILED_CALL:
		error = why_name_part(report->names, failure, 1);
		buf_append_cstr(out, "the call to ");
		append_part(out, report, failure, 0);
		buf_append_cstr(out, is_status(error) ? " was answered with " : " ended with ");
		append_part(out, report, failure, 1);
		break;
	case WHY_NAME_REQUEST:
		why_append_route(out, report, failure);
		buf_append_cstr(out, " failed");
		break;
	case WHY_NAME_OTHERS:
		buf_append_cstr(out, "something failed whose name found no room");
		break;
	default:
		buf_append_cstr(out, "no statement and no call that is known to be theirs failed");
	}
}

const char *why_noun(const struct why_report *report, uint32_t route, bool plural)
{
	switch (why_name_kind(report->names, route)) {
	case WHY_NAME_LONE_STATEMENT:
		return plural ? "executions" : "execution";
	case WHY_NAME_LONE_CALL:
		return plural ? "calls" : "call";
	default:
		return plural ? "requests" : "request";
	}
}

void why_append_percent(struct buf *out, double share)
{
	double percent = 100 * share;

	if (percent == 0 || percent >= 99.95)
		buf_printf(out, "%.0f %%", percent);
	else if (percent < 0.05)
		buf_append_cstr(out, "0.1 %");
	else
		buf_printf(out, percent < 9.95 || percent >= 99 ? "%.1f %%" : "%.0f %%", percent);
}

void why_append_count(
    struct buf *out, const struct why_report *report, uint32_t route, double part, double all)
{
	buf_printf(out, "%.0f of %.0f %s (", part, all, why_noun(report, route, all != 1));
	why_append_percent(out, all > 0 ? part / all : 0);
	buf_append_char(out, ')');
}

void why_append_range(struct buf *out, uint64_t min_ns, uint64_t max_ns, double mean_ns)
{
	tree_append_duration(out, min_ns);
	if (max_ns - min_ns < min_ns / 100)
		return; /* they would read the same */
	buf_append_cstr(out, " to ");
	tree_append_duration(out, max_ns);
	buf_append_cstr(out, ", mean ");
	tree_append_duration(out, (uint64_t)mean_ns);
}

/* --- confidence -------------------------------------------------------------------------------- */

const char *why_confidence_name(enum why_confidence confidence)
{
	static const char *const names[] = {"none", "low", "medium", "high"};

	return names[confidence];
}

void why_append_reason(struct buf *out, const struct why_reason *reason)
{
	static const char *const texts[] = {
	    [WHY_REASON_FEW] = " to judge by",
	    [WHY_REASON_LOST] = " of the events were lost",
	    [WHY_REASON_UNSEEN] = " of the HTTP bytes were not seen",
	    [WHY_REASON_UNATTRIBUTED] = " of the time is not accounted for",
	    [WHY_REASON_DROPPED] = " of the spans did not arrive here",
	    [WHY_REASON_AMBIGUOUS] = " of the spans may belong to one of several requests",
	    [WHY_REASON_OPEN] = " of the requests had no answer yet at the end",
	    [WHY_REASON_CROWDED] = " of the requests found no room here",
	};

	if (reason->kind == WHY_REASON_FEW)
		buf_printf(
		    out, "only %.0f request%s", reason->amount, reason->amount == 1 ? "" : "s");
	else
		why_append_percent(out, reason->amount);
	buf_append_cstr(out, texts[reason->kind]);
}

/* --- nothing ----------------------------------------------------------------------------------- */

void why_append_nothing(struct buf *out, const struct why_report *report)
{
	const struct why_coverage *coverage = &report->coverage;
	double before = report->early + (double)coverage->strays;

	if (report->filtered)
		buf_append_cstr(out,
		    "There were requests, but --route matches none of them: it is compared with names like 'POST /checkout' and with '/checkout'.");
	else if (before > 0)
		buf_printf(out,
		    "%.0f answers were seen, but their requests came before the observation: it must last longer than a request, see --duration.",
		    before);
	else if (coverage->connections)
		buf_printf(out,
		    "%llu connections were seen, but no HTTP/1 on them: with TLS or HTTP/2 a request shows only behind the proxy that ends it.",
		    (unsigned long long)coverage->connections);
	else if (coverage->events)
		buf_append_cstr(out,
		    "The process works, but no connection and no SQL statement was seen: is it the one that serves the requests?");
	else
		buf_append_cstr(out,
		    "The process did nothing that is observed: is it the one that serves the requests (workers have pids of their own; --port finds who listens), and is there traffic? A process that hangs does nothing either: requests that it was given before are not seen. A longer --duration may help; zerospan check shows which processes are traceable.");
}
