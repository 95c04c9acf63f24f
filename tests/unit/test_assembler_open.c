// SPDX-License-Identifier: Apache-2.0
/* What is open: of which processes, as spans that have not ended, and when the observation ends first. */
#include <stdio.h>

#include "time_fixture.h"

#define SERVER SPAN_KIND_SERVER
#define CLIENT SPAN_KIND_CLIENT

/* Its thread waits for 40 ms by now, and that was seen and told. */
static void is_seen_in(struct story *s, enum zsp_wait wait, const char *user)
{
	uint64_t since_ns = s->stage->feed.now_ns;

	pass(s->stage, 40);
	look(&s->t, wait, since_ns, true);
	is_told(&s->t, since_ns, user);
}

/* --- processes ------------------------------------------------------------------------------------------- */

enum {
	ASKED_MAX = 4,
};

/* Processes with something open since before then. */
static void expect_open(
    struct story *s, uint64_t before_ns, size_t max, const struct open_process *expected, size_t n)
{
	struct open_process found[ASKED_MAX + 1];

	memset(found, 0xee, sizeof(found));
	assert_int_equal(assembler_open(s->stage->assembler, before_ns, found, max), n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(found[i].pid, expected[i].pid);
		assert_int_equal(found[i].since_ns, expected[i].since_ns);
	}
	assert_int_equal(found[n].pid, 0xeeeeeeee); /* no more was written */
}

static void processes(void **state)
{
	struct story *s = *state;
	struct thread other = s->worker;
	struct open_process open[3];

	expect_open(s, UINT64_MAX, ASKED_MAX, NULL, 0);
	other.actor.pid = 20;
	reads(&other, &s->second, GET("/b"));
	open[0] = (struct open_process){.pid = 20, .since_ns = s->stage->feed.now_ns};
	pass(s->stage, 10);
	reads(&s->t, &s->first, GET("/a"));
	open[1] = (struct open_process){.pid = 10, .since_ns = s->stage->feed.now_ns};
	pass(s->stage, 10);
	reads(&other, &s->third, GET("/c")); /* its process is told once */
	open[2] = (struct open_process){.pid = 20, .since_ns = s->stage->feed.now_ns};

	expect_open(s, UINT64_MAX, ASKED_MAX, open, 2);
	expect_open(s, UINT64_MAX, 2, open, 2);
	expect_open(s, UINT64_MAX, 1, open, 1);
	expect_open(s, UINT64_MAX, 0, open, 0);
	expect_open(s, open[1].since_ns + 1, ASKED_MAX, open, 2);
	expect_open(s, open[1].since_ns, ASKED_MAX, open, 1);
	expect_open(s, open[0].since_ns, ASKED_MAX, open, 0);

	writes(&other, &s->second, OK2);
	expect_open(s, UINT64_MAX, ASKED_MAX, open + 1, 2);
	writes(&other, &s->third, OK2);
	expect_open(s, UINT64_MAX, ASKED_MAX, open + 1, 1);
	writes(&s->t, &s->first, OK2);
	expect_open(s, UINT64_MAX, ASKED_MAX, NULL, 0);
}

/* A call is open, too. */
static void a_call_alone(void **state)
{
	struct story *s = *state;
	struct open_process open = {.pid = 10};

	writes(&s->t, &s->inner.client, GET("/down"));
	open.since_ns = s->stage->feed.now_ns;
	expect_open(s, UINT64_MAX, ASKED_MAX, &open, 1);
	reads(&s->t, &s->inner.client, OK2);
	expect_open(s, UINT64_MAX, ASKED_MAX, NULL, 0);
}

/* Requests of this process and of threads from this one on, each on a connection of its own. */
static void many_open(struct story *s, uint32_t pid, uint32_t tid, uint64_t first_id, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct sock sock = front(s->stage, first_id + i);
		struct actor actor = {.pid = pid, .tid = tid + (uint32_t)i};

		sock_read(&sock, &actor, GET("/poll"));
	}
}

