// SPDX-License-Identifier: Apache-2.0
/* What why says of whom a lock's holder served, and of what the process did besides: in words and in numbers. */
#include "why_fixture.h"

/* Requests of 100 ms that wait for a lock; beside them others, of number_of that overlap for longest_ns. */
static void locked(struct why_case *c, size_t n, enum ledger_state state, const char *name,
    uint32_t number, uint64_t longest_ns)
{
	struct ledger ledger = {{[LEDGER_CPU] = 2 * MS}};

	ledger.ns[state] = 98 * MS;
	for (size_t i = 0; i < n; i++)
		CASE_ADD(c,
		    SERVER("GET /locked", 1, 0, 100 * MS, .ledger = ledger,
			.wait = {.state = state, .ns = 98 * MS, .user = "lock (a.c:1)"},
			.culprit = {WAIT_EVIDENCE_WOKEN, 1234, 17, "worker", "put (b.c:2)",
			    "POST /hold"},
			.neighbours = {{name, number, longest_ns}}, ATTRS(HTTP_STATUS(200))));
}

static void whom_the_holder_served(void **state)
{
	struct why_case *c = *state;
	struct json *json;

	locked(c, 10, LEDGER_LOCK, "GET /locked", 4, 60 * MS);
	case_make(c);
	assert_true(case_says(c,
	    "They were woken by \"worker\", thread 17 of the same process, at put (b.c:2), serving POST /hold; evidence:"));
	json = case_json(c);
	assert_string_equal(json_text(json, "findings/0/culprit/request"), "POST /hold");
	assert_string_equal(json_text(json, "findings/0/beside/name"), "GET /locked");
	assert_string_equal(json_text(json, "findings/0/beside/mean"), "4");
	assert_string_equal(json_text(json, "findings/0/beside/max"), "4");
	assert_string_equal(json_text(json, "findings/0/beside/requests"), "10");
	assert_string_equal(json_text(json, "findings/0/beside/longest_ms"), "60");
	json_free(json);
}

/* Of SQLite's lock as well. */
static void whom_the_transaction_served(void **state)
{
	struct why_case *c = *state;

	CASE_ADD(c,
	    SERVER("GET /late", 1, 0, 100 * MS, LEDGER([LEDGER_SQLITE_BUSY] = 100 * MS),
		ATTRS(HTTP_STATUS(200))),
	    CLIENT("UPDATE t", 2, 1, 100 * MS, LEDGER([LEDGER_SQLITE_BUSY] = 100 * MS),
		ATTRS(SQLITE, ATTR_S("zerospan.culprit.kind", "sqlite_write_lock"),
		    ATTR_S("zerospan.culprit.evidence", "process"),
		    ATTR_I("zerospan.culprit.process.pid", 1234),
		    ATTR_S("zerospan.culprit.process.name", "worker"),
		    ATTR_I("zerospan.culprit.thread.id", 17),
		    ATTR_S("zerospan.culprit.request", "POST /hold"),
		    ATTR_S("zerospan.culprit.db.query.summary", "BEGIN"),
		    ATTR_I("zerospan.culprit.sqlite.transaction.id", 5))));
	case_make(c);
	assert_true(case_says(c,
	    "held by transaction 5 (BEGIN by \"worker\", thread 17 of the same process, serving POST /hold)"));
}

/* Who had the CPU, and for which request. */
static void whom_the_cpu_served(void **state)
{
	struct why_case *c = *state;
	struct json *json;

	for (int i = 0; i < 10; i++)
		CASE_ADD(c,
		    SERVER("GET /burn", 1, 0, 100 * MS,
			LEDGER([LEDGER_CPU] = 8 * MS, [LEDGER_RUNQUEUE] = 92 * MS),
			.contender = {77, "worker", "POST /report"}, ATTRS(HTTP_STATUS(200))));
	CASE_ADD(c,
	    SERVER("GET /burn", 1, 0, 100 * MS,
		LEDGER([LEDGER_CPU] = 8 * MS, [LEDGER_RUNQUEUE] = 92 * MS),
		.contender = {99, "hog", NULL}, ATTRS(HTTP_STATUS(200))));
	case_make(c);
	assert_true(case_says(c, "1. GET /burn waits for a CPU"));
	assert_true(case_says(c,
	    " The CPU had \"worker\", thread 77, serving POST /report, in 10 of them; evidence: it was seen on the CPU most often when they could have run."));
	json = case_json(c);
	assert_string_equal(json_text(json, "findings/0/culprit/kind"), "runqueue");
	assert_string_equal(json_text(json, "findings/0/culprit/evidence"), "seen_running");
	assert_string_equal(json_text(json, "findings/0/culprit/process"), "worker");
	assert_string_equal(json_text(json, "findings/0/culprit/request"), "POST /report");
	assert_string_equal(json_text(json, "findings/0/culprit/examples/0/thread"), "77");
	json_free(json);
}

