// SPDX-License-Identifier: Apache-2.0
/* The report for scripts: the same numbers and sentences, as one JSON object. See write.h. */
#include "export/put.h"
#include "span/frames.h"
#include "why/json_out.h"
#include "why/words.h"
#include "why/write.h"

struct json {
	struct json_out o;
	const struct why_report *report;
	struct buf text; /* scratch */
};

static void put_ms(struct json *j, const char *key, double ns)
{
	json_out_number(&j->o, key, ns / (double)NS_PER_MS);
}

static void put_percent(struct json *j, const char *key, double share)
{
	json_out_number(&j->o, key, 100 * share);
}

static void put_part(struct json *j, const char *key, uint32_t name, size_t part)
{
	struct sv text = why_name_part(j->report->names, name, part);

	if (text.len)
		json_out_string(&j->o, key, text);
}

static void put_words(struct json *j, const char *key,
    void (*append)(struct buf *out, const struct why_report *report, uint32_t name), uint32_t name)
{
	buf_clear(&j->text);
	append(&j->text, j->report, name);
	json_out_string(&j->o, key, buf_sv(&j->text));
}

static void put_route(struct json *j, uint32_t route)
{
	put_words(j, "route", why_append_route, route);
	put_part(j, "service", route, 0);
}

/* --- findings ---------------------------------------------------------------------------------- */

static void put_sentences(struct json *j, const struct why_finding *f)
{
	buf_clear(&j->text);
	why_append_headline(&j->text, j->report, f);
	json_out_string(&j->o, "headline", buf_sv(&j->text));
	buf_clear(&j->text);
	why_append_sentences(&j->text, j->report, f, true);
	json_out_string(&j->o, "text", buf_sv(&j->text));
}

static void put_time(struct json *j, const struct why_finding *f)
{
	struct sv frame = frames_own(why_name_part(j->report->names, f->stack, 0));
	double sum = 0;

	json_out_string(&j->o, "state", sv_cstr(ledger_state_name(f->state)));
	put_ms(j, "lost_ms", f->lost_ns);
	put_percent(j, "lost_percent", f->share);
	if (frame.len)
		json_out_string(&j->o, "frame", frame);
	if (f->percentile) {
		json_out_number(&j->o, "percentile", f->percentile);
		put_ms(j, "now_ms", (double)f->now_ns);
		put_ms(j, "without_ms", (double)f->without_ns);
	}
	for (size_t i = 0; i < f->n_places; i++)
		sum += f->places[i].amount;
	json_out_open(&j->o, "places", '[');
	for (size_t i = 0; i < f->n_places; i++) {
		json_out_open(&j->o, NULL, '{');
		put_words(j, "place", why_append_place, f->places[i].name);
		put_percent(j, "percent", f->places[i].amount / sum);
		json_out_close(&j->o, '}');
	}
	json_out_close(&j->o, ']');
}

static void put_failure(struct json *j, const struct why_finding *f)
{
	if (f->status)
		json_out_number(&j->o, "status", f->status);
	put_part(j, "error", f->error, 0);
	if (f->failure == WHY_NAME_NONE)
		return;
	put_words(j, "cause", why_append_failure, f->failure);
	if (why_name_kind(j->report->names, f->failure) != WHY_NAME_FAILED_STATEMENT)
		return;
	put_part(j, "statement", f->failure, 0);
	put_part(j, "database", f->failure, 1);
	put_part(j, "code", f->failure, 2);
}

static void put_no_answer(struct json *j, const struct why_finding *f)
{
	struct sv frame = frames_own(why_name_part(j->report->names, f->stack, 0));

	json_out_string(&j->o, "state", sv_cstr(ledger_state_name(f->state)));
	put_ms(j, "state_ms", f->lost_ns);
	put_percent(j, "state_percent", f->share);
	if (f->n_places > 0)
		put_words(j, "place", why_append_place, f->places[0].name);
	if (frame.len)
		json_out_string(&j->o, "frame", frame);
}