/* Requests that are open for long keep nobody else from being seen, however many there are. */
static void long_ones_hide_nobody(void **state)
{
	struct story *s = *state;
	uint64_t begin_ns = s->stage->feed.now_ns, before_ns;
	struct open_process found[ASKED_MAX];
	struct serving_thread serving[2];

	many_open(s, 20, 1000, 100, ASSEMBLER_OPEN_MAX + 100);
	pass(s->stage, 10);
	reads(&s->t, &s->first, GET("/a"));
	before_ns = s->stage->feed.now_ns + 1;
	reads(&s->worker, &s->second, GET("/too/young"));
	assert_int_equal(assembler_open(s->stage->assembler, before_ns, found, ASKED_MAX), 2);
	assert_int_equal(found[0].pid, 20);
	assert_true(found[0].since_ns < begin_ns + 10 * NS_PER_MS);
	assert_int_equal(assembler_oldest(s->stage->assembler), found[0].since_ns);
	assert_int_equal(found[1].pid, 10);
	assert_int_equal(found[1].since_ns, before_ns - 1);
	assert_int_equal(assembler_serving(s->stage->assembler, before_ns, serving, 2), 2);
	assert_int_equal(serving[0].tid, s->t.actor.tid);
	assert_int_equal(serving[0].since_ns, before_ns - 1);
	assert_int_equal(serving[1].tid, 1000 + ASSEMBLER_OPEN_MAX + 100 - 1);
}

/* Between the oldest and the latest ones nobody looks. */
static void as_many_as_one_question_looks_at(void **state)
{
	struct story *s = *state;
	struct open_process found[ASKED_MAX];

	assert_int_equal(assembler_oldest(s->stage->assembler), UINT64_MAX);
	many_open(s, 20, 1000, 100, ASSEMBLER_OPEN_MAX);
	reads(&s->t, &s->first, GET("/a"));
	many_open(s, 20, 1000, 5000, ASSEMBLER_OPEN_MAX - 1);
	assert_int_equal(assembler_open(s->stage->assembler, UINT64_MAX, found, ASKED_MAX), 2);
	many_open(s, 20, 1000, 10000, 1);
	assert_int_equal(assembler_open(s->stage->assembler, UINT64_MAX, found, ASKED_MAX), 1);
	assert_int_equal(found[0].pid, 20);
}

/* --- spans that have not ended ------------------------------------------------------------------------------ */

struct told {
	struct {
		enum span_kind kind;
		char name[16];
		uint64_t ms[LEDGER_STATES], lasted_ns;
		struct span_id id, parent;
		bool cut;
		enum ledger_state state;
		uint64_t wait_ms;
		char user[16];
	} spans[8];
	size_t n;
};

static uint64_t ms_of(uint64_t ns)
{
	return (ns + NS_PER_MS / 2) / NS_PER_MS;
}

static void on_span(void *ctx, const struct span *span)
{
	struct told *told = ctx;
	size_t i = told->n++;

	assert_true(i < 8);
	assert_int_equal(ledger_sum(&span->ledger), span->end_ns - span->start_ns);
	assert_false(trace_id_is_zero(&span->trace_id));
	told->spans[i].kind = span->kind;
	told->spans[i].lasted_ns = span->end_ns - span->start_ns;
	told->spans[i].cut = span->cut;
	told->spans[i].id = span->span_id;
	told->spans[i].parent = span->parent_id;
	snprintf(told->spans[i].name, 16, "%.*s", SV_ARG(span->name));
	for (int k = 0; k < LEDGER_STATES; k++)
		told->spans[i].ms[k] = ms_of(span->ledger.ns[k]);
	told->spans[i].wait_ms = ms_of(span->wait.ns);
	if (!span->wait.place)
		return;
	told->spans[i].state = span->wait.state;
	snprintf(told->spans[i].user, 16, "%.*s", SV_ARG(span->wait.place->user));
}

/* As of now, what is open since before then. */
static struct told each_open_before(struct story *s, uint64_t before_ns)
{
	struct told told = {.n = 0};

	assembler_each_open(s->stage->assembler, s->stage->feed.now_ns, before_ns, on_span, &told);
	for (size_t i = 0; i < told.n; i++)
		assert_true(told.spans[i].cut);
	return told;
}

static struct told each_open(struct story *s)
{
	return each_open_before(s, UINT64_MAX);
}

