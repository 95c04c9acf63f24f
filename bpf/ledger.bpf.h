/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The totals of the current thread, as other programs use them; see ledger.bpf.c. */
#ifndef ZSP_LEDGER_BPF_H
#define ZSP_LEDGER_BPF_H

#include "vmlinux.h"

#include "compat.bpf.h"
#include "knobs.bpf.h"
#include "maps.bpf.h"

#define ZSP_CLASS_NO_CALL (~0u)

/* enum zsp_syscall of the call that a task is in; ZSP_CLASS_NO_CALL: it is in none. */
static __always_inline u32 zsp_class_of(const struct zsp_entry *entry)
{
	u32 number = entry->number;

	if (!zsp_entry_is_call(entry))
		return ZSP_CLASS_NO_CALL;
	barrier_var(number); /* what is compared is what is used */
	return number < ZSP_SYSCALL_NUMBERS ? zsp_syscalls[number] : ZSP_SYSCALL_IGNORED;
}

/* Is the thread idle while it waits for this, so that being woken begins something new? */
static __always_inline bool is_for_work(u32 wait)
{
	return wait == ZSP_WAIT_LOCK || wait == ZSP_WAIT_PEER || wait == ZSP_WAIT_TIMER ||
	    wait == ZSP_WAIT_OTHER;
}

static __always_inline u32 ledger_woken_delay_us(const struct zsp_ledger *ledger)
{
	u64 us = (ledger->waits.ns[ZSP_WAIT_RUNQUEUE] - ledger->delayed_ns) / 1000;

	return us < ~0U ? us : ~0U;
}

/*
 * Add the thread's last wait to its totals: it was away for so long. run_delay_ns: the scheduler's count of its waiting for the CPU, as of
 * now.
 */
static __always_inline void ledger_settle(struct zsp_ledger *ledger, u64 lasted, u64 run_delay_ns)
{
	u64 delayed = run_delay_ns - ledger->run_delay_ns;
	u32 wait = ledger->wait;

	ledger->run_delay_ns = run_delay_ns;
	if (delayed > lasted || wait == ZSP_WAIT_RUNQUEUE)
		delayed = lasted;
	if (is_for_work(wait)) {
		ledger->waits.woken_ns = ledger->off_ns + lasted - delayed;
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

/* How long a wait counts that has lasted so long: without what the one before was told too long. */
static __always_inline u64 ledger_counts(struct zsp_thread *thread, u64 lasted)
{
	u64 early = thread->early_ns;

	thread->early_ns = 0;
	return lasted > early ? lasted - early : 0;
}

/* The entry of the CPU that the program runs on. */
static __always_inline volatile struct zsp_running *zsp_running_here(void)
{
	return &zsp_running[bpf_get_smp_processor_id() & (ZSP_CPUS_MAX - 1)];
}

/*
 * The current thread was not told to be back; some hosts do not show programs what a few threads of their own do, such as
 * making room for it. The scheduler knows since when it is, by a clock of which each CPU's last switch tells how far it is
 * behind, to 0.2 ms. Where it is not known, the wait is added when the thread leaves (was_away()).
 */
static __always_inline void ledger_make_good(struct zsp_ledger *ledger)
{
	u64 now = bpf_ktime_get_ns(), arrived = zsp_current_last_arrival(), back;
	s64 ahead = zsp_running_here()->ahead_ns;

	if (!arrived || !ahead)
		return;
	back = arrived + ahead;
	if (back < ledger->off_ns)
		back = ledger->off_ns;
	ledger->on_ns = back < now ? back : now;
}

/*
 * Bring the current thread's totals up to date. Programs that use them do so first thing, where the verifier knows little that would
 * make it follow two paths from here.
 */
static __always_inline void ledger_update(struct zsp_thread *thread)
{
	struct zsp_ledger *ledger = &thread->ledger;

	if (!ledger->off_ns)
		return;
	if (ledger->on_ns < ledger->off_ns)
		ledger_make_good(ledger);
	if (ledger->on_ns >= ledger->off_ns)
		ledger_settle(ledger, ledger_counts(thread, ledger->on_ns - ledger->off_ns),
		    zsp_current_run_delay());
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