static void put_culprit(struct json *j, const struct why_culprit *culprit)
{
	if (culprit->name == WHY_NAME_NONE)
		return;
	json_out_open(&j->o, "culprit", '{');
	put_part(j, "kind", culprit->name, WHY_CULPRIT_KIND);
	put_part(j, "evidence", culprit->name, WHY_CULPRIT_EVIDENCE);
	put_part(j, "pid", culprit->name, WHY_CULPRIT_PID);
	put_part(j, "process", culprit->name, WHY_CULPRIT_PROCESS);
	put_part(j, "statement", culprit->name, WHY_CULPRIT_STATEMENT);
	put_part(j, "request", culprit->name, WHY_CULPRIT_REQUEST);
	json_out_bool(&j->o, "same_process",
	    why_name_part(j->report->names, culprit->name, WHY_CULPRIT_SAME).len > 0);
	json_out_number(&j->o, "requests", culprit->requests);
	put_ms(j, "held_min_ms", (double)culprit->min_ns);
	put_ms(j, "held_max_ms", (double)culprit->max_ns);
	json_out_open(&j->o, "examples", '[');
	for (size_t i = 0; i < culprit->n_examples; i++) {
		json_out_open(&j->o, NULL, '{');
		if (culprit->examples[i].transaction)
			json_out_number(
			    &j->o, "transaction", (double)culprit->examples[i].transaction);
		if (culprit->examples[i].thread)
			json_out_number(&j->o, "thread", culprit->examples[i].thread);
		json_out_close(&j->o, '}');
	}
	json_out_close(&j->o, ']');
	json_out_bool(&j->o, "more", culprit->more);
	json_out_close(&j->o, '}');
}

static void put_beside(struct json *j, const struct why_beside *beside)
{
	if (beside->name == WHY_NAME_NONE)
		return;
	json_out_open(&j->o, "beside", '{');
	put_part(j, "name", beside->name, 0);
	json_out_number(&j->o, "requests", beside->requests);
	json_out_number(&j->o, "mean", beside->mean);
	json_out_number(&j->o, "max", beside->max);
	put_ms(j, "longest_ms", (double)beside->longest_ns);
	json_out_close(&j->o, '}');
}

static void put_callers(struct json *j, const struct why_finding *f)
{
	json_out_open(&j->o, "callers", '[');
	for (size_t i = 0; i < f->n_callers; i++) {
		json_out_open(&j->o, NULL, '{');
		put_route(j, f->callers[i].name);
		if (f->kind == WHY_FINDING_FAILURE)
			json_out_number(&j->o, "failed", f->callers[i].amount);
		else
			put_percent(j, "percent_of_its_time", f->callers[i].amount);
		json_out_close(&j->o, '}');
	}
	json_out_close(&j->o, ']');
}

static void put_finding(struct json *j, const struct why_finding *f)
{
	static const struct sv kinds[] = {
	    [WHY_FINDING_TIME] = SV("time"),
	    [WHY_FINDING_FAILURE] = SV("failure"),
	    [WHY_FINDING_NO_ANSWER] = SV("no_answer"),
	};

	json_out_open(&j->o, NULL, '{');
	json_out_string(&j->o, "kind", kinds[f->kind]);
	put_route(j, f->route);
	put_sentences(j, f);
	json_out_number(&j->o, "weight", f->weight);
	json_out_number(&j->o, "requests", f->requests);
	json_out_number(&j->o, "of", f->of);
	put_ms(j, "min_ms", (double)f->min_ns);
	put_ms(j, "mean_ms", f->mean_ns);
	put_ms(j, "max_ms", (double)f->max_ns);
	if (f->kind == WHY_FINDING_TIME)
		put_time(j, f);
	if (f->kind == WHY_FINDING_NO_ANSWER && f->known)
		put_no_answer(j, f);
	if (f->kind == WHY_FINDING_FAILURE)
		put_failure(j, f);
	put_culprit(j, &f->culprit);
	put_beside(j, &f->beside);
	put_callers(j, f);
	json_out_close(&j->o, '}');
}

/* --- routes ------------------------------------------------------------------------------------ */

static void put_difference(struct json *j, const struct why_difference *d)
{
	static const struct sv kinds[] = {
	    [WHY_FACT_TIME] = SV("time"),
	    [WHY_FACT_PASSED_ON] = SV("passed_on"),
	    [WHY_FACT_STATEMENT] = SV("executions"),
	    [WHY_FACT_FAILURE] = SV("failures"),
	    [WHY_FACT_CULPRIT] = SV("culprits"),
	};
	bool time = d->kind == WHY_FACT_TIME || d->kind == WHY_FACT_PASSED_ON;

	json_out_open(&j->o, NULL, '{');
	json_out_string(&j->o, "kind", kinds[d->kind]);
	if (time || d->kind == WHY_FACT_CULPRIT)
		json_out_string(&j->o, "state", sv_cstr(ledger_state_name(d->state)));
	if (d->kind == WHY_FACT_FAILURE)
		put_words(j, "place", why_append_failure, d->place);
	else
		put_words(j, "place", why_append_place, d->place);
	if (time) {
		put_ms(j, "slow_ms", d->slow);
		put_ms(j, "others_ms", d->normal);
	} else {
		json_out_number(&j->o, "slow", d->slow);
		json_out_number(&j->o, "others", d->normal);
	}
	json_out_number(&j->o, "in_slow", d->in_slow);
	json_out_number(&j->o, "in_others", d->in_normal);
	json_out_close(&j->o, '}');
}

