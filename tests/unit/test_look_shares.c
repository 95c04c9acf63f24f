// SPDX-License-Identifier: Apache-2.0
/* Shares of looks: that they are bounded, come back, and that nobody's requests keep another one's from being looked at. */
#include "base/clock.h"
#include "lookout/look_shares.h"
#include "support.h"

#define SHARE_NS (NS_PER_S / LOOK_SHARES_PER_S)

/* It asks until it gets no more; how many it got. */
static unsigned take_all(struct look_shares *shares, uint32_t pid)
{
	unsigned n = 0;

	while (look_shares_take(shares, pid))
		n++;
	return n;
}

/* Some processes ask for all they get, in this order, every ms for a second; how many each gets. */
static void noisy(struct look_shares *shares, size_t n, unsigned ret_taken[])
{
	for (size_t i = 0; i < n; i++)
		ret_taken[i] = 0;
	for (int ms = 0; ms < 1000; ms++) {
		look_shares_tick(shares, shares->now_ns + NS_PER_MS);
		for (size_t i = 0; i < n; i++)
			ret_taken[i] += take_all(shares, (uint32_t)i + 1);
	}
}

static void alone(void **state)
{
	struct look_shares shares = {.n = 0};
	unsigned taken;

	(void)state;
	look_shares_tick(&shares, 100 * NS_PER_S); /* nothing is saved up */
	assert_int_equal(take_all(&shares, 1), LOOK_SHARES_ALL / 2);
	assert_int_equal(take_all(&shares, 1), 0);
	noisy(&shares, 1, &taken);
	assert_in_range(taken, LOOK_SHARES_PER_S - 1, LOOK_SHARES_PER_S + 1);
	look_shares_tick(&shares, shares.now_ns + 10 * NS_PER_S);
	assert_int_equal(shares.n, 0);
	assert_int_equal(shares.taken_ns, 0);
	assert_int_equal(take_all(&shares, 1), LOOK_SHARES_ALL / 2);
}

/* What matters less never takes all: of a process that is alone there is a third of its shares left, and others find more. */
static void spare_ones(void **state)
{
	struct look_shares shares = {.n = 0};
	unsigned taken = 0;

	(void)state;
	while (look_shares_take_spare(&shares, 1))
		taken++;
	assert_in_range(taken, LOOK_SHARES_ALL / 3, LOOK_SHARES_ALL / 3 + 1);
	for (int ms = 0; ms < 1000; ms++) { /* nor in the long run */
		look_shares_tick(&shares, shares.now_ns + NS_PER_MS);
		taken += look_shares_take_spare(&shares, 1);
	}
	assert_in_range(taken, LOOK_SHARES_ALL / 3 + LOOK_SHARES_PER_S - 1,
	    LOOK_SHARES_ALL / 3 + LOOK_SHARES_PER_S + 2);
	assert_in_range(take_all(&shares, 1), LOOK_SHARES_ALL / 6 - 1, LOOK_SHARES_ALL / 6 + 1);
	assert_false(look_shares_take_spare(&shares, 1));
	assert_true(look_shares_take_spare(&shares, 2));
}

/* However much the first one takes. */
static void who_comes_later(void **state)
{
	struct look_shares shares = {.n = 0};
	unsigned taken;

	(void)state;
	noisy(&shares, 1, &taken);
	assert_true(take_all(&shares, 2) >= LOOK_SHARES_ALL / 5);
	assert_true(take_all(&shares, 3) >= LOOK_SHARES_ALL / 10);
	assert_int_equal(take_all(&shares, 1), 0);
}

/* In the long run all get the same, although the same one always comes first. */
static void even(void **state)
{
	struct look_shares shares = {.n = 0};
	unsigned taken[5], sum[5] = {0};

	(void)state;
	noisy(&shares, 5, taken); /* the first one begins with more than the last one */
	noisy(&shares, 5, taken);
	for (int s = 0; s < 10; s++) {
		noisy(&shares, 5, taken);
		for (size_t i = 0; i < 5; i++)
			sum[i] += taken[i];
	}
	for (size_t i = 0; i < 5; i++)
		assert_in_range(
		    sum[i], 10 * LOOK_SHARES_PER_S / 5 - 5, 10 * LOOK_SHARES_PER_S / 5 + 5);
}

/* One that needs little always gets it; what it leaves the other one gets. */
static void little(void **state)
{
	struct look_shares shares = {.n = 0};
	unsigned taken, all = 0;

	(void)state;
	noisy(&shares, 1, &taken);
	for (int s = 0; s < 10; s++) {
		assert_true(look_shares_take(&shares, 2));
		noisy(&shares, 1, &taken);
		all += taken;
	}
	assert_in_range(all, 10 * (LOOK_SHARES_PER_S - 3), 10 * LOOK_SHARES_PER_S);
}

/* More processes than are known at once: never more shares than there are, and all is given back. */
static void many(void **state)
{
	struct look_shares shares = {.n = 0};
	unsigned taken = 0;

	(void)state;
	for (uint32_t pid = 1; pid < 10 * LOOK_SHARES_PROCESSES; pid++) {
		look_shares_tick(&shares, shares.now_ns + SHARE_NS / 2);
		taken += look_shares_take(&shares, pid);
		assert_true(shares.n <= LOOK_SHARES_PROCESSES);
		assert_true(shares.taken_ns <= LOOK_SHARES_ALL * SHARE_NS);
	}
	assert_true(taken >= 10 * LOOK_SHARES_PROCESSES / 2);
	look_shares_tick(&shares, shares.now_ns - 1); /* time never runs back */
	look_shares_tick(&shares, shares.now_ns + 1000 * NS_PER_S);
	assert_int_equal(shares.n, 0);
	assert_int_equal(shares.taken_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(alone),
	    cmocka_unit_test(spare_ones),
	    cmocka_unit_test(who_comes_later),
	    cmocka_unit_test(even),
	    cmocka_unit_test(little),
	    cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
