/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The totals of the current thread, as other programs use them; see ledger.bpf.c. */
#ifndef ZSP_LEDGER_BPF_H
#define ZSP_LEDGER_BPF_H

#include "vmlinux.h"

#include "maps.bpf.h"

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
    const struct zsp_thread *thread, const u64 before[ZSP_WAIT_MAX], u64 waits[ZSP_WAIT_MAX])
{
	for (u32 i = 0; i < ZSP_WAIT_MAX; i++)
		waits[i] = thread->ledger.waits.ns[i] - before[i];
}

#endif
