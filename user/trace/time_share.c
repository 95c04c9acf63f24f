// SPDX-License-Identifier: Apache-2.0
/* Sharing out the time of threads; see time_share.h. */
#include "trace/time_share.h"

#include "base/clock.h"

static const __u64 no_waits[ZSP_WAIT_MAX];

/* So much work before a wait is not just what being woken takes. */
#define MIDWAY_NS NS_PER_MS

/* Such a part of a request's time in waits of a kind is worth knowing where they are. */
#define WORTH_PART 4

/* Times to and from are running totals; a thread whose totals run backwards is another one under the same number. */
static void waits_between(
    const __u64 from[ZSP_WAIT_MAX], const __u64 to[ZSP_WAIT_MAX], __u64 ret[ZSP_WAIT_MAX])
{
	for (int i = 0; i < ZSP_WAIT_MAX; i++)
		ret[i] = to[i] - from[i];
}

/* Waiting for descriptors, if nothing better is known. */
static uint64_t idle_ns(const __u64 waits[ZSP_WAIT_MAX])
{
	return waits[ZSP_WAIT_PEER] + waits[ZSP_WAIT_TIMER];
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static uint64_t over(uint64_t value, uint64_t less)
{
	return value > less ? value - less : 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* --- segments ------------------------------------------------------------------------------------ */

static bool is_calling(const struct node *request)
{
	return request->calls > 0 || request->time.called;
}

/* What a thread does for it that waits for descriptors. What its client has no room for is there to be written, and so goes first. */
static enum ledger_state polling(const struct node *request)
{
	return request->time.full ? LEDGER_NET_SEND
	    : is_calling(request) ? LEDGER_DOWNSTREAM
				  : LEDGER_OTHER;
}

/* The thread's time from from_ns to to_ns, less what the request has already. */
static void give(const struct thread_work *work, struct node *request, uint64_t from_ns,
    uint64_t to_ns, const __u64 waits[ZSP_WAIT_MAX])
{
	struct time_share *time = &request->time;

	from_ns = later(from_ns, time->until_ns);
	if (to_ns <= from_ns)
		return;
	if (waits == no_waits) { /* as most are */
		time->ledger.ns[LEDGER_CPU] += to_ns - from_ns;
	} else {
		ledger_add(&time->ledger, to_ns - from_ns, waits, polling(request));
		known_waits_take(work->known, from_ns, to_ns, waits, polling(request), &time->wait);
	}
	if (time->full)
		time->full_worked_ns += to_ns - from_ns;
	if (is_calling(request))
		time->worked_ns += to_ns - from_ns;
	time->until_ns = to_ns;
	time->called = false;
}

/*
 * The same of a thread that has several: its waiting for descriptors is nobody's. Who ends by reading has waited for that last, else
 * first; another thread may work for the request meanwhile.
 */
static void give_work(const struct thread_work *work, struct node *request, uint64_t from_ns,
    uint64_t to_ns, const __u64 waits[ZSP_WAIT_MAX], bool reads)
{
	__u64 others[ZSP_WAIT_MAX];
	uint64_t idle = at_most(idle_ns(waits), to_ns - from_ns);

	for (int i = 0; i < ZSP_WAIT_MAX; i++)
		others[i] = waits[i];
	others[ZSP_WAIT_PEER] = others[ZSP_WAIT_TIMER] = 0;
	if (reads)
		give(work, request, from_ns, to_ns - idle, others);
	else
		give(work, request, from_ns + idle, to_ns, others);
}

/* Since when the thread that has moved the piece could work for a request that another thread serves. */
static uint64_t free_since(
    const struct thread_work *work, const struct piece *piece, const struct node *request)
{
	return later(later(work->last_ns, piece->waits->woken_ns), request->time.until_ns);
}

/* What it has waited for since then, if that is known of the time since its last event. */
static void waits_since_free(const struct thread_work *work, const struct piece *piece,
    const __u64 waits[ZSP_WAIT_MAX], __u64 ret[ZSP_WAIT_MAX])
{
	for (int i = 0; i < ZSP_WAIT_MAX; i++)
		ret[i] = waits[i];
	if (piece->waits->woken_ns <= work->last_ns)
		return;
	/* Those are what it was woken from. */
	ret[ZSP_WAIT_LOCK] = ret[ZSP_WAIT_PEER] = ret[ZSP_WAIT_TIMER] = ret[ZSP_WAIT_OTHER] = 0;
	ret[ZSP_WAIT_RUNQUEUE] = piece->waits->woken_delay_us * NS_PER_US;
}

/* The kinds that may be waiting for work. */
static bool is_for_work(enum zsp_wait wait)
{
	return wait == ZSP_WAIT_LOCK || wait == ZSP_WAIT_PEER || wait == ZSP_WAIT_TIMER ||
	    wait == ZSP_WAIT_OTHER;
}

/*
 * It was woken several times since its last event, and what it did in all is more than there was time for since the last time: it has waited in
 * the midst of its work. If all it did fits into the time that the request was there, it did it for that, and was at a lock for the
 * rest. Since when, with the waits; 0: that is not so.
 */
static uint64_t waited_midway(const struct thread_work *work, const struct piece *piece,
    const struct node *request, const __u64 waits[ZSP_WAIT_MAX], __u64 ret[ZSP_WAIT_MAX])
{
	uint64_t from_ns = later(work->last_ns, request->time.until_ns);
	uint64_t did_ns = piece->end_ns - work->last_ns;

	if (!work->last_ns || piece->waits->woken_ns <= from_ns || piece->end_ns <= from_ns)
		return 0;
	for (int i = 0; i < ZSP_WAIT_MAX; i++) {
		ret[i] = is_for_work((enum zsp_wait)i) ? 0 : waits[i];
		if (is_for_work((enum zsp_wait)i))
			did_ns = over(did_ns, waits[i]);
	}
	if (did_ns <= over(piece->end_ns, piece->waits->woken_ns) + MIDWAY_NS ||
	    did_ns > piece->end_ns - from_ns)
		return 0;
	ret[ZSP_WAIT_LOCK] = at_most(piece->end_ns - from_ns - did_ns, waits[ZSP_WAIT_LOCK]);
	return piece->end_ns - did_ns - ret[ZSP_WAIT_LOCK];
}

/* It waits for a thread that works for it; if there is some of its answer, for something that is known of its client, or not seen. */
static void waits_for_work(struct time_share *time, uint64_t until_ns)
{
	enum ledger_state state = time->full ? LEDGER_NET_SEND
	    : time->answering                ? LEDGER_OTHER
					     : LEDGER_QUEUED;

	time->ledger.ns[state] += until_ns - time->until_ns;
	if (time->full)
		time->full_worked_ns += until_ns - time->until_ns;
	time->until_ns = until_ns;
}

/* One that another thread serves: this one has worked for it since it was free, or was woken. */
static void give_other(const struct thread_work *work, const struct piece *piece,
    struct node *request, const __u64 waits[ZSP_WAIT_MAX])
{
	struct time_share *time = &request->time;
	__u64 since[ZSP_WAIT_MAX];
	uint64_t from_ns = waited_midway(work, piece, request, waits, since);

	if (!from_ns) {
		from_ns = free_since(work, piece, request);
		waits_since_free(work, piece, waits, since);
	}
	if (from_ns > time->until_ns && from_ns <= piece->end_ns)
		waits_for_work(time, from_ns);
	give(work, request, from_ns, piece->end_ns, since);
}

/* Who gets the segment of a thread that has several requests, if it has ended by a write for this one; NULL: nobody. */
static struct node *owner_of(const struct thread_work *work, uint32_t slice, struct node *writer)
{
	/* It came back from poll several times, for nothing that is seen: whatever it did, it was for none of them. */
	if (slice - work->slice > 1)
		return NULL;
	return writer && writer->work == work ? writer : work->current;
}

static bool is_others(const struct thread_work *work, const struct node *request)
{
	return request && request->kind == SPAN_KIND_SERVER && request->work != work;
}

/*
 * The first event of a thread. All that is known is when it was woken and its totals, which may be of other times, if they are too
 * large for this one. If all that it waited for may have been while the request was there, it may have been at work for that even before, or
 * idle: nobody knows, unless some of the answer is written and so it is known what for the rest of it waits.
 */
static void share_first(
    const struct thread_work *work, const struct piece *piece, struct node *request)
{
	uint64_t woken_ns = piece->waits->woken_ns, sum_ns = 0, for_work_ns = 0;
	struct time_share *time;
	__u64 waits[ZSP_WAIT_MAX];
	bool midway;

	if (!is_others(work, request))
		return;
	time = &request->time;
	waits_since_free(work, piece, piece->waits->ns, waits);
	for (int i = 0; i < ZSP_WAIT_MAX; i++) {
		sum_ns += waits[i];
		for_work_ns += is_for_work((enum zsp_wait)i) ? piece->waits->ns[i] : 0;
	}
	time->untold = !woken_ns || sum_ns > over(piece->end_ns, free_since(work, piece, request));
	if (time->untold)
		return;
	midway = !time->answering && for_work_ns && for_work_ns <= over(woken_ns, time->until_ns);
	if (midway) {
		time->untold = true;
		time->until_ns = woken_ns;
	}
	give_other(work, piece, request, piece->waits->ns);
}

static void share_segment(struct thread_work *work, const struct piece *piece, struct node *request)
{
	__u64 between[ZSP_WAIT_MAX];
	const __u64 *waits = no_waits;
	bool other = is_others(work, request);
	bool out = piece->direction == ZSP_OUT;
	struct node *owner;

	if (list_empty(&work->requests) && !other)
		return;
	if (piece->waits->switches != work->waits.switches) {
		waits_between(work->waits.ns, piece->waits->ns, between);
		waits = between;
	}
	if (other)
		give_other(work, piece, request, waits);
	if (list_empty(&work->requests))
		return;
	owner = thread_work_only(work);
	if (owner) {
		if (owner == request || out || is_calling(owner) || !idle_ns(waits))
			give(work, owner, work->last_ns, piece->end_ns, waits);
		return;
	}
	owner = owner_of(work, piece->slice, out ? request : NULL);
	if (owner)
		give_work(work, owner, work->last_ns, piece->end_ns, waits, !out);
}

void time_event(struct thread_work *work, const struct piece *piece, struct node *request)
{
	uint32_t switches = piece->waits->switches - work->waits.switches;

	if (work->answered)
		thread_work_go_on(work);
	known_waits_over(work->known, piece->end_ns);
	if (work->last_ns && switches <= INT32_MAX && piece->end_ns >= work->last_ns) {
		share_segment(work, piece, request);
	} else {
		work->last_ns = 0;
		share_first(work, piece, request);
		work->first_ns = piece->end_ns;
	}
	work->sent_ns = piece->sent_ns;
	work->delayed_ns = piece->delayed_ns;
	if (switches || work->first_ns == piece->end_ns)
		work->waits = *piece->waits;
	work->slice = piece->slice;
	work->last_ns = piece->end_ns;
	work->arrived_ns = piece->direction == ZSP_OUT ? piece->end_ns : piece->start_ns;
	work->current = request && request->work == work ? request : NULL;
	work->moved = work->current;
	work->moved_slice = piece->slice;
}

void time_answer(struct node *request, const struct piece *piece)
{
	struct time_share *time = &request->time;

	if (time->full)
		time->full_ns += over(piece->start_ns, time->full_since_ns);
	time->answering = true;
	time->full = piece->full;
	time->full_since_ns = piece->end_ns;
}

void time_statement(
    struct thread_work *work, const struct zsp_statement *statement, struct node *request)
{
	__u64 waits[ZSP_WAIT_MAX];
	struct node *owner;

	if (work->answered)
		thread_work_go_on(work);
	known_waits_over(work->known, statement->start_ns);
	known_waits_over(work->known, statement->end_ns);
	if (list_empty(&work->requests) || thread_work_only(work) ||
	    statement->start_ns < work->last_ns || !statement->stmt)
		return;
	owner = owner_of(work, statement->h.slice, NULL);
	waits_between(work->waits.ns, statement->waits_before, waits);
	if (owner)
		give_work(work, owner, work->last_ns, statement->start_ns, waits, false);
	if (request && request->work == work)
		give(work, request, statement->start_ns, statement->end_ns, statement->waits);
	for (int i = 0; i < ZSP_WAIT_MAX; i++)
		work->waits.ns[i] = statement->waits_before[i] + statement->waits[i];
	work->slice = statement->h.slice;
	work->last_ns = statement->end_ns;
	work->current = request && request->work == work ? request : NULL;
}

/* What was asleep inside of SQLite without a lock to wait for. */
static void sleep_if_no_lock(struct span_wait *wait, const struct ledger *ledger)
{
	if (wait->state == LEDGER_SQLITE_BUSY && !ledger->ns[LEDGER_SQLITE_BUSY])
		wait->state = LEDGER_SLEEP;
}

void time_statement_wait(
    const struct thread_work *work, const struct zsp_statement *statement, struct span *span)
{
	known_waits_take(work->known, statement->start_ns, statement->end_ns, statement->waits,
	    LEDGER_OTHER, &span->wait);
	sleep_if_no_lock(&span->wait, &span->ledger);
}

/* --- requests ------------------------------------------------------------------------------------ */

void time_request_begin(struct node *request, const struct thread_work *work)
{
	const struct exchange *exchange = request->exchange;
	struct time_share *time = &request->time;

	time->ledger.ns[LEDGER_QUEUED] = exchange->taken_ns - exchange->start_ns;
	time->until_ns = exchange->taken_ns;
	if (!work)
		return;
	time->polled_ns = work->waits.ns[ZSP_WAIT_PEER];
	time->timed_ns = work->waits.ns[ZSP_WAIT_TIMER];
	time->n_orphans = work->n_orphans;
}

/* Take up to most of what is absent for this state; what was taken. */
static uint64_t take(
    struct ledger *ledger, enum ledger_state state, uint64_t most, uint64_t *absent_ns)
{
	uint64_t part = at_most(most, *absent_ns);

	ledger->ns[state] += part;
	*absent_ns -= part;
	return part;
}

/* What the request waited for while its thread was with others, or idle. */
static void add_absence(const struct node *request, struct ledger *ledger, uint64_t absent_ns)
{
	const struct time_share *time = &request->time;
	uint64_t calling_ns = time->calling_ns, full_ns = time->full_ns;
	uint64_t polled_ns = 0, timed_ns = 0, known_ns;

	if (request->calls)
		calling_ns += over(request->exchange->end_ns, time->calling_since_ns);
	if (time->full)
		full_ns += over(request->exchange->end_ns, time->full_since_ns);
	if (request->work) {
		polled_ns = request->work->waits.ns[ZSP_WAIT_PEER] - time->polled_ns;
		timed_ns = request->work->waits.ns[ZSP_WAIT_TIMER] - time->timed_ns;
	}
	known_ns = take(ledger, LEDGER_NET_SEND, over(full_ns, time->full_worked_ns), &absent_ns);
	known_ns += take(ledger, LEDGER_DOWNSTREAM, over(calling_ns, time->worked_ns), &absent_ns);
	take(ledger, LEDGER_QUEUED, time->answered_ns, &absent_ns);
	take(ledger, LEDGER_SLEEP, over(timed_ns, known_ns), &absent_ns);
	take(ledger, LEDGER_OTHER, over(polled_ns, over(known_ns, timed_ns)), &absent_ns);
	/* There is nothing else that it could have waited for. */
	if (calling_ns == 0 && !time->untold && request->work &&
	    request->work->n_orphans == time->n_orphans)
		take(ledger, LEDGER_QUEUED, absent_ns, &absent_ns);
}

/* Hand over the longest wait. */
static void take_wait(struct node *node, const struct ledger *ledger, struct span_wait *ret_wait)
{
	*ret_wait = node->time.wait;
	node->time.wait = (struct span_wait){0};
	sleep_if_no_lock(ret_wait, ledger);
}

void time_request_end(struct node *request, struct ledger *ret_ledger, struct span_wait *ret_wait)
{
	const struct exchange *exchange = request->exchange;
	uint64_t duration = exchange->end_ns - exchange->start_ns;

	*ret_ledger = request->time.ledger;
	ledger_slept(ret_ledger, request->time.slept_ns);
	if (request->time.shared)
		add_absence(request, ret_ledger, over(duration, ledger_sum(ret_ledger)));
	take_wait(request, ret_ledger, ret_wait);
	span_wait_end_at(ret_wait, ret_ledger, exchange->end_ns);
	ledger_fit(ret_ledger, duration);
}

/* What the request's thread waited for when it was looked at last; given to *to, which is the request or a copy of it. */
static void give_looked(const struct node *request, struct node *to)
{
	const struct thread_work *work = request->work;
	const struct known_waits *known = work ? work->known : NULL;
	const struct node *only;
	__u64 waits[ZSP_WAIT_MAX];

	if (!known || known->looked_ns <= work->last_ns ||
	    known->totals.switches - work->waits.switches > INT32_MAX)
		return;
	waits_between(work->waits.ns, known->totals.ns, waits);
	only = thread_work_only(work);
	if (!only && work->current == request)
		give_work(work, to, work->last_ns, known->looked_ns, waits, true);
	else if (only && (is_calling(request) || !idle_ns(waits)))
		give(work, to, work->last_ns, known->looked_ns, waits);
	else if (only && known->n && known->all[0].kind != ZSP_WAIT_TIMER)
		/* Others may be at work for it; but this is where its thread is, and it does not wait for just anything. */
		known_waits_take(
		    known, work->last_ns, known->looked_ns, waits, polling(to), &to->time.wait);
}

bool time_wants_look(const struct node *request, const struct thread_wait *wait)
{
	const struct thread_work *work = request->work;
	unsigned kinds = known_waits_alike(wait->kind);
	uint64_t start_ns = request->exchange->start_ns;
	uint64_t waited_ns = over(wait->time_ns, wait->since_ns);

	if ((wait->kind == ZSP_WAIT_TIMER && !is_calling(request)) ||
	    known_waits_kinds(work->known, start_ns) & kinds)
		return false;
	for (int i = 0; i < ZSP_WAIT_MAX; i++)
		if (kinds >> i & 1)
			waited_ns += over(wait->waits.ns[i], work->waits.ns[i]);
	waited_ns += request->time.ledger.ns[ledger_state_of(wait->kind, polling(request))];
	return waited_ns >= over(wait->time_ns, start_ns) / WORTH_PART;
}

void time_request_look(struct node *request)
{
	give_looked(request, request);
}

void time_so_far(
    const struct node *node, uint64_t now_ns, struct ledger *ret_ledger, struct span_wait *ret_wait)
{
	struct exchange exchange = *node->exchange;
	struct node copy = *node;

	exchange.end_ns = now_ns;
	copy.exchange = &exchange;
	copy.caller = NULL;
	wait_place_ref(copy.time.wait.place);
	if (node->kind == SPAN_KIND_CLIENT) {
		time_call_end(&copy, NULL, ret_ledger, ret_wait);
		return;
	}
	give_looked(node, &copy);
	time_request_end(&copy, ret_ledger, ret_wait);
}

/* --- calls --------------------------------------------------------------------------------------- */

void time_call_begin(struct node *call, const struct thread_work *work)
{
	struct node *caller = call->caller;

	if (caller && caller->calls == 1)
		caller->time.calling_since_ns = call->exchange->start_ns;
	if (!work)
		return;
	call->time.tid = work->tid;
	call->time.until_ns = work->last_ns;
	call->time.shared = !list_empty(&work->requests) && !thread_work_only(work);
	call->time.n_begun = work->n_begun;
	for (int i = 0; i < ZSP_WAIT_MAX; i++)
		call->time.waits[i] = work->waits.ns[i];
	call->time.waits[ZSP_WAIT_SEND] -= work->sent_ns;
	call->time.waits[ZSP_WAIT_RUNQUEUE] -= work->delayed_ns;
}

/* Has this thread been the call's own, and nothing but the call's, from its beginning? */
static bool is_own(const struct node *call, const struct thread_work *work)
{
	const struct time_share *time = &call->time;

	return work->tid == time->tid && work->first_ns <= time->until_ns && !time->shared &&
	    work->n_begun == time->n_begun;
}

void time_call_end(struct node *call, const struct thread_work *work, struct ledger *ret_ledger,
    struct span_wait *ret_wait)
{
	const struct exchange *exchange = call->exchange;
	bool seen = work && work->last_ns == exchange->end_ns;
	uint64_t duration = exchange->end_ns - exchange->start_ns;
	__u64 waits[ZSP_WAIT_MAX];
	uint64_t answer_ns = seen ? at_most(work->arrived_ns, exchange->end_ns) : exchange->end_ns;
	struct node *caller = call->caller;

	answer_ns = later(answer_ns, exchange->start_ns);
	*ret_ledger = (struct ledger){0};
	if (seen && is_own(call, work)) {
		waits_between(call->time.waits, work->waits.ns, waits);
		ledger_add(ret_ledger, duration, waits, LEDGER_DOWNSTREAM);
		known_waits_take(work->known, exchange->start_ns, exchange->end_ns, waits,
		    LEDGER_DOWNSTREAM, &call->time.wait);
	} else {
		ret_ledger->ns[LEDGER_DOWNSTREAM] = answer_ns - exchange->start_ns;
		ret_ledger->ns[LEDGER_QUEUED] = exchange->end_ns - answer_ns;
	}
	take_wait(call, ret_ledger, ret_wait);
	if (!caller)
		return;
	caller->time.called |= !seen;
	if (caller->calls == 1 && answer_ns > caller->time.calling_since_ns) {
		caller->time.calling_ns += answer_ns - caller->time.calling_since_ns;
		caller->time.answered_ns += exchange->end_ns - answer_ns;
	}
}
