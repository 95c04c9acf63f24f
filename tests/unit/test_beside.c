// SPDX-License-Identifier: Apache-2.0
/* Which spans are given neighbours, and when: stories of requests beside each other. */
#include <stdio.h>

#include "time_fixture.h"

#define SERVER SPAN_KIND_SERVER
#define CLIENT SPAN_KIND_CLIENT

/* What the span was told; "": nothing. */
static void expect_beside(struct story *s, enum span_kind kind, const char *name, const char *text)
{
	const struct span *span = stage_find(s->stage, kind, name);

	if (!*text) {
		assert_null(span->neighbours);
		return;
	}
	assert_non_null(span->neighbours);
	assert_string_equal(span->neighbours->text, text);
}

/* One that is there from before to after, one that comes and goes, and one that was gone. */
static void open_and_ended(void **state)
{
	struct story *s = *state;

	reads(&s->worker, &s->second, GET("/gone"));
	writes(&s->worker, &s->second, OK2);
	reads(&s->worker, &s->second, GET("/long/1234567"));
	pass(s->stage, 5);
	reads(&s->t, &s->first, GET("/slow"));
	pass(s->stage, 20);
	reads(&s->worker, &s->third, GET("/brief"));
	pass(s->stage, 5);
	writes(&s->worker, &s->third, OK2);
	pass(s->stage, 15);
	writes(&s->t, &s->first, OK2);
	writes(&s->worker, &s->second, OK2);
	stage_settle(s->stage);
	expect_beside(s, SERVER, "GET /slow", "GET /long/{id} 40 ms, GET /brief 5.0 ms");
	expect_beside(s, SERVER, "GET /long/{id}", "GET /slow 40 ms, GET /brief 5.0 ms");
	expect_beside(s, SERVER, "GET /brief", ""); /* it was not slow */
	expect_beside(s, SERVER, "GET /gone", "");
}

static void alone(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/slow"));
	pass(s->stage, 40);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	expect_beside(s, SERVER, "GET /slow", "");
}

/* A request whose head is not complete is none yet. */
static void half_a_head(void **state)
{
	struct story *s = *state;

	reads(&s->worker, &s->second, "GET /half HTTP/1.1\r\n");
	reads(&s->t, &s->first, GET("/slow"));
	pass(s->stage, 40);
	writes(&s->t, &s->first, OK2);
	reads(&s->worker, &s->second, "\r\n");
	writes(&s->worker, &s->second, OK2);
	stage_settle(s->stage);
	expect_beside(s, SERVER, "GET /slow", "");
	expect_beside(s, SERVER, "GET /half", "GET /slow 40 ms");
}

/* Statements are neighbours, and have some; their own request is none, and neither are its other parts. */
static void statements(void **state)
{
	struct story *s = *state;

	reads(&s->worker, &s->second, GET("/other"));
	reads(&s->t, &s->first, GET("/slow"));
	executes(&s->t, "UPDATE orders SET a = 1", 20);
	executes(&s->worker, "INSERT INTO audit VALUES (1)", 12);
	writes(&s->t, &s->first, OK2);
	writes(&s->worker, &s->second, OK2);
	stage_settle(s->stage);
	expect_beside(s, SERVER, "GET /slow", "GET /other 32 ms, INSERT audit 12 ms");
	expect_beside(s, CLIENT, "UPDATE orders", "GET /other 20 ms");
	expect_beside(s, SERVER, "GET /other", "GET /slow 32 ms, UPDATE orders 20 ms");
	expect_beside(s, CLIENT, "INSERT audit", "GET /slow 12 ms");
}

/* A call is no neighbour, but has some: not its own request, not who answers it. */
static void calls(void **state)
{
	struct story *s = *state;

	reads(&s->worker, &s->second, GET("/other"));
	reads(&s->t, &s->first, GET("/slow"));
	writes(&s->t, &s->inner.client, GET("/down"));
	pass(s->stage, 40);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	writes(&s->worker, &s->second, OK2);
	stage_settle(s->stage);
	expect_beside(s, CLIENT, "GET /down", "GET /other 40 ms");
	expect_beside(s, SERVER, "GET /other", "GET /slow 40 ms");
}

/* The process calls itself: who answers is of the same trace, and open when the other ends. */
static void the_own_answer(void **state)
{
	struct story *s = *state;

	s->worker.actor.pid = 10;
	reads(&s->t, &s->first, GET("/slow"));
	writes(&s->t, &s->inner.client, GET("/down"));
	reads(&s->worker, &s->inner.server, GET("/down"));
	pass(s->stage, 40);
	writes(&s->worker, &s->inner.server, OK2);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	assert_int_equal(s->stage->n_traces, 1);
	expect_beside(s, SERVER, "GET /slow", "");
	expect_beside(s, SERVER, "GET /down", "");
	expect_beside(s, CLIENT, "GET /down", "");
}

