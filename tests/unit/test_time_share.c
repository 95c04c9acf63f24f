// SPDX-License-Identifier: Apache-2.0
/*
 * Where the time of requests and calls went, from events with known waits. Every test tells a story in milliseconds, one
 * event after the other, and compares whole ledgers; what is not named in them is 0.
 */
#include "trace_fixture.h"

struct thread {
	struct stage *stage;
	struct actor actor;
	struct zsp_waits waits;
};

static struct thread thread_of(struct stage *stage, uint32_t tid)
{
	return (struct thread){.stage = stage, .actor = {.pid = 10, .tid = tid}};
}

static void pass(struct stage *stage, uint64_t ms)
{
	stage->feed.now_ns += ms * NS_PER_MS;
}

/* The thread waits; nothing else happens meanwhile. */
static void waits(struct thread *t, enum zsp_wait wait, uint64_t ms)
{
	pass(t->stage, ms);
	t->waits.ns[wait] += ms * NS_PER_MS;
	t->waits.switches++;
	if (wait == ZSP_WAIT_RUNQUEUE)
		t->waits.woken_delay_us += (uint32_t)ms * 1000;
	if (wait == ZSP_WAIT_PEER || wait == ZSP_WAIT_TIMER)
		t->actor.slice++;
}

/* It has waited while others acted, and is woken now. */
static void woken(struct thread *t, enum zsp_wait wait, uint64_t ms)
{
	t->waits.ns[wait] += ms * NS_PER_MS;
	t->waits.switches++;
	t->waits.woken_ns = t->stage->feed.now_ns;
	t->waits.woken_delay_us = 0;
	if (wait == ZSP_WAIT_PEER || wait == ZSP_WAIT_TIMER)
		t->actor.slice++;
}

static void reads(struct thread *t, struct sock *sock, const char *text)
{
	t->stage->feed.waits = &t->waits;
	sock_read(sock, &t->actor, text);
}

/* What is read had been there for so long. */
static void reads_late(struct thread *t, struct sock *sock, const char *text, uint64_t ms)
{
	t->stage->feed.waits = &t->waits;
	t->stage->feed.now_ns -= ms * NS_PER_MS;
	sock_move_cut(
	    sock, &t->actor, ZSP_IN, sv_cstr(text), (uint32_t)strlen(text), ms * NS_PER_MS);
}

static void writes(struct thread *t, struct sock *sock, const char *text)
{
	t->stage->feed.waits = &t->waits;
	sock_write(sock, &t->actor, text);
}

/* Execute a statement that waits for the disk. */
static void executes(struct thread *t, const char *sql, uint64_t disk_ms)
{
	struct execution e = {.sql = sql, .before = t->waits, .start_ns = t->stage->feed.now_ns};

	waits(t, ZSP_WAIT_DISK, disk_ms);
	t->stage->feed.waits = &t->waits;
	feed_execution(&t->stage->feed, &t->actor, &e);
}

/* In ms, by state. */
struct want {
	uint64_t cpu, runqueue, queued, sleep, lock, disk, net_send, downstream, pagefault, busy,
	    other, unattributed;
};

static void expect(struct stage *stage, enum span_kind kind, const char *name, struct want want)
{
	const uint64_t wanted[LEDGER_STATES] = {want.cpu, want.runqueue, want.queued, want.sleep,
	    want.lock, want.disk, want.net_send, want.downstream, want.pagefault, want.busy,
	    want.other, want.unattributed};
	const struct span *span;

	stage_settle(stage);
	stage_check(stage);
	span = stage_find(stage, kind, name);
	for (int i = 0; i < LEDGER_STATES; i++) {
		uint64_t ms = (span->ledger.ns[i] + NS_PER_MS / 2) / NS_PER_MS;

		if (ms != wanted[i])
			fail_msg("%s: %s is %llu ms, not %llu", name, ledger_state_name(i),
			    (unsigned long long)ms, (unsigned long long)wanted[i]);
	}
}

/* --- one thread ---------------------------------------------------------------------------------- */

