// SPDX-License-Identifier: Apache-2.0
/* Whose a wait is that was looked at. */
#include "time_fixture.h"

#define SERVER SPAN_KIND_SERVER
#define CLIENT SPAN_KIND_CLIENT

/* --- one thread ---------------------------------------------------------------------------------------- */

static void a_request(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 5);
	waits_in(&s->t, ZSP_WAIT_LOCK, 40, "lock");
	pass(s->stage, 5);
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_LOCK, 40, "lock");
	expect(s->stage, SERVER, "GET /", (struct want){.cpu = 10, .lock = 40});
}

/* It was looked at, as who might become slow, and did not. */
static void a_request_that_is_fast(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits_in(&s->t, ZSP_WAIT_LOCK, STAGE_SLOW_MS - 1, "lock");
	writes(&s->t, &s->first, OK2);
	expect_no_wait(s->stage, SERVER, "GET /");
}

/* Two waits within one segment, and one that is longer in the next. */
static void the_longest(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits_in(&s->t, ZSP_WAIT_DISK, 30, "file");
	waits_in(&s->t, ZSP_WAIT_DISK, 20, "other file");
	writes(&s->t, &s->first, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	waits_in(&s->t, ZSP_WAIT_LOCK, 31, "lock");
	writes(&s->t, &s->first, "{");
	waits_in(&s->t, ZSP_WAIT_DISK, 30, "last file");
	writes(&s->t, &s->first, "}");
	expect_wait(s->stage, SERVER, "GET /", LEDGER_LOCK, 31, "lock");
}

/* Neither what was before it, nor what is after it; nor of the next request. */
static void only_its_own(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->third, GET("/before"));
	writes(&s->t, &s->third, OK2);
	waits_in(&s->t, ZSP_WAIT_PEER, 300, "idle");
	reads(&s->t, &s->first, GET("/"));
	waits(&s->t, ZSP_WAIT_PEER, 10); /* of which nothing is known */
	writes(&s->t, &s->first, OK2);
	waits_in(&s->t, ZSP_WAIT_PEER, 300, "idle again");
	reads(&s->t, &s->second, GET("/next"));
	writes(&s->t, &s->second, OK2);
	expect_no_wait(s->stage, SERVER, "GET /before");
	expect_no_wait(s->stage, SERVER, "GET /");
	expect_no_wait(s->stage, SERVER, "GET /next");
}

/* --- calls --------------------------------------------------------------------------------------------- */

static void a_call(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	writes(&s->t, &s->inner.client, GET("/down"));
	waits_in(&s->t, ZSP_WAIT_PEER, 70, "recv");
	reads(&s->t, &s->inner.client, OK2);
	pass(s->stage, 4);
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_DOWNSTREAM, 70, "recv");
	expect_wait(s->stage, CLIENT, "GET /down", LEDGER_DOWNSTREAM, 70, "recv");
}

/* It polled with a time limit that did not pass. */
static void a_call_with_a_time_limit(void **state)
{
	struct story *s = *state;
	uint64_t since_ns = s->stage->feed.now_ns;

	reads(&s->t, &s->first, GET("/"));
	writes(&s->t, &s->inner.client, GET("/down"));
	since_ns = s->stage->feed.now_ns;
	pass(s->stage, 30);
	look(&s->t, ZSP_WAIT_TIMER, since_ns, true);
	s->stage->feed.now_ns = since_ns;
	waits(&s->t, ZSP_WAIT_PEER, 70);
	is_told(&s->t, since_ns, "poll");
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_DOWNSTREAM, 70, "poll");
	expect_wait(s->stage, CLIENT, "GET /down", LEDGER_DOWNSTREAM, 70, "poll");
}

/* A wait ends when its thread acts: what it waits for later is at another place. */
static void an_answer_in_two_parts(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	writes(&s->t, &s->inner.client, GET("/down"));
	waits_in(&s->t, ZSP_WAIT_PEER, 10, "head");
	reads(&s->t, &s->inner.client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	waits(&s->t, ZSP_WAIT_PEER, 50);
	reads(&s->t, &s->inner.client, "{}");
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_DOWNSTREAM, 10, "head");
	expect_wait(s->stage, CLIENT, "GET /down", LEDGER_DOWNSTREAM, 10, "head");
}

