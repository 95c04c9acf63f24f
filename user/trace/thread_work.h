/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests each thread is serving: the evidence for parents by thread. Internal to trace/.
 */
#ifndef ZS_TRACE_THREAD_WORK_H
#define ZS_TRACE_THREAD_WORK_H

#include "trace/graph.h"

struct thread_works {
	struct hmap by_tid;
};

void thread_works_init(struct thread_works *works);
void thread_works_release(struct thread_works *works);

/* The thread serves this request from now on. Without memory it simply is no candidate. */
void thread_work_begin(struct thread_works *works, uint32_t tid, struct node *request);

/* It does no more; may be called twice. */
void thread_work_end(struct thread_works *works, uint32_t tid, struct node *request);

/*
 * The one request for which a call by this thread in this slice can be; NULL when there is none, or
 * more than one (*ret_ambiguous).
 */
struct node *thread_work_current(const struct thread_works *works, uint32_t tid, uint32_t slice,
    uint64_t start_ns, bool *ret_ambiguous);

#endif
