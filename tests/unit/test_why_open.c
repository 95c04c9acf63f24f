// SPDX-License-Identifier: Apache-2.0
/* What why says of requests without an answer: each with its age, its ledger so far and where it waits, in words and in numbers. */
#include <stdio.h>

#include "why_fixture.h"

#define FRAMES "futex_wait (libc.so.6)\ntake (pool.c:41)\nserve (pool.c:88)"

/* So old at the end of the observation, which comes a second after the last. */
static void waits_for_a_lock(struct why_case *c, const char *name, uint64_t age_ns)
{
	CASE_ADD(c,
	    SERVER(name, 1, 0, age_ns, .status = SPAN_STATUS_ERROR, .cut = true,
		LEDGER([LEDGER_CPU] = 500 * MS, [LEDGER_LOCK] = age_ns - 500 * MS),
		.wait = {.state = LEDGER_LOCK,
		    .ns = age_ns - 500 * MS,
		    .user = FRAMES,
		    .kernel = "futex_do_wait"},
		.culprit = {WAIT_EVIDENCE_OWNER, 1234, 17, "writer", "flush (b.c:2)", "POST /save"},
		ATTRS(ATTR_S("error.type", "connection_closed"))));
}

static void what_they_wait_in(void **state)
{
	struct why_case *c = *state;

	waits_for_a_lock(c, "GET /pool", 6000 * MS);
	waits_for_a_lock(c, "GET /pool", 4000 * MS);
	case_make(c);
	assert_true(case_says(c,
	    "1. GET /pool gives no answer 2 of 2 requests (100 %) had none, or not all of it, when the observation ended, after 4.00 s to 6.00 s, mean 5.00 s; so far 90 % of it is lock, at take (pool.c:41). The lock was held by \"writer\", thread 17 of the same process, at flush (b.c:2), serving POST /save; evidence: the mutex named it as its owner during the wait."));
	assert_true(case_says(c,
	    "Requests without an answer, oldest first 6.00 s GET /pool cpu 500 ms, lock 5.50 s lock at take (pool.c:41) 4.00 s GET /pool cpu 500 ms, lock 3.50 s lock at take (pool.c:41)"));
	/* Of what they waited so far, when none has ended. */
	assert_true(case_says(c, "2. GET /pool waits for a lock"));
	assert_true(case_says(c, "waited 3.50 s to 5.50 s, mean 4.50 s"));
}

static void in_numbers(void **state)
{
	struct why_case *c = *state;
	struct json *json;

	waits_for_a_lock(c, "GET /pool", 4000 * MS);
	waits_for_a_lock(c, "GET /other", 6000 * MS);
	case_make(c);
	json = case_json(c);
	assert_string_equal(json_text(json, "open_requests/0/route"), "GET /other");
	assert_string_equal(json_text(json, "open_requests/0/service"), "shop");
	assert_string_equal(json_text(json, "open_requests/0/age_ms"), "6000");
	assert_string_equal(json_text(json, "open_requests/0/states_ms/cpu"), "500");
	assert_string_equal(json_text(json, "open_requests/0/states_ms/lock"), "5500");
	assert_string_equal(json_text(json, "open_requests/0/state"), "lock");
	assert_string_equal(json_text(json, "open_requests/0/frame"), "take (pool.c:41)");
	assert_string_equal(json_text(json, "open_requests/0/user/2"), "serve (pool.c:88)");
	assert_string_equal(json_text(json, "open_requests/0/kernel/0"), "futex_do_wait");
	assert_string_equal(json_text(json, "open_requests/1/age_ms"), "4000");
	assert_null(json_at(json, "open_requests/2"));
	assert_string_equal(json_text(json, "findings/0/kind"), "no_answer");
	assert_string_equal(json_text(json, "findings/0/state"), "lock");
	assert_string_equal(json_text(json, "findings/0/frame"), "take (pool.c:41)");
	assert_string_equal(json_text(json, "findings/0/culprit/evidence"), "mutex_owner");
	json_free(json);
}

