/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is seen of threads from outside, while they wait: where, who has the lock that they wait for, who has their CPU. Requests that those
 * are at are named by a function of the caller's. Internal to trace/.
 */
#ifndef ZS_TRACE_THREAD_LOOK_H
#define ZS_TRACE_THREAD_LOOK_H

#include "trace/recent.h"
#include "trace/thread_work.h"

/* The five of assembler.h. Entries of threads may be forgotten in the first. */
void thread_look_wait(struct thread_works *works, const struct thread_wait *wait);
bool thread_look_wants(const struct thread_works *works, const struct thread_wait *wait);
void thread_look_place(const struct thread_works *works, const struct thread_place *place);
void thread_look_culprit(const struct thread_works *works, const struct thread_culprit *culprit,
    recent_name *name, void *ctx);
void thread_look_contender(const struct thread_works *works,
    const struct thread_contender *contender, recent_name *name, void *ctx);

#endif