static void working(void **state)
{
	struct story *s = *state;
	struct told told;

	assert_int_equal(each_open(s).n, 0);
	reads(&s->t, &s->first, GET("/a"));
	assert_int_equal(each_open(s).n, 0); /* it has lasted no time */
	pass(s->stage, 30);
	told = each_open(s);
	assert_int_equal(told.n, 1);
	assert_string_equal(told.spans[0].name, "GET /a");
	assert_int_equal(told.spans[0].kind, SERVER);
	assert_int_equal(told.spans[0].lasted_ns, 30 * NS_PER_MS);
	assert_int_equal(told.spans[0].ms[LEDGER_UNATTRIBUTED], 30);
	assert_string_equal(told.spans[0].user, "");
	writes(&s->t, &s->first, OK2);
	assert_int_equal(each_open(s).n, 0);
}

static void older_ones(void **state)
{
	struct story *s = *state;
	uint64_t first_ns, second_ns;
	struct told told;

	reads(&s->t, &s->first, GET("/a"));
	first_ns = s->stage->feed.now_ns;
	pass(s->stage, 30);
	reads(&s->worker, &s->second, GET("/b"));
	second_ns = s->stage->feed.now_ns;
	pass(s->stage, 30);
	assert_int_equal(each_open_before(s, second_ns + 1).n, 2);
	told = each_open_before(s, second_ns);
	assert_int_equal(told.n, 1);
	assert_string_equal(told.spans[0].name, "GET /a");
	assert_int_equal(told.spans[0].lasted_ns, s->stage->feed.now_ns - first_ns);
	assert_int_equal(each_open_before(s, first_ns).n, 0);
}

/* One of which the head is not known has no name yet. */
static void half_a_head(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, "GET /a HTT");
	pass(s->stage, 30);
	assert_int_equal(each_open(s).n, 0);
}

/* A request that waits, after what it did before; in the order of their beginning. */
static void waiting(void **state)
{
	struct story *s = *state;
	struct told told;

	reads(&s->t, &s->first, GET("/a"));
	reads(&s->worker, &s->second, GET("/b"));
	executes(&s->t, "UPDATE stock SET n = 1", 6);
	is_seen_in(s, ZSP_WAIT_LOCK, "lock");
	pass(s->stage, 3); /* of which nothing is known */
	told = each_open(s);
	assert_int_equal(told.n, 2);
	assert_string_equal(told.spans[0].name, "GET /a");
	assert_int_equal(told.spans[0].ms[LEDGER_DISK], 6);
	assert_int_equal(told.spans[0].ms[LEDGER_LOCK], 40);
	assert_int_equal(told.spans[0].ms[LEDGER_UNATTRIBUTED], 3);
	assert_int_equal(told.spans[0].state, LEDGER_LOCK);
	assert_int_equal(told.spans[0].wait_ms, 40);
	assert_string_equal(told.spans[0].user, "lock");
	assert_string_equal(told.spans[1].name, "GET /b");
	assert_int_equal(told.spans[1].ms[LEDGER_UNATTRIBUTED], 49);
	assert_string_equal(told.spans[1].user, "");
}

static void calling(void **state)
{
	struct story *s = *state;
	struct told told;

	reads(&s->t, &s->first, GET("/a"));
	pass(s->stage, 2);
	writes(&s->t, &s->inner.client, GET("/down"));
	is_seen_in(s, ZSP_WAIT_PEER, "recv");
	told = each_open(s);
	assert_int_equal(told.n, 2);
	assert_string_equal(told.spans[0].name, "GET /a");
	assert_int_equal(told.spans[0].ms[LEDGER_CPU], 2);
	assert_int_equal(told.spans[0].ms[LEDGER_DOWNSTREAM], 40);
	assert_int_equal(told.spans[0].state, LEDGER_DOWNSTREAM);
	assert_string_equal(told.spans[0].user, "recv");
	assert_string_equal(told.spans[1].name, "GET /down");
	assert_int_equal(told.spans[1].kind, CLIENT);
	assert_int_equal(told.spans[1].ms[LEDGER_DOWNSTREAM], 40);
	assert_true(span_id_eq(&told.spans[1].parent, &told.spans[0].id));
}