/* What its thread waits for before and after a call is the request's only. */
static void beside_a_call(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits_in(&s->t, ZSP_WAIT_LOCK, 50, "before");
	writes(&s->t, &s->inner.client, GET("/down"));
	waits(&s->t, ZSP_WAIT_PEER, 10);
	reads(&s->t, &s->inner.client, OK2);
	waits_in(&s->t, ZSP_WAIT_LOCK, 60, "after");
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_LOCK, 60, "after");
	expect_no_wait(s->stage, CLIENT, "GET /down");
}

/* --- statements ---------------------------------------------------------------------------------------- */

/* An execution that waits at a known place. */
static void executes_in(struct thread *t, enum zsp_wait wait, uint64_t ms, const char *user)
{
	struct execution e = {
	    .sql = "UPDATE stock SET n = 1", .before = t->waits, .start_ns = t->stage->feed.now_ns};

	waits_in(t, wait, ms, user);
	t->stage->feed.waits = &t->waits;
	feed_execution(&t->stage->feed, &t->actor, &e);
}

static void a_statement(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 2);
	executes_in(&s->t, ZSP_WAIT_DISK, 30, "fsync");
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_DISK, 30, "fsync");
	expect_wait(s->stage, CLIENT, "UPDATE stock", LEDGER_DISK, 30, "fsync");
}

/* It is fast, and a part of what is slow. */
static void a_fast_statement_of_a_slow_request(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	executes_in(&s->t, ZSP_WAIT_DISK, STAGE_SLOW_MS / 2, "fsync");
	pass(s->stage, STAGE_SLOW_MS);
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, CLIENT, "UPDATE stock", LEDGER_DISK, STAGE_SLOW_MS / 2, "fsync");
	expect_wait(s->stage, SERVER, "GET /", LEDGER_DISK, STAGE_SLOW_MS / 2, "fsync");
}

/* Waits around it are not its own, and its own ends with it. */
static void around_a_statement(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits_in(&s->t, ZSP_WAIT_LOCK, 10, "before");
	executes(&s->t, "DELETE FROM stock", 20);
	pass(s->stage, 1);
	executes_in(&s->t, ZSP_WAIT_LOCK, 15, "inside");
	waits(&s->t, ZSP_WAIT_LOCK, 500);
	writes(&s->t, &s->first, OK2);
	expect_no_wait(s->stage, CLIENT, "DELETE stock");
	expect_wait(s->stage, CLIENT, "UPDATE stock", LEDGER_LOCK, 15, "inside");
	expect_wait(s->stage, SERVER, "GET /", LEDGER_LOCK, 15, "inside");
}

/* A statement's beginning ends what its thread waited for before. */
static void until_a_statement_begins(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits_in(&s->t, ZSP_WAIT_DISK, 10, "before");
	executes(&s->t, "DELETE FROM stock", 200);
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_DISK, 10, "before");
}

static void lock_event(struct story *s, enum zsp_lock_op op, uint64_t since_ns)
{
	const struct zsp_lock lock = {
	    .h = {.pid = 10, .tid = 101, .time_ns = s->stage->feed.now_ns},
	    .file = op == ZSP_LOCK_REFUSED ? 1 : 0,
	    .stmt = 0x1000,
	    .since_ns = since_ns,
	    .op = (uint8_t)op,
	};

	assembler_lock(s->stage->assembler, &lock);
}

/* A request with a statement that sleeps, because of a lock or not. */
static void sleeps_inside(struct story *s, bool refused)
{
	struct execution e = {.sql = "UPDATE stock SET n = 1"};

	reads(&s->t, &s->first, GET("/"));
	e.before = s->t.waits;
	e.start_ns = s->stage->feed.now_ns;
	if (refused)
		lock_event(s, ZSP_LOCK_REFUSED, e.start_ns);
	waits_in(&s->t, ZSP_WAIT_SQLITE_BUSY, 50, "busy");
	lock_event(s, ZSP_LOCK_BACKED_OFF, e.start_ns);
	s->stage->feed.waits = &s->t.waits;
	feed_execution(&s->stage->feed, &s->t.actor, &e);
	writes(&s->t, &s->first, OK2);
}

