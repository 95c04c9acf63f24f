// SPDX-License-Identifier: Apache-2.0
/* sqlite_plan(): where each function's probes go, and that functions which a copy lacks have none. */
#include "probe/sqlite_plan.h"
#include "support.h"

/* A copy whose functions are 0x100 bytes apart, entered cheaply at their start or 4 bytes behind it. */
static struct sqlite_copy copy_with(size_t distance)
{
	struct sqlite_copy copy = {.state = SQLITE_COPY_TRACEABLE};

	for (uint64_t i = 0; i < SQLITE_FN_COUNT; i++)
		copy.probe[i] = (struct sqlite_probe){
		    .entry = 0x1000 + i * 0x100,
		    .cheapest = 0x1000 + i * 0x100 + distance,
		    .entry_cheap = distance == 0,
		    .cheapest_cheap = true,
		};
	copy.probe[SQLITE_FN_LOCK_AND_PREPARE] = (struct sqlite_probe){0};
	return copy;
}

static void returns_sit_on_the_entry(void **state)
{
	struct sqlite_copy copy = copy_with(4);
	struct sqlite_plan_row rows[SQLITE_PLAN_MAX];
	size_t n = sqlite_plan(&copy, rows), returns = 0;

	(void)state;
	assert_int_equal(n, SQLITE_PLAN_MAX - 2);
	for (size_t i = 0; i < n; i++) {
		const struct sqlite_probe *probe = &copy.probe[rows[i].function];

		assert_int_equal(
		    rows[i].offset, rows[i].on_return ? probe->entry : probe->cheapest);
		assert_int_equal(rows[i].emulated, !rows[i].on_return);
		returns += rows[i].on_return;
	}
	assert_int_equal(returns, 3);
}

static void emulated_entries(void **state)
{
	struct sqlite_copy copy = copy_with(0);
	struct sqlite_plan_row rows[SQLITE_PLAN_MAX];
	size_t n = sqlite_plan(&copy, rows);

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_true(
		    rows[i].emulated && rows[i].offset == copy.probe[rows[i].function].entry);
}

static void functions_that_are_missing(void **state)
{
	struct sqlite_copy copy = copy_with(0);
	struct sqlite_plan_row rows[SQLITE_PLAN_MAX];
	size_t n;

	(void)state;
	copy.probe[SQLITE_FN_PREPARE_V3] = (struct sqlite_probe){0};
	copy.probe[SQLITE_FN_CLOSE] = (struct sqlite_probe){0};
	n = sqlite_plan(&copy, rows);
	assert_int_equal(n, SQLITE_PLAN_MAX - 2 - 3);
	for (size_t i = 0; i < n; i++)
		assert_true(rows[i].offset && rows[i].function != SQLITE_FN_PREPARE_V3 &&
		    rows[i].function != SQLITE_FN_CLOSE);
}

/* Two more where sqlite3_exec prepares by itself: neither is at a function's entry. */
static void what_prepares_inside_exec(void **state)
{
	struct sqlite_copy copy = copy_with(0);
	struct sqlite_plan_row rows[SQLITE_PLAN_MAX];
	size_t n;

	(void)state;
	copy.exec_prepare_call = 0x1550;
	copy.exec_prepare_return = 0x1555;
	n = sqlite_plan(&copy, rows);
	assert_int_equal(n, SQLITE_PLAN_MAX);
	assert_int_equal(rows[n - 2].program, PROBES_SQLITE_PREPARE);
	assert_int_equal(rows[n - 2].offset, 0x1550);
	assert_int_equal(rows[n - 1].program, PROBES_SQLITE_PREPARE_RETURN);
	assert_int_equal(rows[n - 1].offset, 0x1555);
	for (size_t i = n - 2; i < n; i++)
		assert_true(rows[i].function == SQLITE_FN_EXEC && !rows[i].on_return);
	assert_false(rows[n - 1].emulated);
}

/* Less detail needs fewer probes, and a connection's end is always told. */
static void down_to_which_detail(void **state)
{
	struct sqlite_copy copy = copy_with(4);
	struct sqlite_plan_row rows[SQLITE_PLAN_MAX];
	size_t n = sqlite_plan(&copy, rows);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		enum zsp_sqlite_detail until = ZSP_SQLITE_EXECUTIONS;

		if (rows[i].program == PROBES_SQLITE_STEP)
			until = ZSP_SQLITE_STATEMENTS;
		else if (rows[i].program == PROBES_SQLITE_PREPARE ||
		    rows[i].program == PROBES_SQLITE_PREPARE_RETURN)
			until = ZSP_SQLITE_FULL;
		else if (rows[i].program == PROBES_SQLITE_CLOSE)
			until = ZSP_SQLITE_OFF;
		assert_int_equal(rows[i].until, until);
	}
}

/* One function that all preparations go through is probed instead of them. */
static void what_all_preparations_call(void **state)
{
	struct sqlite_copy copy = copy_with(4);
	struct sqlite_plan_row rows[SQLITE_PLAN_MAX];
	size_t n, prepares = 0;

	(void)state;
	copy.probe[SQLITE_FN_LOCK_AND_PREPARE] = (struct sqlite_probe){0x4000, 0x4000, true, true};
	copy.exec_prepare_call = 0x5000;
	copy.exec_prepare_return = 0x5005;
	n = sqlite_plan(&copy, rows);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].program != PROBES_SQLITE_PREPARE &&
		    rows[i].program != PROBES_SQLITE_PREPARE_RETURN)
			continue;
		prepares++;
		assert_int_equal(rows[i].function, SQLITE_FN_LOCK_AND_PREPARE);
		assert_int_equal(rows[i].offset, 0x4000);
		assert_true(rows[i].emulated);
	}
	assert_int_equal(prepares, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(returns_sit_on_the_entry),
	    cmocka_unit_test(emulated_entries),
	    cmocka_unit_test(functions_that_are_missing),
	    cmocka_unit_test(what_prepares_inside_exec),
	    cmocka_unit_test(down_to_which_detail),
	    cmocka_unit_test(what_all_preparations_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
