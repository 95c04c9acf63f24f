/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Changes of the table of observed threads; see thread_table.bpf.c. */
#ifndef ZSP_THREAD_TABLE_BPF_H
#define ZSP_THREAD_TABLE_BPF_H

#include "vmlinux.h"

#define ZSP_ENOENT 2
#define ZSP_E2BIG  7
#define ZSP_EEXIST 17

/*
 * Observe a thread from now on, of which nothing is known but enum zsp_late. One that is observed already is begun afresh, or
 * stays as it is when it may be late: -ZSP_EEXIST. Result 0, or -ZSP_E2BIG when there is no room. Of functions that are not static, the verifier looks into each once and not at every call.
 */
int zsp_thread_enter(u32 tid, u32 late);

/* Observe it no more. 0, or -ZSP_ENOENT. */
int zsp_thread_forget(u32 tid);

#endif