static void a_statement_that_backs_off(void **state)
{
	struct story *s = *state;

	sleeps_inside(s, true);
	expect(s->stage, SERVER, "GET /", (struct want){.busy = 50});
	expect_wait(s->stage, SERVER, "GET /", LEDGER_SQLITE_BUSY, 50, "busy");
	expect_wait(s->stage, CLIENT, "UPDATE stock", LEDGER_SQLITE_BUSY, 50, "busy");
}

/* Without a lock to wait for it only sleeps. */
static void a_statement_that_sleeps(void **state)
{
	struct story *s = *state;

	sleeps_inside(s, false);
	expect(s->stage, SERVER, "GET /", (struct want){.sleep = 50});
	expect_wait(s->stage, SERVER, "GET /", LEDGER_SLEEP, 50, "busy");
	expect_wait(s->stage, CLIENT, "UPDATE stock", LEDGER_SLEEP, 50, "busy");
}

/* Who is refused the lock is told for which request the other one took it. */
static void the_holder_s_request(void **state)
{
	struct story *s = *state;
	struct zsp_lock lock = {
	    .h = {.pid = 20, .tid = 102},
	    .file = 1,
	    .stmt = 0x1000,
	    .op = ZSP_LOCK_TAKEN,
	};
	const struct attr *attr;

	s->worker.actor.pid = 20;
	reads(&s->worker, &s->second, GET("/holds"));
	lock.h.time_ns = s->stage->feed.now_ns;
	assembler_lock(s->stage->assembler, &lock);
	executes(&s->worker, "BEGIN IMMEDIATE", 1);
	sleeps_inside(s, true);
	writes(&s->worker, &s->second, OK2);
	stage_settle(s->stage);
	attr = span_attr(stage_find(s->stage, CLIENT, "UPDATE stock"), "zerospan.culprit.request");
	assert_non_null(attr);
	assert_true(sv_eq(attr->string, SV("GET /holds")));
}

/* --- an end that is earlier ------------------------------------------------------------------------------- */

/*
 * It works for 5 ms and writes, which takes 40 ms; its client has the answer when it has waited for client_ms. What is told first is
 * the client's read or the server's write.
 */
static void slow_write(struct story *s, uint64_t client_ms, bool client_first)
{
	uint64_t begin_ns;

	s->worker.actor.pid = 20;
	writes(&s->t, &s->inner.client, GET("/down"));
	reads(&s->worker, &s->inner.server, GET("/down"));
	begin_ns = s->stage->feed.now_ns;
	pass(s->stage, 5);
	waits_in(&s->worker, ZSP_WAIT_SEND, 40, "send");
	if (!client_first)
		writes(&s->worker, &s->inner.server, OK2);
	s->stage->feed.now_ns = begin_ns + client_ms * NS_PER_MS;
	waits(&s->t, ZSP_WAIT_PEER, 0);
	reads(&s->t, &s->inner.client, OK2);
	s->stage->feed.now_ns = begin_ns + 45 * NS_PER_MS;
	if (client_first)
		writes(&s->worker, &s->inner.server, OK2);
	stage_settle(s->stage);
}

static void the_client_had_it(void **state)
{
	struct story *s = *state;

	slow_write(s, 20, false);
	expect(s->stage, SERVER, "GET /down", (struct want){.cpu = 5, .net_send = 15});
	expect_wait(s->stage, SERVER, "GET /down", LEDGER_NET_SEND, 15, "send");
}

static void the_client_had_it_and_told_so(void **state)
{
	struct story *s = *state;

	slow_write(s, 20, true);
	expect(s->stage, SERVER, "GET /down", (struct want){.cpu = 5, .net_send = 15});
	expect_wait(s->stage, SERVER, "GET /down", LEDGER_NET_SEND, 15, "send");
}

/* Then the whole wait was after the end. */
static void the_client_had_it_before(void **state)
{
	struct story *s = *state;

	slow_write(s, 4, false);
	expect(s->stage, SERVER, "GET /down", (struct want){.cpu = 4});
	expect_no_wait(s->stage, SERVER, "GET /down");
}

/* --- event loops --------------------------------------------------------------------------------------- */

