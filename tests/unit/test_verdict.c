// SPDX-License-Identifier: Apache-2.0
/*
 * Which rule decides, what the parent's decision does beside it, and that what is claimed is true: counted by their
 * thresholds, what is kept is as many as there were.
 */
#include "sampling/verdict.h"
#include "sampling_fixture.h"

static struct trace_facts facts_of(const struct trace_model *m, const struct trace_id *id)
{
	struct trace *trace = model_trace(m, id);
	struct trace_facts facts;

	trace_facts_take(trace, &facts);
	facts.entry = NULL; /* it dies with the trace */
	trace_unref(trace);
	return facts;
}

/* An id whose last bytes are this randomness. */
static struct trace_id id_with(uint64_t randomness)
{
	struct trace_id id = {{0xab, 0xcd}};

	for (int i = 0; i < 7; i++)
		id.b[9 + i] = (uint8_t)(randomness >> (48 - 8 * i));
	return id;
}

static struct verdict decide(
    const struct sampling_policy *policy, const struct trace_model *m, uint64_t randomness)
{
	struct trace_id id = id_with(randomness);
	struct trace_facts facts = facts_of(m, &id);

	return sampling_decide(policy, &facts);
}

static void expect(struct verdict verdict, bool keep, enum sampling_reason reason)
{
	if (verdict.keep != keep || verdict.reason != reason)
		fail_msg("%s for '%s', not %s for '%s'", verdict.keep ? "kept" : "dropped",
		    sampling_reason_name(verdict.reason), keep ? "kept" : "dropped",
		    sampling_reason_name(reason));
}

static void facts(void **state)
{
	const struct trace_model model = {.took_ms = 7,
	    .status = 404,
	    .trace_state = "a=b,ot=rv:00000000000005;th:8",
	    .given = true,
	    .sampled = true};
	struct trace_id id = id_with(3);
	struct trace *trace = model_trace(&model, &id);
	struct trace_facts taken;

	(void)state;
	trace_facts_take(trace, &taken);
	assert_ptr_equal(taken.entry, trace->spans[0]);
	assert_int_equal(taken.duration_ns, 7 * NS_PER_MS);
	assert_false(taken.failed);
	assert_true(taken.refused && taken.given && taken.sampled);
	assert_int_equal(taken.randomness, 5); /* rv comes before the id's */
	assert_true(taken.state.threshold == OT_NEVER / 2);
	/* Whatever span fails; whatever the order; a part without the request takes from its first to its last moment. */
	trace->spans[1]->status = SPAN_STATUS_ERROR;
	trace->spans[1]->start_ns = NS_PER_S - 5;
	trace_facts_take(trace, &taken);
	assert_true(taken.failed);
	assert_false(taken.refused);
	assert_ptr_equal(taken.entry, trace->spans[1]);
	assert_int_equal(taken.duration_ns, 7);
	assert_int_equal(taken.randomness, 5); /* the tracestate of another span */
	trace->more = true;
	trace_facts_take(trace, &taken);
	assert_int_equal(taken.duration_ns, 7 * NS_PER_MS + 5);
	trace->opened_with = (struct ot_state){OT_UNKNOWN, 6}; /* the request's, still open */
	trace_facts_take(trace, &taken);
	assert_int_equal(taken.randomness, 6);
	assert_true(taken.state.threshold == OT_UNKNOWN);
	trace_unref(trace);
}

