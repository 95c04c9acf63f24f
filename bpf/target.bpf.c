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

#define ZSP_PF_IO_WORKER   0x10 /* include/linux/sched.h */
#define ZSP_PF_USER_WORKER 0x4000

static __always_inline void observe(u32 tid)
{
	if (zsp_thread_enter(tid, ZSP_LATE_NO))
		zsp_count(ZSP_COUNT_LOST_THREAD_FULL, 1);
}

static __always_inline int thread_begins(u32 tid, u32 tgid)
{
	u32 parent = bpf_get_current_pid_tgid() >> 32;

	if (!zsp_current_thread())
		return 0;
	observe(tid);
	if (tgid != parent)
		zsp_emit_proc(ZSP_KIND_PROC_FORK, tgid, parent, 0);
	return 0;
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

static __always_inline int thread_ends(struct task_struct *task)
{
	if (!zsp_thread_of(task->pid) || zsp_thread_forget(task->pid))
		return 0;
	if (task->signal->live.counter == 0) /* the last thread */
		zsp_emit_proc(ZSP_KIND_PROC_EXIT, task->tgid, 0, task->exit_code);
	return 0;
}

/* --- tracepoints ------------------------------------------------------------------------------- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(zsp_sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	zsp_twin_first(ZSP_TWINS_FORK);
	return thread_begins(child->pid, child->tgid);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(zsp_sched_process_exec, struct task_struct *task, int old_pid)
{
	zsp_twin_first(ZSP_TWINS_EXEC);
	return process_execs(task->tgid, old_pid);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(zsp_sched_process_exit, struct task_struct *task)
{
	zsp_twin_first(ZSP_TWINS_EXIT);
	return thread_ends(task);
}

/* --- functions that are called a little later -------------------------------------------------- */

/* Of copies of the current task only: the kernel's own workers, which come by here, too, are told by no tracepoint. */
SEC("?kprobe.multi")
int zsp_call_wake_up_new_task(struct pt_regs *ctx)
{
	struct task_struct *child = (void *)PT_REGS_PARM1(ctx);

	if (BPF_CORE_READ(child, flags) & (ZSP_PF_IO_WORKER | ZSP_PF_USER_WORKER) ||
	    !zsp_twin_makes_up(ZSP_TWINS_FORK))
		return 0;
	return thread_begins(BPF_CORE_READ(child, pid), BPF_CORE_READ(child, tgid));
}

/* If another thread than the leader called exec, its number is not known here any more: then the process is lost. */
SEC("?kprobe.multi")
int zsp_call_proc_exec_connector(struct pt_regs *ctx)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return zsp_twin_makes_up(ZSP_TWINS_EXEC) ? process_execs(tgid, tgid) : 0;
}

/* Also called for a task that came to nothing. */
SEC("?kprobe.multi")
int zsp_call_exit_files(struct pt_regs *ctx)
{
	if (PT_REGS_PARM1(ctx) != bpf_get_current_task() || !zsp_twin_makes_up(ZSP_TWINS_EXIT))
		return 0;
	return thread_ends(bpf_get_current_task_btf());
}
