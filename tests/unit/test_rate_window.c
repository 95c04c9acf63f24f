// SPDX-License-Identifier: Apache-2.0
/* A second of a route: never more than its rate, always those with the most randomness, and counts that come out right. */
#include "sampling/rate_window.h"
#include "sampling_fixture.h"

enum {
	KEPT_MAX = 4096,
};

struct desk {
	struct rate_window_owner owner;
	struct rate_window window;
	struct rng rng;
	uint64_t randomness[KEPT_MAX], threshold[KEPT_MAX]; /* of what was kept, in order */
	size_t n;
};

static void on_keep(void *ctx, struct trace *trace, uint64_t threshold)
{
	struct desk *desk = ctx;

	assert_true(desk->n < KEPT_MAX);
	desk->randomness[desk->n] = ot_randomness(&trace->spans[0]->trace_id);
	desk->threshold[desk->n++] = threshold;
}

static struct desk *desk_new(uint32_t per_s, size_t max_held)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	rate_window_owner_init(&desk->owner, max_held);
	desk->owner.keep = on_keep;
	desk->owner.ctx = desk;
	rate_window_init(&desk->window, per_s);
	rng_seed(&desk->rng, 30);
	return desk;
}

static void desk_free(struct desk *desk)
{
	rate_window_release(&desk->owner, &desk->window);
	assert_int_equal(desk->owner.held, 0);
	assert_true(list_empty(&desk->owner.open));
	free(desk);
}

/* A trace that the rule of a threshold keeps comes; its randomness. */
static uint64_t come(struct desk *desk, uint64_t threshold, uint64_t now_ns)
{
	const struct trace_model model = {0};
	struct trace_id id = random_id(&desk->rng);
	struct trace *trace;

	while (ot_randomness(&id) < threshold)
		id = random_id(&desk->rng);
	trace = model_trace(&model, &id);
	rate_windows_tick(&desk->owner, now_ns);
	rate_window_take(&desk->owner, &desk->window,
	    &(struct candidate){trace, ot_randomness(&id), threshold}, now_ns);
	trace_unref(trace);
	return ot_randomness(&id);
}