/* A thread that is idle, while others may work for its request: this is where it is, but its time is not the request's. */
static void handed_over(void **state)
{
	struct story *s = *state;
	struct told told;

	reads(&s->t, &s->first, GET("/a"));
	is_seen_in(s, ZSP_WAIT_PEER, "poll");
	told = each_open(s);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.spans[0].ms[LEDGER_UNATTRIBUTED], 40);
	assert_string_equal(told.spans[0].user, "poll");
}

/* A loop that waits for a lock does so for the request that it was with. */
static void a_loop(void **state)
{
	struct story *s = *state;
	struct told told;

	reads(&s->t, &s->first, GET("/a"));
	reads(&s->t, &s->second, GET("/b"));
	is_seen_in(s, ZSP_WAIT_LOCK, "lock");
	told = each_open(s);
	assert_int_equal(told.n, 2);
	assert_int_equal(told.spans[0].ms[LEDGER_LOCK], 0);
	assert_string_equal(told.spans[0].user, "");
	assert_string_equal(told.spans[1].name, "GET /b");
	assert_int_equal(told.spans[1].ms[LEDGER_LOCK], 40);
	assert_int_equal(told.spans[1].state, LEDGER_LOCK);
	assert_string_equal(told.spans[1].user, "lock");
}

/* Its poll is nobody's. */
static void an_idle_loop(void **state)
{
	struct story *s = *state;
	struct told told;

	reads(&s->t, &s->first, GET("/a"));
	reads(&s->t, &s->second, GET("/b"));
	is_seen_in(s, ZSP_WAIT_PEER, "poll");
	told = each_open(s);
	assert_int_equal(told.n, 2);
	assert_string_equal(told.spans[0].user, "");
	assert_string_equal(told.spans[1].user, "");
}

/* A look from before the thread's last event is old. */
static void an_old_look(void **state)
{
	struct story *s = *state;
	struct told told;

	reads(&s->t, &s->third, GET("/before"));
	waits_in(&s->t, ZSP_WAIT_LOCK, 40, "lock");
	writes(&s->t, &s->third, OK2);
	reads(&s->t, &s->first, GET("/a"));
	pass(s->stage, 5);
	told = each_open(s);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.spans[0].ms[LEDGER_UNATTRIBUTED], 5);
	assert_string_equal(told.spans[0].user, "");
}

/* A story that ends; asked: what is open is asked for again and again. */
static struct ledger ends(struct story *s, bool asked, struct span_id *ret_id)
{
	struct ledger ledger;
	struct told told;

	reads(&s->t, &s->first, GET("/a"));
	waits_in(&s->t, ZSP_WAIT_DISK, 7, "file");
	writes(&s->t, &s->inner.client, GET("/down"));
	pass(s->stage, 5);
	if (asked)
		each_open(s);
	waits(&s->t, ZSP_WAIT_PEER, 20);
	reads(&s->t, &s->inner.client, OK2);
	is_seen_in(s, ZSP_WAIT_LOCK, "lock");
	for (int i = 0; asked && i < 3; i++) {
		told = each_open(s);
		*ret_id = told.spans[0].id;
	}
	s->t.waits.ns[ZSP_WAIT_LOCK] += 50 * NS_PER_MS;
	s->t.waits.switches++;
	pass(s->stage, 10);
	writes(&s->t, &s->first, OK2);
	expect_wait(s->stage, SERVER, "GET /a", LEDGER_LOCK, 50, "lock");
	ledger = stage_find(s->stage, SERVER, "GET /a")->ledger;
	return ledger;
}

static void asking_changes_nothing(void **state)
{
	struct story *asked = *state, *unasked;
	void *other;
	struct ledger a, b;
	struct span_id id = {{0}};
	const struct span *span;

	assert_int_equal(story_begin(&other), 0);
	unasked = other;
	a = ends(asked, true, &id);
	b = ends(unasked, false, &id);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(ms_of(a.ns[LEDGER_LOCK]), 50);
	assert_int_equal(ms_of(a.ns[LEDGER_DISK]), 7);
	assert_int_equal(ms_of(a.ns[LEDGER_DOWNSTREAM]), 20);
	span = stage_find(asked->stage, SERVER, "GET /a");
	assert_true(span_id_eq(&span->span_id, &id)); /* it was this one that was told */
	assert_false(span->cut);
	assert_int_equal(asked->stage->n_traces, unasked->stage->n_traces);
	story_end(&other);
}

