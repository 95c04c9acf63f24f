/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SQLite's objects as the kernel side knows them: by their addresses in a process, and by the threads inside their calls. */
#ifndef ZSP_SQLITE_BPF_H
#define ZSP_SQLITE_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

/* The process in which a probe with this cookie was hit. */
static __always_inline volatile struct zsp_sqlite_process *process_at(u32 place)
{
	return &zsp_sqlite_processes[(place >> ZSP_SQLITE_PROCESS_SHIFT) &
	    (ZSP_SQLITE_PROCESSES - 1)];
}

#define ZSP_SQLITE_ROW  100
#define ZSP_SQLITE_DONE 101

/* Are failed preparations told? */
static __always_inline bool is_full(u32 mode)
{
	return !(mode & ZSP_SQLITE_DETAIL_MASK);
}

/* Are executions told to their end? */
static __always_inline bool is_whole(u32 mode)
{
	return (mode & ZSP_SQLITE_DETAIL_MASK) <= ZSP_SQLITE_EXECUTIONS;
}

/* The key of an object, kept in the thread's entry. */
static __always_inline const struct zsp_object_key *object_key(
    struct zsp_thread *thread, u64 address)
{
	thread->key.address = address;
	thread->key.tgid = bpf_get_current_pid_tgid() >> 32;
	return &thread->key;
}

/* How often a connection at this address was closed. */
static __always_inline u32 db_closes(struct zsp_thread *thread, u64 db)
{
	u32 *closes = bpf_map_lookup_elem(&zsp_db_closes, object_key(thread, db));

	return closes ? *closes : 0;
}

/* The innermost SQLite call that the thread is inside of; NULL: none, or more than are kept. */
static __always_inline const struct zsp_sqlite_frame *top_frame(const struct zsp_thread *thread)
{
	if (thread->depth == 0 || thread->depth > ZSP_SQLITE_DEPTH)
		return NULL;
	return &thread->frames[(thread->depth - 1) & (ZSP_SQLITE_DEPTH - 1)];
}

/* The same, unless the detail of the process has changed since: the call may have returned unseen. */
static __always_inline const struct zsp_sqlite_frame *current_frame(const struct zsp_thread *thread)
{
	if (thread->sqlite_mode != process_at(thread->sqlite_place)->mode)
		return NULL;
	return top_frame(thread);
}

#endif
