// SPDX-License-Identifier: Apache-2.0
/* What slow requests have more of, by kind: states, statements, callees, peers, failures, culprits; in data and in the text. */
#include <stdio.h>

#include "why_fixture.h"

enum {
	SLOW = 6,
	OTHERS = 30,
};

static const struct why_comparison *compared(const struct why_case *c)
{
	const struct why_comparison *comparison = &case_route(c, "GET /list")->comparison;

	assert_true(comparison->slow == SLOW && comparison->normal == OTHERS);
	return comparison;
}

/* The difference of this kind that is told first; NULL: none is. */
static const struct why_difference *first_of(const struct why_case *c, enum why_fact_kind kind)
{
	const struct why_comparison *comparison = compared(c);

	for (size_t i = 0; i < comparison->n_differences; i++)
		if (comparison->differences[i].kind == kind)
			return &comparison->differences[i];
	return NULL;
}

static bool is_about(double a, double b)
{
	return a > b * 0.999 && a < b * 1.001;
}

/* Every list is read from a store; the slow ones wait for it. */
static void call_observed(struct why_case *c, uint64_t ns)
{
	CASE_ADD(c,
	    SERVER("GET /list", 1, 0, ns + 2 * MS,
		LEDGER([LEDGER_CPU] = 2 * MS, [LEDGER_DOWNSTREAM] = ns), ATTRS(HTTP_STATUS(200))),
	    CLIENT("GET", 2, 1, ns, LEDGER([LEDGER_DOWNSTREAM] = ns)),
	    SERVER("GET /store", 3, 2, ns, LEDGER([LEDGER_SLEEP] = ns), ATTRS(HTTP_STATUS(200))));
}

static void callee(void **state)
{
	struct why_case *c = *state;
	const struct why_difference *d;
	struct json *json;

	for (int i = 0; i < OTHERS + SLOW; i++)
		call_observed(c, i < OTHERS ? MS : 50 * MS);
	case_make(c);
	d = first_of(c, WHY_FACT_PASSED_ON);
	assert_non_null(d);
	assert_int_equal(d->state, LEDGER_DOWNSTREAM);
	assert_true(case_is_named(c, d->place, "GET /store"));
	assert_true(is_about(d->slow, 50.0 * MS) && is_about(d->normal, 1.0 * MS));
	assert_true(case_says(c, "+49.0 ms waiting for GET /store (6 of 6 slow, 30 of 30 others)"));
	json = case_json(c);
	assert_string_equal(json_text(json, "routes/1/route"), "GET /list");
	assert_string_equal(json_text(json, "routes/1/slow/differences/0/kind"), "passed_on");
	assert_string_equal(json_text(json, "routes/1/slow/differences/0/place"), "GET /store");
	assert_string_equal(json_text(json, "routes/1/slow/differences/0/slow_ms"), "50");
	json_free(json);
}

/* Of a service that is not observed. */
static void peer(void **state)
{
	struct why_case *c = *state;
	const struct why_difference *d;

	for (int i = 0; i < OTHERS + SLOW; i++) {
		uint64_t ns = i < OTHERS ? MS : 50 * MS;

		CASE_ADD(c,
		    SERVER("GET /list", 1, 0, ns + 2 * MS,
			LEDGER([LEDGER_CPU] = 2 * MS, [LEDGER_DOWNSTREAM] = ns)),
		    CLIENT("GET", 2, 1, ns, LEDGER([LEDGER_DOWNSTREAM] = ns),
			ATTRS(ATTR_S("server.address", "10.0.0.5"), ATTR_I("server.port", 9000))));
	}
	case_make(c);
	d = first_of(c, WHY_FACT_TIME);
	assert_int_equal(d->state, LEDGER_DOWNSTREAM);
	assert_true(case_says(c, "+49.0 ms waiting for 10.0.0.5:9000 (6 of 6 slow, 30 of 30"));
}

/* Who had the lock that the slow ones waited for. */
static void culprit(void **state)
{
	struct why_case *c = *state;
	const struct why_difference *d;
	struct json *json;

	for (int i = 0; i < OTHERS; i++)
		CASE_ADD(c, SERVER("GET /list", 1, 0, 2 * MS, LEDGER([LEDGER_CPU] = 2 * MS)));
	for (int i = 0; i < SLOW; i++)
		CASE_ADD(c,
		    SERVER("GET /list", 1, 0, 60 * MS,
			LEDGER([LEDGER_CPU] = 2 * MS, [LEDGER_LOCK] = 58 * MS),
			.wait = {.state = LEDGER_LOCK, .ns = 58 * MS, .user = "lock (a.c:1)"},
			.culprit = {
			    WAIT_EVIDENCE_WOKEN, 1234, 17, "worker", "put (b.c:2)", "POST /hold"}));
	case_make(c);
	d = first_of(c, WHY_FACT_CULPRIT);
	assert_non_null(d);
	assert_int_equal(d->state, LEDGER_LOCK);
	assert_true(d->slow == 1 && d->normal == 0 && d->in_slow == SLOW);
	assert_true(case_says(c, "+58.0 ms lock (6 of 6 slow, 0 of 30 others)"));
	assert_true(case_says(c,
	    "+100 % behind \"worker\" at put (b.c:2), serving POST /hold (6 of 6 slow, 0 of 30 others)"));
	json = case_json(c);
	assert_string_equal(json_text(json, "routes/0/slow/differences/1/kind"), "culprits");
	assert_string_equal(json_text(json, "routes/0/slow/differences/1/state"), "lock");
	assert_string_equal(json_text(json, "routes/0/slow/differences/1/in_slow"), "6");
	json_free(json);
}

