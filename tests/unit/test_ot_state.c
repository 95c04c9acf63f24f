// SPDX-License-Identifier: Apache-2.0
/* Thresholds as the specification's table has them, and OpenTelemetry's member of tracestate, read and written. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "proto/ot_state.h"
#include "support.h"

/* The tracestate with this threshold. */
static void writes(const char *state, uint64_t threshold, const char *expect)
{
	size_t room = strlen(state) + OT_STATE_GROWTH, len;
	struct edge in = edge_copy(state, strlen(state));
	char *text = malloc(room + 1);

	len = ot_state_write(text, sv_from(in.p, in.len), threshold);
	assert_true(len <= room);
	text[len] = '\0';
	assert_string_equal(text, expect);
	free(text);
	edge_free(&in);
}

/* trace/tracestate-probability-sampling.md, "Converting floating-point probability to threshold value", precision 4. */
static void table_of_the_specification(void **state)
{
	static const struct {
		double one_in;
		const char *digits;
	} rows[] = {{1, "0"}, {2, "8"}, {3, "aaab"}, {4, "c"}, {5, "cccd"}, {8, "e"}, {10, "e666"},
	    {16, "f"}, {100, "fd70a"}, {1000, "ffbe77"}, {10000, "fff9724"}, {100000, "ffff583a"},
	    {1000000, "ffffef39"}};
	char expect[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t threshold = ot_threshold(1 / rows[i].one_in);

		snprintf(expect, sizeof(expect), "ot=th:%s", rows[i].digits);
		writes("", threshold, expect);
		assert_true(fabs(ot_probability(threshold) * rows[i].one_in - 1) < 0.0005);
	}
}

static void ends_of_the_range(void **state)
{
	(void)state;
	assert_true(ot_threshold(0) == OT_NEVER);
	assert_true(ot_threshold(-1) == OT_NEVER);
	assert_true(ot_threshold(NAN) == OT_NEVER);
	assert_true(ot_threshold(1.5) == 0);
	assert_true(ot_threshold(0x1p-56) == OT_NEVER - 1);
	assert_true(ot_threshold(0x1p-57) == OT_NEVER);
	assert_true(ot_probability(0) == 1);
	assert_true(ot_probability(OT_NEVER) == 0);
	assert_true(ot_probability(ot_threshold(0.25)) == 0.25);
}

/* A higher probability never has a higher threshold: what is kept at a lower one is kept at a higher one. */
static void thresholds_are_in_order(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	for (int i = 0; i < 100000; i++) {
		double a = ldexp((double)rng_next(&rng), -64 - (int)(rng_next(&rng) % 50));
		double b = a * (1 + ldexp((double)rng_next(&rng), -64));

		assert_true(ot_threshold(a) >= ot_threshold(b));
		assert_true(ot_threshold(a) <= OT_NEVER);
	}
}

static void randomness_of_an_id(void **state)
{
	const struct trace_id id = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0,
	    0x01, 0x02, 0x03, 0x04, 0x05, 0x06}};

	(void)state;
	assert_true(ot_randomness(&id) == 0xc0010203040506);
}

static void reads(const char *text, uint64_t threshold, uint64_t randomness)
{
	struct edge in = edge_copy(text, strlen(text));
	struct ot_state state;

	ot_state_parse(sv_from(in.p, in.len), &state);
	if (state.threshold != threshold || state.randomness != randomness)
		fail_msg("'%s' is %llx, %llx", text, (unsigned long long)state.threshold,
		    (unsigned long long)state.randomness);
	edge_free(&in);
}

static void reading(void **state)
{
	(void)state;
	reads("", OT_UNKNOWN, OT_UNKNOWN);
	reads("a=b,c=d", OT_UNKNOWN, OT_UNKNOWN);
	reads("ot=th:0", 0, OT_UNKNOWN);
	reads("ot=th:c", OT_NEVER / 4 * 3, OT_UNKNOWN);
	reads("ot=th:fd70a,a=b", 0xfd70a000000000, OT_UNKNOWN);
	reads("a=b,ot=p:1;rv:00000000000001;th:80", OT_NEVER / 2, 1);
	reads("ot=rv:FFFFFFFFFFFFFF;th:FFFFFFFFFFFFFF", OT_NEVER - 1, OT_NEVER - 1);
	/* None that is valid. */
	reads("ot=th:", OT_UNKNOWN, OT_UNKNOWN);
	reads("ot=th:123456789012345", OT_UNKNOWN, OT_UNKNOWN);
	reads("ot=th:0x1", OT_UNKNOWN, OT_UNKNOWN);
	reads("ot=th:g;rv:1234567890123", OT_UNKNOWN, OT_UNKNOWN);
	reads("ot=th", OT_UNKNOWN, OT_UNKNOWN);
	reads("xot=th:8,tenant@ot=th:8", OT_UNKNOWN, OT_UNKNOWN);
	reads("ot=;;;,ot=th:8", OT_UNKNOWN, OT_UNKNOWN); /* the first one counts */
}

