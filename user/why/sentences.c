// SPDX-License-Identifier: Apache-2.0
/* Findings in words; see words.h. */
#include "export/tree.h"
#include "span/frames.h"
#include "why/words.h"

/* A place with so much of a state's time is told; with so much, alone. */
#define PLACE_TOLD  0.10
#define PLACE_ALONE 0.90

static const struct {
	const char *does, *did;
} states[LEDGER_STATES] = {
    [LEDGER_CPU] = {"computes", "computed"},
    [LEDGER_RUNQUEUE] = {"waits for a CPU", "waited"},
    [LEDGER_QUEUED] = {"waits to be taken up", "waited"},
    [LEDGER_SLEEP] = {"sleeps", "slept"},
    [LEDGER_LOCK] = {"waits for a lock", "waited"},
    [LEDGER_DISK] = {"waits for the disk", "waited"},
    [LEDGER_NET_SEND] = {"waits for a slow reader of its answers", "waited"},
    [LEDGER_DOWNSTREAM] = {"waits for other services", "waited"},
    [LEDGER_PAGEFAULT] = {"waits for pages of memory", "waited"},
    [LEDGER_SQLITE_BUSY] = {"waits for SQLite's locks", "backed off"},
    [LEDGER_OTHER] = {"waits for something unknown", "waited"},
    [LEDGER_UNATTRIBUTED] = {"takes time that is not accounted for", "took"},
};

static double sum_of(const struct why_finding *f)
{
	double sum = 0;

	for (size_t i = 0; i < f->n_places; i++)
		sum += f->places[i].amount;
	return sum;
}

static bool is_alone(const struct why_finding *f)
{
	return f->n_places > 0 && f->places[0].amount >= PLACE_ALONE * sum_of(f);
}

/* --- headlines --------------------------------------------------------------------------------- */

static void headline_failure(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	struct sv error = why_name_part(report->names, f->error, 0);
	const char *code;

	if (f->status) {
		buf_printf(out, " fails with %d", f->status);
		return;
	}
	code = why_name_kind(report->names, f->failure) == WHY_NAME_FAILED_STATEMENT
	    ? tree_sqlite_code_name(error)
	    : NULL;
	if (code)
		buf_printf(out, " fails with SQLITE_%s (", code);
	else
		buf_append_cstr(out, " fails: ");
	tree_append_text(out, error, WHY_WORDS_NAME_MAX);
	if (code)
		buf_append_char(out, ')');
}

void why_append_headline(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	why_append_route(out, report, f->route);
	if (f->kind == WHY_FINDING_FAILURE) {
		headline_failure(out, report, f);
		return;
	}
	if (f->kind == WHY_FINDING_NO_ANSWER) {
		buf_append_cstr(out, " gives no answer");
		return;
	}
	buf_append_char(out, ' ');
	if (f->state == LEDGER_DOWNSTREAM && is_alone(f) && f->places[0].name != WHY_NAME_NONE) {
		buf_append_cstr(out, "waits for ");
		why_append_place(out, report, f->places[0].name);
	} else {
		buf_append_cstr(out, states[f->state].does);
	}
}

/* --- sentences --------------------------------------------------------------------------------- */

/* ", in UPDATE orders", ", in INSERT orders (64 %), UPDATE orders (36 %)". */
static void append_places(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	double sum = sum_of(f);
	const char *before = ", in ";

	if (is_alone(f)) {
		if (f->places[0].name == WHY_NAME_NONE || f->state == LEDGER_DOWNSTREAM)
			return;
		buf_append_cstr(out, before);
		why_append_place(out, report, f->places[0].name);
		return;
	}
	for (size_t i = 0; i < f->n_places && f->places[i].amount >= PLACE_TOLD * sum; i++) {
		buf_append_cstr(out, before);
		why_append_place(out, report, f->places[i].name);
		buf_append_cstr(out, " (");
		why_append_percent(out, f->places[i].amount / sum);
		buf_append_char(out, ')');
		before = ", ";
	}
}

