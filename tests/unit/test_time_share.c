// SPDX-License-Identifier: Apache-2.0
/* Where the time of requests and calls went, from events with known waits: whole ledgers are compared. */
#include "time_fixture.h"

/* --- one thread ---------------------------------------------------------------------------------- */

static void every_wait(void **state)
{
	struct story *s = *state;

	waits(&s->t, ZSP_WAIT_PEER, 1000); /* for the request: nobody's */
	reads_late(&s->t, &s->first, GET("/"), 7);
	pass(s->stage, 5);
	for (int wait = 0; wait < ZSP_WAIT_MAX; wait++)
		waits(&s->t, wait, 10 + (uint64_t)wait);
	writes(&s->t, &s->first, OK2);
	waits(&s->t, ZSP_WAIT_SLEEP, 500); /* after it */
	expect(s->stage, SPAN_KIND_SERVER, "GET /",
	    (struct want){.cpu = 5,
		.queued = 7,
		.runqueue = 10,
		.sleep = 11 + 16, /* and a poll that timed out */
		.lock = 12,
		.disk = 13,
		.net_send = 14,
		.pagefault = 17,
		.busy = 18,
		.other = 19 + 15}); /* and its client's bytes */
}

static void the_next_request_begins_afresh(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/a"));
	waits(&s->t, ZSP_WAIT_DISK, 10);
	writes(&s->t, &s->first, OK2);
	waits(&s->t, ZSP_WAIT_PEER, 100);
	reads(&s->t, &s->first, GET("/b"));
	waits(&s->t, ZSP_WAIT_LOCK, 20);
	writes(&s->t, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /a", (struct want){.disk = 10});
	expect(s->stage, SPAN_KIND_SERVER, "GET /b", (struct want){.lock = 20});
}

/* Another thread under the same number: its totals begin anew. */
static void a_number_is_used_again(void **state)
{
	struct story *s = *state;
	struct thread next = thread_of(s->stage, 101);

	waits(&s->t, ZSP_WAIT_LOCK, 300);
	reads(&s->t, &s->first, GET("/a"));
	writes(&s->t, &s->first, OK2);
	pass(s->stage, 50);
	reads(&next, &s->second, GET("/b"));
	pass(s->stage, 8);
	writes(&next, &s->second, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /b", (struct want){.cpu = 8});
}

/* What its thread does for a request that is given up is told by no event any more. */
static void given_up(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits(&s->t, ZSP_WAIT_DISK, 30);
	sock_change(&s->first, ZSP_CHANGE_CLOSED, 104);
	expect(s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.unattributed = 30});
}

/* --- calls ----------------------------------------------------------------------------------------- */

static void a_call_by_the_thread(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits(&s->t, ZSP_WAIT_PEER, 3); /* for nothing that is seen */
	writes(&s->t, &s->inner.client, GET("/down"));
	waits(&s->t, ZSP_WAIT_TIMER, 40);
	waits(&s->t, ZSP_WAIT_PEER, 30);
	pass(s->stage, 2);
	reads(&s->t, &s->inner.client, OK2);
	pass(s->stage, 4);
	waits(&s->t, ZSP_WAIT_PEER, 6);
	writes(&s->t, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /",
	    (struct want){.cpu = 6, .downstream = 70, .other = 9});
	expect(s->stage, SPAN_KIND_CLIENT, "GET /down", (struct want){.cpu = 2, .downstream = 70});
}

/* The write that begins a call has waited for room and for the CPU; what went before is not the call's. */
static void a_call_that_is_slow_to_send(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits(&s->t, ZSP_WAIT_SLEEP, 50);
	waits(&s->t, ZSP_WAIT_SEND, 10); /* on a socket that is not observed */
	waits(&s->t, ZSP_WAIT_RUNQUEUE, 4);
	s->t.waits.ns[ZSP_WAIT_SEND] += 20 * NS_PER_MS;
	s->t.waits.ns[ZSP_WAIT_RUNQUEUE] += 3 * NS_PER_MS;
	s->t.waits.switches++;
	s->stage->feed.waits = &s->t.waits;
	s->stage->feed.sent_ns = 20 * NS_PER_MS;
	s->stage->feed.delayed_ns = 3 * NS_PER_MS;
	sock_move_cut(&s->inner.client, &s->t.actor, ZSP_OUT, SV(GET("/down")),
	    sizeof(GET("/down")) - 1, 28 * NS_PER_MS);
	s->stage->feed.sent_ns = s->stage->feed.delayed_ns = 0;
	waits(&s->t, ZSP_WAIT_PEER, 30);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /",
	    (struct want){.cpu = 5, .runqueue = 7, .sleep = 50, .net_send = 30, .downstream = 30});
	expect(s->stage, SPAN_KIND_CLIENT, "GET /down",
	    (struct want){.cpu = 5, .runqueue = 3, .net_send = 20, .downstream = 30});
}

