// SPDX-License-Identifier: Apache-2.0
/* The sampling stage: what goes on and how it is marked, traces in parts, routes apart from each other, bounds. */
#include "sampling/sampler.h"

#include "sampling/route_memory.h"
#include "sampling_fixture.h"

enum {
	KEPT_MAX = 2 * SAMPLER_MAX_PARTS,
};

struct lab {
	struct sampler *sampler;
	struct service *shop, *other;
	struct rng rng;
	struct trace *kept[KEPT_MAX];
	size_t n;
	uint64_t now_ns;
};

static void on_keep(void *ctx, struct trace *trace)
{
	struct lab *lab = ctx;

	assert_true(lab->n < KEPT_MAX);
	lab->kept[lab->n++] = trace_ref(trace);
}

static struct lab *lab_new(const struct sampling_policy *policy)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	lab->sampler =
	    sampler_new(&(struct sampler_options){.policy = policy, .keep = on_keep, .ctx = lab});
	assert_non_null(lab->sampler);
	lab->shop = fixture_service("shop", 1);
	lab->other = fixture_service("other", 2);
	lab->now_ns = NS_PER_S;
	rng_seed(&lab->rng, 40);
	return lab;
}

static void lab_forget(struct lab *lab)
{
	while (lab->n)
		trace_unref(lab->kept[--lab->n]);
}

static void lab_free(struct lab *lab)
{
	sampler_tick(lab->sampler, UINT64_MAX);
	sampler_free(lab->sampler);
	lab_forget(lab);
	service_unref(lab->shop);
	service_unref(lab->other);
	free(lab);
}

static void take(struct lab *lab, const struct trace_model *m, const struct trace_id *id)
{
	struct trace *trace = model_trace(m, id);

	sampler_take(lab->sampler, trace, lab->now_ns);
	trace_unref(trace);
}

static void take_any(struct lab *lab, const struct trace_model *m)
{
	struct trace_id id = random_id(&lab->rng);

	take(lab, m, &id);
}

static struct sampler_stats stats_of(const struct lab *lab)
{
	struct sampler_stats stats;

	sampler_stats(lab->sampler, &stats);
	return stats;
}

static void expect_state(const struct span *span, const char *text)
{
	if (!sv_eq(span->trace_state, sv_cstr(text)))
		fail_msg("'%.*s', not '%s'", SV_ARG(span->trace_state), text);
}

/* --- marks --- */

static void marks(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = 0,
	    .client_errors = OT_NEVER,
	    .otherwise = 0,
	    .ignore_parent = true};
	struct lab *lab = lab_new(&policy);
	struct trace *trace;
	struct trace_id id = random_id(&lab->rng);

	(void)state;
	take(lab,
	    &(struct trace_model){.given = true, .trace_state = "a=b,ot=rv:ffffffffffffff;th:c"},
	    &id);
	take(lab, &(struct trace_model){0}, &id);
	assert_int_equal(lab->n, 2);
	trace = lab->kept[0];
	for (size_t i = 0; i < trace->n_spans; i++)
		assert_true(trace->spans[i]->flags & SPAN_FLAG_SAMPLED);
	expect_state(trace->spans[0], "ot=th:0;rv:ffffffffffffff,a=b");
	expect_state(trace->spans[1], "ot=th:0;rv:ffffffffffffff"); /* it had none */
	expect_state(lab->kept[1]->spans[0], "ot=th:0");
	expect_state(lab->kept[1]->spans[1], "ot=th:0");
	lab_free(lab);
}

/* Links to spans of the same trace say what they do; others are none of this trace's business. */
static void marks_of_links(void **state)
{
	const struct sampling_policy policy = ERRORS_ONLY;
	struct lab *lab = lab_new(&policy);
	struct trace_id id = random_id(&lab->rng);
	struct trace *trace =
	    model_trace(&(struct trace_model){.failed = true, .given = true}, &id);

	(void)state;
	trace->spans[0]->culprit.trace_id = id;
	trace->spans[1]->culprit.trace_id = random_id(&lab->rng);
	sampler_take(lab->sampler, trace, 1);
	assert_int_equal(lab->n, 1);
	assert_true(trace->spans[0]->culprit.flags & SPAN_FLAG_SAMPLED);
	assert_false(trace->spans[1]->culprit.flags & SPAN_FLAG_SAMPLED);
	trace_unref(trace);
	lab_free(lab);
}

