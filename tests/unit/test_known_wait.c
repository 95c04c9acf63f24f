// SPDX-License-Identifier: Apache-2.0
/* The waits of a thread that were looked at, and which of them a time holds. Times are small numbers: nothing here has a unit. */
#include "support.h"
#include "trace/known_wait.h"

/* The thread has waited for this since then, as was seen at that time. */
static void look(
    struct known_waits *known, enum zsp_wait kind, uint64_t since, uint64_t time, bool asked)
{
	const struct thread_wait wait = {
	    .tid = 1, .since_ns = since, .time_ns = time, .kind = kind, .asked = asked};

	known_waits_look(known, &wait);
}

static void looks(struct known_waits *known, enum zsp_wait kind, uint64_t since)
{
	look(known, kind, since, since + 1, true);
}

struct totals {
	__u64 ns[ZSP_WAIT_MAX];
};

static const struct totals plenty = {
    {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000},
};

static struct totals only(enum zsp_wait kind, uint64_t ns)
{
	struct totals totals = {{0}};

	totals.ns[kind] = ns;
	return totals;
}

static struct span_wait taken(
    const struct known_waits *known, uint64_t from, uint64_t to, struct totals totals)
{
	struct span_wait longest = {0};

	known_waits_take(known, from, to, totals.ns, LEDGER_OTHER, &longest);
	wait_place_unref(longest.place);
	return longest;
}

/* The longest wait in that time is the one that began at since; 0: there is none. */
static void expect(const struct known_waits *known, uint64_t from, uint64_t to,
    struct totals totals, uint64_t since, uint64_t ns)
{
	struct span_wait longest = taken(known, from, to, totals);

	assert_int_equal(longest.ns, ns);
	assert_ptr_equal(longest.place, since ? known_waits_place(known, since) : NULL);
}

/* --- looks ------------------------------------------------------------------------------------------- */

static void one_look(void **state)
{
	const struct thread_wait wait = {
	    .since_ns = 100,
	    .time_ns = 130,
	    .kind = ZSP_WAIT_LOCK,
	    .asked = true,
	    .waits = {.ns = {[ZSP_WAIT_LOCK] = 7, [ZSP_WAIT_DISK] = 5}, .switches = 3},
	};
	struct known_waits known = {0};

	(void)state;
	assert_null(known_waits_place(&known, 0));
	known_waits_look(&known, &wait);
	assert_int_equal(known.looked_ns, 130);
	assert_int_equal(known.totals.ns[ZSP_WAIT_LOCK], 7 + 30);
	assert_int_equal(known.totals.ns[ZSP_WAIT_DISK], 5);
	assert_int_equal(known.totals.switches, 4);
	assert_non_null(known_waits_place(&known, 100));
	assert_false(known_waits_place(&known, 100)->told);
	assert_null(known_waits_place(&known, 99));
	assert_null(known_waits_place(&known, 0));
	known_waits_release(&known);
	assert_int_equal(known.n, 0);
}

/* Of a wait without a place only the totals are kept. */
static void nothing_was_asked(void **state)
{
	struct known_waits known = {0};

	(void)state;
	look(&known, ZSP_WAIT_LOCK, 100, 130, false);
	assert_int_equal(known.n, 0);
	assert_int_equal(known.looked_ns, 130);
	assert_int_equal(known.totals.ns[ZSP_WAIT_LOCK], 30);
	expect(&known, 0, 200, plenty, 0, 0);
	known_waits_release(&known);
}

/* A second look at a wait finds it where it was, whether its place was asked for again or not. */
static void the_same_wait_again(void **state)
{
	struct known_waits known = {0};
	struct wait_place *place;

	(void)state;
	look(&known, ZSP_WAIT_LOCK, 100, 130, true);
	place = known_waits_place(&known, 100);
	look(&known, ZSP_WAIT_LOCK, 100, 150, false);
	assert_int_equal(known.looked_ns, 150);
	assert_int_equal(known.totals.ns[ZSP_WAIT_LOCK], 50);
	expect(&known, 0, 300, plenty, 100, 200); /* it lasts */
	look(&known, ZSP_WAIT_LOCK, 100, 170, true);
	assert_int_equal(known.looked_ns, 170);
	assert_int_equal(known.n, 1);
	assert_ptr_equal(known_waits_place(&known, 100), place);
	known_waits_over(&known, 180);
	expect(&known, 0, 300, plenty, 100, 80);
	known_waits_release(&known);
}

