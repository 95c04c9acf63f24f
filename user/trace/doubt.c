// SPDX-License-Identifier: Apache-2.0
/* Calls that lose their parent; see doubt.h. */
#include "trace/doubt.h"

#include "trace/thread_work.h"

void doubt_read(struct thread_work *work)
{
	if (work)
		work->read_lock_ns = work->waits.ns[ZSP_WAIT_LOCK];
}

void doubt_call(
    struct node *call, struct node *caller, const struct thread_work *work, uint64_t lock_ns)
{
	if (!work || lock_ns <= work->read_lock_ns)
		return;
	call->doubt_tid = work->tid;
	caller->n_doubts++;
}

static void move(struct graph *graph, struct group *to, struct node *node)
{
	struct group *from = node->group;

	if (graph->recent)
		recent_join(graph->recent, &node->recent, to->number);
	list_remove(&node->member);
	from->n_nodes--;
	from->n_open -= node->exchange != NULL;
	group_add(to, node);
}

/* Is it below one that has moved? Only the moved ones are in to. */
static bool is_below(const struct group *to, const struct node *node)
{
	list_for_each (at, &to->nodes) {
		if (span_id_eq(&container_of(at, struct node, member)->span_id, &node->parent_id))
			return true;
	}
	return false;
}

/* Give the call a trace of its own, with what is below it. False: without memory. */
static bool cut(struct graph *graph, struct node *call)
{
	struct group *from = call->group, *to = group_new(graph);
	size_t moved;

	if (!to)
		return false;
	node_leave_caller(call);
	call->parent_id = (struct span_id){0};
	call->basis = PARENT_BASIS_NONE;
	call->doubt_tid = 0;
	move(graph, to, call);
	do {
		moved = 0;
		list_for_each (at, &from->nodes) {
			struct node *node = container_of(at, struct node, member);

			if (!span_id_is_zero(&node->parent_id) && is_below(to, node)) {
				move(graph, to, node);
				moved++;
			}
		}
	} while (moved);
	group_settle(graph, to);
	return true;
}

/* It, or who answers it, is what the request has waited for the longest, as far as is known. */
static bool is_slowest(const struct node *request, const struct node *call)
{
	const struct node *answer = call->other_end;

	return span_id_eq(&request->slowest_id, &call->span_id) ||
	    (answer && span_id_eq(&request->slowest_id, &answer->span_id));
}

/* Cut what is in doubt below this request: calls of the thread, or of all others. */
static size_t cut_calls(struct graph *graph, struct node *request, uint32_t tid, bool others)
{
	size_t n = 0;
	bool again = request->n_doubts > 0;

	while (again) {
		again = false;
		list_for_each (at, &request->group->nodes) {
			struct node *call = container_of(at, struct node, member);

			if (!call->doubt_tid || (call->doubt_tid == tid) == others ||
			    !span_id_eq(&call->parent_id, &request->span_id))
				continue;
			if (is_slowest(request, call))
				request->slowest_ns = 0;
			if (!cut(graph, call))
				return n;
			request->n_doubts--;
			n++;
			again = true; /* the list has changed */
			break;
		}
	}
	return n;
}

size_t doubt_answered(struct graph *graph, const struct thread_work *work, struct node *request)
{
	size_t n = cut_calls(graph, request, work->tid, true);

	list_for_each (at, &work->requests) {
		struct node *other = container_of(at, struct node, serving);

		if (other != request)
			n += cut_calls(graph, other, work->tid, false);
	}
	return n;
}
