// SPDX-License-Identifier: Apache-2.0
/* The choice of detail by cost: a process is simulated second by second, for hours. */
#include <string.h>

#include "base/clock.h"
#include "probe/tier.h"
#include "support.h"

#define BUDGET 10.0

/* What a process does in a second: its own work, and what the probes take for it in each tier. Nanoseconds. */
struct load {
	uint64_t own_ns;
	uint64_t full_ns, executions_ns, statements_ns;
};

/* The CPU is its own, and the probes slow it down: 1.0 us of work, 4.0 us of probes for each query, or 1.2 us. */
static const struct load tight = {200000000, 800000000, 800000000, 240000000};
/* A busy web service: 3 % of its time. */
static const struct load usual = {500000000, 15000000, 15000000, 5000000};
/* Too dear in full, not so as statements: 25 %, 8 %. */
static const struct load many_rows = {600000000, 200000000, 200000000, 52000000};
/* Prepared for each use: 17 % in full, 4 % without preparations. */
static const struct load prepares = {500000000, 100000000, 20000000, 10000000};
static const struct load idle = {0};

struct world {
	struct tier tier;
	uint64_t now_ns;
	double budget_pct;
	unsigned changes;
	uint64_t seconds_in[ZSP_SQLITE_OFF + 1];
	uint64_t cpu_ns, cost_ns;
};

static void begin(struct world *w)
{
	*w = (struct world){.now_ns = 1000 * NS_PER_S, .budget_pct = BUDGET};
	tier_init(&w->tier, ZSP_SQLITE_FULL, w->now_ns);
}

static void second(struct world *w, const struct load *load)
{
	uint64_t costs[] = {load->full_ns, load->executions_ns, load->statements_ns, 0};
	enum zsp_sqlite_detail detail = w->tier.detail;
	struct tier_sample sample = {.cpu_ns = load->own_ns + costs[detail]};

	if (detail != ZSP_SQLITE_OFF)
		memcpy(sample.cost_ns, costs, sizeof(sample.cost_ns));
	w->now_ns += NS_PER_S;
	sample.now_ns = w->now_ns;
	w->seconds_in[detail]++;
	w->cpu_ns += sample.cpu_ns;
	w->cost_ns += costs[detail];
	if (tier_sample(&w->tier, &sample, w->budget_pct)) {
		assert_int_not_equal(w->tier.detail, detail);
		w->changes++;
	} else {
		assert_int_equal(w->tier.detail, detail);
	}
}

static void seconds(struct world *w, const struct load *load, unsigned n)
{
	while (n--)
		second(w, load);
}

static void within_the_budget(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &usual, 6 * 3600);
	seconds(&w, &idle, 3600);
	assert_int_equal(w.changes, 0);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_FULL);
}

/* Four seconds of CPU time at 80 % are nothing; nor is half a second of it, beside other work, again and again. */
static void bursts_are_seen_whole(void **state)
{
	static const struct load burst = {100000000, 400000000, 400000000, 120000000};
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &idle, 100);
	seconds(&w, &tight, 4);
	assert_int_equal(w.changes, 0);
	begin(&w);
	for (int minute = 0; minute < 600; minute++) {
		seconds(&w, &(struct load){.own_ns = 900000000}, 56);
		seconds(&w, &burst, 1);
	}
	assert_int_equal(w.changes, 0);
}

static void down_by_two(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &tight, 5);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_STATEMENTS);
	assert_true(w.tier.share_pct > 79 && w.tier.share_pct < 81);
	seconds(&w, &tight, 12);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_OFF);
	assert_int_equal(w.changes, 2);
}

/* In hours of it the probes stay within the budget, and the tries become rare. */
static void too_dear_for_hours(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &tight, 6 * 3600);
	assert_true(w.changes < 45);
	assert_true(100 * (double)w.cost_ns / (double)w.cpu_ns < 1);
	assert_true(w.seconds_in[ZSP_SQLITE_FULL] < 10);
	assert_true(w.seconds_in[ZSP_SQLITE_STATEMENTS] < 120);
	assert_int_equal(w.tier.patience_ns[ZSP_SQLITE_STATEMENTS], TIER_PATIENCE_MAX_NS);
}

static void stays_in_the_middle(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &many_rows, 6 * 3600);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_STATEMENTS);
	assert_int_equal(w.changes, 1);
}

static void up_when_the_load_falls(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &tight, 20);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_OFF);
	seconds(&w, &usual, 40);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_FULL);
	seconds(&w, &usual, 3600);
	assert_int_equal(w.changes, 4);
	/* So it does for a process that sleeps. */
	seconds(&w, &tight, 20);
	seconds(&w, &idle, 60);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_FULL);
}

/* Heavy and light by turns: the longer it goes on, the rarer the changes. */
static void by_turns(void **state)
{
	struct world w;
	unsigned early;

	(void)state;
	begin(&w);
	for (int turn = 0; turn < 20; turn++) {
		seconds(&w, &tight, 60);
		seconds(&w, &usual, 60);
	}
	early = w.changes;
	for (int turn = 0; turn < 160; turn++) {
		seconds(&w, &tight, 60);
		seconds(&w, &usual, 60);
	}
	assert_true(early < 50);
	assert_true(w.changes - early < 80);
	assert_true(100 * (double)w.cost_ns / (double)w.cpu_ns < BUDGET);
	/* And when it is over, full detail comes back, be it late. */
	seconds(&w, &usual, 2 * 3600);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_FULL);
}

/* Between half of the budget and the whole of it nothing moves, either way. */
static void hysteresis(void **state)
{
	static const struct load near = {930000000, 70000000, 70000000, 20000000};
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &near, 3600);
	assert_int_equal(w.changes, 0);
	seconds(&w, &many_rows, 60);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_STATEMENTS);
	seconds(&w, &near, 3600);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_STATEMENTS);
	assert_int_equal(w.changes, 1);
	seconds(&w, &usual, 30);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_FULL);
}

