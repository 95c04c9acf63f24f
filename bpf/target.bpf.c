// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which processes are observed. User space names the first ones; children of a target become
 * targets here, inside the fork, so that nothing they do goes unseen. Exec and listen of any
 * process are reported when targets are chosen by name or port.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "emit.bpf.h"
#include "maps.bpf.h"
#include "thread.bpf.h"
#include "thread_table.bpf.h"
#include "twin.bpf.h"

volatile struct zsp_sqlite_process zsp_sqlite_processes[ZSP_SQLITE_PROCESSES];

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline void observe(u32 tid)
{
	if (zsp_thread_enter(tid, ZSP_LATE_NO))
		zsp_count(ZSP_COUNT_LOST_THREAD_FULL, 1);
}

static __always_inline int thread_begins(struct task_struct *parent, struct task_struct *child)
{
	if (!zsp_current_thread())
		return 0;
	observe(child->pid);
	if (child->tgid != parent->tgid)
		zsp_emit_proc(ZSP_KIND_PROC_FORK, child->tgid, parent->tgid, 0);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(zsp_sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	zsp_twin_first(ZSP_TWINS_FORK);
	return thread_begins(parent, child);
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(zsp_sched_process_fork_twin, struct task_struct *parent, struct task_struct *child)
{
	return zsp_twin_makes_up(ZSP_TWINS_FORK) ? thread_begins(parent, child) : 0;
}

static __always_inline int process_execs(u32 tgid, u32 old_tid)
{
	bool observed = zsp_thread_of(old_tid) != NULL;

	if (observed) {
		/* The thread that called exec becomes the leader; what was known of either is void. */
		if (old_tid != tgid)
			zsp_thread_forget(old_tid);
		observe(tgid);
	}
	if (observed || (!ZSP_EMPTY && zsp_watch_exec))
		zsp_emit_proc(ZSP_KIND_PROC_EXEC, tgid, 0, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(zsp_sched_process_exec, struct task_struct *task, int old_pid)
{
	zsp_twin_first(ZSP_TWINS_EXEC);
	return process_execs(task->tgid, old_pid);
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(zsp_sched_process_exec_twin, struct task_struct *task, int old_pid)
{
	return zsp_twin_makes_up(ZSP_TWINS_EXEC) ? process_execs(task->tgid, old_pid) : 0;
}

static __always_inline int thread_ends(struct task_struct *task)
{
	if (!zsp_thread_of(task->pid) || zsp_thread_forget(task->pid))
		return 0;
	if (task->signal->live.counter == 0) /* the last thread */
		zsp_emit_proc(ZSP_KIND_PROC_EXIT, task->tgid, 0, task->exit_code);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(zsp_sched_process_exit, struct task_struct *task)
{
	zsp_twin_first(ZSP_TWINS_EXIT);
	return thread_ends(task);
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(zsp_sched_process_exit_twin, struct task_struct *task)
{
	return zsp_twin_makes_up(ZSP_TWINS_EXIT) ? thread_ends(task) : 0;
}