/* A peer that hangs up ends the call without an event of the thread. */
static void a_call_that_fails(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	writes(&s->t, &s->inner.client, GET("/down"));
	waits(&s->t, ZSP_WAIT_PEER, 60);
	sock_change(&s->inner.client, ZSP_CHANGE_CLOSED, 104);
	pass(s->stage, 3);
	writes(&s->t, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 3, .downstream = 60});
	expect(s->stage, SPAN_KIND_CLIENT, "GET /down", (struct want){.downstream = 60});
}

/* A statement has what its thread did from its beginning to its end, and its request has it too. */
static void a_statement(void **state)
{
	struct story *s = *state;

	waits(&s->t, ZSP_WAIT_DISK, 1000);
	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 2);
	executes(&s->t, "UPDATE stock SET n = 1", 30);
	waits(&s->t, ZSP_WAIT_DISK, 4);
	writes(&s->t, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 2, .disk = 34});
	expect(s->stage, SPAN_KIND_CLIENT, "UPDATE stock", (struct want){.disk = 30});
}

/* What a statement sleeps without a lock to wait for is sleep, to itself and to its request. */
static void a_statement_that_sleeps(void **state)
{
	struct story *s = *state;
	struct execution e = {.sql = "UPDATE stock SET n = pause()"};

	reads(&s->t, &s->first, GET("/"));
	e.before = s->t.waits;
	e.start_ns = s->stage->feed.now_ns;
	waits(&s->t, ZSP_WAIT_SQLITE_BUSY, 50);
	s->stage->feed.waits = &s->t.waits;
	feed_execution(&s->stage->feed, &s->t.actor, &e);
	writes(&s->t, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.sleep = 50});
	expect(s->stage, SPAN_KIND_CLIENT, "UPDATE stock", (struct want){.sleep = 50});
}

/* --- event loops --------------------------------------------------------------------------------- */

static void a_loop_with_two_requests(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/calls"));
	pass(s->stage, 1);
	writes(&s->t, &s->inner.client, GET("/down"));
	waits(&s->t, ZSP_WAIT_PEER, 20);
	reads(&s->t, &s->second, GET("/works"));
	pass(s->stage, 50); /* meanwhile, after 10 ms, the answer comes */
	writes(&s->t, &s->second, OK2);
	reads_late(&s->t, &s->inner.client, OK2, 40);
	pass(s->stage, 2);
	writes(&s->t, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /calls",
	    (struct want){.cpu = 3, .queued = 40, .downstream = 30});
	expect(s->stage, SPAN_KIND_SERVER, "GET /works", (struct want){.cpu = 50});
	expect(
	    s->stage, SPAN_KIND_CLIENT, "GET /down", (struct want){.queued = 40, .downstream = 30});
}

/* Statements tell whom a loop worked for, when a timer let a request go on. */
static void a_loop_with_a_timer(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/calls"));
	writes(&s->t, &s->inner.client, GET("/sleeps"));
	waits(&s->t, ZSP_WAIT_PEER, 0);
	reads(&s->t, &s->inner.server, GET("/sleeps"));
	waits(&s->t, ZSP_WAIT_TIMER, 100);
	waits(&s->t, ZSP_WAIT_TIMER, 100);
	executes(&s->t, "UPDATE stock SET n = 1", 6);
	pass(s->stage, 3);
	writes(&s->t, &s->inner.server, OK2);
	waits(&s->t, ZSP_WAIT_PEER, 0);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /sleeps",
	    (struct want){.cpu = 3, .sleep = 200, .disk = 6});
	expect(s->stage, SPAN_KIND_SERVER, "GET /calls", (struct want){.downstream = 209});
	expect(s->stage, SPAN_KIND_CLIENT, "GET /sleeps", (struct want){.downstream = 209});
}

/* --- clients without room -------------------------------------------------------------------------- */

#define OK6_BEGIN "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{}"

/* A loop waits for room in poll, or is at others. What it waits for when all has been taken is something else. */
static void a_loop_whose_client_has_no_room(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/large"));
	pass(s->stage, 1);
	fills(&s->t, &s->first, OK6_BEGIN);
	waits(&s->t, ZSP_WAIT_PEER, 30);
	writes(&s->t, &s->first, "{}");
	waits(&s->t, ZSP_WAIT_PEER, 7);
	writes(&s->t, &s->first, "{}");
	expect(s->stage, SPAN_KIND_SERVER, "GET /large",
	    (struct want){.cpu = 1, .net_send = 30, .other = 7});
}