static void put_comparison(struct json *j, const struct why_comparison *c)
{
	if (c->threshold_ns == 0)
		return;
	json_out_open(&j->o, "slow", '{');
	put_ms(j, "over_ms", (double)c->threshold_ns);
	json_out_number(&j->o, "requests", c->slow);
	put_ms(j, "mean_ms", c->slow_mean_ns);
	json_out_number(&j->o, "others", c->normal);
	put_ms(j, "others_mean_ms", c->normal_mean_ns);
	json_out_open(&j->o, "differences", '[');
	for (size_t i = 0; i < c->n_differences; i++)
		put_difference(j, &c->differences[i]);
	json_out_close(&j->o, ']');
	json_out_close(&j->o, '}');
}

static void put_statuses(struct json *j, const struct why_route *route)
{
	char key[PUT_INT_MAX + 1];

	json_out_open(&j->o, "statuses", '{');
	for (size_t i = 0; i < route->n_statuses; i++) {
		*put_i64(key, route->statuses[i].status) = '\0';
		json_out_number(&j->o, key, route->statuses[i].requests);
	}
	json_out_close(&j->o, '}');
}

static void put_states(struct json *j, const double state_ns[])
{
	json_out_open(&j->o, "states_ms", '{');
	for (int i = 0; i < LEDGER_STATES; i++)
		if (state_ns[i] > 0)
			put_ms(j, ledger_state_name((enum ledger_state)i), state_ns[i]);
	json_out_close(&j->o, '}');
}

static void put_one_route(struct json *j, const struct why_route *route)
{
	json_out_open(&j->o, NULL, '{');
	put_route(j, route->name);
	json_out_bool(&j->o, "outside_of_requests",
	    why_name_kind(j->report->names, route->name) != WHY_NAME_REQUEST);
	json_out_number(&j->o, "requests", route->requests);
	json_out_number(&j->o, "failed", route->failed);
	json_out_number(&j->o, "open", route->open);
	if (route->open > 0)
		put_ms(j, "open_max_ms", (double)route->open_max_ns);
	put_ms(j, "total_ms", route->total_ns);
	put_ms(j, "lost_ms", route->lost_ns);
	put_ms(j, "p50_ms", (double)route->p50_ns);
	put_ms(j, "p95_ms", (double)route->p95_ns);
	put_ms(j, "p99_ms", (double)route->p99_ns);
	put_ms(j, "max_ms", (double)route->max_ns);
	json_out_bool(&j->o, "estimated", route->sampled);
	put_states(j, route->state_ns);
	put_statuses(j, route);
	json_out_open(&j->o, "passed_on", '[');
	for (size_t i = 0; i < route->n_passed; i++) {
		json_out_open(&j->o, NULL, '{');
		put_route(j, route->passed[i].name);
		put_ms(j, "total_ms", route->passed[i].amount);
		json_out_close(&j->o, '}');
	}
	json_out_close(&j->o, ']');
	put_comparison(j, &route->comparison);
	json_out_close(&j->o, '}');
}

/* --- stacks ------------------------------------------------------------------------------------ */

static void put_frames(struct json *j, const char *key, struct sv frames)
{
	struct sv frame;

	json_out_open(&j->o, key, '[');
	while (frames_next(&frames, &frame))
		json_out_string(&j->o, NULL, frame);
	json_out_close(&j->o, ']');
}

static void put_stack(struct json *j, const struct why_stack *stack)
{
	json_out_open(&j->o, NULL, '{');
	put_route(j, stack->route);
	json_out_string(&j->o, "state", sv_cstr(ledger_state_name(stack->state)));
	json_out_number(&j->o, "requests", stack->requests);
	put_ms(j, "total_ms", stack->total_ns);
	put_frames(j, "user", why_name_part(j->report->names, stack->name, 0));
	put_frames(j, "kernel", why_name_part(j->report->names, stack->name, 1));
	json_out_close(&j->o, '}');
}

/* --- open requests ----------------------------------------------------------------------------- */

