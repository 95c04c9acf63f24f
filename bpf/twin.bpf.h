/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Twins: where programs on tracepoints are preemptible, the kernel skips a program while the same one is interrupted on the same CPU. So a
 * second program hangs on a function that is called a little later, or on the same tracepoint where there is none, and does what the first would
 * have done where that one was skipped. For what happens to the current thread: both come to one event before the thread gets to the next.
 *
 * The first leaves a mark that the second takes away; a second program that finds none makes up for the first, and counts it: lost is what
 * the kernel skipped of the first and the second did not make up for. (Where the second is skipped, the mark stays: were the first one skipped
 * at the thread's next event of the kind, that would be lost, and counted.) Threads that share a row only have to be apart for as long
 * as one event lasts.
 */
#ifndef ZSP_TWIN_BPF_H
#define ZSP_TWIN_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "thread.bpf.h"

#define ZSP_TWIN_ROWS 512 /* a power of two */

static volatile u64 zsp_twin_marks[ZSP_TWIN_ROWS];

static __always_inline volatile u64 *zsp_twin_row(u32 tid)
{
	return &zsp_twin_marks[tid & (ZSP_TWIN_ROWS - 1)];
}

static __always_inline u64 zsp_twin_mark(u32 tid, enum zsp_twins twins)
{
	return (u64)tid << 32 | (twins + 1);
}

/* In the first program: it was here. */
static __always_inline void zsp_twin_first(enum zsp_twins twins)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (!ZSP_EMPTY)
		*zsp_twin_row(tid) = zsp_twin_mark(tid, twins);
}

/* In the second program: is the event its own, since the first was skipped? */
static __always_inline bool zsp_twin_makes_up(enum zsp_twins twins)
{
	u32 tid = bpf_get_current_pid_tgid();
	volatile u64 *row = zsp_twin_row(tid);

	if (ZSP_EMPTY)
		return false;
	if (*row == zsp_twin_mark(tid, twins)) {
		*row = 0;
		return false;
	}
	__sync_fetch_and_add(&zsp_made_up[twins], 1);
	return true;
}

#endif