static void every_wait(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread t = thread_of(stage, 101);

	(void)state;
	waits(&t, ZSP_WAIT_PEER, 1000); /* for the request: nobody's */
	reads_late(&t, &sock, GET("/"), 7);
	pass(stage, 5);
	for (int wait = 0; wait < ZSP_WAIT_MAX; wait++)
		waits(&t, wait, 10 + (uint64_t)wait);
	writes(&t, &sock, OK2);
	waits(&t, ZSP_WAIT_SLEEP, 500); /* after it */
	expect(stage, SPAN_KIND_SERVER, "GET /",
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
	stage_free(stage);
}

static void the_next_request_begins_afresh(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread t = thread_of(stage, 101);

	(void)state;
	reads(&t, &sock, GET("/a"));
	waits(&t, ZSP_WAIT_DISK, 10);
	writes(&t, &sock, OK2);
	waits(&t, ZSP_WAIT_PEER, 100);
	reads(&t, &sock, GET("/b"));
	waits(&t, ZSP_WAIT_LOCK, 20);
	writes(&t, &sock, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /a", (struct want){.disk = 10});
	expect(stage, SPAN_KIND_SERVER, "GET /b", (struct want){.lock = 20});
	stage_free(stage);
}

/* Another thread under the same number: its totals begin anew. */
static void a_number_is_used_again(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1), other = front(stage, 2);
	struct thread t = thread_of(stage, 101), next = thread_of(stage, 101);

	(void)state;
	waits(&t, ZSP_WAIT_LOCK, 300);
	reads(&t, &sock, GET("/a"));
	writes(&t, &sock, OK2);
	pass(stage, 50);
	reads(&next, &other, GET("/b"));
	pass(stage, 8);
	writes(&next, &other, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /b", (struct want){.cpu = 8});
	stage_free(stage);
}

/* What its thread does for a request that is given up is told by no event any more. */
static void given_up(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread t = thread_of(stage, 101);

	(void)state;
	reads(&t, &sock, GET("/"));
	waits(&t, ZSP_WAIT_DISK, 30);
	sock_change(&sock, ZSP_CHANGE_CLOSED, 104);
	expect(stage, SPAN_KIND_SERVER, "GET /", (struct want){.unattributed = 30});
	stage_free(stage);
}

/* --- calls ----------------------------------------------------------------------------------------- */

static void a_call_by_the_thread(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct inner inner = inner_open(stage, 2);
	struct thread t = thread_of(stage, 101);

	(void)state;
	reads(&t, &sock, GET("/"));
	waits(&t, ZSP_WAIT_PEER, 3); /* for nothing that is seen */
	writes(&t, &inner.client, GET("/down"));
	waits(&t, ZSP_WAIT_TIMER, 40);
	waits(&t, ZSP_WAIT_PEER, 30);
	pass(stage, 2);
	reads(&t, &inner.client, OK2);
	pass(stage, 4);
	waits(&t, ZSP_WAIT_PEER, 6);
	writes(&t, &sock, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /",
	    (struct want){.cpu = 6, .downstream = 70, .other = 9});
	expect(stage, SPAN_KIND_CLIENT, "GET /down", (struct want){.cpu = 2, .downstream = 70});
	stage_free(stage);
}

/* The write that begins a call has waited for room; what went before is not the call's. */
static void a_call_that_is_slow_to_send(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct inner inner = inner_open(stage, 2);
	struct thread t = thread_of(stage, 101);

	(void)state;
	reads(&t, &sock, GET("/"));
	waits(&t, ZSP_WAIT_SLEEP, 50);
	t.waits.ns[ZSP_WAIT_SEND] += 20 * NS_PER_MS;
	t.waits.switches++;
	stage->feed.waits = &t.waits;
	sock_move_cut(&inner.client, &t.actor, ZSP_OUT, SV(GET("/down")), sizeof(GET("/down")) - 1,
	    25 * NS_PER_MS);
	waits(&t, ZSP_WAIT_PEER, 30);
	reads(&t, &inner.client, OK2);
	writes(&t, &sock, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /",
	    (struct want){.cpu = 5, .sleep = 50, .net_send = 20, .downstream = 30});
	expect(stage, SPAN_KIND_CLIENT, "GET /down",
	    (struct want){.cpu = 5, .net_send = 20, .downstream = 30});
	stage_free(stage);
}

/* A peer that hangs up ends the call without an event of the thread. */
static void a_call_that_fails(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct inner inner = inner_open(stage, 2);
	struct thread t = thread_of(stage, 101);

	(void)state;
	reads(&t, &sock, GET("/"));
	writes(&t, &inner.client, GET("/down"));
	waits(&t, ZSP_WAIT_PEER, 60);
	sock_change(&inner.client, ZSP_CHANGE_CLOSED, 104);
	pass(stage, 3);
	writes(&t, &sock, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 3, .downstream = 60});
	expect(stage, SPAN_KIND_CLIENT, "GET /down", (struct want){.downstream = 60});
	stage_free(stage);
}

/* A statement has what its thread did from its beginning to its end, and its request has it too. */
static void a_statement(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread t = thread_of(stage, 101);

	(void)state;
	waits(&t, ZSP_WAIT_DISK, 1000);
	reads(&t, &sock, GET("/"));
	pass(stage, 2);
	executes(&t, "UPDATE stock SET n = 1", 30);
	waits(&t, ZSP_WAIT_DISK, 4);
	writes(&t, &sock, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 2, .disk = 34});
	expect(stage, SPAN_KIND_CLIENT, "UPDATE stock", (struct want){.disk = 30});
	stage_free(stage);
}