/* The function that waits for the disk, if the innermost frame has a name. */
static struct sv disk_call(const struct why_finding *f, struct sv frames)
{
	struct sv frame;

	if (f->state != LEDGER_DISK || !frames_next(&frames, &frame))
		return (struct sv){0};
	return frames_function(frame);
}

static void append_frame(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	struct sv frames = why_name_part(report->names, f->stack, 0), frame = frames_own(frames);
	struct sv call = disk_call(f, frames);

	if (call.len && call.p != frame.p) {
		buf_append_cstr(out, ", in ");
		tree_append_text(out, call, WHY_WORDS_NAME_MAX);
	}
	if (!frame.len)
		return;
	buf_append_cstr(out, call.len && call.p != frame.p ? " at " : ", at ");
	tree_append_text(out, frame, WHY_TEXT_MAX);
}

static void append_callers(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	bool failure = f->kind == WHY_FINDING_FAILURE;

	for (size_t i = 0; i < f->n_callers; i++) {
		buf_append_cstr(out, i == 0 ? " " : ", ");
		why_append_route(out, report, f->callers[i].name);
		if (i == 0)
			buf_append_cstr(out, failure ? " fails with it" : " waits for it");
		else
			buf_append_cstr(out, failure ? " with that" : " for that");
		if (failure) {
			buf_printf(out, " (%.0f %s)", f->callers[i].amount,
			    why_noun(report, f->callers[i].name, f->callers[i].amount != 1));
			continue;
		}
		buf_append_cstr(out, " (");
		why_append_percent(out, f->callers[i].amount);
		buf_append_cstr(out, " of its time)");
	}
	if (f->n_callers)
		buf_append_char(out, '.');
}

/* " 17, 18 and others"; nothing without numbers. */
static void append_numbers(struct buf *out, const struct why_culprit *culprit)
{
	for (size_t i = 0; i < culprit->n_examples; i++)
		buf_printf(out, "%s%llu",
		    i == 0                                             ? " "
			: culprit->more || i + 1 < culprit->n_examples ? ", "
								       : " and ",
		    (unsigned long long)culprit->examples[i].transaction);
	if (culprit->more)
		buf_append_cstr(out, " and others");
}

/* Of the same process, or of which. */
static void append_whose(
    struct buf *out, const struct why_report *report, const struct why_culprit *culprit)
{
	struct sv pid = why_name_part(report->names, culprit->name, WHY_CULPRIT_PID);

	if (why_name_part(report->names, culprit->name, WHY_CULPRIT_SAME).len > 0)
		buf_append_cstr(out, " of the same process");
	else if (pid.len)
		buf_printf(out, " of process %.*s", SV_ARG(pid));
}

/* The request for which it was at work. */
static void append_serving(
    struct buf *out, const struct why_report *report, const struct why_culprit *culprit)
{
	struct sv request = why_name_part(report->names, culprit->name, WHY_CULPRIT_REQUEST);

	if (!request.len)
		return;
	buf_append_cstr(out, ", serving ");
	tree_append_text(out, request, WHY_WORDS_NAME_MAX);
}

/* Threads of one name: "worker", thread 17 of the same process, at release (pool.c:41). */
static void append_thread_culprit(
    struct buf *out, const struct why_report *report, const struct why_culprit *culprit)
{
	struct sv name = why_name_part(report->names, culprit->name, WHY_CULPRIT_PROCESS);
	struct sv frame = why_name_part(report->names, culprit->name, WHY_CULPRIT_STATEMENT);

	if (culprit->n_examples > 1)
		buf_append_cstr(out, "several threads, ");
	buf_append_char(out, '"');
	tree_append_text(out, name, WHY_WORDS_NAME_MAX);
	buf_append_char(out, '"');
	if (culprit->n_examples == 1)
		buf_printf(out, ", thread %u", culprit->examples[0].thread);
	append_whose(out, report, culprit);
	if (frame.len) {
		buf_append_cstr(out, ", at ");
		tree_append_text(out, frame, WHY_TEXT_MAX);
	}
	append_serving(out, report, culprit);
}

