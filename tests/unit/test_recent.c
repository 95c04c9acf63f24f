// SPDX-License-Identifier: Apache-2.0
/* What processes did of late, and what a span is told of that. Times are small numbers of ms. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "support.h"
#include "trace/recent.h"

enum {
	PID = 10,
	OWN = 1,    /* trace of who asks */
	OTHERS = 2, /* of somebody else */
};

/* The owner of an open one is its name, in these tests; asked counts how often names are asked for. */
static struct sv name_of(void *ctx, const void *owner)
{
	++*(int *)ctx;
	return sv_cstr(owner);
}

struct fixture {
	struct recent *recent;
	int asked;
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->recent = recent_new(name_of, &f->asked);
	assert_non_null(f->recent);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	recent_free(f->recent);
	free(f);
	return 0;
}

static struct recent_ref opens(
    struct fixture *f, uint32_t pid, uint64_t trace, uint64_t start_ms, const char *name)
{
	struct recent_ref ref = {.id = 0};

	recent_open(f->recent, pid, trace, start_ms * NS_PER_MS, name, &ref);
	assert_true(ref.id && !ref.ended);
	return ref;
}

static struct recent_ref ended(struct fixture *f, uint32_t pid, uint64_t trace, uint64_t start_ms,
    uint64_t end_ms, const char *name)
{
	struct recent_ref ref = {.id = 0};

	recent_add(
	    f->recent, pid, trace, start_ms * NS_PER_MS, end_ms * NS_PER_MS, sv_cstr(name), &ref);
	assert_true(ref.id && ref.ended);
	return ref;
}

/* What PID's span of OWN from then to then is told; NULL: nothing. */
static void expect(
    struct fixture *f, uint64_t from_ms, uint64_t to_ms, uint32_t count, const char *text)
{
	struct neighbour_tally tally = {.count = 0};
	struct neighbours *neighbours;

	recent_overlaps(f->recent, PID, OWN, from_ms * NS_PER_MS, to_ms * NS_PER_MS, &tally);
	neighbours = neighbours_new(&tally);
	if (!text) {
		assert_null(neighbours);
		return;
	}
	assert_non_null(neighbours);
	assert_int_equal(neighbours->count, count);
	assert_true(neighbours->text_len < sizeof(neighbours->text));
	assert_string_equal(neighbours->text, text);
	assert_int_equal(neighbours->text_len, strlen(text));
	free(neighbours);
}

/* --- which are neighbours ------------------------------------------------------------------------ */

