// SPDX-License-Identifier: Apache-2.0
/* Keeping of records until their ids are known; see held_logs.h. */
#include "trace/held_logs.h"

#include <stdlib.h>

#include "base/clock.h"

struct held_log {
	struct list
	    link; /* waiting: in a ring with the others of its node; settled: in held_logs.settled */
	struct list age; /* waiting: in held_logs.age */
	struct node *node;
	struct log_record *record;
	uint64_t since_ns;
};

struct held_logs {
	struct list age;     /* those that wait, longest first */
	struct list settled; /* those that do not any more */
	size_t n, bytes;     /* of both */
	size_t n_settled;
};

struct held_logs *held_logs_new(void)
{
	struct held_logs *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	list_init(&held->age);
	list_init(&held->settled);
	return held;
}

/* The first one that is settled, the caller's from now on; NULL: there is none. */
static struct log_record *take_first(struct held_logs *held)
{
	struct held_log *log;
	struct log_record *record;

	if (list_empty(&held->settled))
		return NULL;
	log = container_of(held->settled.next, struct held_log, link);
	record = log->record;
	held->n--;
	held->bytes -= record->body.len;
	held->n_settled--;
	list_remove(&log->link);
	free(log);
	return record;
}

void held_logs_free(struct held_logs *held)
{
	struct log_record *record;

	if (!held)
		return;
	list_for_each (at, &held->age) {
		struct held_log *log = container_of(at, struct held_log, age);

		log_record_free(log->record);
		free(log);
	}
	while ((record = take_first(held)))
		log_record_free(record);
	free(held);
}

/* The record waits with the node from now_ns on. False: there is no room or memory for it. */
static bool hold(
    struct held_logs *held, struct node *node, struct log_record *record, uint64_t now_ns)
{
	struct held_log *log;

	if (held->n == HELD_LOGS_MAX || record->body.len > HELD_LOGS_MAX_BYTES - held->bytes)
		return false;
	log = malloc(sizeof(*log));
	if (!log)
		return false;
	*log = (struct held_log){.node = node, .record = record, .since_ns = now_ns};
	list_init(&log->link);
	list_init(&log->age);
	if (node->logs)
		list_add_tail(&node->logs->link, &log->link);
	else
		node->logs = log;
	list_add_tail(&held->age, &log->age);
	held->n++;
	held->bytes += record->body.len;
	return true;
}

bool held_logs_line(struct graph *g, const struct thread_works *threads, struct log_record *record,
    const struct line_author *author)
{
	const struct thread_work *work = thread_work_find(threads, author->tid);
	struct node *request = work ? thread_work_author(work, author) : NULL;

	if (!request || request->pid != author->pid)
		return false;
	if (hold(g->held, request, record, author->time_ns))
		return true;
	g->stats->logs_unheld++;
	return false;
}

/* The first one of its node. */
static void settle_first(struct held_logs *held, struct node *node, bool has_span)
{
	struct held_log *log = node->logs;

	node->logs =
	    list_empty(&log->link) ? NULL : container_of(log->link.next, struct held_log, link);
	if (has_span) {
		log->record->trace_id = node->group->trace_id;
		log->record->span_id = node->span_id;
		log->record->flags = node->group->flags & (SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM);
	}
	log->node = NULL;
	list_remove(&log->age);
	list_remove(&log->link);
	list_add_tail(&held->settled, &log->link);
	held->n_settled++;
}

void held_logs_settle(struct held_logs *held, struct node *node, bool has_span)
{
	while (node->logs)
		settle_first(held, node, has_span);
}

void held_logs_tick(struct held_logs *held, uint64_t now_ns)
{
	while (!list_empty(&held->age)) {
		struct held_log *oldest = container_of(held->age.next, struct held_log, age);

		if (now_ns - oldest->since_ns < HELD_LOGS_NS || now_ns < oldest->since_ns)
			break;
		settle_first(held, oldest->node, true); /* it is the oldest of its node, too */
	}
}

struct log_batch *held_logs_take(struct held_logs *held, uint64_t *lost)
{
	size_t n = held->n_settled < HELD_LOGS_BATCH ? held->n_settled : HELD_LOGS_BATCH;
	struct log_batch *batch = n ? log_batch_new(n) : NULL;
	struct log_record *record;

	if (batch) {
		while (batch->n_records < n)
			batch->records[batch->n_records++] = take_first(held);
		return batch;
	}
	while ((record = take_first(held))) {
		log_record_free(record);
		++*lost;
	}
	return NULL;
}