/* A process that hardly runs costs nothing, although what runs of it is mostly probes. */
static void hardly_running(void **state)
{
	static const struct load seldom = {1000000, 4000000, 4000000, 1200000};
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &seldom, 6 * 3600);
	assert_int_equal(w.changes, 0);
	seconds(&w, &tight, 30);
	assert_int_not_equal(w.tier.detail, ZSP_SQLITE_FULL);
	w.changes = 0;
	seconds(&w, &seldom, 120);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_FULL);
	assert_true(w.changes <= 2);
	seconds(&w, &seldom, 6 * 3600);
	assert_true(w.changes <= 2);
}

/* A tier that lasted makes the patience short again. */
static void patience_comes_back(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < 6; i++) {
		seconds(&w, &tight, 60);
		seconds(&w, &usual, 120);
	}
	assert_true(w.tier.patience_ns[ZSP_SQLITE_FULL] > TIER_PATIENCE_MIN_NS ||
	    w.tier.patience_ns[ZSP_SQLITE_STATEMENTS] > TIER_PATIENCE_MIN_NS);
	seconds(&w, &usual, 4 * 3600);
	seconds(&w, &tight, 20);
	assert_int_equal(w.tier.patience_ns[ZSP_SQLITE_FULL], TIER_PATIENCE_MIN_NS);
}

/* Failed preparations are given up first, where that is enough, and for nothing else. */
static void preparations_go_first(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &prepares, 3600);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_EXECUTIONS);
	assert_int_equal(w.changes, 1);
	assert_true(w.seconds_in[ZSP_SQLITE_FULL] < 12);
	seconds(&w, &many_rows, 3600);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_STATEMENTS);
	assert_int_equal(w.changes, 2);
	/* Up again as far as it may. */
	seconds(&w, &prepares, 60);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_EXECUTIONS);
	seconds(&w, &usual, 60);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_FULL);
	assert_int_equal(w.changes, 4);
}

/* Seen from below: what was right only now and then, beside a poorer tier that was so all the time, is not taken. */
static void up_to_what_was_right_all_the_time(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	seconds(&w, &many_rows, 60);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_STATEMENTS);
	seconds(&w, &prepares, 7);
	seconds(&w, &usual, 1);
	while (w.tier.detail == ZSP_SQLITE_STATEMENTS)
		seconds(&w, &usual, 1);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_EXECUTIONS);
}

static void without_the_middle(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	w.tier.no_statements = true;
	seconds(&w, &tight, 5);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_OFF);
	seconds(&w, &usual, 15);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_FULL);
	seconds(&w, &tight, 6 * 3600);
	assert_true(w.seconds_in[ZSP_SQLITE_STATEMENTS] == 0);
	assert_true(w.changes < 45);
}

static void budgets(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	w.budget_pct = TIER_BUDGET_NONE;
	seconds(&w, &(struct load){0, NS_PER_S, NS_PER_S, NS_PER_S}, 3600);
	assert_int_equal(w.changes, 0);
	begin(&w);
	w.budget_pct = 0.1;
	seconds(&w, &usual, 60);
	assert_int_equal(w.tier.detail, ZSP_SQLITE_OFF);
	/* More threads than one do not make five seconds of less time. */
	begin(&w);
	seconds(&w,
	    &(struct load){
		.own_ns = NS_PER_S, .full_ns = 31 * NS_PER_S, .executions_ns = 31 * NS_PER_S},
	    4);
	assert_int_equal(w.changes, 0);
	seconds(&w,
	    &(struct load){
		.own_ns = NS_PER_S, .full_ns = 31 * NS_PER_S, .executions_ns = 31 * NS_PER_S},
	    1);
	assert_int_equal(w.changes, 1);
}

/* Costs beyond the CPU time (measured apart from it, so not quite of a piece) are all of it, and no overflow. */
static void odd_numbers(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < 3600; i++) {
		struct tier_sample sample = {.now_ns = w.now_ns += NS_PER_S,
		    .cpu_ns = 20 * NS_PER_MS,
		    .cost_ns = {80 * NS_PER_MS, 60 * NS_PER_MS, 40 * NS_PER_MS}};

		tier_sample(&w.tier, &sample, BUDGET);
		assert_true(w.tier.share_pct >= 0 && w.tier.share_pct <= 100);
	}
	assert_int_not_equal(w.tier.detail, ZSP_SQLITE_FULL);
	assert_string_equal(tier_name(ZSP_SQLITE_FULL), "full");
	assert_string_equal(tier_name(ZSP_SQLITE_EXECUTIONS), "executions");
	assert_string_equal(tier_name(ZSP_SQLITE_STATEMENTS), "statements");
	assert_string_equal(tier_name(ZSP_SQLITE_OFF), "off");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(within_the_budget),
	    cmocka_unit_test(bursts_are_seen_whole),
	    cmocka_unit_test(down_by_two),
	    cmocka_unit_test(too_dear_for_hours),
	    cmocka_unit_test(stays_in_the_middle),
	    cmocka_unit_test(up_when_the_load_falls),
	    cmocka_unit_test(by_turns),
	    cmocka_unit_test(hysteresis),
	    cmocka_unit_test(hardly_running),
	    cmocka_unit_test(patience_comes_back),
	    cmocka_unit_test(preparations_go_first),
	    cmocka_unit_test(up_to_what_was_right_all_the_time),
	    cmocka_unit_test(without_the_middle),
	    cmocka_unit_test(budgets),
	    cmocka_unit_test(odd_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