/* --- ends -------------------------------------------------------------------------------------------- */

static void a_later_wait_of_its_kind_ends_it(void **state)
{
	struct known_waits known = {0};

	(void)state;
	looks(&known, ZSP_WAIT_LOCK, 100);
	looks(&known, ZSP_WAIT_LOCK, 140);
	expect(&known, 0, 1000, only(ZSP_WAIT_LOCK, 1000), 140, 860);
	known_waits_over(&known, 150);
	expect(&known, 0, 1000, only(ZSP_WAIT_LOCK, 1000), 100, 40);
	known_waits_release(&known);
}

/* Many short waits of a kind, the first of which is known, are not hidden by a longer one of another kind. */
static void a_later_wait_of_another_kind(void **state)
{
	struct known_waits known = {0};
	struct totals totals = only(ZSP_WAIT_SLEEP, 190);

	(void)state;
	totals.ns[ZSP_WAIT_LOCK] = 3;
	looks(&known, ZSP_WAIT_SLEEP, 100);
	looks(&known, ZSP_WAIT_LOCK, 102);
	expect(&known, 0, 300, totals, 100, 190);
	expect(&known, 101, 300, totals, 102, 3);
	known_waits_over(&known, 150); /* now both have ended */
	expect(&known, 0, 300, totals, 100, 50);
	expect(&known, 0, 300, only(ZSP_WAIT_LOCK, 1000), 102, 48);
	known_waits_release(&known);
}

/* What polls may be told as either. */
static void a_later_wait_for_descriptors_ends_it(void **state)
{
	struct known_waits known = {0};

	(void)state;
	looks(&known, ZSP_WAIT_TIMER, 100);
	looks(&known, ZSP_WAIT_PEER, 140);
	expect(&known, 0, 140, only(ZSP_WAIT_TIMER, 1000), 100, 40);
	expect(&known, 0, 1000, only(ZSP_WAIT_PEER, 1000), 140, 860);
	known_waits_release(&known);
}

/* Also one of which nothing else is known. */
static void a_later_wait_without_a_place_ends_it(void **state)
{
	struct known_waits known = {0};

	(void)state;
	looks(&known, ZSP_WAIT_LOCK, 100);
	look(&known, ZSP_WAIT_LOCK, 140, 150, false);
	expect(&known, 0, 1000, plenty, 100, 40);
	known_waits_release(&known);
}

static void the_thread_acts(void **state)
{
	struct known_waits known = {0};

	(void)state;
	known_waits_over(&known, 10); /* of nothing */
	looks(&known, ZSP_WAIT_LOCK, 100);
	known_waits_over(&known, 90);  /* told late */
	known_waits_over(&known, 100); /* and then it began to wait */
	expect(&known, 0, 300, plenty, 100, 200);
	known_waits_over(&known, 150);
	expect(&known, 0, 300, plenty, 100, 50);
	known_waits_over(&known, 200); /* once is enough */
	expect(&known, 0, 300, plenty, 100, 50);
	known_waits_over(&known, 120); /* told late, too */
	expect(&known, 0, 300, plenty, 100, 20);
	known_waits_release(&known);
}

/* --- what is remembered -------------------------------------------------------------------------------- */

static void the_oldest_is_forgotten(void **state)
{
	struct known_waits known = {0};
	struct span_wait longest = {0};

	(void)state;
	looks(&known, ZSP_WAIT_LOCK, 100);
	known_waits_take(&known, 0, 200, plenty.ns, LEDGER_OTHER, &longest);
	for (uint64_t i = 1; i < KNOWN_WAITS_MAX; i++)
		looks(&known, ZSP_WAIT_LOCK, 100 + 10 * i);
	assert_non_null(known_waits_place(&known, 100));
	for (uint64_t i = KNOWN_WAITS_MAX; i < 3 * KNOWN_WAITS_MAX; i++) {
		looks(&known, ZSP_WAIT_LOCK, 100 + 10 * i);
		assert_int_equal(known.n, KNOWN_WAITS_MAX);
		assert_null(known_waits_place(&known, 100 + 10 * (i - KNOWN_WAITS_MAX)));
		for (uint64_t k = 0; k < KNOWN_WAITS_MAX; k++)
			assert_non_null(known_waits_place(&known, 100 + 10 * (i - k)));
	}
	known_waits_release(&known);
	wait_place_tell(longest.place, SV("outlives them"), (struct sv){0});
	assert_true(sv_eq(longest.place->user, SV("outlives them")));
	wait_place_unref(longest.place);
}

