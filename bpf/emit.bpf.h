/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reserve, fill, submit: the only place that touches the ring. Records are built in ring memory
 * itself, since uprobe programs have neither stack nor per-CPU scratch to build them elsewhere, or in memory of
 * a map that their program has for itself. A full ring refuses the record and a counter says so.
 */
#ifndef ZSP_EMIT_BPF_H
#define ZSP_EMIT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "event.h"
#include "knobs.bpf.h"
#include "maps.bpf.h"

/* Fill the head of a record for the current thread. */
static __always_inline void zsp_header_init(
    struct zsp_header *h, u32 kind, u32 size, u64 now, u32 slice, u64 conn)
{
	u64 id = bpf_get_current_pid_tgid();

	h->kind = kind;
	h->flags = 0;
	h->size = size;
	h->time_ns = now;
	h->pid = id >> 32;
	h->tid = (u32)id;
	h->slice = slice;
	h->reserved = 0;
	h->conn = conn;
}

/* Reserve room bytes (a constant), or count the loss under lost. Nothing when silent. */
static __always_inline void *zsp_reserve(u64 room, u32 lost)
{
	void *record = zsp_silent ? NULL : bpf_ringbuf_reserve(&zsp_ring, room, 0);

	if (!record && !zsp_silent)
		zsp_count(lost, 1);
	return record;
}

/* The reader is woken only when it said that it sleeps, or when urgent. */
static __always_inline u64 zsp_wakeup(bool urgent)
{
	if (!urgent && !zsp_reader_waits)
		return BPF_RB_NO_WAKEUP;
	zsp_reader_waits = 0;
	return BPF_RB_FORCE_WAKEUP;
}

/* Hand a reserved record over. */
static __always_inline void zsp_submit(void *record, bool urgent)
{
	bpf_ringbuf_submit(record, zsp_wakeup(urgent));
}

/* Hand over a record that was built elsewhere, or count the loss under lost. */
static __always_inline void zsp_output(void *record, u64 size, u32 lost)
{
	if (!zsp_silent && bpf_ringbuf_output(&zsp_ring, record, size, zsp_wakeup(false)))
		zsp_count(lost, 1);
}

/* Report something about a process; the reader acts on it at once. */
static __always_inline void zsp_emit_proc(u32 kind, u32 pid, u32 parent, u32 value)
{
	struct zsp_proc *proc = zsp_reserve(sizeof(*proc), ZSP_COUNT_LOST_RING_OTHER);

	if (!proc)
		return;
	zsp_header_init(&proc->h, kind, sizeof(*proc), bpf_ktime_get_ns(), 0, 0);
	proc->h.pid = pid;
	proc->parent_pid = parent;
	proc->value = value;
	if (bpf_get_current_comm(proc->comm, sizeof(proc->comm)))
		proc->comm[0] = 0;
	zsp_submit(proc, true);
}

#endif
