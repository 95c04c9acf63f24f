/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The observed threads: is the current one observed, and who becomes one. */
#ifndef ZSP_THREAD_BPF_H
#define ZSP_THREAD_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

/*
 * 1: no thread is ever observed, so the compiler drops the programs' bodies. What is left is the cost of the hooks
 * themselves, with which tests/bench compares.
 */
#ifndef ZSP_EMPTY
#define ZSP_EMPTY 0
#endif

/* A zeroed thread in read-only memory: new entries are made from it, not from the small stack. */
static const struct zsp_thread zsp_thread_zero;

/* For user space, which makes entries without knowing their layout: where zsp_thread.late is. */
const volatile __u32 zsp_late_offset __weak = __builtin_offsetof(struct zsp_thread, late);

static __always_inline void zsp_thread_mark(u32 tid, int change)
{
	__sync_fetch_and_add(&zsp_thread_marks[tid & (ZSP_THREAD_MARKS - 1)], change);
}

/* A thread's entry; NULL when it is not observed. */
static __always_inline struct zsp_thread *zsp_thread_of(u32 tid)
{
	if (ZSP_EMPTY || !zsp_thread_marks[tid & (ZSP_THREAD_MARKS - 1)])
		return NULL;
	return bpf_map_lookup_elem(&zsp_threads, &tid);
}

static __always_inline struct zsp_thread *zsp_current_thread(void)
{
	return zsp_thread_of((u32)bpf_get_current_pid_tgid());
}

/* Observe a thread from now on, or start afresh with it. */
static __always_inline void zsp_thread_observe(u32 tid)
{
	if (!bpf_map_lookup_elem(&zsp_threads, &tid))
		zsp_thread_mark(tid, 1);
	if (bpf_map_update_elem(&zsp_threads, &tid, &zsp_thread_zero, BPF_ANY)) {
		zsp_thread_mark(tid, -1);
		zsp_count(ZSP_COUNT_LOST_THREAD_FULL, 1);
	}
}

/* False when it was not observed. */
static __always_inline bool zsp_thread_forget(u32 tid)
{
	if (bpf_map_delete_elem(&zsp_threads, &tid))
		return false;
	zsp_thread_mark(tid, -1);
	return true;
}

#endif
