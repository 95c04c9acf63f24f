/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose time it was: the time of threads, shared out to the requests they serve. Internal to trace/.
 *
 *	events of a thread   ─r────────────w─────r─────────c──────────────r───w──
 *	segments              ├── A's ─────┤ ... ├── B's ──┤── B calls ───┤───┤
 *
 * From one event of a thread (it read or wrote) to the next is a segment; what it waited for in it is the difference of its
 * totals. It is given
 *
 *   - to the thread's only request, whole, unless the thread waited for descriptors, no call of that request was under way, and
 *     what it read then was not for it: then another thread may be at work for it;
 *   - if the thread has several, as an event loop has, to the one whose answer or call was written now, else to the one that the last
 *     event belonged to; without what the loop waited for, which is nobody's;
 *   - to a request that another thread has read, from when this one was free or was woken; before, the request was queued; or, if some
 *     of its answer had been written, it waited for the client to have room for more, if it had none, else for what is not seen.
 *
 * What a request was not given, in a thread that has several, it waited for: for its client to have room for more of the answer, for the
 * answers of its calls until they had come, to be looked at again once they had, and for what is not seen while the loop was idle.
 *
 * A call has what its thread did from its beginning to its end. If that thread has several requests, or another thread took the
 * answer, it has waited until the answer had come, and the rest of the time for being looked at.
 */
#ifndef ZS_TRACE_TIME_SHARE_H
#define ZS_TRACE_TIME_SHARE_H

#include "trace/thread_work.h"

/* An event of a thread, which goes on with this request (or a call made for it); NULL: with none that is open. */
void time_event(struct thread_work *work, const struct piece *piece, struct node *request);

/* With that event it has written bytes of this request's answer. */
void time_answer(struct node *request, const struct piece *piece);

/* It has executed a statement for this request; NULL: for none that is known. */
void time_statement(
    struct thread_work *work, const struct zsp_statement *statement, struct node *request);

/* The execution's own: the longest wait that is known in it, into its span, which has its ledger. */
void time_statement_wait(
    const struct thread_work *work, const struct zsp_statement *statement, struct span *span);

/* A request begins with the thread's last event. */
void time_request_begin(struct node *request, const struct thread_work *work);

/*
 * Its exchange has ended: what it was given, as the ledger of its span, and the longest wait that is known in that, whose reference is the
 * caller's from now on.
 */
void time_request_end(struct node *request, struct ledger *ret_ledger, struct span_wait *ret_wait);

/*
 * Its thread, which serves nothing else, is in this wait: is that worth a look, however short? If such waits have taken a good part of its time so far,
 * and none is known of it; but not a wait for whatever descriptors, which says where a loop is and nothing of the request.
 */
bool time_wants_look(const struct node *request, const struct thread_wait *wait);

/* No event of its thread comes any more: what that waited for when it was looked at last, is the request's as far as it is for sure. */
void time_request_look(struct node *request);

/* As time_request_end() and time_call_end(), if it ended now. The node stays as it is. */
void time_so_far(const struct node *node, uint64_t now_ns, struct ledger *ret_ledger,
    struct span_wait *ret_wait);

/* A call begins with the thread's last event; NULL: of an unknown thread. */
void time_call_begin(struct node *call, const struct thread_work *work);

/*
 * Its exchange has ended, with the last event of this thread if that was at the same time. Call it while
 * the call still has its caller.
 */
void time_call_end(struct node *call, const struct thread_work *work, struct ledger *ret_ledger,
    struct span_wait *ret_wait);

#endif
