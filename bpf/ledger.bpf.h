/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The totals of the current thread, as other programs use them; see ledger.bpf.c. */
#ifndef ZSP_LEDGER_BPF_H
#define ZSP_LEDGER_BPF_H

#include "vmlinux.h"

#include "compat.bpf.h"
#include "maps.bpf.h"

/* Is the thread idle while it waits for this, so that being woken begins something new? */
static __always_inline bool is_for_work(u32 wait)
{
	return wait == ZSP_WAIT_LOCK || wait == ZSP_WAIT_PEER || wait == ZSP_WAIT_TIMER ||
	    wait == ZSP_WAIT_OTHER;
}

/* The most by which the scheduler counts a thread as being on the CPU before it tells of the switch. */
#define ZSP_SOONER_NS 1000000

/*
 * How long the thread was away. Where the scheduler counts it as being on the CPU from a little sooner than was told (an idle CPU
 * that wakes up), that is known when the thread leaves again, by the count. By that alone if the switch was not told: some
 * hosts do not show programs what a few threads of their own do.
 */
static __always_inline u64 ledger_away(const struct zsp_ledger *ledger, u64 cpu_ns, u64 now)
{
	s64 told = ledger->on_ns - ledger->off_ns;
	s64 counted = now - ledger->off_ns - (cpu_ns - ledger->cpu_ns);

	if (told >= 0 && (counted >= told || told - counted > ZSP_SOONER_NS))
		return told;
	return counted > 0 ? counted : 0;
}

static __always_inline u32 ledger_woken_delay_us(const struct zsp_ledger *ledger)
{
	u64 us = (ledger->waits.ns[ZSP_WAIT_RUNQUEUE] - ledger->delayed_ns) / 1000;

	return us < ~0U ? us : ~0U;
}

/* Add the thread's last wait to its totals. count: the scheduler's as of now. */
static __always_inline void ledger_settle(
    struct zsp_ledger *ledger, struct zsp_sched_count count, u64 now)
{
	u64 off = ledger->off_ns, lasted = ledger_away(ledger, count.cpu, now);
	u64 delayed = count.run_delay - ledger->run_delay_ns;
	u32 wait = ledger->wait;

	ledger->run_delay_ns = count.run_delay;
	if (!off)
		return;
	if (delayed > lasted || wait == ZSP_WAIT_RUNQUEUE)
		delayed = lasted;
	if (is_for_work(wait)) {
		ledger->waits.woken_ns = off + lasted - delayed;
		ledger->delayed_ns = ledger->waits.ns[ZSP_WAIT_RUNQUEUE];
	}
	ledger->waits.ns[ZSP_WAIT_RUNQUEUE] += delayed;
	ledger->waits.woken_delay_us = ledger_woken_delay_us(ledger);
	if (wait == ZSP_WAIT_TIMER)
		ledger->polled_ns += lasted - delayed;
	else if (wait < ZSP_WAIT_MAX)
		ledger->waits.ns[wait] += lasted - delayed;
	ledger->waits.switches++;
	ledger->off_ns = 0;
}

/*
 * Bring the current thread's totals up to date. Programs that use them do so first thing, where the verifier knows little that would
 * make it follow two paths from here.
 */
static __always_inline void ledger_update(struct zsp_thread *thread)
{
	if (thread->ledger.off_ns)
		ledger_settle(&thread->ledger, zsp_current_sched_count(), bpf_ktime_get_ns());
}

/* A call of poll or its like ends: it had waited for descriptors, or until its time had passed. */
static __always_inline void ledger_polled(struct zsp_thread *thread, bool timed_out)
{
	struct zsp_ledger *ledger = &thread->ledger;

	ledger->waits.ns[timed_out ? ZSP_WAIT_TIMER : ZSP_WAIT_PEER] += ledger->polled_ns;
	ledger->polled_ns = 0;
}

/* An execution begins. */
static __always_inline void ledger_begin(const struct zsp_thread *thread, u64 before[ZSP_WAIT_MAX])
{
	for (u32 i = 0; i < ZSP_WAIT_MAX; i++)
		before[i] = thread->ledger.waits.ns[i];
}

/* For how long the thread has waited, for whatever. */
static __always_inline u64 ledger_waited(const struct zsp_thread *thread)
{
	u64 sum = 0;

	for (u32 i = 0; i < ZSP_WAIT_MAX; i++)
		sum += thread->ledger.waits.ns[i];
	return sum;
}

/* What the thread has waited for since it began. */
static __always_inline void ledger_since(
    const struct zsp_thread *thread, const u64 before[ZSP_WAIT_MAX], u64 since[ZSP_WAIT_MAX])
{
	for (u32 i = 0; i < ZSP_WAIT_MAX; i++)
		since[i] = thread->ledger.waits.ns[i] - before[i];
}

#endif