/* That it is of the same trace is known only after a slow part of either has ended. */
static void known_too_late(void **state)
{
	struct story *s = *state;

	s->worker.actor.pid = 10;
	reads(&s->t, &s->first, GET("/slow"));
	reads(&s->worker, &s->inner.server, GET("/down"));
	executes(&s->worker, "UPDATE orders SET a = 1", 20);
	executes(&s->t, "INSERT INTO audit VALUES (1)", 20);
	/* The write of the call is told only now. */
	writes(&s->t, &s->inner.client, GET("/down"));
	writes(&s->worker, &s->inner.server, OK2);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	assert_int_equal(s->stage->n_traces, 1);
	expect_beside(s, CLIENT, "UPDATE orders", "");
	expect_beside(s, CLIENT, "INSERT audit", "");
	expect_beside(s, SERVER, "GET /slow", "");
	expect_beside(s, SERVER, "GET /down", "");
}

/* Only a part of who answers was slow until then. */
static void known_too_late_to_who_answers(void **state)
{
	struct story *s = *state;

	s->worker.actor.pid = 10;
	reads(&s->t, &s->first, GET("/slow"));
	reads(&s->worker, &s->inner.server, GET("/down"));
	executes(&s->worker, "UPDATE orders SET a = 1", 20);
	writes(&s->t, &s->inner.client, GET("/down"));
	writes(&s->worker, &s->inner.server, OK2);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	expect_beside(s, CLIENT, "UPDATE orders", "");
}

/* Another process' requests are its own affair. */
static void another_process(void **state)
{
	struct story *s = *state;

	s->worker.actor.pid = 20;
	reads(&s->worker, &s->second, GET("/other"));
	reads(&s->t, &s->first, GET("/slow"));
	pass(s->stage, 40);
	writes(&s->t, &s->first, OK2);
	writes(&s->worker, &s->second, OK2);
	stage_settle(s->stage);
	expect_beside(s, SERVER, "GET /slow", "");
}

/* Its trace is published long after: what came between is no neighbour, and has pushed none out. */
static void held_for_long(void **state)
{
	struct story *s = *state;
	uint64_t since_ns;

	reads(&s->worker, &s->second, GET("/other"));
	reads(&s->t, &s->first, GET("/slow"));
	since_ns = is_seen_waiting(&s->t, ZSP_WAIT_LOCK, 40);
	writes(&s->worker, &s->second, OK2);
	writes(&s->t, &s->first, OK2);
	for (int i = 0; i < 1000; i++) {
		reads(&s->worker, &s->second, GET("/later"));
		pass(s->stage, 1);
		writes(&s->worker, &s->second, OK2);
	}
	is_told(&s->t, since_ns, "lock (a.c:1)");
	stage_settle(s->stage);
	expect_beside(s, SERVER, "GET /slow", "GET /other 40 ms");
}

/* Its last write took long to return, but the client had the answer after answered_ms. */
static void answered_after(struct story *s, uint64_t answered_ms, uint64_t written_ms)
{
	struct thread other = thread_of(s->stage, 303);

	s->worker.actor.pid = other.actor.pid = 20;
	reads(&other, &s->second, GET("/other"));
	writes(&s->t, &s->inner.client, GET("/down"));
	reads(&s->worker, &s->inner.server, GET("/down"));
	pass(s->stage, written_ms);
	writes(&s->worker, &s->inner.server, OK2);
	s->stage->feed.now_ns -= (written_ms - answered_ms) * NS_PER_MS;
	reads(&s->t, &s->inner.client, OK2);
	pass(s->stage, written_ms);
	writes(&other, &s->second, OK2);
	stage_settle(s->stage);
}

static void bounded_by_its_client(void **state)
{
	answered_after(*state, 20, 45);
	expect_beside(*state, SERVER, "GET /down", "GET /other 20 ms");
}

/* Then it was not slow at all. */
static void bounded_and_fast(void **state)
{
	answered_after(*state, 5, 45);
	expect_beside(*state, SERVER, "GET /down", "");
}

/* The end of the observation: all were there. */
static void cut_off(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/a"));
	reads(&s->worker, &s->second, GET("/b"));
	pass(s->stage, 40);
	stage_finish(s->stage);
	expect_beside(s, SERVER, "GET /a", "GET /b 40 ms");
	expect_beside(s, SERVER, "GET /b", "GET /a 40 ms");
}

/* Its process is another one by now. */
static void forgotten(void **state)
{
	struct story *s = *state;

	reads(&s->worker, &s->second, GET("/other"));
	assembler_forget(s->stage->assembler, service_table_get(s->stage->services, 10));
	reads(&s->t, &s->first, GET("/slow"));
	pass(s->stage, 40);
	writes(&s->worker, &s->second, OK2);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	expect_beside(s, SERVER, "GET /slow", "GET /other 40 ms"); /* it has ended since */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORY(open_and_ended),
	    STORY(alone),
	    STORY(half_a_head),
	    STORY(statements),
	    STORY(calls),
	    STORY(the_own_answer),
	    STORY(known_too_late),
	    STORY(known_too_late_to_who_answers),
	    STORY(another_process),
	    STORY(held_for_long),
	    STORY(bounded_by_its_client),
	    STORY(bounded_and_fast),
	    STORY(cut_off),
	    STORY(forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
