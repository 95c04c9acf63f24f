// SPDX-License-Identifier: Apache-2.0
/* Requests in service by thread; see thread_work.h. */
#include "trace/thread_work.h"

#include <stdlib.h>

void thread_works_init(struct thread_works *works)
{
	hmap_init(&works->by_tid);
	list_init(&works->idle);
	works->n_idle = 0;
}

static void thread_work_free(struct thread_work *work)
{
	thread_work_go_on(work);
	while (!list_empty(&work->undecided))
		list_remove(work->undecided.next);
	if (work->known)
		known_waits_release(work->known);
	free(work->known);
	free(work);
}

void thread_works_release(struct thread_works *works)
{
	struct hnode *node;
	size_t slot = 0;

	while ((node = hmap_pop(&works->by_tid, &slot)))
		thread_work_free(container_of(node, struct thread_work, node));
	hmap_release(&works->by_tid);
}

struct thread_work *thread_work_find(const struct thread_works *works, uint32_t tid)
{
	struct hnode *node = hmap_first(&works->by_tid, tid);

	return node ? container_of(node, struct thread_work, node) : NULL;
}

static void work_leave_idle(struct thread_works *works, struct thread_work *work)
{
	if (list_empty(&work->idle))
		return;
	list_remove(&work->idle);
	works->n_idle--;
}

static void work_enter_idle(struct thread_works *works, struct thread_work *work)
{
	list_add_tail(&works->idle, &work->idle);
	works->n_idle++;
}

/* Forget the one that has been idle for longest. */
static void works_make_room(struct thread_works *works)
{
	struct thread_work *oldest;

	if (works->n_idle < THREAD_WORKS_IDLE_MAX)
		return;
	oldest = container_of(works->idle.next, struct thread_work, idle);
	work_leave_idle(works, oldest);
	hmap_remove(&works->by_tid, &oldest->node);
	thread_work_free(oldest);
}

struct thread_work *thread_work_get(struct thread_works *works, uint32_t tid)
{
	struct thread_work *work = thread_work_find(works, tid);

	if (work)
		return work;
	works_make_room(works);
	work = calloc(1, sizeof(*work));
	if (!work)
		return NULL;
	work->tid = tid;
	list_init(&work->requests);
	list_init(&work->idle);
	list_init(&work->undecided);
	if (hmap_add(&works->by_tid, tid, &work->node)) {
		free(work);
		return NULL;
	}
	work_enter_idle(works, work);
	return work;
}

void thread_work_look(struct thread_work *work, const struct thread_wait *wait)
{
	if (!work->known)
		work->known = calloc(1, sizeof(*work->known));
	if (work->known)
		known_waits_look(work->known, wait);
}

static void work_changes(struct thread_work *work, uint64_t time_ns)
{
	if (time_ns > work->changed_ns)
		work->changed_ns = time_ns;
}

void thread_work_begin(struct thread_works *works, struct thread_work *work, struct node *request)
{
	if (!work)
		return;
	work_leave_idle(works, work);
	if (!list_empty(&work->requests)) { /* of more than one, all have company already */
		container_of(work->requests.next, struct node, serving)->time.shared = true;
		request->time.shared = true;
	}
	list_add_tail(&work->requests, &request->serving);
	work->n_begun++;
	work_changes(work, request->exchange->taken_ns);
	request->work = work;
	work->current = request;
	work->moved = request;
}

void thread_work_end(struct thread_works *works, struct node *request, uint64_t time_ns)
{
	struct thread_work *work = request->work;

	if (!work)
		return;
	work_changes(work, time_ns);
	list_remove(&request->serving);
	request->work = NULL;
	if (work->current == request)
		work->current = NULL;
	if (work->moved == request)
		work->moved = NULL;
	if (list_empty(&work->requests))
		work_enter_idle(works, work);
}

struct node *thread_work_only(const struct thread_work *work)
{
	return !list_empty(&work->requests) && work->requests.next->next == &work->requests
	    ? container_of(work->requests.next, struct node, serving)
	    : NULL;
}

/*
 * It waits for a call, as far as we know, and so gets no more. It may go on before that ends, by a timer or
 * with a second call: so it stands in the way of strangers, and not of the request that its call became.
 */
static bool request_is_parked(const struct node *request, uint32_t slice)
{
	return request->calls > 0 && request->call_slice != slice;
}

struct node *thread_work_current(
    const struct thread_work *work, uint32_t slice, uint64_t start_ns, bool *ret_ambiguous)
{
	struct node *current = NULL, *parked = NULL;
	bool several = false; /* requests at work, or traces with parked ones */

	list_for_each (at, &work->requests) {
		struct node *request = container_of(at, struct node, serving);

		if (request->exchange->taken_ns > start_ns)
			continue;
		if (request_is_parked(request, slice)) {
			several |= parked && parked->group != request->group;
			parked = request;
		} else {
			several |= current != NULL;
			current = request;
		}
	}
	*ret_ambiguous = current && (several || (parked && parked->group != current->group));
	return *ret_ambiguous ? NULL : current;
}

/* --- who writes a line --------------------------------------------------------------------------------- */

void thread_work_answer(struct thread_work *work, struct node *request)
{
	thread_work_forget_answered(request);
	thread_work_go_on(work);
	work->answered = request;
	request->answered_by = work;
}

void thread_work_go_on(struct thread_work *work)
{
	if (work->answered)
		work->answered->answered_by = NULL;
	work->answered = NULL;
}

void thread_work_forget_answered(struct node *request)
{
	if (request->answered_by)
		request->answered_by->answered = NULL;
	request->answered_by = NULL;
}

/* Has it requests of another trace, which it may go on with at any time? */
static bool has_others(const struct thread_work *work, const struct group *group)
{
	list_for_each (at, &work->requests) {
		if (container_of(at, struct node, serving)->group != group)
			return true;
	}
	return false;
}

struct node *thread_work_author(const struct thread_work *work, const struct line_author *author)
{
	bool ambiguous, after_answer;
	struct node *current;

	/* It has gone on since; or, from the beginning of the line to its end, it need not have been at the same one. */
	if (work->last_ns > author->time_ns || work->changed_ns > author->first_ns)
		return NULL;
	current = thread_work_current(work, author->slice, author->time_ns, &ambiguous);
	after_answer =
	    work->answered && author->slice == work->slice && author->woken_ns <= work->last_ns;
	if (ambiguous || !after_answer)
		return current;
	return current || has_others(work, work->answered->group) ? NULL : work->answered;
}

struct node *thread_work_likely(const struct thread_work *work, const struct line_author *author)
{
	bool since = work->last_ns <= author->first_ns && work->moved_slice == author->slice;

	return since ? work->moved : NULL;
}