static void fewer_than_the_rate(void **state)
{
	struct desk *desk = desk_new(10, 200);

	(void)state;
	for (int i = 0; i < 10; i++)
		come(desk, ONE_IN_20, 5 + NS_PER_S / 20 * (uint64_t)i);
	assert_int_equal(desk->n, 0); /* the second is not over */
	rate_windows_tick(&desk->owner, NS_PER_S + 4);
	assert_int_equal(desk->n, 0);
	rate_windows_tick(&desk->owner, NS_PER_S + 5);
	assert_int_equal(desk->n, 0); /* it is */
	rate_windows_tick(&desk->owner, 2 * NS_PER_S + 5);
	assert_int_equal(desk->n, 10);
	for (size_t i = 0; i < 10; i++)
		assert_true(desk->threshold[i] == ONE_IN_20); /* the rule's alone */
	assert_int_equal(desk->owner.dropped, 0);
	desk_free(desk);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void more_than_the_rate(void **state)
{
	struct desk *desk = desk_new(10, 200);
	uint64_t all[50];

	(void)state;
	for (size_t i = 0; i < 50; i++)
		all[i] = come(desk, ONE_IN_20, 1);
	assert_int_equal(desk->owner.held, 10 * 2); /* spans */
	rate_windows_tick(&desk->owner, UINT64_MAX);
	assert_int_equal(desk->n, 10);
	assert_int_equal(desk->owner.dropped, 40);
	qsort(all, 50, sizeof(all[0]), compare);
	for (size_t i = 0; i < 10; i++) {
		assert_true(desk->randomness[i] == all[49 - i]);
		assert_true(desk->threshold[i] == all[39] + 1); /* who is below was dropped */
	}
	desk_free(desk);
}

/* No more at once than their share of the next second, and those with the most randomness first. */
static void evenly(void **state)
{
	enum {
		N = 1000,
		TICKS = 20
	};
	struct desk *desk = desk_new(N, 3 * 2 * N);
	size_t before = 0;

	(void)state;
	for (int i = 0; i < N; i++)
		come(desk, 0, 1);
	for (uint64_t i = 0; i <= TICKS; i++) {
		come(desk, 0, 1 + NS_PER_S + i * NS_PER_S / TICKS); /* they wait for the next */
		assert_in_range(desk->n - before, i ? N / TICKS - 1 : 0, N / TICKS + 1);
		before = desk->n;
	}
	assert_int_equal(desk->n, N);
	for (size_t i = 1; i < N; i++)
		assert_true(desk->randomness[i] < desk->randomness[i - 1]);
	assert_int_equal(desk->owner.held, 2 * (TICKS + 1));
	rate_windows_tick(&desk->owner, 2 * NS_PER_S + NS_PER_S / 2 + 1);
	assert_int_equal(desk->n, N + TICKS / 2);
	rate_windows_tick(&desk->owner, NS_PER_S); /* a tick of the past brings nothing */
	assert_int_equal(desk->n, N + TICKS / 2);
	rate_windows_tick(&desk->owner, UINT64_MAX); /* the end waits for nothing */
	assert_int_equal(desk->n, N + TICKS + 1);
	assert_int_equal(desk->owner.dropped, 0);
	desk_free(desk);
}

/* What goes out in any case takes room; there may be none left. */
static void others_have_right_of_way(void **state)
{
	struct desk *desk = desk_new(5, 100);

	(void)state;
	for (int i = 0; i < 20; i++) {
		come(desk, 0, 1);
		if (i % 7 == 0)
			rate_window_pass(&desk->owner, &desk->window, 1);
	}
	rate_windows_tick(&desk->owner, UINT64_MAX);
	assert_int_equal(desk->n, 2); /* 5 - 3 */
	assert_int_equal(desk->owner.dropped, 18);
	for (int i = 0; i < 9; i++)
		rate_window_pass(&desk->owner, &desk->window, 2 * NS_PER_S);
	come(desk, 0, 2 * NS_PER_S);
	rate_windows_tick(&desk->owner, UINT64_MAX);
	assert_int_equal(desk->n, 2);
	assert_int_equal(desk->owner.dropped, 19);
	desk_free(desk);
}

/* No room in memory: whoever has more randomness comes in for another one. */
static void room_for_all_windows(void **state)
{
	struct desk *desk = desk_new(10, 3 * 2 + 1);
	struct rate_window other;
	struct trace *trace;
	uint64_t all[20];

	(void)state;
	for (size_t i = 0; i < 20; i++)
		all[i] = come(desk, 0, 1);
	assert_int_equal(desk->owner.held, 3 * 2);
	rate_window_init(&other, 10); /* and another route has none */
	trace = fixture_plain_trace(2);
	rate_window_take(&desk->owner, &other, &(struct candidate){trace, OT_NEVER - 1, 0}, 1);
	trace_unref(trace);
	assert_int_equal(other.n, 0);
	rate_windows_tick(&desk->owner, UINT64_MAX);
	rate_window_release(&desk->owner, &other);
	assert_int_equal(desk->n, 3);
	assert_int_equal(desk->owner.dropped, 18);
	qsort(all, 20, sizeof(all[0]), compare);
	for (size_t i = 0; i < 3; i++)
		assert_true(desk->randomness[i] == all[19 - i]);
	desk_free(desk);
}

/* A long trace takes the room of several, if it has more randomness than they; one that never fits is dropped. */
static void long_traces(void **state)
{
	struct desk *desk = desk_new(10, 10);
	struct trace *trace = fixture_plain_trace(9), *longer = fixture_plain_trace(11);

	(void)state;
	for (int i = 0; i < 5; i++)
		come(desk, 0, 1);
	rate_window_take(
	    &desk->owner, &desk->window, &(struct candidate){trace, OT_NEVER - 1, 0}, 1);
	assert_int_equal(desk->owner.held, 9);
	assert_int_equal(desk->owner.dropped, 5);
	rate_window_take(&desk->owner, &desk->window, &(struct candidate){longer, 5, 0}, 1);
	rate_windows_tick(&desk->owner, UINT64_MAX);
	assert_int_equal(desk->n, 1);
	assert_int_equal(desk->owner.dropped, 6);
	trace_unref(trace);
	trace_unref(longer);
	desk_free(desk);
}

/* Local traces of one trace have one randomness: both stay or both go. */
static void alike_for_one_trace(void **state)
{
	const struct trace_model model = {0};
	struct desk *desk = desk_new(3, 100);
	struct trace_id id = random_id(&desk->rng);
	struct trace *trace = model_trace(&model, &id);

	(void)state;
	for (int i = 0; i < 5; i++)
		rate_window_take(&desk->owner, &desk->window,
		    &(struct candidate){trace, ot_randomness(&id), 0}, 1);
	rate_windows_tick(&desk->owner, UINT64_MAX);
	assert_int_equal(desk->n, 0);
	assert_int_equal(desk->owner.dropped, 5);
	trace_unref(trace);
	desk_free(desk);
}

/* Over many seconds, what is kept is counted by its thresholds: as many as came, though few of them are there. */
static void counts_come_out_right(void **state)
{
	enum {
		SECONDS = 200,
		PER_SECOND = 150
	};
	struct desk *desk = desk_new(10, 2000);
	double estimate = 0, came = 0;

	(void)state;
	for (uint64_t s = 1; s <= SECONDS; s++) {
		size_t before = desk->n;

		for (int i = 0; i < PER_SECOND; i++)
			come(desk, OT_NEVER / 2, s * NS_PER_S + 1);
		assert_true(desk->n - before <= 10);
		came += 2 * PER_SECOND; /* the rule keeps half of what there is */
	}
	rate_windows_tick(&desk->owner, UINT64_MAX);
	assert_int_equal(desk->n, 10 * SECONDS);
	for (size_t i = 0; i < desk->n; i++)
		estimate += 1 / ot_probability(desk->threshold[i]);
	if (estimate < 0.9 * came || estimate > 1.1 * came)
		fail_msg("%.0f of %.0f", estimate, came);
	desk_free(desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fewer_than_the_rate),
	    cmocka_unit_test(more_than_the_rate),
	    cmocka_unit_test(evenly),
	    cmocka_unit_test(others_have_right_of_way),
	    cmocka_unit_test(room_for_all_windows),
	    cmocka_unit_test(long_traces),
	    cmocka_unit_test(alike_for_one_trace),
	    cmocka_unit_test(counts_come_out_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
