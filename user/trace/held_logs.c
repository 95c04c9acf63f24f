// SPDX-License-Identifier: Apache-2.0
/*
 * Keeping of records until it is known what they are about, and what its ids are; see held_logs.h.
 *
 *	line ─ whose? ─┬─ answered just before by its thread ───────────────────────────────┬→ settled, with ids
 *	               ├─ the only one it serves ──── until it answers, that one ───────────┤
 *	               │                                            └─ another ──────┐      │
 *	               └─ likely, of several ──── until it goes on, with that one ───┼──────┘
 *	                                                     └─ anything else ───────┴───────→ settled, without
 *
 * The thread that has read a request may have handed it over since, and be at work for one that another thread has read: whose answer it
 * writes next tells. If another thread answers the request, the line is about none for sure. Where there is no answer, or none for
 * long, it is about the only one, unless its thread is one that hands requests over.
 *
 * A thread that answers what another one has read may be given the next one at once: what it writes behind an answer is about none for sure.
 *
 * A thread that serves several, an event loop, was at work for one of them when it wrote the line, if it moved that one's bytes before and
 * behind it, in one slice; unless it is one that hands requests over.
 */
#include "trace/held_logs.h"

#include <stdlib.h>

#include "base/clock.h"

struct held_log {
	/* Waiting: in a ring with the others of its node; settled: in held_logs.settled. */
	struct list link;
	struct list age;       /* waiting: in held_logs.age */
	struct list undecided; /* in thread_work.undecided, until the thread goes on */
	struct node *node;     /* waiting: its request */
	struct log_record *record;
	uint64_t since_ns;
	uint32_t slice; /* of its thread */
	bool likely;    /* there were several; else it was the only one */
	bool sure;      /* it is about that request, if that stays so; else about none */
	/* Its thread has handed over requests before: without an answer it is not known whether it was at work for this one. */
	bool may_have_others;
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

/* --- waiting ------------------------------------------------------------------------------------- */

/* The record waits with the node from now_ns on. NULL: there is no room or memory for it. */
static struct held_log *hold(
    struct held_logs *held, struct node *node, struct log_record *record, uint64_t now_ns)
{
	struct held_log *log;

	if (held->n == HELD_LOGS_MAX || record->body.len > HELD_LOGS_MAX_BYTES - held->bytes)
		return NULL;
	log = malloc(sizeof(*log));
	if (!log)
		return NULL;
	*log = (struct held_log){.node = node, .record = record, .since_ns = now_ns};
	list_init(&log->link);
	list_init(&log->age);
	list_init(&log->undecided);
	if (node->logs)
		list_add_tail(&node->logs->link, &log->link);
	else
		node->logs = log;
	list_add_tail(&held->age, &log->age);
	held->n++;
	held->bytes += record->body.len;
	return log;
}

bool held_logs_line(struct graph *g, const struct thread_works *threads, struct log_record *record,
    const struct line_author *author)
{
	struct thread_work *work = thread_work_find(threads, author->tid);
	struct node *sure = work ? thread_work_author(work, author) : NULL;
	struct node *likely = work && !sure ? thread_work_likely(work, author) : NULL;
	struct node *node = sure ? sure : likely;
	struct held_log *log;

	if (!node || node->pid != author->pid)
		return false;
	log = hold(g->held, node, record, author->time_ns);
	if (!log) {
		g->stats->logs_unheld++;
		return false;
	}
	log->slice = author->slice;
	log->likely = !sure;
	log->sure = sure != NULL;
	log->may_have_others = work->hands_over;
	if (node != work->answered)
		list_add_tail(&work->undecided, &log->undecided);
	return true;
}

/* --- settling ------------------------------------------------------------------------------------ */

static void leave_node(struct held_log *log)
{
	struct node *node = log->node;
	bool alone = list_empty(&log->link);

	if (node->logs == log)
		node->logs = alone ? NULL : container_of(log->link.next, struct held_log, link);
	list_remove(&log->link);
	list_remove(&log->age);
	list_remove(&log->undecided);
	log->node = NULL;
}

static void settle(struct held_logs *held, struct held_log *log, bool has_span)
{
	const struct node *node = log->node;

	if (has_span && log->sure && (list_empty(&log->undecided) || !log->may_have_others)) {
		log->record->trace_id = node->group->trace_id;
		log->record->span_id = node->span_id;
		log->record->flags = node->group->flags & (SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM);
	}
	leave_node(log);
	list_add_tail(&held->settled, &log->link);
	held->n_settled++;
}

static void decide(
    struct held_logs *held, struct thread_work *work, const struct node *moved, uint32_t slice)
{
	list_for_each (at, &work->undecided) {
		struct held_log *log = container_of(at, struct held_log, undecided);

		if (!moved && !log->likely)
			continue;
		log->sure = log->node == moved &&
		    (!log->likely || (log->slice == slice && !work->hands_over));
		list_remove(&log->undecided);
		if (!log->sure)
			settle(held, log, false);
	}
}

void held_logs_moved(
    struct held_logs *held, struct thread_work *work, struct node *moved, const struct piece *piece)
{
	decide(held, work, moved, piece->slice);
}

static void settle_undecided(struct held_logs *held, struct node *node)
{
	struct held_log *log = node->logs, *next;
	const struct held_log *last =
	    log ? container_of(log->link.prev, struct held_log, link) : NULL;

	for (; log; log = next) {
		next = log == last ? NULL : container_of(log->link.next, struct held_log, link);
		if (!list_empty(&log->undecided))
			settle(held, log, false);
	}
}

void held_logs_answered(struct held_logs *held, struct thread_work *work, struct node *node)
{
	settle_undecided(held, node);
	if (node->work == work)
		thread_work_answer(work, node);
	else if (node->work)
		node->work->hands_over = true;
}

void held_logs_settle(struct held_logs *held, struct node *node, bool has_span)
{
	while (node->logs)
		settle(held, node->logs, has_span);
}

void held_logs_tick(struct held_logs *held, uint64_t now_ns)
{
	while (!list_empty(&held->age)) {
		struct held_log *oldest = container_of(held->age.next, struct held_log, age);

		if (now_ns - oldest->since_ns < HELD_LOGS_NS || now_ns < oldest->since_ns)
			break;
		settle(held, oldest, true);
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