/* Each has its own place. */
static void places_are_told(void **state)
{
	struct known_waits known = {0};
	struct span_wait first = {0};

	(void)state;
	looks(&known, ZSP_WAIT_LOCK, 100);
	looks(&known, ZSP_WAIT_DISK, 140);
	known_waits_take(&known, 0, 140, plenty.ns, LEDGER_OTHER, &first);
	wait_place_tell(known_waits_place(&known, 100), SV("user"), SV("kernel"));
	assert_true(first.place->told);
	assert_true(sv_eq(first.place->user, SV("user")));
	assert_true(sv_eq(first.place->kernel, SV("kernel")));
	assert_false(known_waits_place(&known, 140)->told);
	wait_place_tell(known_waits_place(&known, 140), (struct sv){0}, (struct sv){0});
	assert_true(known_waits_place(&known, 140)->told);
	assert_int_equal(known_waits_place(&known, 140)->user.len, 0);
	wait_place_unref(first.place);
	known_waits_release(&known);
}

/* --- what a time holds --------------------------------------------------------------------------------- */

/* Waits that began in it; what is behind its end is not its own. */
static void borders(void **state)
{
	struct known_waits known = {0};

	(void)state;
	looks(&known, ZSP_WAIT_LOCK, 100);
	known_waits_over(&known, 150);
	expect(&known, 100, 150, plenty, 100, 50);
	expect(&known, 99, 151, plenty, 100, 50);
	expect(&known, 101, 151, plenty, 0, 0);
	expect(&known, 100, 101, plenty, 100, 1);
	expect(&known, 0, 100, plenty, 0, 0);
	expect(&known, 0, 99, plenty, 0, 0);
	expect(&known, 150, 300, plenty, 0, 0);
	known_waits_release(&known);
}

/* No longer than the thread has waited for such things in that time. */
static void clipped_by_what_was_waited(void **state)
{
	struct known_waits known = {0};

	(void)state;
	looks(&known, ZSP_WAIT_LOCK, 100);
	known_waits_over(&known, 150);
	expect(&known, 0, 300, only(ZSP_WAIT_LOCK, 51), 100, 50);
	expect(&known, 0, 300, only(ZSP_WAIT_LOCK, 20), 100, 20);
	expect(&known, 0, 300, only(ZSP_WAIT_LOCK, 0), 0, 0);
	expect(&known, 0, 300, only(ZSP_WAIT_DISK, 1000), 0, 0);
	known_waits_release(&known);
}

static void the_longest_wins(void **state)
{
	struct known_waits known = {0};
	struct span_wait longest = {0};
	struct totals totals = {{0}};

	(void)state;
	looks(&known, ZSP_WAIT_LOCK, 100);
	looks(&known, ZSP_WAIT_DISK, 120);
	looks(&known, ZSP_WAIT_SLEEP, 170);
	known_waits_over(&known, 200);
	totals.ns[ZSP_WAIT_LOCK] = 20;
	totals.ns[ZSP_WAIT_DISK] = 50;
	totals.ns[ZSP_WAIT_SLEEP] = 30;
	known_waits_take(&known, 0, 120, plenty.ns, LEDGER_OTHER, &longest);
	assert_int_equal(longest.state, LEDGER_LOCK);
	assert_int_equal(longest.ns, 20);
	known_waits_take(&known, 170, 300, plenty.ns, LEDGER_OTHER, &longest);
	assert_int_equal(longest.state, LEDGER_SLEEP);
	assert_int_equal(longest.ns, 30);
	known_waits_take(&known, 0, 300, totals.ns, LEDGER_OTHER, &longest);
	assert_int_equal(longest.state, LEDGER_DISK);
	assert_int_equal(longest.ns, 50);
	assert_ptr_equal(longest.place, known_waits_place(&known, 120));
	known_waits_take(&known, 170, 300, plenty.ns, LEDGER_OTHER, &longest);
	assert_int_equal(longest.state, LEDGER_DISK);
	wait_place_unref(longest.place);
	known_waits_release(&known);
}

