/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs keep per thread of a target, and the question whether the current process is
 * one. */
#ifndef ZSP_THREAD_BPF_H
#define ZSP_THREAD_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

/* A zeroed thread in read-only memory: new entries are made from it, not from the small stack. */
static const struct zsp_thread zsp_thread_zero;

/* The current process as a target, or NULL. */
static __always_inline struct zsp_target *zsp_current_target(void)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&zsp_targets, &tgid);
}

/* The current thread's entry if it has one. */
static __always_inline struct zsp_thread *zsp_thread_find(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&zsp_threads, &tid);
}

/* The current thread's entry, made if need be; NULL (counted) when the table is full. */
static __always_inline struct zsp_thread *zsp_thread_get(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct zsp_thread *thread = bpf_map_lookup_elem(&zsp_threads, &tid);

	if (thread)
		return thread;
	bpf_map_update_elem(&zsp_threads, &tid, &zsp_thread_zero, BPF_NOEXIST);
	thread = bpf_map_lookup_elem(&zsp_threads, &tid);
	if (!thread)
		zsp_count(ZSP_COUNT_LOST_THREAD_FULL, 1);
	return thread;
}

#endif