static void a_loop_with_others_meanwhile(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/large"));
	pass(s->stage, 1);
	fills(&s->t, &s->first, OK6_BEGIN);
	waits(&s->t, ZSP_WAIT_PEER, 30);
	reads(&s->t, &s->second, GET("/works"));
	pass(s->stage, 5);
	writes(&s->t, &s->second, OK2);
	waits(&s->t, ZSP_WAIT_PEER, 20);
	pass(s->stage, 2);
	fills(&s->t, &s->first, "{}");
	waits(&s->t, ZSP_WAIT_PEER, 10);
	writes(&s->t, &s->first, "{}");
	expect(s->stage, SPAN_KIND_SERVER, "GET /large", (struct want){.cpu = 3, .net_send = 65});
	expect(s->stage, SPAN_KIND_SERVER, "GET /works", (struct want){.cpu = 5});
}

/* It is the client that holds the answer up, and with it the call whose answer is passed on. */
static void a_call_passed_on_to_a_client_without_room(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	writes(&s->t, &s->inner.client, GET("/down"));
	waits(&s->t, ZSP_WAIT_PEER, 20);
	reads(&s->t, &s->inner.client, OK6_BEGIN);
	fills(&s->t, &s->first, OK6_BEGIN);
	waits(&s->t, ZSP_WAIT_PEER, 40);
	writes(&s->t, &s->first, "{}");
	waits(&s->t, ZSP_WAIT_PEER, 9);
	reads(&s->t, &s->inner.client, "{}{}");
	writes(&s->t, &s->first, "{}");
	expect(
	    s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.downstream = 29, .net_send = 40});
}

/* --- threads that hand over ------------------------------------------------------------------------ */

/* A reader wakes an idle worker, which answers. */
static void handed_to_an_idle_worker(void **state)
{
	struct story *s = *state;

	get_known(&s->t, &s->worker);
	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 4);
	woken(&s->worker, ZSP_WAIT_LOCK, 500);
	pass(s->stage, 10);
	waits(&s->worker, ZSP_WAIT_SLEEP, 20);
	writes(&s->worker, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /",
	    (struct want){.cpu = 10, .queued = 4, .sleep = 20});
}

/* It is woken by something else, is not on the CPU yet when the request comes, and takes that. */
static void handed_to_a_worker_on_its_way(void **state)
{
	struct story *s = *state;

	get_known(&s->t, &s->worker);
	waits(&s->worker, ZSP_WAIT_RUNQUEUE, 90);
	pass(s->stage, 500);
	woken(&s->worker, ZSP_WAIT_LOCK, 500);
	pass(s->stage, 3);
	reads(&s->t, &s->first, GET("/"));
	waits(&s->worker, ZSP_WAIT_RUNQUEUE, 6);
	waits(&s->worker, ZSP_WAIT_SLEEP, 20);
	pass(s->stage, 10);
	writes(&s->worker, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /",
	    (struct want){.cpu = 10, .runqueue = 6, .sleep = 20});
}

/* Of a thread that was never seen before, and was not woken, it is not known what it did. */
static void handed_to_an_unknown_worker(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	woken(&s->t, ZSP_WAIT_PEER, 0);
	reads(&s->t, &s->second, GET("/next"));
	waits(&s->worker, ZSP_WAIT_SLEEP, 20);
	writes(&s->worker, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.unattributed = 20});
}

/* If it was woken, it did what its totals say. */
static void handed_to_a_worker_that_is_new(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 4);
	woken(&s->worker, ZSP_WAIT_OTHER, 500);
	waits(&s->worker, ZSP_WAIT_SLEEP, 20);
	pass(s->stage, 10);
	writes(&s->worker, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /",
	    (struct want){.cpu = 10, .queued = 4, .sleep = 20});
}

/* Unless they say more than fits. */
static void handed_to_a_worker_with_a_past(void **state)
{
	struct story *s = *state;

	waits(&s->worker, ZSP_WAIT_SLEEP, 700);
	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 4);
	woken(&s->worker, ZSP_WAIT_LOCK, 100);
	waits(&s->worker, ZSP_WAIT_SLEEP, 20);
	writes(&s->worker, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.unattributed = 24});
}

/* Unless it may have been a lock that it waited for in the midst of its work. */
static void handed_to_a_new_worker_that_waits_midway(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	woken(&s->worker, ZSP_WAIT_OTHER, 0);
	pass(s->stage, 15);
	waits(&s->worker, ZSP_WAIT_LOCK, 20);
	s->worker.waits.woken_ns = s->stage->feed.now_ns;
	waits(&s->worker, ZSP_WAIT_SLEEP, 10);
	writes(&s->worker, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.sleep = 10, .unattributed = 35});
}