/* What a statement sleeps without a lock to wait for is sleep, to itself and to its request. */
static void a_statement_that_sleeps(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread t = thread_of(stage, 101);
	struct execution e = {.sql = "UPDATE stock SET n = pause()"};

	(void)state;
	reads(&t, &sock, GET("/"));
	e.before = t.waits;
	e.start_ns = stage->feed.now_ns;
	waits(&t, ZSP_WAIT_SQLITE_BUSY, 50);
	stage->feed.waits = &t.waits;
	feed_execution(&stage->feed, &t.actor, &e);
	writes(&t, &sock, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /", (struct want){.sleep = 50});
	expect(stage, SPAN_KIND_CLIENT, "UPDATE stock", (struct want){.sleep = 50});
	stage_free(stage);
}

/* --- event loops --------------------------------------------------------------------------------- */

static void a_loop_with_two_requests(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock first = front(stage, 1), second = front(stage, 3);
	struct inner inner = inner_open(stage, 5);
	struct thread t = thread_of(stage, 101);

	(void)state;
	reads(&t, &first, GET("/calls"));
	pass(stage, 1);
	writes(&t, &inner.client, GET("/down"));
	waits(&t, ZSP_WAIT_PEER, 20);
	reads(&t, &second, GET("/works"));
	pass(stage, 50); /* meanwhile, after 10 ms, the answer comes */
	writes(&t, &second, OK2);
	reads_late(&t, &inner.client, OK2, 40);
	pass(stage, 2);
	writes(&t, &first, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /calls",
	    (struct want){.cpu = 3, .queued = 40, .downstream = 30});
	expect(stage, SPAN_KIND_SERVER, "GET /works", (struct want){.cpu = 50});
	expect(stage, SPAN_KIND_CLIENT, "GET /down", (struct want){.queued = 40, .downstream = 30});
	stage_free(stage);
}

/* Statements tell whom a loop worked for, when a timer let a request go on. */
static void a_loop_with_a_timer(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock first = front(stage, 1);
	struct inner inner = inner_open(stage, 3);
	struct thread t = thread_of(stage, 101);

	(void)state;
	reads(&t, &first, GET("/calls"));
	writes(&t, &inner.client, GET("/sleeps"));
	waits(&t, ZSP_WAIT_PEER, 0);
	reads(&t, &inner.server, GET("/sleeps"));
	waits(&t, ZSP_WAIT_TIMER, 100);
	waits(&t, ZSP_WAIT_TIMER, 100);
	executes(&t, "UPDATE stock SET n = 1", 6);
	pass(stage, 3);
	writes(&t, &inner.server, OK2);
	waits(&t, ZSP_WAIT_PEER, 0);
	reads(&t, &inner.client, OK2);
	writes(&t, &first, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /sleeps",
	    (struct want){.cpu = 3, .sleep = 200, .disk = 6});
	expect(stage, SPAN_KIND_SERVER, "GET /calls", (struct want){.downstream = 209});
	expect(stage, SPAN_KIND_CLIENT, "GET /sleeps", (struct want){.downstream = 209});
	stage_free(stage);
}

/* --- threads that hand over ------------------------------------------------------------------------ */

/* Let the worker be known: it answers a request. */
static void get_known(struct thread *reader, struct thread *worker)
{
	struct sock sock = front(reader->stage, 9);

	reads(reader, &sock, GET("/before"));
	writes(worker, &sock, OK2);
}

/* A reader wakes an idle worker, which answers. */
static void handed_to_an_idle_worker(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread reader = thread_of(stage, 101), worker = thread_of(stage, 102);

	(void)state;
	get_known(&reader, &worker);
	reads(&reader, &sock, GET("/"));
	pass(stage, 4);
	woken(&worker, ZSP_WAIT_LOCK, 500);
	pass(stage, 10);
	waits(&worker, ZSP_WAIT_SLEEP, 20);
	writes(&worker, &sock, OK2);
	expect(
	    stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 10, .queued = 4, .sleep = 20});
	stage_free(stage);
}

/* It is woken by something else, is not on the CPU yet when the request comes, and takes that. */
static void handed_to_a_worker_on_its_way(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread reader = thread_of(stage, 101), worker = thread_of(stage, 102);

	(void)state;
	get_known(&reader, &worker);
	waits(&worker, ZSP_WAIT_RUNQUEUE, 90);
	pass(stage, 500);
	woken(&worker, ZSP_WAIT_LOCK, 500);
	pass(stage, 3);
	reads(&reader, &sock, GET("/"));
	waits(&worker, ZSP_WAIT_RUNQUEUE, 6);
	waits(&worker, ZSP_WAIT_SLEEP, 20);
	pass(stage, 10);
	writes(&worker, &sock, OK2);
	expect(
	    stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 10, .runqueue = 6, .sleep = 20});
	stage_free(stage);
}