/* A lock that it waits for before it answers. */
static void a_loop_that_answers(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/first"));
	reads(&s->t, &s->second, GET("/second"));
	waits_in(&s->t, ZSP_WAIT_LOCK, 40, "lock");
	writes(&s->t, &s->first, OK2);
	writes(&s->t, &s->second, OK2);
	expect_wait(s->stage, SERVER, "GET /first", LEDGER_LOCK, 40, "lock");
	expect_no_wait(s->stage, SERVER, "GET /second");
}

/* Before it reads, and is idle before that. */
static void a_loop_that_reads(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/first"));
	reads(&s->t, &s->second, GET("/second"));
	waits_in(&s->t, ZSP_WAIT_LOCK, 40, "lock");
	waits_in(&s->t, ZSP_WAIT_PEER, 90, "poll");
	reads(&s->t, &s->third, GET("/third"));
	writes(&s->t, &s->first, OK2);
	writes(&s->t, &s->second, OK2);
	writes(&s->t, &s->third, OK2);
	expect_no_wait(s->stage, SERVER, "GET /first");
	expect_wait(s->stage, SERVER, "GET /second", LEDGER_LOCK, 40, "lock");
	expect_no_wait(s->stage, SERVER, "GET /third");
}

/* Its poll is nobody's, whether it ends by a descriptor or in time. */
static void a_loop_that_idles(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/first"));
	writes(&s->t, &s->inner.client, GET("/down"));
	reads(&s->t, &s->second, GET("/second"));
	waits_in(&s->t, ZSP_WAIT_TIMER, 30, "poll");
	writes(&s->t, &s->second, OK2);
	reads(&s->t, &s->third, GET("/third"));
	waits_in(&s->t, ZSP_WAIT_PEER, 30, "poll");
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	writes(&s->t, &s->third, OK2);
	expect_no_wait(s->stage, SERVER, "GET /first");
	expect_no_wait(s->stage, SERVER, "GET /second");
	expect_no_wait(s->stage, SERVER, "GET /third");
	expect_no_wait(s->stage, CLIENT, "GET /down");
}

/* --- threads that hand over ------------------------------------------------------------------------------ */

/* A reader wakes a worker from a wait that is known; what that waits for then is the request's. */
static void a_worker(void **state)
{
	struct story *s = *state;
	uint64_t since_ns;

	get_known(&s->t, &s->worker);
	since_ns = s->stage->feed.now_ns;
	pass(s->stage, 500);
	look(&s->worker, ZSP_WAIT_LOCK, since_ns, true);
	is_told(&s->worker, since_ns, "idle");
	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 4);
	woken(&s->worker, ZSP_WAIT_LOCK, 504);
	pass(s->stage, 10);
	waits_in(&s->worker, ZSP_WAIT_SLEEP, 20, "sleep");
	writes(&s->worker, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_SLEEP, 20, "sleep");
	expect(s->stage, SERVER, "GET /", (struct want){.cpu = 10, .queued = 4, .sleep = 20});
}