/* A claim that is not known is taken away, and what is dropped is left as it was. */
static void no_claim(void **state)
{
	const struct sampling_policy policy = ERRORS_ONLY;
	const struct trace_model sampled = {
	    .given = true, .sampled = true, .trace_state = "a=b,ot=th:c"};
	struct lab *lab = lab_new(&policy);
	struct trace_id low = {{1, 2, 3}};
	struct trace *dropped = model_trace(&(struct trace_model){.trace_state = "ot=th:c"}, &low);

	(void)state;
	take(lab, &sampled, &low); /* below th:c, and sampled all the same */
	assert_int_equal(lab->n, 1);
	expect_state(lab->kept[0]->spans[0], "a=b");
	expect_state(lab->kept[0]->spans[1], "");
	sampler_take(lab->sampler, dropped, 1);
	assert_int_equal(lab->n, 1);
	expect_state(dropped->spans[0], "ot=th:c");
	trace_unref(dropped);
	lab_free(lab);
}

static void counts(void **state)
{
	const struct sampling_policy policy = ERRORS_ONLY;
	struct lab *lab = lab_new(&policy);
	struct sampler_stats stats;

	(void)state;
	for (int i = 0; i < 10; i++)
		take_any(lab, &(struct trace_model){.failed = i < 3});
	take_any(lab, &(struct trace_model){.given = true});
	take_any(lab, &(struct trace_model){.given = true, .sampled = true});
	stats = stats_of(lab);
	assert_int_equal(stats.kept[SAMPLING_ERROR], 3);
	assert_int_equal(stats.kept[SAMPLING_PARENT], 1);
	assert_int_equal(stats.dropped[SAMPLING_RATIO], 7);
	assert_int_equal(stats.dropped[SAMPLING_PARENT], 1);
	assert_int_equal(sampler_stats_traces(&stats), 12);
	assert_int_equal(sampler_stats_kept(&stats), 4);
	lab_free(lab);
}

/* --- parts --- */

static const struct trace_model good_part = {.more = true}, last_part = {0};

static void parts_alike(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = 0,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER / 2,
	    .slower = {{.ns = 10 * NS_PER_MS}},
	    .n_slower = 1};
	struct lab *lab = lab_new(&policy);
	const struct trace_id low = {{1, 2, 3}}, high = {{1, [9] = 0xf0}};
	struct sampler_stats stats;

	(void)state;
	for (int i = 0; i < 3; i++) {
		take(lab, &good_part, &low);
		take(lab, &good_part, &high);
	}
	take(lab, &last_part, &low);
	take(lab, &last_part, &high);
	assert_int_equal(lab->n, 4);
	for (size_t i = 0; i < lab->n; i++)
		expect_state(lab->kept[i]->spans[0], "ot=th:8");
	stats = stats_of(lab);
	assert_int_equal(sampler_stats_traces(&stats), 2);
	assert_int_equal(sampler_stats_kept(&stats), 1);
	/* It is over: another trace with the id is one of its own. */
	take(lab, &(struct trace_model){.failed = true}, &low);
	assert_int_equal(lab->n, 5);
	lab_free(lab);
}

/* From the part that gives the reason on, what is left of a trace is kept. */
static void reason_in_a_later_part(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = 0,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER / 2,
	    .slower = {{.ns = 10 * NS_PER_MS, .threshold = OT_NEVER / 4}},
	    .n_slower = 1};
	const struct trace_id low = {{1, 2, 3}}, middle = {{1, [9] = 0x70}},
			      high = {{1, [9] = 0xf0}};
	struct lab *lab = lab_new(&policy);
	struct sampler_stats stats;

	(void)state;
	take(lab, &good_part, &low);
	assert_int_equal(lab->n, 0);
	take(lab, &(struct trace_model){.failed = true, .more = true}, &low);
	take(lab, &good_part, &low);
	take(lab, &last_part, &low);
	assert_int_equal(lab->n, 3);
	for (size_t i = 0; i < 3; i++)
		expect_state(lab->kept[i]->spans[0], "ot=th:0");
	lab_forget(lab);
	take(lab, &good_part, &middle);
	take(
	    lab, &(struct trace_model){.took_ms = 20}, &middle); /* the request's own, at the end */
	assert_int_equal(lab->n, 1);
	expect_state(lab->kept[0]->spans[0], "ot=th:4");
	lab_forget(lab);
	/* One that is kept already stays so; the claim is right from there on. */
	take(lab, &good_part, &high);
	take(lab, &(struct trace_model){.failed = true, .more = true}, &high);
	take(lab, &last_part, &high);
	assert_int_equal(lab->n, 3);
	expect_state(lab->kept[0]->spans[0], "ot=th:8");
	expect_state(lab->kept[1]->spans[0], "ot=th:0");
	expect_state(lab->kept[2]->spans[0], "ot=th:0");
	stats = stats_of(lab);
	assert_int_equal(stats.kept[SAMPLING_LATE], 2);
	assert_int_equal(stats.dropped[SAMPLING_RATIO], 2);
	assert_int_equal(sampler_stats_traces(&stats), 3);
	assert_int_equal(sampler_stats_kept(&stats), 3);
	lab_free(lab);
}