/* A fifth of the requests more, or it is not told. */
static void culprit_of_few(void **state)
{
	struct why_case *c = *state;

	for (int i = 0; i < OTHERS + SLOW; i++)
		CASE_ADD(c,
		    SERVER("GET /list", 1, 0, i < OTHERS ? 2 * MS : 60 * MS,
			.ledger = {.ns = {[LEDGER_CPU] = i < OTHERS ? 2 * MS : 60 * MS}},
			.contender = {i == OTHERS || i % 2 ? 99u : 0u, "hog", NULL}));
	case_make(c);
	assert_null(first_of(c, WHY_FACT_CULPRIT)); /* 4 of 6 against 15 of 30 */
	assert_false(case_says(c, "behind"));
}

static void failure(void **state)
{
	struct why_case *c = *state;
	const struct why_difference *d;

	for (int i = 0; i < OTHERS; i++)
		CASE_ADD(c, SERVER("GET /list", 1, 0, 2 * MS, LEDGER([LEDGER_CPU] = 2 * MS)));
	for (int i = 0; i < SLOW; i++)
		CASE_ADD(c,
		    SERVER("GET /list", 1, 0, 60 * MS,
			LEDGER([LEDGER_CPU] = 2 * MS, [LEDGER_DISK] = 58 * MS)),
		    CLIENT("UPDATE list", 2, 1, 58 * MS, .status = SPAN_STATUS_ERROR,
			LEDGER([LEDGER_DISK] = 58 * MS),
			ATTRS(SQLITE, ATTR_S("db.response.status_code", "10"),
			    ATTR_S("error.type", "10"))));
	case_make(c);
	d = first_of(c, WHY_FACT_FAILURE);
	assert_true(d && d->slow == 1 && d->normal == 0);
	assert_true(case_says(c, "+58.0 ms disk in UPDATE list (6 of 6 slow, 0 of 30 others)"));
	assert_true(case_says(c, "+100 % UPDATE list got "));
}

/* Many places in which time is more leave room for the best of what else there is: SQL, failures, culprits. */
static void each_kind_has_a_seat(void **state)
{
	static const char *const tables[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	const struct attr sqlite[] = {SQLITE};
	struct why_case *c = *state;
	struct span_model models[30];
	char names[8][16];

	for (int i = 0; i < OTHERS; i++)
		CASE_ADD(c, SERVER("GET /list", 1, 0, 2 * MS, LEDGER([LEDGER_CPU] = 2 * MS)));
	models[0] = (struct span_model)SERVER("GET /list", 1, 0, 90 * MS,
	    LEDGER([LEDGER_CPU] = 2 * MS, [LEDGER_LOCK] = 8 * MS, [LEDGER_DISK] = 80 * MS),
	    .contender = {99, "hog", NULL});
	for (uint64_t i = 0; i < 8; i++) {
		snprintf(names[i], sizeof(names[i]), "SELECT %s", tables[i]);
		models[i + 1] = (struct span_model)CLIENT(names[i], i + 2, 1, 10 * MS,
		    LEDGER([LEDGER_DISK] = 10 * MS), .attrs = sqlite, .n_attrs = 2);
	}
	for (uint64_t i = 9; i < 30; i++)
		models[i] = (struct span_model)CLIENT("SELECT h", i + 2, 1, MS / 100,
		    LEDGER([LEDGER_CPU] = MS / 100), .attrs = sqlite, .n_attrs = 2);
	for (int i = 0; i < SLOW; i++)
		case_add(c, models, 30);
	case_make(c);
	assert_int_equal(compared(c)->n_differences, WHY_DIFFERENCES_MAX);
	assert_int_equal(compared(c)->differences[0].kind, WHY_FACT_TIME);
	assert_int_equal(compared(c)->differences[2].kind, WHY_FACT_TIME);
	assert_int_equal(compared(c)->differences[3].kind, WHY_FACT_STATEMENT);
	assert_int_equal(compared(c)->differences[4].kind, WHY_FACT_CULPRIT);
	assert_true(case_says(c, "+22 executions of SELECT h (6 of 6 slow, 0 of 30 others)"));
	assert_true(case_says(c, "+100 % behind \"hog\" (6 of 6 slow, 0 of 30 others)"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(callee),
	    TEST(peer),
	    TEST(culprit),
	    TEST(culprit_of_few),
	    TEST(failure),
	    TEST(each_kind_has_a_seat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