static bool is_of_threads(const struct why_report *report, const struct why_culprit *culprit)
{
	struct sv kind = why_name_part(report->names, culprit->name, WHY_CULPRIT_KIND);

	return sv_eq(kind, SV("lock")) || sv_eq(kind, SV("runqueue"));
}

void why_append_culprit(
    struct buf *out, const struct why_report *report, const struct why_culprit *culprit)
{
	struct sv process = why_name_part(report->names, culprit->name, WHY_CULPRIT_PROCESS);
	struct sv sql = why_name_part(report->names, culprit->name, WHY_CULPRIT_STATEMENT);
	bool transaction = culprit->n_examples > 0 && culprit->examples[0].transaction;

	if (is_of_threads(report, culprit)) {
		append_thread_culprit(out, report, culprit);
		return;
	}
	if (transaction) {
		buf_append_cstr(out, culprit->n_examples > 1 ? "transactions" : "transaction");
		append_numbers(out, culprit);
		buf_append_cstr(out, " (");
	}
	if (sql.len) {
		tree_append_text(out, sql, WHY_WORDS_NAME_MAX);
		buf_append_cstr(out, " by ");
	}
	buf_append_char(out, '"');
	tree_append_text(out, process, WHY_WORDS_NAME_MAX);
	buf_append_char(out, '"');
	if (culprit->n_examples > 0 && culprit->examples[0].thread)
		buf_printf(out, ", thread %u", culprit->examples[0].thread);
	append_whose(out, report, culprit);
	append_serving(out, report, culprit);
	if (transaction)
		buf_append_char(out, ')');
}

static void append_evidence(struct buf *out, struct sv evidence)
{
	if (sv_eq(evidence, SV("refused"))) {
		buf_append_cstr(out, "the kernel refused the lock while they had it");
	} else if (sv_eq(evidence, SV("process"))) {
		buf_append_cstr(out, "no other connection of the process had a write lock then");
	} else if (sv_eq(evidence, SV("woken_by"))) {
		buf_append_cstr(out, "its call for the same futex ended the wait");
	} else if (sv_eq(evidence, SV("mutex_owner"))) {
		buf_append_cstr(out, "the mutex named it as its owner during the wait");
	} else if (sv_eq(evidence, SV("seen_running"))) {
		buf_append_cstr(out, "it was seen on the CPU most often when they could have run");
	} else {
		tree_append_text(out, evidence, WHY_WORDS_NAME_MAX);
	}
}

/* Who was in the way, and how that is known. */
static void append_blame(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	const struct why_culprit *culprit = &f->culprit;
	struct sv kind = why_name_part(report->names, culprit->name, WHY_CULPRIT_KIND);
	struct sv evidence = why_name_part(report->names, culprit->name, WHY_CULPRIT_EVIDENCE);

	if (culprit->name == WHY_NAME_NONE) {
		if (f->state == LEDGER_SQLITE_BUSY)
			buf_append_cstr(out, " Who had the lock is not known.");
		return;
	}
	if (sv_eq(kind, SV("sqlite_write_lock")))
		buf_append_cstr(out, " The write lock was held by ");
	else if (sv_eq(evidence, SV("woken_by")))
		buf_append_cstr(out, " They were woken by ");
	else if (sv_eq(kind, SV("runqueue")))
		buf_append_cstr(out, " The CPU had ");
	else
		buf_append_cstr(out, " The lock was held by ");
	why_append_culprit(out, report, culprit);
	if (culprit->max_ns) {
		buf_append_cstr(out, " for ");
		tree_append_duration(out, culprit->min_ns);
		if (culprit->max_ns - culprit->min_ns >= culprit->min_ns / 100) {
			buf_append_cstr(out, " to ");
			tree_append_duration(out, culprit->max_ns);
		}
	}
	if (culprit->requests < f->requests - 0.5)
		buf_printf(out, ", in %.0f of them", culprit->requests);
	buf_append_cstr(out, "; evidence: ");
	append_evidence(out, evidence);
	buf_append_char(out, '.');
}

