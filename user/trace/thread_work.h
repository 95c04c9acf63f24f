/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each thread works at: which requests it serves, the evidence for parents by thread, and its last event, from which on
 * its time is shared out. Internal to trace/.
 */
#ifndef ZS_TRACE_THREAD_WORK_H
#define ZS_TRACE_THREAD_WORK_H

#include "trace/graph.h"
#include "trace/known_wait.h"

/* Threads that serve nothing and are remembered all the same; the ones idle for longest are forgotten. */
#define THREAD_WORKS_IDLE_MAX 1024

struct thread_work {
	struct hnode node;    /* by tid, which is its own hash */
	struct list idle;     /* among those without requests */
	struct list requests; /* struct node.serving */
	uint32_t tid;
	uint32_t n_begun; /* requests that it began to serve */
	bool hands_over;  /* another thread has answered one of them; kept while there are lines */
	uint64_t changed_ns; /* when it began, or ceased, to serve one last */
	uint32_t
	    n_orphans; /* calls and statements of its that could have been for several requests */

	/* Of its last event. */
	uint32_t slice;
	uint64_t first_ns;   /* time of the first one since it is remembered */
	uint64_t last_ns;    /* 0: none yet */
	uint64_t arrived_ns; /* when the kernel had what it read; else last_ns */
	uint64_t sent_ns;    /* in the write that it was: waited for room in the socket's buffer, */
	uint64_t delayed_ns; /* and for the CPU */
	struct zsp_waits waits;    /* as told with it */
	struct known_waits *known; /* NULL: it was never looked at */
	uint64_t read_lock_ns;     /* its total of waits for locks when it read a request last */
	struct node *current; /* the request that it belonged to, while that is open; NULL: none */
	struct node
	    *answered; /* of those that it served the one whose answer it ended then; NULL: none */
	/* That of the last event of a connection, whatever statements came since; and its slice. */
	struct node *moved;
	uint32_t moved_slice;
	struct list undecided; /* lines since then that may be about that one; see held_logs.c */
};

struct thread_works {
	struct hmap by_tid;
	struct list idle; /* longest first */
	size_t n_idle;
};

void thread_works_init(struct thread_works *works);
void thread_works_release(struct thread_works *works);

/* The thread's entry, a new one if need be; NULL without memory. Valid until the next call, or as long as it serves a request. */
struct thread_work *thread_work_get(struct thread_works *works, uint32_t tid);

/* Its entry if there is one, else NULL. */
struct thread_work *thread_work_find(const struct thread_works *works, uint32_t tid);

/* The thread was looked at while it waited. Without memory that is not remembered. */
void thread_work_look(struct thread_work *work, const struct thread_wait *wait);

/* The thread serves this request from now on. NULL, without memory: it simply is no candidate. */
void thread_work_begin(struct thread_works *works, struct thread_work *work, struct node *request);

/* It does no more, from that time on; may be called twice. */
void thread_work_end(struct thread_works *works, struct node *request, uint64_t time_ns);

/* The request that it serves, if it serves just one; else NULL. */
struct node *thread_work_only(const struct thread_work *work);

/*
 * The one request for which a call by this thread in this slice can be; NULL when there is none, or
 * more than one (*ret_ambiguous).
 */
struct node *thread_work_current(
    const struct thread_work *work, uint32_t slice, uint64_t start_ns, bool *ret_ambiguous);

/* The thread has ended the answer of this request, which it serves, with its last event; from its next one on that means nothing. */
void thread_work_answer(struct thread_work *work, struct node *request);
void thread_work_go_on(struct thread_work *work);

/* The request is about to go. */
void thread_work_forget_answered(struct node *request);

/*
 * The one request that a line of a log can be about, which this thread wrote: the one that it was serving, as above, or the one that it had answered
 * just before, as long as it has neither been woken for something else since nor come back from epoll_wait, poll or select. NULL when there is
 * none, or more than one.
 */
struct node *thread_work_author(const struct thread_work *work, const struct line_author *author);

/*
 * Where that leaves several: the one whose bytes the thread has moved last, if that was in the slice of the line. It is the one for sure
 * if its bytes are also those that the thread moves next, still in that slice: then it was at work for this one from before the line until
 * behind it. NULL: there is no such one.
 */
struct node *thread_work_likely(const struct thread_work *work, const struct line_author *author);

#endif
