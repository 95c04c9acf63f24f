/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second thoughts about parents by thread. A thread is taken to work for the request that it read, until that is answered. But in a pool it may put
 * the request aside, wait for work, and take another one that somebody else has put aside: what it calls then looks as if it were for the
 * first. Who answers tells:
 *
 *	T reads 1, puts it aside, waits, is given 2, calls A, answers 2     A is not of 1: T answered another one meanwhile
 *	T reads 1, puts it aside, waits, is given 2, calls A; U answers 1   A may not be of 1: T had taken something
 *
 * Such a call becomes a root, with all that is known below it, before anything of it was published. A call before which the thread has not
 * waited since it read is beyond doubt, and so is one whose request the thread answers itself without having answered another. Internal to trace/.
 */
#ifndef ZS_TRACE_DOUBT_H
#define ZS_TRACE_DOUBT_H

#include "trace/graph.h"

/* The thread reads a request; NULL is fine. */
void doubt_read(struct thread_work *work);

/* A call or statement of this thread was given its caller by thread; lock_ns: the thread's total of waits for locks then. */
void doubt_call(
    struct node *call, struct node *caller, const struct thread_work *work, uint64_t lock_ns);

/* The thread has ended the answer to this request. Returns how many calls have lost their parent. */
size_t doubt_answered(struct graph *graph, const struct thread_work *work, struct node *request);

#endif
