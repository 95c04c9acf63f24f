// SPDX-License-Identifier: Apache-2.0
/* Calls of threads that read one request and may have worked for another (trace/doubt.h): who answers tells. */
#include "time_fixture.h"

#define SQL "UPDATE stock SET n = 1"

/* The thread waits for work, and is woken. */
static void waits_for_work(struct thread *t)
{
	pass(t->stage, 5);
	woken(t, ZSP_WAIT_LOCK, 5);
}

/* It has waited, but then answers what it has read, and nothing else before. */
static void answered_by_itself(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/first"));
	waits_for_work(&s->t);
	executes(&s->t, SQL, 1);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	stage_expect(s->stage,
	    "S GET /first\n"
	    " C UPDATE stock thread\n");
}

/* It has not waited since it read: it was given nothing else, whoever answers. */
static void answered_by_another_at_once(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/first"));
	executes(&s->t, SQL, 1);
	writes(&s->worker, &s->first, OK2);
	stage_settle(s->stage);
	stage_expect(s->stage,
	    "S GET /first\n"
	    " C UPDATE stock thread\n");
}

static void answered_by_another(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/first"));
	executes(&s->t, "SELECT n FROM stock", 1);
	waits_for_work(&s->t);
	executes(&s->t, SQL, 1);
	writes(&s->worker, &s->first, OK2);
	stage_settle(s->stage);
	stage_expect(s->stage,
	    "C UPDATE stock\n"
	    "S GET /first\n"
	    " C SELECT stock thread\n");
}

/* It answers one that another thread had read: what it did was for that one. */
static void answers_another(void **state)
{
	struct story *s = *state;

	reads(&s->worker, &s->second, GET("/second"));
	reads(&s->t, &s->first, GET("/first"));
	waits_for_work(&s->t);
	executes(&s->t, SQL, 1);
	writes(&s->t, &s->second, OK2);
	executes(&s->t, "SELECT n FROM stock", 1);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	stage_expect(s->stage,
	    "C UPDATE stock\n"
	    "S GET /second\n"
	    "S GET /first\n"
	    " C SELECT stock thread\n");
}

/* A call goes with all that is below it. */
static void a_call_and_what_it_brings_about(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/first"));
	waits_for_work(&s->t);
	writes(&s->t, &s->inner.client, GET("/down"));
	reads(&s->worker, &s->inner.server, GET("/down"));
	executes(&s->worker, SQL, 1);
	pass(s->stage, 70);
	writes(&s->worker, &s->inner.server, OK2);
	woken(&s->t, ZSP_WAIT_PEER, 71);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->worker, &s->first, OK2);
	stage_settle(s->stage);
	stage_expect(s->stage,
	    "C GET /down\n"
	    " S GET /down socket\n"
	    "  C UPDATE stock thread\n"
	    "S GET /first\n");
	assert_true(span_id_is_zero(
	    &stage_find(s->stage, SPAN_KIND_SERVER, "GET /first")->culprit.span_id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORY(answered_by_itself),
	    STORY(answered_by_another_at_once),
	    STORY(answered_by_another),
	    STORY(answers_another),
	    STORY(a_call_and_what_it_brings_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