static void highest_probability_decides(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER / 4 * 3,
	    .client_errors = OT_NEVER / 8 * 7,
	    .otherwise = OT_NEVER / 16 * 15,
	    .slower = {{.ns = 500 * NS_PER_MS, .threshold = OT_NEVER / 2},
		{.ns = NS_PER_S, .threshold = 0}},
	    .n_slower = 2};
	const struct trace_model good = {0}, failed = {.failed = true}, refused = {.status = 404},
				 slow = {.took_ms = 501}, slower = {.took_ms = 1001},
				 both = {.took_ms = 501, .failed = true};
	uint64_t half = OT_NEVER / 2;

	(void)state;
	expect(decide(&policy, &good, OT_NEVER / 16 * 15), true, SAMPLING_RATIO);
	expect(decide(&policy, &good, OT_NEVER / 16 * 15 - 1), false, SAMPLING_RATIO);
	expect(decide(&policy, &failed, OT_NEVER / 4 * 3), true, SAMPLING_ERROR);
	expect(decide(&policy, &failed, OT_NEVER / 4 * 3 - 1), false, SAMPLING_ERROR);
	expect(decide(&policy, &refused, OT_NEVER / 8 * 7), true, SAMPLING_CLIENT_ERROR);
	expect(decide(&policy, &slow, half), true, SAMPLING_SLOW);
	expect(decide(&policy, &slow, half - 1), false, SAMPLING_SLOW);
	expect(decide(&policy, &slower, 0), true, SAMPLING_SLOW);
	expect(decide(&policy, &both, half), true, SAMPLING_SLOW);
	assert_true(decide(&policy, &both, half).threshold == half);
	assert_true(decide(&policy, &failed, OT_NEVER - 1).threshold == OT_NEVER / 4 * 3);
	/* As long as is no longer; a 500 without ERROR is no refusal. */
	expect(decide(&policy, &(struct trace_model){.took_ms = 500}, half), false, SAMPLING_RATIO);
	expect(decide(&policy, &(struct trace_model){.status = 500}, half), false, SAMPLING_RATIO);
}

/* A quarter: the least randomness that is kept, and the most that is not. */
static void edge_of_a_quarter(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = ot_threshold(0.25)};
	const struct trace_model good = {0};

	(void)state;
	expect(decide(&policy, &good, 0xbfffffffffffff), false, SAMPLING_RATIO);
	expect(decide(&policy, &good, 0xc0000000000000), true, SAMPLING_RATIO);
}

static void rules_that_are_not_there(void **state)
{
	const struct sampling_policy none = {
	    .on = true, .errors = OT_NEVER, .client_errors = OT_NEVER, .otherwise = OT_NEVER};
	const struct trace_model failed = {.failed = true, .status = 404};

	(void)state;
	expect(decide(&none, &failed, OT_NEVER - 1), false, SAMPLING_RATIO);
	assert_false(verdict_is_special(&(struct verdict){.reason = SAMPLING_RATIO}));
	assert_true(verdict_is_special(&(struct verdict){.reason = SAMPLING_SLOW}));
}

static void percentiles_need_a_crowd(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER,
	    .slower = {{.share = 0.01}, {.share = 0.5, .threshold = OT_NEVER / 2}},
	    .n_slower = 2};
	struct trace_facts rare = {.compared = 100, .share = 0.01};

	(void)state;
	expect(sampling_decide(&policy, &rare), true, SAMPLING_SLOW);
	rare.share = 0.0101;
	expect(sampling_decide(&policy, &rare), false, SAMPLING_SLOW); /* beyond p50 only */
	rare.share = 0.01;
	rare.compared = 99; /* less than one of them would be beyond p99 */
	assert_true(sampling_decide(&policy, &rare).threshold == OT_NEVER / 2);
	rare.compared = 19;
	expect(sampling_decide(&policy, &rare), false, SAMPLING_RATIO);
}

/* --- the parent --- */

static void parent(void **state)
{
	const struct sampling_policy policy = {
	    .on = true, .errors = 0, .client_errors = OT_NEVER / 2, .otherwise = ONE_IN_20};
	const uint64_t high = OT_NEVER - 1, quarter = OT_NEVER / 4 * 3;
	struct trace_model m = {.given = true, .sampled = true};
	struct sampling_policy ignoring = policy;

	(void)state;
	/* Sampled: kept, and the claim is the parent's, if it makes one that can be true. */
	expect(decide(&policy, &m, 0), true, SAMPLING_PARENT);
	assert_true(decide(&policy, &m, 0).threshold == OT_UNKNOWN);
	m.trace_state = "ot=th:c";
	assert_true(decide(&policy, &m, quarter).threshold == quarter);
	assert_true(decide(&policy, &m, quarter - 1).threshold == OT_UNKNOWN);
	/* All errors are kept, whatever the parent does: that is the claim. */
	m.failed = true;
	expect(decide(&policy, &m, high), true, SAMPLING_ERROR);
	assert_true(decide(&policy, &m, high).threshold == 0);
	/* Half of the refused are kept by the rule, which are more than the parent's quarter. */
	m.failed = false;
	m.status = 404;
	assert_true(decide(&policy, &m, high).threshold == OT_NEVER / 2);
	m.trace_state = "ot=th:4"; /* three quarters */
	assert_true(decide(&policy, &m, high).threshold == OT_NEVER / 4);
	m.trace_state = NULL; /* who knows */
	assert_true(decide(&policy, &m, high).threshold == OT_UNKNOWN);
	expect(decide(&policy, &m, 0), true, SAMPLING_PARENT);
	/* Not sampled: only what rules that know something keep. */
	m.sampled = false;
	expect(decide(&policy, &m, high), true, SAMPLING_CLIENT_ERROR);
	assert_true(decide(&policy, &m, high).threshold == OT_UNKNOWN);
	expect(decide(&policy, &m, 0), false, SAMPLING_CLIENT_ERROR);
	m.status = 0;
	expect(decide(&policy, &m, high), false, SAMPLING_PARENT);
	m.failed = true;
	expect(decide(&policy, &m, 0), true, SAMPLING_ERROR);
	assert_true(decide(&policy, &m, 0).threshold == 0);
	/* Not asked: the rules alone. */
	ignoring.ignore_parent = true;
	m.failed = false;
	expect(decide(&ignoring, &m, ONE_IN_20), true, SAMPLING_RATIO);
	m.sampled = true;
	m.trace_state = "ot=th:c";
	expect(decide(&ignoring, &m, quarter), false, SAMPLING_RATIO);
	assert_true(decide(&ignoring, &m, high).threshold == ONE_IN_20);
}