/* Two requests with one traceparent: what is decided of the one that is over at once is no business of the long one. */
static void parts_of_traces_with_one_id(void **state)
{
	const struct sampling_policy policy = ERRORS_ONLY;
	const struct trace_model failed = {.failed = true, .more = true, .number = 1},
				 part = {.more = true, .number = 1}, last = {.number = 1},
				 other = {.number = 2};
	struct lab *lab = lab_new(&policy);
	const struct trace_id id = {{1, 2, 3}};
	struct sampler_stats stats;

	(void)state;
	take(lab, &failed, &id);
	take(lab, &other, &id);
	assert_int_equal(lab->n, 1);
	take(lab, &part, &id);
	take(lab, &last, &id);
	assert_int_equal(lab->n, 3);
	stats = stats_of(lab);
	assert_int_equal(stats.kept[SAMPLING_ERROR], 1);
	assert_int_equal(stats.dropped[SAMPLING_RATIO], 1);
	assert_int_equal(sampler_stats_traces(&stats), 2);
	lab_free(lab);
}

static void more_parts_than_are_remembered(void **state)
{
	const struct sampling_policy policy = ERRORS_ONLY;
	struct lab *lab = lab_new(&policy);
	struct trace_id ids[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		ids[i] = random_id(&lab->rng);
		take(lab, &(struct trace_model){.failed = true, .more = true}, &ids[i]);
	}
	for (int i = 0; i < SAMPLER_MAX_PARTS - 1; i++) {
		take_any(lab, &good_part);
		take(lab, &good_part, &ids[1]); /* this one is heard of all the time */
	}
	assert_int_equal(stats_of(lab).parts_forgotten, 1);
	lab_forget(lab);
	take(lab, &good_part, &ids[0]);
	assert_int_equal(lab->n, 0);
	take(lab, &good_part, &ids[1]);
	assert_int_equal(lab->n, 1);
	lab_free(lab);
}

/* --- routes --- */

static void slower_than_its_route(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER,
	    .slower = {{.share = 0.01}},
	    .n_slower = 1};
	struct lab *lab = lab_new(&policy);
	const struct trace_model fast = {.service = lab->shop, .name = "GET /", .took_ms = 1};
	const struct trace_model slow = {.service = lab->shop, .name = "GET /slow", .took_ms = 100};
	const struct trace_model elsewhere = {
	    .service = lab->other, .name = "GET /", .took_ms = 100};
	const struct trace_model outlier = {.service = lab->shop, .name = "GET /", .took_ms = 100};

	(void)state;
	take_any(lab, &outlier); /* the first of its route: nothing to compare it with */
	assert_int_equal(lab->n, 0);
	for (int i = 0; i < 200; i++) {
		take_any(lab, &fast);
		take_any(lab, &slow);
		take_any(lab, &elsewhere);
	}
	assert_int_equal(lab->n, 0);
	take_any(lab, &outlier);
	assert_int_equal(lab->n, 1);
	assert_int_equal(stats_of(lab).kept[SAMPLING_SLOW], 1);
	lab_free(lab);
}

/* A part of a request, and its last one. */
static void take_two(struct lab *lab, enum span_kind kind, uint64_t took_ms)
{
	const struct trace_model first = {.more = true, .took_ms = 1}, last = {.took_ms = took_ms};
	struct trace_id id = random_id(&lab->rng);
	struct trace *trace = model_trace(&last, &id);

	trace->spans[0]->kind = kind;
	take(lab, &first, &id);
	sampler_take(lab->sampler, trace, lab->now_ns);
	trace_unref(trace);
}

/* Requests that come in parts are compared when they end, each with those before it. */
static void slow_in_parts(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER,
	    .slower = {{.share = 0.05}},
	    .n_slower = 1};
	struct lab *lab = lab_new(&policy);

	(void)state;
	for (int i = 0; i < 60; i++)
		take_two(lab, SPAN_KIND_SERVER, 1);
	take_two(lab, SPAN_KIND_CLIENT, 100); /* the request's own span came in a part before */
	assert_int_equal(lab->n, 0);
	for (int i = 0; i < 10; i++)
		take_two(lab, SPAN_KIND_SERVER, 100);
	assert_int_equal(lab->n, 4); /* then it is 4 of 64 that took as long */
	for (size_t i = 0; i < lab->n; i++)
		assert_false(lab->kept[i]->more);
	assert_int_equal(stats_of(lab).kept[SAMPLING_LATE], lab->n);
	lab_free(lab);
}

/* About one in a hundred is beyond p99, whatever the times are, and however they change. */
static void one_in_a_hundred(void **state)
{
	enum {
		N = 20000
	};
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER,
	    .slower = {{.share = 0.01}},
	    .n_slower = 1};
	struct lab *lab = lab_new(&policy);

	(void)state;
	for (int i = 0; i < N; i++) {
		uint64_t spread = 10000 / (1 + rng_next(&lab->rng) % 1000);

		take_any(lab, &(struct trace_model){.took_ms = i < N / 2 ? spread : 7 * spread});
	}
	assert_in_range(lab->n, N / 200, N / 100 + N / 400);
	lab_free(lab);
}