/* The first that is ever heard of a worker is the look. */
static void a_worker_that_is_new(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	pass(s->stage, 4);
	woken(&s->worker, ZSP_WAIT_OTHER, 500);
	waits_in(&s->worker, ZSP_WAIT_SLEEP, 20, "sleep");
	writes(&s->worker, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /", LEDGER_SLEEP, 20, "sleep");
}

/* --- what is worth a look ------------------------------------------------------------------------------- */

/* Is it, in this wait, which lasts a millisecond by now? */
static bool is_wanted(struct thread *t, enum zsp_wait kind)
{
	const struct thread_wait wait = {
	    .pid = t->actor.pid,
	    .tid = t->actor.tid,
	    .since_ns = t->stage->feed.now_ns - NS_PER_MS,
	    .time_ns = t->stage->feed.now_ns,
	    .kind = kind,
	    .waits = t->waits,
	};

	return assembler_wants(t->stage->assembler, &wait);
}

/* Of the one thread that serves. */
static bool is_unexplained(struct story *s)
{
	struct serving_thread found[2];

	assert_int_equal(assembler_serving(s->stage->assembler, UINT64_MAX, found, 2), 1);
	assert_int_equal(found[0].tid, s->t.actor.tid);
	return found[0].unexplained;
}

/* Short waits of a kind in which a request is for a quarter of its time, until one of them is known. */
static void short_waits(void **state)
{
	struct story *s = *state;

	assert_false(is_wanted(&s->t, ZSP_WAIT_DISK)); /* nobody has heard of it */
	reads(&s->t, &s->first, GET("/"));
	waits(&s->t, ZSP_WAIT_LOCK, 2);
	pass(s->stage, 2);
	assert_true(is_unexplained(s));
	assert_true(is_wanted(&s->t, ZSP_WAIT_LOCK));
	assert_true(is_wanted(&s->t, ZSP_WAIT_DISK)); /* for one of four */
	pass(s->stage, 2);
	assert_false(is_wanted(&s->t, ZSP_WAIT_DISK));
	assert_true(is_wanted(&s->t, ZSP_WAIT_LOCK));
	assert_false(is_wanted(&s->worker, ZSP_WAIT_LOCK));
	waits_in(&s->t, ZSP_WAIT_LOCK, 2, "lock");
	assert_false(is_unexplained(s));
	assert_false(is_wanted(&s->t, ZSP_WAIT_LOCK));
	waits(&s->t, ZSP_WAIT_DISK, 3);
	assert_true(is_wanted(&s->t, ZSP_WAIT_DISK));
	writes(&s->t, &s->first, OK2);
	assert_false(is_wanted(&s->t, ZSP_WAIT_DISK));
	reads(&s->t, &s->second, GET("/next"));
	waits(&s->t, ZSP_WAIT_LOCK, 1);
	assert_true(is_unexplained(s));
	assert_true(is_wanted(&s->t, ZSP_WAIT_LOCK));
}

/* What it has waited for between its calls counts, too; the wait for an answer is another kind. */
static void short_waits_between_calls(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits(&s->t, ZSP_WAIT_DISK, 12);
	writes(&s->t, &s->inner.client, GET("/down"));
	waits(&s->t, ZSP_WAIT_PEER, 2);
	assert_false(is_wanted(&s->t, ZSP_WAIT_PEER)); /* for three of 14 */
	waits(&s->t, ZSP_WAIT_PEER, 9);
	assert_true(is_wanted(&s->t, ZSP_WAIT_PEER));
	assert_true(is_wanted(&s->t, ZSP_WAIT_TIMER)); /* the same by a call with a time limit */
	reads(&s->t, &s->inner.client, OK2);
	pass(s->stage, 1);
	assert_true(is_wanted(&s->t, ZSP_WAIT_DISK));
	pass(s->stage, 30);
	assert_false(is_wanted(&s->t, ZSP_WAIT_DISK));
}

/* A loop waits in the same place for whatever comes. */
static void short_waits_of_a_loop(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/"));
	waits(&s->t, ZSP_WAIT_TIMER, 20);
	assert_false(is_wanted(&s->t, ZSP_WAIT_TIMER));
	waits(&s->t, ZSP_WAIT_LOCK, 20);
	assert_true(is_wanted(&s->t, ZSP_WAIT_LOCK));
	reads(&s->t, &s->second, GET("/other"));
	waits(&s->t, ZSP_WAIT_LOCK, 20);
	assert_false(is_wanted(&s->t, ZSP_WAIT_LOCK)); /* which of them it is for is not known */
	assert_false(is_unexplained(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORY(a_request),
	    STORY(a_request_that_is_fast),
	    STORY(the_longest),
	    STORY(only_its_own),
	    STORY(an_answer_in_two_parts),
	    STORY(a_call),
	    STORY(a_call_with_a_time_limit),
	    STORY(beside_a_call),
	    STORY(a_statement),
	    STORY(a_fast_statement_of_a_slow_request),
	    STORY(around_a_statement),
	    STORY(until_a_statement_begins),
	    STORY(a_statement_that_backs_off),
	    STORY(a_statement_that_sleeps),
	    STORY(the_holder_s_request),
	    STORY(the_client_had_it),
	    STORY(the_client_had_it_and_told_so),
	    STORY(the_client_had_it_before),
	    STORY(a_loop_that_answers),
	    STORY(a_loop_that_reads),
	    STORY(a_loop_that_idles),
	    STORY(a_worker),
	    STORY(a_worker_that_is_new),
	    STORY(short_waits),
	    STORY(short_waits_between_calls),
	    STORY(short_waits_of_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
