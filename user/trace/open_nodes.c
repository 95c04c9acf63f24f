// SPDX-License-Identifier: Apache-2.0
/* From both ends of the list of open nodes; see open_nodes.h. */
#include "trace/open_nodes.h"

#include "trace/thread_work.h"

/* Processes, as they are found. */
struct processes {
	struct open_process *all;
	size_t n, max;
};

static void note_process(struct processes *found, const struct exchange *exchange)
{
	size_t i = 0;

	while (i < found->n && found->all[i].pid != exchange->pid)
		i++;
	if (i == found->max)
		return;
	if (i == found->n)
		found->all[found->n++] =
		    (struct open_process){.pid = exchange->pid, .since_ns = exchange->start_ns};
	if (exchange->start_ns < found->all[i].since_ns)
		found->all[i].since_ns = exchange->start_ns;
}

static const struct node *node_at(const struct list *at)
{
	return container_of(at, struct node, open);
}

/* Those in the list from its end to this one. */
static void note_latest(
    const struct graph *g, const struct list *first, uint64_t before_ns, struct processes *found)
{
	const struct list *at = &g->open;
	size_t n = 0;

	while (at != first && n < ASSEMBLER_OPEN_MAX) {
		at = at->prev;
		if (node_at(at)->exchange->start_ns >= before_ns)
			continue;
		note_process(found, node_at(at)->exchange);
		n++;
	}
}

size_t open_processes(
    const struct graph *g, uint64_t before_ns, struct open_process *ret_processes, size_t max)
{
	struct processes found = {.all = ret_processes, .max = max};
	const struct list *at = g->open.next;

	for (size_t n = 0; at != &g->open && n < ASSEMBLER_OPEN_MAX; n++, at = at->next) {
		if (node_at(at)->exchange->start_ns >= before_ns)
			return found.n;
		note_process(&found, node_at(at)->exchange);
	}
	note_latest(g, at, before_ns, &found);
	return found.n;
}

static struct serving_thread serving_thread_of(const struct node *request)
{
	const struct thread_work *work = request->work;
	uint64_t since_ns = request->exchange->start_ns;

	return (struct serving_thread){
	    .tid = work->tid,
	    .since_ns = since_ns,
	    .unexplained = thread_work_only(work) && !known_waits_kinds(work->known, since_ns),
	};
}

size_t open_threads(
    const struct graph *g, uint64_t before_ns, struct serving_thread *ret_threads, size_t max)
{
	const struct list *at = g->open.prev;
	size_t n = 0, looked_at = 0, i;

	for (; at != &g->open && n < max && looked_at < ASSEMBLER_OPEN_MAX; at = at->prev) {
		const struct node *node = node_at(at);

		if (node->exchange->start_ns >= before_ns)
			continue;
		looked_at++;
		if (!node->work)
			continue;
		for (i = 0; i < n && ret_threads[i].tid != node->work->tid; i++)
			;
		if (i == n)
			ret_threads[n++] = serving_thread_of(node);
	}
	return n;
}

uint64_t open_oldest(const struct graph *g)
{
	return list_empty(&g->open) ? UINT64_MAX : node_at(g->open.next)->exchange->start_ns;
}