static void rates_by_route(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = 0,
	    .client_errors = OT_NEVER,
	    .otherwise = 0,
	    .rates = {{.route = SV("GET /named"), .per_s = 3}},
	    .n_rates = 1,
	    .other_rate = 7};
	struct lab *lab = lab_new(&policy);
	static const char *const names[] = {"GET /named", "GET /a", "GET /b"};
	struct sampler_stats stats;

	(void)state;
	for (int i = 0; i < 50; i++)
		for (size_t k = 0; k < 3; k++)
			take_any(
			    lab, &(struct trace_model){.service = lab->shop, .name = names[k]});
	take_any(lab, &(struct trace_model){.service = lab->other, .name = "GET /a"});
	take_any(
	    lab, &(struct trace_model){.service = lab->shop, .name = "GET /b", .failed = true});
	assert_int_equal(lab->n, 1);  /* the error waits for nobody */
	for (int i = 0; i < 2; i++) { /* their second, and the next */
		lab->now_ns += NS_PER_S;
		sampler_tick(lab->sampler, lab->now_ns);
	}
	assert_int_equal(lab->n, 1 + 3 + 7 + 6 + 1);
	stats = stats_of(lab);
	assert_int_equal(stats.kept[SAMPLING_ERROR], 1);
	assert_int_equal(stats.kept[SAMPLING_RATIO], 3 + 7 + 6 + 1);
	assert_int_equal(stats.dropped[SAMPLING_RATE], 47 + 43 + 44);
	assert_int_equal(sampler_stats_traces(&stats), 152);
	take_any(lab, &(struct trace_model){.service = lab->shop, .name = "GET /named"});
	sampler_tick(lab->sampler, UINT64_MAX); /* the end waits for no second */
	assert_int_equal(lab->n, 19);
	lab_free(lab);
}

/* What the rate drops is written into what it keeps. */
static void rate_is_claimed(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = 0,
	    .other_rate = 1};
	struct lab *lab = lab_new(&policy);
	const struct trace_id low = {{1, [9] = 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
			      high = {{1, [9] = 0x90}};

	(void)state;
	take(lab, &(struct trace_model){.service = lab->shop}, &high);
	take(lab, &(struct trace_model){.service = lab->shop}, &low);
	sampler_tick(lab->sampler, UINT64_MAX);
	assert_int_equal(lab->n, 1);
	expect_state(lab->kept[0]->spans[0], "ot=th:8");
	lab_free(lab);
}

/* Another policy holds from the next trace on; what waited is kept by the one before. */
static void another_policy(void **state)
{
	const struct sampling_policy before = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = 0,
	    .other_rate = 5};
	const struct sampling_policy after = ERRORS_ONLY;
	struct lab *lab = lab_new(&before);

	(void)state;
	for (int i = 0; i < 10; i++)
		take_any(lab, &(struct trace_model){.service = lab->shop});
	sampler_set_policy(lab->sampler, &after);
	assert_int_equal(lab->n, 5);
	take_any(lab, &(struct trace_model){.service = lab->shop});
	assert_int_equal(lab->n, 5);
	take_any(lab, &(struct trace_model){.service = lab->shop, .failed = true});
	assert_int_equal(lab->n, 6);
	lab_free(lab);
}

static void more_routes_than_are_remembered(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = 0,
	    .other_rate = 1000};
	struct lab *lab = lab_new(&policy);
	char name[32];

	(void)state;
	for (int i = 0; i < ROUTE_MEMORY_MAX + 10; i++) {
		snprintf(name, sizeof(name), "GET /%d", i);
		take_any(lab, &(struct trace_model){.service = lab->shop, .name = name});
	}
	assert_int_equal(stats_of(lab).routes_forgotten, 10);
	assert_int_equal(lab->n, 10); /* they did not wait any longer */
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(marks),
	    cmocka_unit_test(marks_of_links),
	    cmocka_unit_test(no_claim),
	    cmocka_unit_test(counts),
	    cmocka_unit_test(parts_alike),
	    cmocka_unit_test(reason_in_a_later_part),
	    cmocka_unit_test(parts_of_traces_with_one_id),
	    cmocka_unit_test(more_parts_than_are_remembered),
	    cmocka_unit_test(slower_than_its_route),
	    cmocka_unit_test(slow_in_parts),
	    cmocka_unit_test(one_in_a_hundred),
	    cmocka_unit_test(rates_by_route),
	    cmocka_unit_test(rate_is_claimed),
	    cmocka_unit_test(another_policy),
	    cmocka_unit_test(more_routes_than_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