/* Of whom nothing is known but the thread. */
static void who_had_the_cpu(void **state)
{
	struct why_case *c = *state;

	CASE_ADD(c,
	    SERVER("GET /burn", 1, 0, 100 * MS, LEDGER([LEDGER_RUNQUEUE] = 100 * MS),
		.contender = {99, "hog", NULL}, ATTRS(HTTP_STATUS(200))));
	case_make(c);
	assert_true(case_says(c, " The CPU had \"hog\", thread 99; evidence: it was seen"));
	assert_false(case_says(c, "serving"));
}

/* Who was named by the mutex has it, and woke nobody. */
static void whom_the_owner_served(void **state)
{
	struct why_case *c = *state;
	struct json *json;

	CASE_ADD(c,
	    SERVER("GET /kept", 1, 0, 100 * MS, LEDGER([LEDGER_LOCK] = 100 * MS),
		.wait = {.state = LEDGER_LOCK, .ns = 99 * MS, .user = "lock (a.c:1)"},
		.culprit = {WAIT_EVIDENCE_OWNER, 1234, 17, "writer", "flush (b.c:2)", "POST /save"},
		ATTRS(HTTP_STATUS(200))));
	case_make(c);
	assert_true(case_says(c,
	    " The lock was held by \"writer\", thread 17 of the same process, at flush (b.c:2), serving POST /save; evidence: the mutex named it as its owner during the wait."));
	assert_false(case_says(c, "woken"));
	json = case_json(c);
	assert_string_equal(json_text(json, "findings/0/culprit/evidence"), "mutex_owner");
	assert_string_equal(json_text(json, "findings/0/culprit/statement"), "flush (b.c:2)");
	json_free(json);
}

/* The same number for all; different ones, of another name. */
static void numbers(void **state)
{
	struct why_case *c = *state;

	locked(c, 10, LEDGER_LOCK, "GET /locked", 4, 60 * MS);
	case_make(c);
	assert_true(case_says(c, " Each overlapped with 4 other GET /locked of the process. "));
	locked(c, 30, LEDGER_LOCK, "UPDATE orders", 1, 60 * MS);
	locked(c, 10, LEDGER_LOCK, "UPDATE orders", 13, 70 * MS);
	case_make(c);
	assert_true(case_says(c,
	    " 40 of them overlapped with 4.0 UPDATE orders of the process on average, 13 at most. "));
}

static void one_request(void **state)
{
	struct why_case *c = *state;

	locked(c, 1, LEDGER_LOCK, "POST /checkout", 12, 60 * MS);
	case_make(c);
	assert_true(case_says(c, " It overlapped with 12 POST /checkout of the process. "));
}

/* A sleep has nothing to do with others. */
static void waits_that_are_not_for_others(void **state)
{
	struct why_case *c = *state;

	locked(c, 10, LEDGER_SLEEP, "GET /locked", 4, 60 * MS);
	case_make(c);
	assert_true(case_says(c, "GET /locked sleeps"));
	assert_false(case_says(c, "overlapped"));
}

/* Too short to matter, or beside too few. */
static void what_does_not_matter(void **state)
{
	struct why_case *c = *state;

	locked(c, 10, LEDGER_LOCK, "GET /health", 4, 9 * MS);
	case_make(c);
	assert_false(case_says(c, "overlapped"));
	locked(c, 9, LEDGER_LOCK, "GET /health", 4, 11 * MS);
	case_make(c);
	assert_false(case_says(c, "overlapped"));
	locked(c, 1, LEDGER_LOCK, "GET /health", 4, 11 * MS);
	case_make(c);
	assert_true(case_says(c, "overlapped"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_begin, case_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(whom_the_holder_served),
	    TEST(whom_the_transaction_served),
	    TEST(whom_the_cpu_served),
	    TEST(who_had_the_cpu),
	    TEST(whom_the_owner_served),
	    TEST(numbers),
	    TEST(one_request),
	    TEST(waits_that_are_not_for_others),
	    TEST(what_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
