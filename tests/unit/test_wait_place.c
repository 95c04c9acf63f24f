// SPDX-License-Identifier: Apache-2.0
/* Places of waits that are told after the span has ended: how long it is kept for them, and that nothing else is. */
#include "time_fixture.h"

#define SERVER SPAN_KIND_SERVER

/* As graph.c has them: a complete group is published then, and so often that is put off. */
enum {
	LINGER_MS = 100,
	HOLDS = 30,
};

/* A request with a wait; its place is not told yet. */
static uint64_t slow_request(struct story *s)
{
	uint64_t since_ns;

	reads(&s->t, &s->first, GET("/"));
	since_ns = is_seen_waiting(&s->t, ZSP_WAIT_LOCK, 40);
	writes(&s->t, &s->first, OK2);
	return since_ns;
}

static void linger(struct story *s)
{
	pass(s->stage, LINGER_MS);
	assembler_tick(s->stage->assembler, s->stage->feed.now_ns);
}

static void told_after_the_end(void **state)
{
	struct story *s = *state;
	uint64_t since_ns = slow_request(s);

	for (int i = 0; i < HOLDS / 2; i++)
		linger(s);
	assert_int_equal(s->stage->n_traces, 0);
	is_told(&s->t, since_ns, "lock");
	linger(s);
	assert_int_equal(s->stage->n_traces, 1);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_LOCK, 40, "lock");
}

static void told_at_the_last_moment(void **state)
{
	struct story *s = *state;
	uint64_t since_ns = slow_request(s);

	for (int i = 0; i < HOLDS; i++)
		linger(s);
	assert_int_equal(s->stage->n_traces, 0);
	is_told(&s->t, since_ns, "lock");
	linger(s);
	assert_int_equal(s->stage->n_traces, 1);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_LOCK, 40, "lock");
}

static void never_told(void **state)
{
	struct story *s = *state;
	uint64_t since_ns = slow_request(s);

	for (int i = 0; i < HOLDS; i++)
		linger(s);
	assert_int_equal(s->stage->n_traces, 0);
	linger(s);
	assert_int_equal(s->stage->n_traces, 1);
	expect_no_wait(s->stage, SERVER, "GET /");
	expect(s->stage, SERVER, "GET /", (struct want){.lock = 40});
	is_told(&s->t, since_ns, "lock"); /* too late */
	expect_no_wait(s->stage, SERVER, "GET /");
}

/* The end of everything waits for nothing. */
static void never_told_at_the_end(void **state)
{
	struct story *s = *state;

	slow_request(s);
	assembler_tick(s->stage->assembler, UINT64_MAX);
	assert_int_equal(s->stage->n_traces, 1);
	assert_null(stage_find(s->stage, SERVER, "GET /")->wait.place);
}

/* Nothing is told twice, nor of a thread or a wait that is not known. */
static void told_strangely(void **state)
{
	struct story *s = *state;
	uint64_t since_ns = slow_request(s);

	is_told(&s->worker, since_ns, "of a stranger");
	is_told(&s->t, since_ns + 1, "of nothing");
	linger(s);
	assert_int_equal(s->stage->n_traces, 0);
	is_told(&s->t, since_ns, "lock");
	is_told(&s->t, since_ns, "again");
	expect_wait(s->stage, SERVER, "GET /", LEDGER_LOCK, 40, "lock");
}

/* Of one that gets no span nothing is told, nor kept. */
static void without_a_span(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, "GET /half HTT");
	waits_in(&s->t, ZSP_WAIT_LOCK, 40, "lock");
	reads(&s->t, &s->first, "P/1.");
	sock_close(&s->first);
	stage_finish(s->stage);
	assert_int_equal(stage_spans(s->stage), 0);
}

static void nothing_to_wait_for(void **state)
{
	struct story *s = *state;
	uint64_t since_ns;

	reads(&s->t, &s->first, GET("/never"));
	waits(&s->t, ZSP_WAIT_LOCK, 40);
	writes(&s->t, &s->first, OK2);
	linger(s);
	assert_int_equal(s->stage->n_traces, 1);

	reads(&s->t, &s->first, GET("/unasked"));
	since_ns = s->stage->feed.now_ns;
	waits(&s->t, ZSP_WAIT_LOCK, 40);
	look(&s->t, ZSP_WAIT_LOCK, since_ns, false);
	writes(&s->t, &s->first, OK2);
	linger(s);
	assert_int_equal(s->stage->n_traces, 2);

	reads(&s->t, &s->first, GET("/told"));
	waits_in(&s->t, ZSP_WAIT_LOCK, 40, "lock");
	writes(&s->t, &s->first, OK2);
	linger(s);
	assert_int_equal(s->stage->n_traces, 3);

	is_seen_waiting(&s->t, ZSP_WAIT_LOCK, 40);
	reads(&s->t, &s->first, GET("/behind"));
	writes(&s->t, &s->first, OK2);
	linger(s);
	assert_int_equal(s->stage->n_traces, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORY(told_after_the_end),
	    STORY(told_at_the_last_moment),
	    STORY(never_told),
	    STORY(never_told_at_the_end),
	    STORY(told_strangely),
	    STORY(without_a_span),
	    STORY(nothing_to_wait_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
