/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of logs that wait with the request during which they were written: which trace that belongs to is not known for sure before
 * the trace is published. Bounded in number, bytes and time: who waits for too long goes out with the ids of now. Internal to trace/.
 */
#ifndef ZS_TRACE_HELD_LOGS_H
#define ZS_TRACE_HELD_LOGS_H

#include "span/log_record.h"
#include "trace/graph.h"
#include "trace/thread_work.h"

#define HELD_LOGS_MAX       65536
#define HELD_LOGS_MAX_BYTES ((size_t)32 << 20)
/* Less than the queues of sinks hold. */
#define HELD_LOGS_BATCH 512
/* Both ends of a request have found each other long before. */
#define HELD_LOGS_NS (10 * NS_PER_S)

struct held_logs *held_logs_new(void);       /* NULL: no memory */
void held_logs_free(struct held_logs *held); /* with all that it has; NULL is fine */

/*
 * A thread wrote this line: the record, which is moved, waits with the request that it is about. False: about none that is known for sure,
 * or there is no room or memory for it (counted); it stays the caller's.
 */
bool held_logs_line(struct graph *graph, const struct thread_works *threads,
    struct log_record *record, const struct line_author *author);

/*
 * A thread moves bytes of this request, which goes on with them; moved NULL: other bytes. That decides about lines that it wrote before.
 */
void held_logs_moved(struct held_logs *held, struct thread_work *work, struct node *moved,
    const struct piece *piece);

/*
 * This thread has answered the request, and that still has the thread that serves it: what that one wrote and nothing has decided about, while another thread has
 * answered, is about none for sure.
 */
void held_logs_answered(struct held_logs *held, struct thread_work *work, struct node *node);

/* The node is about to go: what waits with it is settled, with its ids, or, if it has no span, without any. */
void held_logs_settle(struct held_logs *held, struct node *node, bool has_span);

/* Settle what waits for too long. */
void held_logs_tick(struct held_logs *held, uint64_t now_ns);

/*
 * What was settled, up to HELD_LOGS_BATCH of it, the caller's from now on; NULL: nothing more, or no memory, and what there was is lost and
 * counted.
 */
struct log_batch *held_logs_take(struct held_logs *held, uint64_t *lost);

#endif
