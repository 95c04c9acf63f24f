// SPDX-License-Identifier: Apache-2.0
/* Estimates of what BPF programs cost, against a kernel that knows the truth: two programs whose runs are counted while somebody looks. */
#include <errno.h>
#include <math.h>

#include "probe/program_stats.h"
#include "support.h"

enum {
	BUSY = 10,
	IDLE = 11,
	STATS_FD = 99,
};

/* The kernel. Time passes only in pass(). */
static struct {
	uint64_t now_ns, counting_ns, switches;
	bool always, refuses, on;
	uint64_t counted_runs; /* of BUSY, while statistics were on */
	double runs, partial;  /* of BUSY, all */
	uint64_t skipped;
	bool counts_skipped;
} kernel;

static uint64_t now_ns(void)
{
	return kernel.now_ns;
}

static int read_counts(int fd, struct program_counts *ret_counts)
{
	if (fd != BUSY && fd != IDLE)
		return -EBADF;
	*ret_counts = (struct program_counts){.counts_skipped = kernel.counts_skipped};
	if (fd == BUSY)
		*ret_counts = (struct program_counts){.runs = kernel.counted_runs,
		    .time_ns = 100 * kernel.counted_runs,
		    .skipped = kernel.skipped,
		    .counts_skipped = kernel.counts_skipped};
	return 0;
}

static int enable(void)
{
	if (kernel.refuses)
		return -EPERM;
	assert_false(kernel.on);
	kernel.on = true;
	kernel.switches++;
	return STATS_FD;
}

static void disable(int fd)
{
	assert_int_equal(fd, STATS_FD);
	assert_true(kernel.on);
	kernel.on = false;
}

static bool always(void)
{
	return kernel.always;
}

static const struct program_stats_source fake = {
    .now_ns = now_ns, .read = read_counts, .enable = enable, .disable = disable, .always = always};

static struct program_stats *begin(void)
{
	struct program_stats *stats = program_stats_new(&fake);

	assert_non_null(stats);
	assert_int_equal(program_stats_add(stats, "busy", BUSY), 0);
	assert_int_equal(program_stats_add(stats, "idle", IDLE), 0);
	return stats;
}

/* So much time, in ticks of a loop that is late by as much; BUSY runs at this rate. */
static void pass(struct program_stats *stats, uint64_t ns, uint64_t tick_ns, double runs_per_s)
{
	for (uint64_t end_ns = kernel.now_ns + ns; kernel.now_ns < end_ns;) {
		double runs = runs_per_s * (double)tick_ns / (double)NS_PER_S;

		kernel.now_ns += tick_ns;
		kernel.runs += runs;
		kernel.partial += runs;
		if (kernel.on || kernel.always) {
			kernel.counting_ns += tick_ns;
			kernel.counted_runs += (uint64_t)kernel.partial;
		}
		kernel.partial -= (double)(uint64_t)kernel.partial;
		program_stats_tick(stats);
	}
}

struct seen {
	struct program_figures busy, idle;
	int n;
};

static void see(void *ctx, const struct program_figures *figures)
{
	struct seen *seen = ctx;

	*(strcmp(figures->name, "busy") == 0 ? &seen->busy : &seen->idle) = *figures;
	seen->n++;
}

static struct seen look(struct program_stats *stats)
{
	struct seen seen = {0};

	program_stats_each(stats, see, &seen);
	assert_int_equal(seen.n, 2);
	return seen;
}

static int reset(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.now_ns = 5 * NS_PER_S;
	return 0;
}

/* A steady rate comes out as it is, from half a percent of the time, however late the loop is; it is known after a second. */
static void steady(void **state)
{
	struct program_stats *stats = begin();
	struct seen seen = look(stats);

	(void)state;
	assert_false(seen.busy.measured);
	pass(stats, 1100 * NS_PER_MS, 10 * NS_PER_MS, 20000);
	seen = look(stats);
	assert_true(seen.busy.measured);
	pass(stats, 600 * NS_PER_S, 37 * NS_PER_MS, 20000);
	seen = look(stats);
	assert_true(fabs(seen.busy.runs / kernel.runs - 1) <
	    0.04); /* up to 20 s are not over, or not told */
	assert_true(fabs(seen.busy.time_ns / seen.busy.runs - 100) < 1e-6);
	assert_true(seen.idle.measured);
	assert_true(seen.idle.runs == 0 && seen.idle.time_ns == 0);
	assert_true((double)kernel.counting_ns < 0.015 * 600 * (double)NS_PER_S);
	program_stats_free(stats);
	assert_false(kernel.on);
}

