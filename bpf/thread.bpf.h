/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The observed threads: is the current one observed? */
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

static __always_inline volatile u32 *zsp_thread_mark(u32 tid)
{
	return &zsp_thread_marks[tid & (ZSP_THREAD_MARKS - 1)];
}

/* A thread's entry; NULL when it is not observed. */
static __always_inline struct zsp_thread *zsp_thread_of(u32 tid)
{
	struct zsp_thread *thread;
	u32 number;

	if (ZSP_EMPTY)
		return NULL;
	number = *zsp_thread_mark(tid) & ZSP_THREAD_HEAD_MASK;
	/* The kernel rewrites the program for each place of a look-up: one is loaded sooner than four. */
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < ZSP_THREAD_BUCKET_MAX && number; i++) {
		u32 key = number;

		thread = bpf_map_lookup_elem(&zsp_threads, &key);
		if (!thread || thread->tid == tid)
			return thread;
		number = thread->next;
	}
	return NULL;
}

static __always_inline struct zsp_thread *zsp_current_thread(void)
{
	return zsp_thread_of((u32)bpf_get_current_pid_tgid());
}

#endif