static void writing(void **state)
{
	(void)state;
	writes("", OT_UNKNOWN, "");
	writes("", 1, "ot=th:00000000000001");
	writes("", 0xf3333000000000, "ot=th:f3333");
	writes("a=b", OT_NEVER / 2, "ot=th:8,a=b");
	writes("a=b,ot=th:c,c=d", 0, "ot=th:0,a=b,c=d");
	writes("a=b,ot=p:1;th:c;rv:00000000000001,c=d", OT_NEVER / 2,
	    "ot=th:8;p:1;rv:00000000000001,a=b,c=d");
	writes("ot=p:1,a=b,ot=q:2", OT_NEVER / 2, "ot=th:8;p:1,a=b"); /* a key is there once */
	/* Not known: no claim stays. */
	writes("a=b,ot=th:c", OT_UNKNOWN, "a=b");
	writes("a=b,ot=th:c;rv:00000000000001", OT_UNKNOWN, "ot=rv:00000000000001,a=b");
	writes("ot=th:c", OT_NEVER, "");
	writes("ot=;;", OT_UNKNOWN, "");
	writes("ot=;p:1;", 0, "ot=th:0;p:1");
}

/* 256 characters for the member, 32 members. */
static void limits(void **state)
{
	char in[1024], out[1024];
	size_t len;

	(void)state;
	snprintf(in, sizeof(in), "a=b,ot=p:%0251d",
	    7); /* 253 characters and the new ones are too many */
	snprintf(out, sizeof(out), "ot=p:%0251d,a=b", 7);
	writes(in, OT_NEVER / 2, out);
	snprintf(in, sizeof(in), "ot=p:%0249d", 7); /* 251, and "th:8;" */
	snprintf(out, sizeof(out), "ot=th:8;p:%0249d", 7);
	writes(in, OT_NEVER / 2, out);
	writes(in, OT_NEVER / 16 * 15 + OT_NEVER / 256, in); /* "th:f1;" */
	snprintf(in, sizeof(in), "ot=p:%0244d;th:c", 7);
	snprintf(out, sizeof(out), "ot=p:%0244d", 7);
	writes(in, 1, out); /* no claim is better than the old one */
	len = 0;
	for (int i = 1; i <= 32; i++)
		len += (size_t)snprintf(in + len, sizeof(in) - len, "%sk%d=v", i > 1 ? "," : "", i);
	snprintf(out, sizeof(out), "ot=th:8,%.*s", (int)(len - strlen(",k32=v")), in);
	writes(in, OT_NEVER / 2, out);
	writes(in, OT_UNKNOWN, in);
}

/* What is written is read as the same, whatever it was written into. */
static void round_trip(void **state)
{
	static const char *const states[] = {
	    "", "a=b", "ot=th:c", "ot=p:1;rv:0123456789abcd", "a=b,ot=th:1;rv:0123456789abcd,c=d"};
	struct rng rng;
	char text[128];

	(void)state;
	rng_seed(&rng, 9);
	for (int i = 0; i < 20000; i++) {
		struct sv in = sv_cstr(states[i % 5]);
		uint64_t threshold = rng_next(&rng) >> 8 >> rng_next(&rng) % 56
			<< rng_next(&rng) % 8;
		struct ot_state before, after;

		threshold &= OT_NEVER - 1;
		ot_state_parse(in, &before);
		ot_state_parse(sv_from(text, ot_state_write(text, in, threshold)), &after);
		assert_true(after.threshold == threshold);
		assert_true(after.randomness == before.randomness);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_of_the_specification),
	    cmocka_unit_test(ends_of_the_range),
	    cmocka_unit_test(thresholds_are_in_order),
	    cmocka_unit_test(randomness_of_an_id),
	    cmocka_unit_test(reading),
	    cmocka_unit_test(writing),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