/* Of a thread that was never seen before, and was not woken, it is not known what it did. */
static void handed_to_an_unknown_worker(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1), next = front(stage, 3);
	struct thread reader = thread_of(stage, 101), worker = thread_of(stage, 102);

	(void)state;
	reads(&reader, &sock, GET("/"));
	woken(&reader, ZSP_WAIT_PEER, 0);
	reads(&reader, &next, GET("/next"));
	waits(&worker, ZSP_WAIT_SLEEP, 20);
	writes(&worker, &sock, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /", (struct want){.unattributed = 20});
	stage_free(stage);
}

/* If it was woken, it did what its totals say. */
static void handed_to_a_worker_that_is_new(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread reader = thread_of(stage, 101), worker = thread_of(stage, 102);

	(void)state;
	reads(&reader, &sock, GET("/"));
	pass(stage, 4);
	woken(&worker, ZSP_WAIT_OTHER, 500);
	waits(&worker, ZSP_WAIT_SLEEP, 20);
	pass(stage, 10);
	writes(&worker, &sock, OK2);
	expect(
	    stage, SPAN_KIND_SERVER, "GET /", (struct want){.cpu = 10, .queued = 4, .sleep = 20});
	stage_free(stage);
}

/* Unless they say more than fits. */
static void handed_to_a_worker_with_a_past(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock sock = front(stage, 1);
	struct thread reader = thread_of(stage, 101), worker = thread_of(stage, 102);

	(void)state;
	waits(&worker, ZSP_WAIT_SLEEP, 700);
	reads(&reader, &sock, GET("/"));
	pass(stage, 4);
	woken(&worker, ZSP_WAIT_LOCK, 100);
	waits(&worker, ZSP_WAIT_SLEEP, 20);
	writes(&worker, &sock, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /", (struct want){.unattributed = 24});
	stage_free(stage);
}

/* While it works, the reader is idle and reads another request. */
static void handed_while_the_reader_idles(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock first = front(stage, 1), second = front(stage, 3), third = front(stage, 5);
	struct thread reader = thread_of(stage, 101), worker = thread_of(stage, 102);

	(void)state;
	get_known(&reader, &worker);
	reads(&reader, &third, GET("/third"));
	reads(&reader, &first, GET("/first"));
	woken(&worker, ZSP_WAIT_LOCK, 500);
	waits(&worker, ZSP_WAIT_DISK, 30);
	woken(&reader, ZSP_WAIT_PEER, 30);
	reads(&reader, &second, GET("/second"));
	pass(stage, 10);
	writes(&worker, &first, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /first", (struct want){.cpu = 10, .disk = 30});
	stage_free(stage);
}

/* It waits for a worker that answers another one first. */
static void handed_to_a_busy_worker(void **state)
{
	struct stage *stage = stage_new(1);
	struct sock first = front(stage, 1), second = front(stage, 3);
	struct thread reader = thread_of(stage, 101), worker = thread_of(stage, 102);

	(void)state;
	get_known(&reader, &worker);
	reads(&reader, &first, GET("/first"));
	woken(&worker, ZSP_WAIT_LOCK, 500);
	waits(&worker, ZSP_WAIT_DISK, 30);
	woken(&reader, ZSP_WAIT_PEER, 30);
	reads(&reader, &second, GET("/second"));
	waits(&worker, ZSP_WAIT_DISK, 40);
	writes(&worker, &first, OK2);
	waits(&worker, ZSP_WAIT_SLEEP, 8);
	writes(&worker, &second, OK2);
	expect(stage, SPAN_KIND_SERVER, "GET /first", (struct want){.disk = 70});
	expect(stage, SPAN_KIND_SERVER, "GET /second", (struct want){.queued = 40, .sleep = 8});
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_wait),
	    cmocka_unit_test(the_next_request_begins_afresh),
	    cmocka_unit_test(a_number_is_used_again),
	    cmocka_unit_test(given_up),
	    cmocka_unit_test(a_call_by_the_thread),
	    cmocka_unit_test(a_call_that_is_slow_to_send),
	    cmocka_unit_test(a_call_that_fails),
	    cmocka_unit_test(a_statement),
	    cmocka_unit_test(a_statement_that_sleeps),
	    cmocka_unit_test(a_loop_with_two_requests),
	    cmocka_unit_test(a_loop_with_a_timer),
	    cmocka_unit_test(handed_to_an_idle_worker),
	    cmocka_unit_test(handed_to_a_worker_on_its_way),
	    cmocka_unit_test(handed_to_an_unknown_worker),
	    cmocka_unit_test(handed_to_a_worker_that_is_new),
	    cmocka_unit_test(handed_to_a_worker_with_a_past),
	    cmocka_unit_test(handed_while_the_reader_idles),
	    cmocka_unit_test(handed_to_a_busy_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
