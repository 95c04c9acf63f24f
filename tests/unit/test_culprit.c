// SPDX-License-Identifier: Apache-2.0
/* Who held requests up: with locks, and by answering late. */
#include <stdio.h>

#include "span/semconv.h"
#include "time_fixture.h"

#define SERVER SPAN_KIND_SERVER
#define CLIENT SPAN_KIND_CLIENT

static void names(struct thread *waiter, uint64_t since_ns, const struct thread *culprit,
    enum wait_evidence evidence, bool asked)
{
	const struct thread_culprit told = {
	    .tid = waiter->actor.tid,
	    .since_ns = since_ns,
	    .time_ns = waiter->stage->feed.now_ns,
	    .evidence = evidence,
	    .culprit_pid = culprit->actor.pid,
	    .culprit_tid = culprit->actor.tid,
	    .name = SV("worker"),
	    .asked = asked,
	};

	assembler_culprit(waiter->stage->assembler, &told);
}

static void culprit_is_told(
    struct thread *waiter, uint64_t since_ns, enum wait_evidence evidence, const char *user)
{
	const struct thread_place place = {.tid = waiter->actor.tid,
	    .since_ns = since_ns,
	    .culprit = evidence,
	    .user = sv_cstr(user)};

	assembler_place(waiter->stage->assembler, &place);
}

/* The attribute of where its time went, as text; "" when there is none. */
static const char *time_attr(const struct span *span, const char *key)
{
	static char text[128];
	struct attr attrs[SPAN_TIME_ATTRS_MAX];
	size_t n = span_time_attrs(span, attrs);

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (strcmp(attrs[i].key, key) != 0)
			continue;
		if (attrs[i].type == ATTR_INT)
			snprintf(text, sizeof(text), "%lld", (long long)attrs[i].integer);
		else
			snprintf(text, sizeof(text), "%.*s", SV_ARG(attrs[i].string));
	}
	return text;
}

static void expect_culprit(const struct span *span, const char *kind, const char *evidence)
{
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_kind), kind);
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_evidence), evidence);
}

static void expect_link(const struct span *span, const struct span *culprit)
{
	assert_true(span_id_eq(&span->culprit.span_id, &culprit->span_id));
	assert_true(trace_id_eq(&span->culprit.trace_id, &culprit->trace_id));
}

static void expect_no_link(const struct span *span)
{
	assert_true(span_id_is_zero(&span->culprit.span_id));
}

/* --- locks ------------------------------------------------------------------------------------------------ */

/* Another thread, which serves a request of its own. */
static struct thread holder_of(struct story *s)
{
	struct thread holder = thread_of(s->stage, 202);

	reads(&holder, &s->second, GET("/holds"));
	return holder;
}

static void the_one_who_gave_it_back(void **state)
{
	struct story *s = *state;
	struct thread holder = holder_of(s);
	const struct span *span;
	uint64_t since_ns;

	reads(&s->t, &s->first, GET("/waits"));
	since_ns = is_seen_waiting(&s->t, ZSP_WAIT_LOCK, 40);
	is_told(&s->t, since_ns, "lock (a.c:1)");
	names(&s->t, since_ns, &holder, WAIT_EVIDENCE_WOKEN, true);
	culprit_is_told(&s->t, since_ns, WAIT_EVIDENCE_WOKEN, "unlock (a.c:2)");
	writes(&s->t, &s->first, OK2);
	writes(&holder, &s->second, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /waits");
	expect_culprit(span, "lock", "woken_by");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_process_pid), "10");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_thread_id), "202");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_process_name), "worker");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_stack_user), "unlock (a.c:2)");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_request), "GET /holds");
	expect_link(span, stage_find(s->stage, SERVER, "GET /holds"));
}

/* Who gave it back is surer than who had it meanwhile, whichever is known first. */
static void surer_evidence_stays(void **state)
{
	struct story *s = *state;
	struct thread owner = thread_of(s->stage, 303), last = thread_of(s->stage, 404);
	const struct span *span;
	uint64_t since_ns;

	reads(&s->t, &s->first, GET("/waits"));
	since_ns = is_seen_waiting(&s->t, ZSP_WAIT_LOCK, 40);
	is_told(&s->t, since_ns, "lock");
	names(&s->t, since_ns, &owner, WAIT_EVIDENCE_OWNER, true);
	names(&s->t, since_ns, &last, WAIT_EVIDENCE_WOKEN, true);
	names(&s->t, since_ns, &owner, WAIT_EVIDENCE_OWNER, true);
	culprit_is_told(&s->t, since_ns, WAIT_EVIDENCE_OWNER, "the owner's");
	culprit_is_told(&s->t, since_ns, WAIT_EVIDENCE_WOKEN, "the last one's");
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /waits");
	expect_culprit(span, "lock", "woken_by");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_thread_id), "404");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_stack_user), "the last one's");
	expect_no_link(span); /* it serves nothing */
}

