/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stories of threads that work and wait, told in milliseconds, one event after the other, and the ledgers that come of them;
 * what is not named in a ledger is 0.
 */
#ifndef ZS_TESTS_TIME_FIXTURE_H
#define ZS_TESTS_TIME_FIXTURE_H

#include "trace_fixture.h"

struct thread {
	struct stage *stage;
	struct actor actor;
	struct zsp_waits waits;
};

static inline struct thread thread_of(struct stage *stage, uint32_t tid)
{
	return (struct thread){.stage = stage, .actor = {.pid = 10, .tid = tid}};
}

static inline void pass(struct stage *stage, uint64_t ms)
{
	stage->feed.now_ns += ms * NS_PER_MS;
}

/* The thread waits; nothing else happens meanwhile. */
static inline void waits(struct thread *t, enum zsp_wait wait, uint64_t ms)
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
static inline void woken(struct thread *t, enum zsp_wait wait, uint64_t ms)
{
	t->waits.ns[wait] += ms * NS_PER_MS;
	t->waits.switches++;
	t->waits.woken_ns = t->stage->feed.now_ns;
	t->waits.woken_delay_us = 0;
	if (wait == ZSP_WAIT_PEER || wait == ZSP_WAIT_TIMER)
		t->actor.slice++;
}

static inline void reads(struct thread *t, struct sock *sock, const char *text)
{
	t->stage->feed.waits = &t->waits;
	sock_read(sock, &t->actor, text);
}

/* What is read had been there for so long. */
static inline void reads_late(struct thread *t, struct sock *sock, const char *text, uint64_t ms)
{
	t->stage->feed.waits = &t->waits;
	t->stage->feed.now_ns -= ms * NS_PER_MS;
	sock_move_cut(
	    sock, &t->actor, ZSP_IN, sv_cstr(text), (uint32_t)strlen(text), ms * NS_PER_MS);
}

static inline void writes(struct thread *t, struct sock *sock, const char *text)
{
	t->stage->feed.waits = &t->waits;
	sock_write(sock, &t->actor, text);
}

/* The client has no room for more. */
static inline void fills(struct thread *t, struct sock *sock, const char *text)
{
	t->stage->feed.flags = ZSP_DATA_FULL;
	writes(t, sock, text);
	t->stage->feed.flags = 0;
}

/* Execute a statement that waits for the disk. */
static inline void executes(struct thread *t, const char *sql, uint64_t disk_ms)
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

static inline void expect(
    struct stage *stage, enum span_kind kind, const char *name, struct want want)
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

/* --- threads that are looked at --------------------------------------------------------------------- */

/* Now, while it waits; asked: its place will be told. */
static inline void look(struct thread *t, enum zsp_wait wait, uint64_t since_ns, bool asked)
{
	const struct thread_wait seen = {
	    .pid = t->actor.pid,
	    .tid = t->actor.tid,
	    .since_ns = since_ns,
	    .time_ns = t->stage->feed.now_ns,
	    .kind = wait,
	    .asked = asked,
	    .waits = t->waits,
	};

	assembler_wait(t->stage->assembler, &seen);
}

/* It waits and is looked at after half of that. When it began to. */
static inline uint64_t is_seen_waiting(struct thread *t, enum zsp_wait wait, uint64_t ms)
{
	uint64_t since_ns = t->stage->feed.now_ns;

	t->stage->feed.now_ns += ms * NS_PER_MS / 2;
	look(t, wait, since_ns, true);
	t->stage->feed.now_ns = since_ns;
	waits(t, wait, ms);
	return since_ns;
}

static inline void is_told(struct thread *t, uint64_t since_ns, const char *user)
{
	const struct thread_place place = {.tid = t->actor.tid,
	    .since_ns = since_ns,
	    .user = sv_cstr(user),
	    .kernel = SV("in_kernel")};

	assembler_place(t->stage->assembler, &place);
}

/* Both. */
static inline void waits_in(struct thread *t, enum zsp_wait wait, uint64_t ms, const char *user)
{
	is_told(t, is_seen_waiting(t, wait, ms), user);
}

static inline void expect_span_wait(
    const struct span *span, enum ledger_state state, uint64_t ms, const char *user)
{
	const struct span_wait *wait = &span->wait;

	assert_non_null(wait->place);
	if (!sv_eq(wait->place->user, sv_cstr(user)))
		fail_msg("%.*s is in %.*s, not in %s", SV_ARG(span->name),
		    SV_ARG(wait->place->user), user);
	assert_true(sv_eq(wait->place->kernel, SV("in_kernel")));
	assert_string_equal(ledger_state_name(wait->state), ledger_state_name(state));
	assert_int_equal((wait->ns + NS_PER_MS / 2) / NS_PER_MS, ms);
}

/* The longest wait that is known of a span. */
static inline void expect_wait(struct stage *stage, enum span_kind kind, const char *name,
    enum ledger_state state, uint64_t ms, const char *user)
{
	stage_settle(stage);
	stage_check(stage);
	expect_span_wait(stage_find(stage, kind, name), state, ms, user);
}

static inline void expect_no_wait(struct stage *stage, enum span_kind kind, const char *name)
{
	const struct span_wait *wait;

	stage_settle(stage);
	stage_check(stage);
	wait = &stage_find(stage, kind, name)->wait;
	assert_null(wait->place);
	assert_int_equal(wait->ns, 0);
}

/* Let the worker be known: it answers a request. */
static inline void get_known(struct thread *reader, struct thread *worker)
{
	struct sock sock = front(reader->stage, 9);

	reads(reader, &sock, GET("/before"));
	writes(worker, &sock, OK2);
}

/* --- what every story has --------------------------------------------------------------------------- */

struct story {
	struct stage *stage;
	struct sock first, second, third; /* requests come here */
	struct inner inner;               /* and a call goes this way */
	struct thread t, worker;
};

static inline int story_begin(void **state)
{
	struct story *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->stage = stage_new(1);
	s->first = front(s->stage, 1);
	s->second = front(s->stage, 3);
	s->third = front(s->stage, 5);
	s->inner = inner_open(s->stage, 7);
	s->t = thread_of(s->stage, 101);
	s->worker = thread_of(s->stage, 102);
	*state = s;
	return 0;
}

static inline int story_end(void **state)
{
	struct story *s = *state;

	stage_free(s->stage);
	free(s);
	return 0;
}

#define STORY(test) cmocka_unit_test_setup_teardown(test, story_begin, story_end)

#endif
