// SPDX-License-Identifier: Apache-2.0
/* Threads that are looked at; see thread_look.h. */
#include "trace/thread_look.h"

#include <stdio.h>

#include "trace/time_share.h"

void thread_look_wait(struct thread_works *works, const struct thread_wait *wait)
{
	struct thread_work *work =
	    wait->asked ? thread_work_get(works, wait->tid) : thread_work_find(works, wait->tid);

	if (work)
		thread_work_look(work, wait);
}

bool thread_look_wants(const struct thread_works *works, const struct thread_wait *wait)
{
	const struct thread_work *work = thread_work_find(works, wait->tid);
	const struct node *only = work ? thread_work_only(work) : NULL;

	return only && time_wants_look(only, wait);
}

/* The place of a wait that was looked at; NULL when it is not remembered. */
static struct wait_place *place_of(
    const struct thread_works *works, uint32_t tid, uint64_t since_ns)
{
	const struct thread_work *work = thread_work_find(works, tid);

	return work ? known_waits_place(work->known, since_ns) : NULL;
}

void thread_look_place(const struct thread_works *works, const struct thread_place *place)
{
	struct wait_place *known = place_of(works, place->tid, place->since_ns);

	if (known && place->culprit)
		wait_place_tell_culprit(known, place->culprit, place->user);
	else if (known)
		wait_place_tell(known, place->user, place->kernel);
}

/* The request that a thread serves then, if that is for sure. */
static const struct node *request_of(
    const struct thread_works *works, uint32_t tid, uint64_t time_ns)
{
	const struct thread_work *work = thread_work_find(works, tid);
	bool ambiguous;

	return work ? thread_work_current(work, work->slice, time_ns, &ambiguous) : NULL;
}

void thread_look_culprit(const struct thread_works *works, const struct thread_culprit *culprit,
    recent_name *name, void *ctx)
{
	struct wait_place *place = place_of(works, culprit->tid, culprit->since_ns);
	const struct node *request = request_of(works, culprit->culprit_tid, culprit->time_ns);
	struct wait_culprit *known;

	if (!place || !wait_place_begin_culprit(place, culprit->evidence))
		return;
	known = &place->culprit;
	known->pid = culprit->culprit_pid;
	known->tid = culprit->culprit_tid;
	known->asked = culprit->asked;
	snprintf(known->name, sizeof(known->name), "%.*s", SV_ARG(culprit->name));
	if (!request)
		return;
	known->trace_id = request->group->trace_id;
	known->span_id = request->span_id;
	wait_place_tell_request(place, name(ctx, request));
}

/* The request of a thread that is not at work now: its only one, else the one it was at last. */
static struct node *request_at_hand(const struct thread_work *work)
{
	struct node *only = thread_work_only(work);

	return only ? only : work->current;
}

void thread_look_contender(const struct thread_works *works,
    const struct thread_contender *contender, recent_name *name, void *ctx)
{
	const struct thread_work *work = thread_work_find(works, contender->tid);
	struct node *request = work ? request_at_hand(work) : NULL;
	struct contender_request at = {.name_len = 0};
	const struct node *other;

	if (!request)
		return;
	other = request_of(works, contender->contender_tid, contender->time_ns);
	if (other) {
		at.trace_id = other->group->trace_id;
		at.span_id = other->span_id;
		at.name_len = (uint32_t)neighbour_name(at.name, name(ctx, other));
	}
	contention_add(&request->contention, contender->contender_tid, contender->name, &at);
}