/* --- the end ------------------------------------------------------------------------------------------------- */

static void end(struct story *s)
{
	assembler_end(s->stage->assembler);
	conn_table_close_all(s->stage->conns, s->stage->feed.now_ns);
}

/* What it waited for at the last look is the request's. */
static void cut_off(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/a"));
	pass(s->stage, 5);
	is_seen_in(s, ZSP_WAIT_LOCK, "lock");
	pass(s->stage, 2);
	end(s);
	expect(s->stage, SERVER, "GET /a", (struct want){.cpu = 5, .lock = 40, .unattributed = 2});
	expect_wait(s->stage, SERVER, "GET /a", LEDGER_LOCK, 40, "lock");
	assert_true(stage_find(s->stage, SERVER, "GET /a")->cut);
}

/* Whether it would have been slow is not known. */
static void cut_off_while_fast(void **state)
{
	struct story *s = *state;
	uint64_t since_ns;

	reads(&s->t, &s->first, GET("/a"));
	since_ns = s->stage->feed.now_ns;
	pass(s->stage, STAGE_SLOW_MS / 2);
	look(&s->t, ZSP_WAIT_LOCK, since_ns, true);
	is_told(&s->t, since_ns, "lock");
	end(s);
	expect_wait(s->stage, SERVER, "GET /a", LEDGER_LOCK, STAGE_SLOW_MS / 2, "lock");
}

/* In a call of its own. */
static void cut_off_in_a_call(void **state)
{
	struct story *s = *state;
	uint64_t since_ns;

	reads(&s->t, &s->first, GET("/a"));
	writes(&s->t, &s->inner.client, GET("/down"));
	since_ns = s->stage->feed.now_ns;
	pass(s->stage, 40);
	look(&s->t, ZSP_WAIT_PEER, since_ns, false);
	end(s);
	expect(s->stage, SERVER, "GET /a", (struct want){.downstream = 40});
	expect(s->stage, CLIENT, "GET /down", (struct want){.downstream = 40});
}

/* Of a loop the one that it was with. */
static void cut_off_in_a_loop(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->first, GET("/a"));
	reads(&s->t, &s->second, GET("/b"));
	is_seen_in(s, ZSP_WAIT_LOCK, "lock");
	end(s);
	expect_wait(s->stage, SERVER, "GET /b", LEDGER_LOCK, 40, "lock");
	expect(s->stage, SERVER, "GET /b", (struct want){.lock = 40});
	expect_no_wait(s->stage, SERVER, "GET /a");
}

/* Without a look, or with an old one, nothing is made up. */
static void cut_off_unseen(void **state)
{
	struct story *s = *state;

	reads(&s->t, &s->third, GET("/before"));
	waits_in(&s->t, ZSP_WAIT_LOCK, 40, "lock");
	writes(&s->t, &s->third, OK2);
	reads(&s->t, &s->first, GET("/a"));
	pass(s->stage, 40);
	end(s);
	expect(s->stage, SERVER, "GET /a", (struct want){.unattributed = 40});
	expect_no_wait(s->stage, SERVER, "GET /a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORY(processes),
	    STORY(a_call_alone),
	    STORY(long_ones_hide_nobody),
	    STORY(as_many_as_one_question_looks_at),
	    STORY(working),
	    STORY(older_ones),
	    STORY(half_a_head),
	    STORY(waiting),
	    STORY(calling),
	    STORY(handed_over),
	    STORY(a_loop),
	    STORY(an_idle_loop),
	    STORY(an_old_look),
	    STORY(asking_changes_nothing),
	    STORY(cut_off),
	    STORY(cut_off_while_fast),
	    STORY(cut_off_in_a_call),
	    STORY(cut_off_in_a_loop),
	    STORY(cut_off_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