/* Two requests: it is not known for which of them it had the lock. */
static void no_link_to_one_of_two(void **state)
{
	struct story *s = *state;
	struct thread holder = holder_of(s);
	const struct span *span;
	uint64_t since_ns;

	reads(&holder, &s->third, GET("/holds/too"));
	reads(&s->t, &s->first, GET("/waits"));
	since_ns = is_seen_waiting(&s->t, ZSP_WAIT_LOCK, 40);
	is_told(&s->t, since_ns, "lock");
	names(&s->t, since_ns, &holder, WAIT_EVIDENCE_OWNER, false);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /waits");
	expect_culprit(span, "lock", "mutex_owner");
	expect_no_link(span);
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_request), "");
	writes(&holder, &s->second, OK2);
	writes(&holder, &s->third, OK2);
}

/* Of a wait that is not the longest one nobody is named; nor of one that nobody has looked at. */
static void other_waits(void **state)
{
	struct story *s = *state;
	struct thread holder = thread_of(s->stage, 202);
	const struct span *span;
	uint64_t since_ns;

	reads(&s->t, &s->first, GET("/waits"));
	since_ns = is_seen_waiting(&s->t, ZSP_WAIT_LOCK, 20);
	is_told(&s->t, since_ns, "lock");
	names(&s->t, since_ns, &holder, WAIT_EVIDENCE_WOKEN, false);
	names(&s->t, since_ns + 1, &holder, WAIT_EVIDENCE_WOKEN, false);
	waits_in(&s->t, ZSP_WAIT_SLEEP, 30, "sleep");
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /waits");
	expect_culprit(span, "", "");
	expect_no_link(span);
}

/* A stack that was asked for is waited for; told after the span was published, it changes nothing. */
static void told_late(void **state)
{
	struct story *s = *state;
	struct thread holder = thread_of(s->stage, 202);
	const struct span *span;
	uint64_t since_ns;

	reads(&s->t, &s->first, GET("/waits"));
	since_ns = is_seen_waiting(&s->t, ZSP_WAIT_LOCK, 40);
	is_told(&s->t, since_ns, "lock");
	names(&s->t, since_ns, &holder, WAIT_EVIDENCE_WOKEN, true);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	assert_int_equal(stage_spans(s->stage), 0);
	for (int i = 0; i < 40; i++)
		stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /waits");
	culprit_is_told(&s->t, since_ns, WAIT_EVIDENCE_WOKEN, "unlock");
	names(&s->t, since_ns, &s->t, WAIT_EVIDENCE_WOKEN, false);
	expect_culprit(span, "lock", "woken_by");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_thread_id), "202");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_stack_user), "");
}

/* --- answers ---------------------------------------------------------------------------------------------- */

/* The service behind is observed: its span, and its name. */
static void an_observed_peer(void **state)
{
	struct story *s = *state;
	struct thread behind = thread_of(s->stage, 505);
	const struct span *span;

	behind.actor.pid = 20;
	reads(&s->t, &s->first, GET("/"));
	writes(&s->t, &s->inner.client, GET("/down"));
	reads(&behind, &s->inner.server, GET("/down"));
	pass(s->stage, 70);
	writes(&behind, &s->inner.server, OK2);
	woken(&s->t, ZSP_WAIT_PEER, 70);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /");
	expect_culprit(span, "downstream", "peer_span");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_process_pid), "20");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_service_name), "inventory");
	expect_link(span, stage_find(s->stage, SERVER, "GET /down"));
}

/* Of two calls the slower one, if it was that what the request waited for the most. */
static void the_slower_call(void **state)
{
	struct story *s = *state;
	const struct span *span;

	reads(&s->t, &s->first, GET("/"));
	writes(&s->t, &s->inner.client, GET("/slow"));
	waits(&s->t, ZSP_WAIT_PEER, 40);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->inner.client, GET("/fast"));
	waits(&s->t, ZSP_WAIT_PEER, 30);
	reads(&s->t, &s->inner.client, OK2);
	writes(&s->t, &s->first, OK2);
	reads(&s->t, &s->second, GET("/sleeps"));
	writes(&s->t, &s->inner.client, GET("/fast"));
	waits(&s->t, ZSP_WAIT_PEER, 30);
	reads(&s->t, &s->inner.client, OK2);
	waits(&s->t, ZSP_WAIT_SLEEP, 31);
	writes(&s->t, &s->second, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /");
	expect_culprit(span, "downstream", "call_span");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_service_name), "");
	expect_link(span, stage_find(s->stage, CLIENT, "GET /slow"));
	span = stage_find(s->stage, SERVER, "GET /sleeps");
	expect_culprit(span, "", "");
	expect_no_link(span);
}

/* --- the CPU ---------------------------------------------------------------------------------------------- */

static void is_seen_on_its_cpu(struct thread *t, uint32_t tid, const char *name)
{
	const struct thread_contender contender = {
	    .tid = t->actor.tid,
	    .time_ns = t->stage->feed.now_ns,
	    .contender_tid = tid,
	    .name = sv_cstr(name),
	};

	assembler_contender(t->stage->assembler, &contender);
}