/* Of two that are alike the one that was taken first stays. */
static void as_long_is_not_longer(void **state)
{
	struct known_waits known = {0};
	struct span_wait longest = {0};

	(void)state;
	looks(&known, ZSP_WAIT_LOCK, 100);
	looks(&known, ZSP_WAIT_DISK, 120);
	known_waits_over(&known, 140);
	known_waits_take(&known, 0, 120, plenty.ns, LEDGER_OTHER, &longest);
	known_waits_take(&known, 120, 200, plenty.ns, LEDGER_OTHER, &longest);
	assert_int_equal(longest.state, LEDGER_LOCK);
	assert_ptr_equal(longest.place, known_waits_place(&known, 100));
	wait_place_unref(longest.place);
	known_waits_release(&known);
}

/* A poll with a time limit is looked at as if that will pass; its end tells. */
static void poll_like_waits(void **state)
{
	struct known_waits known = {0};
	struct span_wait longest;

	(void)state;
	looks(&known, ZSP_WAIT_TIMER, 100);
	known_waits_over(&known, 150);
	longest = taken(&known, 0, 300, only(ZSP_WAIT_PEER, 50));
	assert_int_equal(longest.state, ledger_state_of(ZSP_WAIT_PEER, LEDGER_OTHER));
	assert_int_equal(longest.ns, 50);
	longest = taken(&known, 0, 300, only(ZSP_WAIT_TIMER, 40));
	assert_int_equal(longest.state, LEDGER_SLEEP);
	assert_int_equal(longest.ns, 40);
	known_waits_release(&known);
}

/* But no other one turns into it. */
static void only_timers_turn(void **state)
{
	struct known_waits known = {0};

	(void)state;
	looks(&known, ZSP_WAIT_SLEEP, 100);
	expect(&known, 0, 300, only(ZSP_WAIT_PEER, 50), 0, 0);
	known_waits_release(&known);
}

/* Who calls another service waits for its answer. */
static void while_calling(void **state)
{
	struct known_waits known = {0};
	struct span_wait longest = {0};

	(void)state;
	looks(&known, ZSP_WAIT_TIMER, 100);
	known_waits_take(&known, 0, 200, only(ZSP_WAIT_PEER, 60).ns, LEDGER_DOWNSTREAM, &longest);
	assert_int_equal(longest.state, LEDGER_DOWNSTREAM);
	assert_int_equal(longest.ns, 60);
	wait_place_unref(longest.place);
	known_waits_release(&known);
}

static void kinds(void **state)
{
	struct known_waits known = {0};

	(void)state;
	assert_int_equal(known_waits_kinds(NULL, 0), 0);
	assert_int_equal(known_waits_kinds(&known, 0), 0);
	looks(&known, ZSP_WAIT_LOCK, 100);
	looks(&known, ZSP_WAIT_DISK, 140);
	look(&known, ZSP_WAIT_SLEEP, 180, 190, false); /* its place is not known */
	assert_int_equal(known_waits_kinds(&known, 100), 1 << ZSP_WAIT_LOCK | 1 << ZSP_WAIT_DISK);
	assert_int_equal(known_waits_kinds(&known, 101), 1 << ZSP_WAIT_DISK);
	assert_int_equal(known_waits_kinds(&known, 141), 0);
	known_waits_release(&known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_look),
	    cmocka_unit_test(nothing_was_asked),
	    cmocka_unit_test(the_same_wait_again),
	    cmocka_unit_test(a_later_wait_of_its_kind_ends_it),
	    cmocka_unit_test(a_later_wait_of_another_kind),
	    cmocka_unit_test(a_later_wait_for_descriptors_ends_it),
	    cmocka_unit_test(a_later_wait_without_a_place_ends_it),
	    cmocka_unit_test(the_thread_acts),
	    cmocka_unit_test(the_oldest_is_forgotten),
	    cmocka_unit_test(places_are_told),
	    cmocka_unit_test(kinds),
	    cmocka_unit_test(borders),
	    cmocka_unit_test(clipped_by_what_was_waited),
	    cmocka_unit_test(the_longest_wins),
	    cmocka_unit_test(as_long_is_not_longer),
	    cmocka_unit_test(poll_like_waits),
	    cmocka_unit_test(only_timers_turn),
	    cmocka_unit_test(while_calling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