/* While it works, the reader is idle and reads another request. */
static void handed_while_the_reader_idles(void **state)
{
	struct story *s = *state;

	get_known(&s->t, &s->worker);
	reads(&s->t, &s->third, GET("/third"));
	reads(&s->t, &s->first, GET("/first"));
	woken(&s->worker, ZSP_WAIT_LOCK, 500);
	waits(&s->worker, ZSP_WAIT_DISK, 30);
	woken(&s->t, ZSP_WAIT_PEER, 30);
	reads(&s->t, &s->second, GET("/second"));
	pass(s->stage, 10);
	writes(&s->worker, &s->first, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /first", (struct want){.cpu = 10, .disk = 30});
}

/* It waits for a worker that answers another one first. */
static void handed_to_a_busy_worker(void **state)
{
	struct story *s = *state;

	get_known(&s->t, &s->worker);
	reads(&s->t, &s->first, GET("/first"));
	woken(&s->worker, ZSP_WAIT_LOCK, 500);
	waits(&s->worker, ZSP_WAIT_DISK, 30);
	woken(&s->t, ZSP_WAIT_PEER, 30);
	reads(&s->t, &s->second, GET("/second"));
	waits(&s->worker, ZSP_WAIT_DISK, 40);
	writes(&s->worker, &s->first, OK2);
	waits(&s->worker, ZSP_WAIT_SLEEP, 8);
	writes(&s->worker, &s->second, OK2);
	expect(s->stage, SPAN_KIND_SERVER, "GET /first", (struct want){.disk = 70});
	expect(s->stage, SPAN_KIND_SERVER, "GET /second", (struct want){.queued = 40, .sleep = 8});
}

/* Somebody waits for the client to take the answer's first part, and then has a worker go on: it was not for a worker that it waited. */
static void handed_over_in_the_midst_of_an_answer(void **state)
{
	struct story *s = *state;

	get_known(&s->t, &s->worker);
	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 5);
	writes(&s->t, &s->first, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	pass(s->stage, 70);
	woken(&s->worker, ZSP_WAIT_LOCK, 75);
	waits(&s->worker, ZSP_WAIT_DISK, 20);
	writes(&s->worker, &s->first, "{}");
	expect(
	    s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 5, .other = 70, .disk = 20});
}

/* The same if it is known that the client has no room. */
static void handed_over_when_there_is_room(void **state)
{
	struct story *s = *state;

	get_known(&s->t, &s->worker);
	reads(&s->t, &s->first, GET("/"));
	fills(&s->t, &s->first, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	pass(s->stage, 70);
	woken(&s->worker, ZSP_WAIT_LOCK, 75);
	pass(s->stage, 3);
	writes(&s->worker, &s->first, "{}");
	expect(s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.net_send = 70, .cpu = 3});
}

/* It waits for a lock in the midst of its work: what it did before is the request's, too. */
static void handed_to_a_worker_that_waits_midway(void **state)
{
	struct story *s = *state;

	get_known(&s->t, &s->worker);
	pass(s->stage, 500);
	reads(&s->t, &s->first, GET("/"));
	woken(&s->worker, ZSP_WAIT_LOCK, 500);
	pass(s->stage, 15);
	waits(&s->worker, ZSP_WAIT_LOCK, 20);
	s->worker.waits.woken_ns = s->stage->feed.now_ns;
	waits(&s->worker, ZSP_WAIT_SLEEP, 10);
	writes(&s->worker, &s->first, OK2);
	expect(
	    s->stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 15, .sleep = 10, .lock = 20});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORY(every_wait),
	    STORY(the_next_request_begins_afresh),
	    STORY(a_number_is_used_again),
	    STORY(given_up),
	    STORY(a_call_by_the_thread),
	    STORY(a_call_that_is_slow_to_send),
	    STORY(a_call_that_fails),
	    STORY(a_statement),
	    STORY(a_statement_that_sleeps),
	    STORY(a_loop_with_two_requests),
	    STORY(a_loop_with_a_timer),
	    STORY(a_loop_whose_client_has_no_room),
	    STORY(a_loop_with_others_meanwhile),
	    STORY(a_call_passed_on_to_a_client_without_room),
	    STORY(handed_to_an_idle_worker),
	    STORY(handed_over_in_the_midst_of_an_answer),
	    STORY(handed_over_when_there_is_room),
	    STORY(handed_to_a_worker_that_waits_midway),
	    STORY(handed_to_a_worker_on_its_way),
	    STORY(handed_to_an_unknown_worker),
	    STORY(handed_to_a_worker_that_is_new),
	    STORY(handed_to_a_worker_with_a_past),
	    STORY(handed_to_a_new_worker_that_waits_midway),
	    STORY(handed_while_the_reader_idles),
	    STORY(handed_to_a_busy_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