/* Of those that had the CPU, the one that was seen most often; of a request that did not wait for it most, nobody. */
static void who_had_the_cpu(void **state)
{
	struct story *s = *state;
	const struct span *span;

	is_seen_on_its_cpu(&s->t, 900, "before");
	reads(&s->t, &s->first, GET("/"));
	is_seen_on_its_cpu(&s->t, 901, "now and then");
	is_seen_on_its_cpu(&s->t, 902, "hog");
	is_seen_on_its_cpu(&s->t, 903, "now and then");
	is_seen_on_its_cpu(&s->t, 902, "hog");
	waits(&s->t, ZSP_WAIT_RUNQUEUE, 40);
	pass(s->stage, 30);
	writes(&s->t, &s->first, OK2);
	reads(&s->t, &s->second, GET("/works"));
	is_seen_on_its_cpu(&s->t, 902, "hog");
	waits(&s->t, ZSP_WAIT_RUNQUEUE, 30);
	pass(s->stage, 40);
	writes(&s->t, &s->second, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /");
	expect_culprit(span, "runqueue", "seen_running");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_thread_id), "902");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_process_name), "hog");
	assert_int_equal(span->contention->looks, 4);
	expect_no_link(span);
	expect_culprit(stage_find(s->stage, SERVER, "GET /works"), "", "");
}

/* Who had it was at a request, the same at each look: the link, and what it is called. */
static void what_the_cpu_was_used_for(void **state)
{
	struct story *s = *state;
	const struct span *span;

	reads(&s->t, &s->first, GET("/"));
	reads(&s->worker, &s->second, GET("/hogs"));
	is_seen_on_its_cpu(&s->t, s->worker.actor.tid, "worker");
	is_seen_on_its_cpu(&s->t, s->worker.actor.tid, "worker");
	waits(&s->t, ZSP_WAIT_RUNQUEUE, 40);
	writes(&s->t, &s->first, OK2);
	writes(&s->worker, &s->second, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /");
	expect_culprit(span, "runqueue", "seen_running");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_request), "GET /hogs");
	expect_link(span, stage_find(s->stage, SERVER, "GET /hogs"));
}

/* At two requests of one name: no link, as two candidates are none. At one and then at none: not even the name. */
static void used_for_several(void **state)
{
	struct story *s = *state;
	const struct span *span;

	reads(&s->t, &s->first, GET("/"));
	reads(&s->worker, &s->second, GET("/hogs"));
	is_seen_on_its_cpu(&s->t, s->worker.actor.tid, "worker");
	writes(&s->worker, &s->second, OK2);
	reads(&s->worker, &s->second, GET("/hogs"));
	is_seen_on_its_cpu(&s->t, s->worker.actor.tid, "worker");
	waits(&s->t, ZSP_WAIT_RUNQUEUE, 40);
	writes(&s->t, &s->first, OK2);
	reads(&s->t, &s->third, GET("/too"));
	is_seen_on_its_cpu(&s->t, s->worker.actor.tid, "worker");
	writes(&s->worker, &s->second, OK2);
	is_seen_on_its_cpu(&s->t, s->worker.actor.tid, "worker");
	waits(&s->t, ZSP_WAIT_RUNQUEUE, 40);
	writes(&s->t, &s->third, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /");
	expect_culprit(span, "runqueue", "seen_running");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_request), "GET /hogs");
	expect_no_link(span);
	span = stage_find(s->stage, SERVER, "GET /too");
	expect_culprit(span, "runqueue", "seen_running");
	assert_string_equal(time_attr(span, semconv_zerospan_culprit_request), "");
	expect_no_link(span);
}

/* More than are kept apart: the first ones stay. */
static void many_had_the_cpu(void **state)
{
	struct story *s = *state;
	const struct span *span;

	reads(&s->t, &s->first, GET("/"));
	for (uint32_t tid = 1; tid <= 2 * CONTENTION_MAX; tid++)
		is_seen_on_its_cpu(&s->t, tid, "one");
	is_seen_on_its_cpu(&s->t, CONTENTION_MAX, "one");
	waits(&s->t, ZSP_WAIT_RUNQUEUE, 40);
	writes(&s->t, &s->first, OK2);
	stage_settle(s->stage);
	span = stage_find(s->stage, SERVER, "GET /");
	assert_int_equal(contention_top(span->contention)->tid, CONTENTION_MAX);
	assert_int_equal(span->contention->looks, 2 * CONTENTION_MAX + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORY(the_one_who_gave_it_back),
	    STORY(surer_evidence_stays),
	    STORY(no_link_to_one_of_two),
	    STORY(other_waits),
	    STORY(told_late),
	    STORY(an_observed_peer),
	    STORY(the_slower_call),
	    STORY(who_had_the_cpu),
	    STORY(what_the_cpu_was_used_for),
	    STORY(used_for_several),
	    STORY(many_had_the_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