/* --- properties --- */

enum {
	MANY = 100000,
};

/* Two that differ in their ratio: the lower one keeps a part of what the higher one keeps. And as much as it should. */
static void kept_sets_are_nested(void **state)
{
	static const double ratios[] = {0.001, 0.05, 0.3, 0.5, 0.9};
	const struct trace_model model = {0};
	size_t kept[5] = {0};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 20);
	for (int i = 0; i < MANY; i++) {
		struct trace_id id = random_id(&rng);
		struct trace_facts found = facts_of(&model, &id);
		bool before = false;

		for (size_t k = 0; k < 5; k++) {
			const struct sampling_policy policy = {.on = true,
			    .errors = OT_NEVER,
			    .client_errors = OT_NEVER,
			    .otherwise = ot_threshold(ratios[k])};
			bool keep = sampling_decide(&policy, &found).keep;

			assert_true(keep || !before);
			before = keep;
			kept[k] += keep;
		}
	}
	for (size_t k = 0; k < 5; k++) {
		double mean = MANY * ratios[k], variance = mean * (1 - ratios[k]);
		double off = (double)kept[k] - mean;

		if (off * off > 25 * variance)
			fail_msg("%zu of %d are kept at %g", kept[k], MANY, ratios[k]);
	}
}

/*
 * A parent that samples a quarter by the same randomness, and says so: good, failed and refused requests are each estimated
 * by the thresholds of what is kept of them.
 */
static void claims_are_true(void **state)
{
	const struct sampling_policy policy = {
	    .on = true, .errors = 0, .client_errors = OT_NEVER / 16 * 15, .otherwise = ONE_IN_20};
	static const struct trace_model models[] = {
	    {.given = true}, {.given = true, .failed = true}, {.given = true, .status = 404}, {0}};
	double estimate[4] = {0}, n[4] = {0};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 21);
	for (int i = 0; i < MANY; i++) {
		struct trace_id id = random_id(&rng);
		struct trace_model m = models[i % 4];
		struct trace_facts found;
		struct verdict verdict;

		m.sampled = ot_randomness(&id) >= OT_NEVER / 4 * 3;
		m.trace_state = m.given && m.sampled ? "ot=th:c" : NULL;
		found = facts_of(&m, &id);
		verdict = sampling_decide(&policy, &found);
		n[i % 4]++;
		if (verdict.keep) {
			assert_true(verdict.threshold != OT_UNKNOWN);
			estimate[i % 4] += 1 / ot_probability(verdict.threshold);
		}
	}
	assert_true(estimate[1] == n[1]);
	for (int k = 0; k < 4; k++)
		if (estimate[k] < 0.9 * n[k] || estimate[k] > 1.1 * n[k])
			fail_msg("%.0f of %.0f of kind %d", estimate[k], n[k], k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(facts),
	    cmocka_unit_test(highest_probability_decides),
	    cmocka_unit_test(edge_of_a_quarter),
	    cmocka_unit_test(rules_that_are_not_there),
	    cmocka_unit_test(percentiles_need_a_crowd),
	    cmocka_unit_test(parent),
	    cmocka_unit_test(kept_sets_are_nested),
	    cmocka_unit_test(claims_are_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