/* Who waits for another open request says for whom; of a statement, which. */
static void where_without_a_stack(void **state)
{
	struct why_case *c = *state;

	CASE_ADD(c,
	    SERVER("GET /a", 1, 0, 5000 * MS, .cut = true, LEDGER([LEDGER_DOWNSTREAM] = 5000 * MS)),
	    CLIENT("GET", 2, 1, 5000 * MS, .cut = true, LEDGER([LEDGER_DOWNSTREAM] = 5000 * MS)),
	    SERVER("GET /b", 3, 2, 5000 * MS, .cut = true, LEDGER([LEDGER_DISK] = 5000 * MS)),
	    CLIENT("UPDATE t", 4, 3, 4900 * MS, .cut = true, LEDGER([LEDGER_DISK] = 4900 * MS),
		ATTRS(SQLITE)));
	case_make(c);
	assert_true(case_says(c, "so far 100 % of it is downstream, in GET /b."));
	assert_true(case_says(c, "so far 100 % of it is disk, in UPDATE t."));
	assert_true(case_says(c, "5.00 s GET /a downstream 5.00 s downstream in GET /b"));
	assert_true(case_says(c, "5.00 s GET /b disk 5.00 s disk in UPDATE t"));
}

/* A ledger that is mostly unknown says no state. */
static void what_is_not_known(void **state)
{
	struct why_case *c = *state;

	CASE_ADD(c, SERVER("GET /", 1, 0, 5000 * MS, .cut = true));
	case_make(c);
	assert_true(case_says(c, "after 5.00 s; what they wait for is not known."));
	assert_false(case_says(c, "so far"));
}

/* An open one has not waited its whole time: of those that have ended is what is told, but for the longest. */
static void beside_those_that_ended(void **state)
{
	struct why_case *c = *state;

	for (uint64_t i = 0; i < 10; i++)
		CASE_ADD(c,
		    SERVER("GET /pool", 1, 0, 1000 * MS + i * MS,
			LEDGER([LEDGER_LOCK] = 1000 * MS + i * MS), ATTRS(HTTP_STATUS(200))));
	CASE_ADD(c, SERVER("GET /pool", 1, 0, MS, .cut = true, LEDGER([LEDGER_LOCK] = MS)));
	case_make(c);
	assert_true(case_says(c, "11 of 11 requests (100 %) waited 1.00 s."));
	waits_for_a_lock(c, "GET /pool", 9500 * MS);
	case_make(c);
	assert_true(
	    case_says(c, "12 of 12 requests (100 %) waited 1.00 s to 9.00 s, mean 1.00 s,"));
}

/* One of which nothing is known, and one of which only that it does not wait for anything that is seen. */
static void nothing_is_known(void **state)
{
	struct why_case *c = *state;
	struct json *json;

	CASE_ADD(c,
	    SERVER("GET /unknown", 1, 0, 5000 * MS, .cut = true,
		LEDGER([LEDGER_UNATTRIBUTED] = 5000 * MS)));
	CASE_ADD(c, SERVER("GET /none", 2, 0, 4000 * MS, .cut = true));
	case_make(c);
	json = case_json(c);
	for (int i = 0; i < 2; i++) {
		char path[40];

		snprintf(path, sizeof(path), "open_requests/%d/state", i);
		assert_string_equal(json_text(json, path), "unattributed");
		snprintf(path, sizeof(path), "open_requests/%d/place", i);
		assert_null(json_at(json, path));
	}
	json_free(json);
}

/* The oldest are listed, the others counted; those that ended are not. */
static void only_so_many(void **state)
{
	struct why_case *c = *state;
	struct json *json;
	char path[40];

	CASE_ADD(c, SERVER("GET /", 1, 0, MS, LEDGER([LEDGER_CPU] = MS), ATTRS(HTTP_STATUS(200))));
	case_make(c);
	assert_false(case_says(c, "without an answer"));
	for (uint64_t i = 0; i < 30; i++)
		waits_for_a_lock(c, "GET /pool", 2000 * MS + i * 1000 * MS);
	case_make(c);
	assert_true(case_says(c, "oldest first 31.00 s GET /pool"));
	assert_true(case_says(c, " 22.00 s GET /pool lock"));
	assert_false(case_says(c, " 21.00 s GET /pool lock"));
	assert_true(case_says(c, " and 20 more "));
	json = case_json(c);
	for (int i = 0; i < WHY_OPENS_MAX; i++) {
		snprintf(path, sizeof(path), "open_requests/%d/age_ms", i);
		assert_true(strtod(json_text(json, path), NULL) == 31000 - 1000 * i);
	}
	assert_null(json_at(json, "open_requests/20"));
	json_free(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_they_wait_in),
	    TEST(in_numbers),
	    TEST(where_without_a_stack),
	    TEST(what_is_not_known),
	    TEST(beside_those_that_ended),
	    TEST(nothing_is_known),
	    TEST(only_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