/* " Each overlapped with 4.5 other GET /locked of the process on average, 9 at most." */
static void append_beside(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	const struct why_beside *beside = &f->beside;
	struct sv name = why_name_part(report->names, beside->name, 0);
	bool alike = sv_eq(name, why_name_part(report->names, f->route, 1));
	bool same = beside->mean > beside->max - 0.05;

	if (beside->name == WHY_NAME_NONE)
		return;
	if (beside->requests < f->requests - 0.5)
		buf_printf(out, " %.0f of them overlapped", beside->requests);
	else
		buf_append_cstr(out, f->requests < 1.5 ? " It overlapped" : " Each overlapped");
	buf_printf(out, " with %.*f %s", !same, beside->mean, alike ? "other " : "");
	tree_append_text(out, name, WHY_WORDS_NAME_MAX);
	buf_append_cstr(out, " of the process");
	if (!same)
		buf_printf(out, " on average, %u at most", beside->max);
	buf_append_char(out, '.');
}

static void sentences_time(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	buf_printf(out, " %s ", states[f->state].did);
	why_append_range(out, f->min_ns, f->max_ns, f->mean_ns);
	append_places(out, report, f);
	append_frame(out, report, f);
	buf_append_char(out, '.');
	if (f->percentile) {
		buf_printf(out, " Without it p%d would be ", f->percentile);
		tree_append_duration(out, f->without_ns);
		buf_append_cstr(out, " instead of ");
		tree_append_duration(out, f->now_ns);
		buf_append_char(out, '.');
	}
	append_blame(out, report, f);
	append_beside(out, report, f);
}

static void sentences_failure(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	buf_append_cstr(out, ": ");
	why_append_failure(out, report, f->failure);
	if (f->state == LEDGER_SQLITE_BUSY) {
		buf_append_cstr(out,
		    f->failure == WHY_NAME_NONE ? "; SQLite backed off for "
						: " after backing off for ");
		why_append_range(out, f->min_ns, f->max_ns, f->mean_ns);
	}
	buf_append_char(out, '.');
	append_blame(out, report, f);
}

static void sentences_no_answer(
    struct buf *out, const struct why_report *report, const struct why_finding *f)
{
	buf_append_cstr(out, " had none, or not all of it, when the observation ended, after ");
	why_append_range(out, f->min_ns, f->max_ns, f->mean_ns);
	if (!f->known) {
		buf_append_cstr(out, "; what they wait for is not known.");
		return;
	}
	buf_append_cstr(out, "; so far ");
	why_append_percent(out, f->share);
	buf_printf(out, " of it is %s", ledger_state_name(f->state));
	if (f->n_places > 0 && f->places[0].name != WHY_NAME_NONE) {
		buf_append_cstr(out, ", in ");
		why_append_place(out, report, f->places[0].name);
	}
	append_frame(out, report, f);
	buf_append_char(out, '.');
	append_blame(out, report, f);
}

void why_append_sentences(struct buf *out, const struct why_report *report,
    const struct why_finding *f, bool with_callers)
{
	why_append_count(out, report, f->route, f->requests, f->of);
	switch (f->kind) {
	case WHY_FINDING_TIME:
		sentences_time(out, report, f);
		break;
	case WHY_FINDING_FAILURE:
		sentences_failure(out, report, f);
		break;
	case WHY_FINDING_NO_ANSWER:
		sentences_no_answer(out, report, f);
		break;
	case WHY_FINDING_INVALID:
		break;
	}
	if (with_callers)
		append_callers(out, report, f);
}