/* What recurs in the rhythm of the periods is counted in proportion: on for two seconds of each ten. */
static void rhythm(void **state)
{
	struct program_stats *stats = begin();
	struct seen seen;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		pass(stats, 2 * NS_PER_S, 10 * NS_PER_MS, 50000);
		pass(stats, 8 * NS_PER_S, 10 * NS_PER_MS, 0);
	}
	seen = look(stats);
	assert_true(fabs(seen.busy.runs / kernel.runs - 1) < 0.3); /* six standard deviations */
	program_stats_free(stats);
}

/* Estimates never fall, and an open window is closed at the end. */
static void monotonic(void **state)
{
	struct program_stats *stats = begin();
	double before = 0;

	(void)state;
	while (!kernel.on || kernel.switches < 5) {
		struct seen seen;

		pass(stats, 10 * NS_PER_MS, 10 * NS_PER_MS, kernel.switches % 2 ? 0 : 3000);
		seen = look(stats);
		assert_true(seen.busy.runs >= before);
		before = seen.busy.runs;
		if (!kernel.on)
			assert_true(program_stats_left_ns(stats) == UINT64_MAX);
		else
			assert_true(program_stats_left_ns(stats) <= PROGRAM_STATS_WINDOW_NS);
	}
	assert_true(before > 0);
	program_stats_free(stats);
	assert_false(kernel.on);
}

/* Somebody has them on: the figures are exact and nothing is switched; when they go off, windows go on. */
static void always_on(void **state)
{
	struct program_stats *stats;
	struct seen seen;

	(void)state;
	kernel.always = true;
	kernel.counted_runs = 12345; /* before us */
	stats = begin();
	pass(stats, 50 * NS_PER_MS, 50 * NS_PER_MS, 0);
	pass(stats, 60 * NS_PER_S, 10 * NS_PER_MS, 700);
	seen = look(stats);
	assert_true(kernel.runs - seen.busy.runs <= 700 * 10.1); /* read each ten seconds */
	assert_true(seen.busy.runs == floor(seen.busy.runs));
	assert_int_equal(kernel.switches, 0);
	kernel.always = false;
	pass(stats, 200 * NS_PER_S, 10 * NS_PER_MS, 700);
	seen = look(stats);
	assert_true(kernel.switches >= 15);
	assert_true(fabs(seen.busy.runs / kernel.runs - 1) < 0.1);
	program_stats_free(stats);
}

/* Where the kernel has none, runs are not known, and it is not asked again; skips are exact wherever it counts them. */
static void refused(void **state)
{
	struct program_stats *stats;
	struct seen seen;

	(void)state;
	kernel.refuses = true;
	kernel.counts_skipped = true;
	kernel.skipped = 4;
	stats = begin();
	kernel.skipped = 7;
	pass(stats, 30 * NS_PER_S, 10 * NS_PER_MS, 700);
	seen = look(stats);
	assert_false(seen.busy.measured);
	assert_true(seen.busy.counts_skipped);
	assert_int_equal(seen.busy.skipped, 3);
	assert_int_equal(seen.idle.skipped, 0);
	kernel.refuses = kernel.counts_skipped = false;
	pass(stats, 30 * NS_PER_S, 10 * NS_PER_MS, 700);
	seen = look(stats);
	assert_int_equal(kernel.switches, 0);
	assert_false(seen.busy.counts_skipped);
	program_stats_free(stats);
}

static void bounded(void **state)
{
	struct program_stats *stats = program_stats_new(&fake);

	(void)state;
	assert_int_equal(program_stats_add(stats, "gone", 3), -EBADF);
	for (int i = 0; i < PROGRAM_STATS_MAX; i++)
		assert_int_equal(program_stats_add(stats, "idle", IDLE), 0);
	assert_int_equal(program_stats_add(stats, "idle", IDLE), -E2BIG);
	program_stats_free(stats);
	program_stats_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(steady, reset),
	    cmocka_unit_test_setup(rhythm, reset),
	    cmocka_unit_test_setup(monotonic, reset),
	    cmocka_unit_test_setup(always_on, reset),
	    cmocka_unit_test_setup(refused, reset),
	    cmocka_unit_test_setup(bounded, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
