// SPDX-License-Identifier: Apache-2.0
/* Requests in service by thread; see thread_work.h. */
#include "trace/thread_work.h"

#include <stdlib.h>

struct thread_work {
	struct hnode node; /* by tid, which is its own hash */
	struct list requests;
};

void thread_works_init(struct thread_works *works)
{
	hmap_init(&works->by_tid);
}

void thread_works_release(struct thread_works *works)
{
	struct hnode *node;
	size_t slot = 0;

	while ((node = hmap_pop(&works->by_tid, &slot)))
		free(container_of(node, struct thread_work, node));
	hmap_release(&works->by_tid);
}

static struct thread_work *work_find(const struct thread_works *works, uint32_t tid)
{
	struct hnode *node = hmap_first(&works->by_tid, tid);

	return node ? container_of(node, struct thread_work, node) : NULL;
}

void thread_work_begin(struct thread_works *works, uint32_t tid, struct node *request)
{
	struct thread_work *work = work_find(works, tid);

	if (!work) {
		work = calloc(1, sizeof(*work));
		if (!work)
			return;
		list_init(&work->requests);
		if (hmap_add(&works->by_tid, tid, &work->node)) {
			free(work);
			return;
		}
	}
	list_add_tail(&work->requests, &request->serving);
}

void thread_work_end(struct thread_works *works, uint32_t tid, struct node *request)
{
	struct thread_work *work = work_find(works, tid);

	list_remove(&request->serving);
	if (work && list_empty(&work->requests)) {
		hmap_remove(&works->by_tid, &work->node);
		free(work);
	}
}

/*
 * It waits for a call, as far as we know, and so gets no more. It may go on before that ends, by a timer or
 * with a second call: so it stands in the way of strangers, and not of the request that its call became.
 */
static bool request_is_parked(const struct node *request, uint32_t slice)
{
	return request->calls > 0 && request->call_slice != slice;
}

struct node *thread_work_current(const struct thread_works *works, uint32_t tid, uint32_t slice,
    uint64_t start_ns, bool *ret_ambiguous)
{
	struct thread_work *work = work_find(works, tid);
	struct node *current = NULL, *parked = NULL;
	bool several = false; /* requests at work, or traces with parked ones */

	*ret_ambiguous = false;
	if (!work)
		return NULL;
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
