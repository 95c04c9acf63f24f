/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records about the write locks of databases; see lock.bpf.c. */
#ifndef ZSP_LOCK_BPF_H
#define ZSP_LOCK_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "emit.bpf.h"
#include "knobs.bpf.h"
#include "maps.bpf.h"
#include "sqlite.bpf.h"

/* Whose step the thread is in: which statement, of which connection. */
static __always_inline void lock_statement(struct zsp_lock *lock, struct zsp_thread *thread)
{
	const struct zsp_sqlite_frame *top = current_frame(thread);
	const struct zsp_sqlite_copy *copy;
	const struct zsp_stmt *exec;
	u64 stmt, db = 0;

	if (!top)
		return;
	stmt = top->stmt;
	exec = bpf_map_lookup_elem(&zsp_stmts, object_key(thread, stmt));
	copy = exec ? bpf_map_lookup_elem(&zsp_sqlite_copies, &exec->copy) : NULL;
	if (!copy || bpf_probe_read_user(&db, sizeof(db), (void *)(stmt + copy->db_offset)))
		return;
	lock->stmt = stmt;
	lock->db = db;
	lock->db_closes = db_closes(thread, db);
}

/* thread: the current one, NULL when it is not observed. file is NULL for BACKED_OFF. */
static __always_inline void lock_emit(struct zsp_thread *thread, u32 op, const u64 *file)
{
	struct zsp_lock *lock = zsp_reserve(sizeof(*lock), ZSP_COUNT_LOST_RING_OTHER);
	u64 now = bpf_ktime_get_ns();

	if (!lock)
		return;
	__builtin_memset(lock, 0, sizeof(*lock));
	zsp_header_init(&lock->h, ZSP_KIND_LOCK, sizeof(*lock), now, thread ? thread->slice : 0, 0);
	lock->since_ns = now;
	lock->op = op;
	if (file)
		lock->file = *file ^ zsp_secret;
	else if (thread)
		lock->since_ns = thread->call_start_ns;
	if (thread)
		lock_statement(lock, thread);
	if (bpf_get_current_comm(lock->comm, sizeof(lock->comm)))
		lock->comm[0] = 0;
	zsp_submit(lock, false);
}

/* The thread has slept. Inside of a statement's step that is how SQLite waits for a lock. */
static __always_inline void lock_backed_off(struct zsp_thread *thread)
{
	if (current_frame(thread))
		lock_emit(thread, ZSP_LOCK_BACKED_OFF, NULL);
}

#endif