static void put_open(struct json *j, const struct why_open *open)
{
	struct sv user = why_name_part(j->report->names, open->stack, 0), frame = frames_own(user);

	json_out_open(&j->o, NULL, '{');
	put_route(j, open->route);
	put_ms(j, "age_ms", (double)open->age_ns);
	put_states(j, open->state_ns);
	json_out_string(&j->o, "state", sv_cstr(ledger_state_name(open->state)));
	if (open->place != WHY_NAME_NONE)
		put_words(j, "place", why_append_place, open->place);
	if (frame.len)
		json_out_string(&j->o, "frame", frame);
	put_frames(j, "user", user);
	put_frames(j, "kernel", why_name_part(j->report->names, open->stack, 1));
	json_out_close(&j->o, '}');
}

/* --- the whole --------------------------------------------------------------------------------- */

static void put_confidence(struct json *j)
{
	const struct why_report *r = j->report;

	json_out_string(&j->o, "confidence", sv_cstr(why_confidence_name(r->confidence)));
	json_out_open(&j->o, "reasons", '[');
	for (size_t i = 0; i < r->n_reasons; i++) {
		buf_clear(&j->text);
		why_append_reason(&j->text, &r->reasons[i]);
		json_out_string(&j->o, NULL, buf_sv(&j->text));
	}
	json_out_close(&j->o, ']');
}

static void put_coverage(struct json *j)
{
	const struct why_coverage *c = &j->report->coverage;

	json_out_open(&j->o, "coverage", '{');
	json_out_number(&j->o, "events", (double)c->events);
	json_out_number(&j->o, "lost", (double)c->lost);
	if (c->lost_causes && *c->lost_causes)
		json_out_string(&j->o, "lost_causes", sv_cstr(c->lost_causes));
	put_percent(j, "http_bytes_seen_percent", c->seen_share);
	put_percent(j, "unattributed_percent", j->report->unattributed_share);
	json_out_number(&j->o, "spans", (double)j->report->collected.spans);
	json_out_number(&j->o, "dropped_spans", (double)c->dropped_spans);
	json_out_number(&j->o, "ambiguous", (double)c->ambiguous);
	json_out_number(&j->o, "began_before", j->report->early);
	json_out_number(&j->o, "answers_without_request", (double)c->strays);
	json_out_number(&j->o, "statements_without_duration", (double)j->report->collected.untimed);
	json_out_number(&j->o, "without_room", (double)j->report->crowded);
	json_out_close(&j->o, '}');
}

static void put_totals(struct json *j)
{
	const struct why_report *r = j->report;

	json_out_string(&j->o, "observed", sv_cstr(r->coverage.who));
	json_out_number(&j->o, "seconds", (double)r->coverage.observed_ns / (double)NS_PER_S);
	json_out_number(&j->o, "requests", r->requests);
	json_out_number(&j->o, "failed", r->failed);
	json_out_number(&j->o, "open", r->open);
	json_out_number(&j->o, "outside_of_requests", r->lone);
	put_ms(j, "total_ms", r->total_ns);
	put_ms(j, "lost_ms", r->lost_ns);
	if (r->n_routes)
		return;
	buf_clear(&j->text);
	why_append_nothing(&j->text, r);
	json_out_string(&j->o, "nothing_observed", buf_sv(&j->text));
}

void why_write_json(struct buf *out, const struct why_report *report)
{
	struct json j = {.o = {.out = out}, .report = report};

	buf_init(&j.text);
	json_out_open(&j.o, NULL, '{');
	put_totals(&j);
	put_confidence(&j);
	json_out_open(&j.o, "findings", '[');
	for (size_t i = 0; i < report->n_findings; i++)
		put_finding(&j, &report->findings[i]);
	json_out_close(&j.o, ']');
	json_out_open(&j.o, "routes", '[');
	for (size_t i = 0; i < report->n_routes; i++)
		put_one_route(&j, &report->routes[i]);
	json_out_close(&j.o, ']');
	json_out_open(&j.o, "open_requests", '[');
	for (size_t i = 0; i < report->n_opens; i++)
		put_open(&j, &report->opens[i]);
	json_out_close(&j.o, ']');
	json_out_open(&j.o, "stacks", '[');
	for (size_t i = 0; i < report->n_stacks; i++)
		put_stack(&j, &report->stacks[i]);
	json_out_close(&j.o, ']');
	put_coverage(&j);
	json_out_close(&j.o, '}');
	buf_append_char(out, '\n');
	out->failed |= j.text.failed;
	buf_release(&j.text);
}