/* The span lasts from 100 to 200: half open, so who ends as it begins was not there. */
static void overlaps(void **state)
{
	static const struct {
		uint64_t start, end;
		const char *text;
	} cases[] = {
	    {50, 100, NULL},
	    {200, 250, NULL},
	    {50, 101, "a 1.0 ms"},
	    {199, 250, "a 1.0 ms"},
	    {100, 200, "a 100 ms"},
	    {50, 300, "a 100 ms"},
	    {120, 150, "a 30 ms"},
	    {120, 120, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture *f;

		begin((void **)&f);
		ended(f, PID, OTHERS, cases[i].start, cases[i].end, "a");
		expect(f, 100, 200, 1, cases[i].text);
		end((void **)&f);
	}
	(void)state;
}

static void of_other_traces_and_this_process_only(void **state)
{
	struct fixture *f = *state;

	expect(f, 0, 100, 0, NULL);
	ended(f, PID, OWN, 0, 100, "own");
	opens(f, PID, OWN, 0, "own");
	ended(f, PID + 1, OTHERS, 0, 100, "another process'");
	opens(f, PID + 1, OTHERS, 0, "another process'");
	expect(f, 0, 100, 0, NULL);
	assert_int_equal(f->asked, 0);
	ended(f, PID, OTHERS, 0, 50, "a");
	expect(f, 0, 100, 1, "a 50 ms");
}

/* An open one lasts, as far as is known; once it has ended, it has an end and its own name. */
static void open_ones(void **state)
{
	struct fixture *f = *state;
	struct recent_ref ref = opens(f, PID, OTHERS, 50, "GET /");

	expect(f, 0, 50, 0, NULL);
	expect(f, 0, 100, 1, "GET / 50 ms");
	expect(f, 60, 100, 1, "GET / 40 ms");
	assert_int_equal(f->asked, 1); /* the name is remembered */
	recent_close(f->recent, &ref);
	assert_int_equal(ref.id, 0);
	expect(f, 0, 100, 0, NULL);
	recent_close(f->recent, &ref); /* it is nowhere now */
	ended(f, PID, OTHERS, 50, 70, "GET /");
	expect(f, 0, 100, 1, "GET / 20 ms");
}

/* A name that is not known yet is asked for again. */
static void no_name(void **state)
{
	struct fixture *f = *state;
	char name[8] = "";

	opens(f, PID, OTHERS, 0, name);
	ended(f, PID, OTHERS, 0, 100, "");
	expect(f, 0, 100, 0, NULL);
	snprintf(name, sizeof(name), "GET /");
	expect(f, 0, 100, 1, "GET / 100 ms");
}

/* The trace that they are of is known later. */
static void joined(void **state)
{
	struct fixture *f = *state;
	struct recent_ref open = opens(f, PID, OTHERS, 0, "a"), gone = {.id = 0};
	struct recent_ref past = ended(f, PID, OTHERS, 0, 100, "a");

	expect(f, 0, 100, 2, "2 × a (longest 100 ms)");
	recent_join(f->recent, &open, OWN);
	expect(f, 0, 100, 1, "a 100 ms");
	recent_join(f->recent, &past, OWN);
	recent_join(f->recent, &gone, OWN);
	expect(f, 0, 100, 0, NULL);
}

/* --- what is forgotten --------------------------------------------------------------------------- */

static void the_oldest_that_ended(void **state)
{
	struct fixture *f = *state;
	struct recent_ref first = ended(f, PID, OTHERS, 0, 1, "first");

	for (int i = 1; i < RECENT_ENDED_MAX; i++)
		ended(f, PID, OTHERS, 1, 2, "b");
	expect(f, 0, 1, 1, "first 1.0 ms");
	ended(f, PID, OTHERS, 2, 3, "last");
	expect(f, 0, 1, 0, NULL);
	recent_join(f->recent, &first, OWN); /* another one is there now */
	expect(f, 2, 3, 1, "last 1.0 ms");
	expect(f, 1, 2, RECENT_ENDED_MAX - 1, "511 × b (longest 1.0 ms)");
}

/* Those that never end keep nobody out. */
static void open_ones_give_way(void **state)
{
	struct fixture *f = *state;
	struct recent_ref old[RECENT_OPEN_MAX], latest;

	for (int i = 0; i < RECENT_OPEN_MAX; i++)
		old[i] = opens(f, PID, OTHERS, 0, "old");
	latest = opens(f, PID, OTHERS, 50, "new");
	expect(f, 0, 100, RECENT_OPEN_MAX, "255 × old (longest 100 ms), new 50 ms");
	for (int i = 0; i < RECENT_OPEN_MAX; i++)
		recent_close(f->recent, &old[i]); /* also the one that gave way */
	expect(f, 0, 100, 1, "new 50 ms");
	recent_close(f->recent, &latest);
	expect(f, 0, 100, 0, NULL);
	for (int i = 0; i < RECENT_OPEN_MAX; i++)
		opens(f, PID, OTHERS, 0, "again");
	expect(f, 0, 100, RECENT_OPEN_MAX, "256 × again (longest 100 ms)");
}

static void a_process_that_ended(void **state)
{
	struct fixture *f = *state;
	struct recent_ref open = opens(f, PID, OTHERS, 0, "a"),
			  past = ended(f, PID, OTHERS, 0, 9, "a");

	recent_forget(f->recent, PID);
	recent_forget(f->recent, PID);
	expect(f, 0, 100, 0, NULL);
	opens(f, PID, OTHERS, 0, "b"); /* another one with its pid, in its place */
	ended(f, PID, OTHERS, 0, 100, "b");
	recent_join(f->recent, &past, OWN);
	recent_close(f->recent, &open);
	expect(f, 0, 100, 2, "2 × b (longest 100 ms)");
}

/* Of too many processes the one that has been quiet for longest. */
static void too_many_processes(void **state)
{
	struct fixture *f = *state;
	struct recent_ref quiet = opens(f, PID + 1, OTHERS, 0, "quiet");

	ended(f, PID, OTHERS, 0, 100, "a");
	for (uint32_t i = 2; i < RECENT_PROCESSES_MAX; i++)
		ended(f, PID + i, OTHERS, 0, 100, "b");
	expect(f, 0, 100, 1, "a 100 ms");
	ended(f, PID + RECENT_PROCESSES_MAX, OTHERS, 0, 100, "c");
	expect(f, 0, 100, 1, "a 100 ms");
	recent_close(f->recent, &quiet);
	ended(f, PID + RECENT_PROCESSES_MAX + 1, OTHERS, 0, 100, "d");
	expect(f, 0, 100, 0, NULL);
}

/* --- in words ------------------------------------------------------------------------------------ */

static void the_top(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++)
		ended(f, PID, OTHERS, 100, 900 + (uint64_t)i * 6, "POST /checkout");
	ended(f, PID, OTHERS, 0, 500, "UPDATE orders");
	expect(f, 0, 1000, 4, "3 × POST /checkout (longest 812 ms), UPDATE orders 500 ms");
	ended(f, PID, OTHERS, 0, 9, "b");
	expect(
	    f, 0, 1000, 5, "3 × POST /checkout (longest 812 ms), UPDATE orders 500 ms, b 9.0 ms");
	ended(f, PID, OTHERS, 0, 9, "c");
	ended(f, PID, OTHERS, 0, 9, "a");
	expect(f, 0, 1000, 7,
	    "3 × POST /checkout (longest 812 ms), UPDATE orders 500 ms, a 9.0 ms and 2 more");
}

/* More names than are told apart: they count all the same. */
static void many_names(void **state)
{
	struct fixture *f = *state;
	char name[16];

	for (int i = 0; i < NEIGHBOUR_NAMES_MAX + 10; i++) {
		snprintf(name, sizeof(name), "n%02d", i);
		ended(f, PID, OTHERS, 0, 10, name);
	}
	expect(f, 0, 100, NEIGHBOUR_NAMES_MAX + 10, "n00 10 ms, n01 10 ms, n02 10 ms and 39 more");
}

static void long_names(void **state)
{
	char to[NEIGHBOUR_NAME_MAX], text[200];

	(void)state;
	for (size_t at = 0; at < 60; at++) { /* a character of three bytes anywhere */
		size_t len;

		memset(text, 'x', sizeof(text));
		memcpy(text + at, "€", 3);
		for (size_t n = at + 3; n < 70; n++) {
			len = neighbour_name(to, sv_from(text, n));
			assert_true(len <= NEIGHBOUR_NAME_MAX);
			assert_true(utf8_valid(sv_from(to, len)));
			assert_true(
			    n > NEIGHBOUR_NAME_MAX ? len > NEIGHBOUR_NAME_MAX - 3 : len == n);
		}
	}
	assert_int_equal(neighbour_name(to, (struct sv){0}), 0);
}

/* As long as it can be. */
static void the_longest_text(void **state)
{
	struct neighbour_tally tally = {.count = UINT32_MAX, .n = NEIGHBOUR_NAMES_MAX};
	struct neighbours *neighbours;

	(void)state;
	for (int i = 0; i < NEIGHBOUR_NAMES_MAX; i++) {
		struct neighbour *one = &tally.all[i];

		memset(one->name, 'n', sizeof(one->name));
		one->name_len = sizeof(one->name);
		one->number = 1000000000;
		one->longest_ns = one->total_ns = UINT64_MAX;
	}
	neighbours = neighbours_new(&tally);
	assert_true(neighbours->text_len < sizeof(neighbours->text));
	assert_int_equal(strlen(neighbours->text), neighbours->text_len);
	assert_true(neighbours->text_len > 250);
	free(neighbours);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(overlaps),
	    TEST(of_other_traces_and_this_process_only),
	    TEST(open_ones),
	    TEST(no_name),
	    TEST(joined),
	    TEST(the_oldest_that_ended),
	    TEST(open_ones_give_way),
	    TEST(a_process_that_ended),
	    TEST(too_many_processes),
	    TEST(the_top),
	    TEST(many_names),
	    cmocka_unit_test(long_names),
	    cmocka_unit_test(the_longest_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
