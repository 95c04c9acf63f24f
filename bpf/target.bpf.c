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

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_process_fork")
int BPF_PROG(zsp_sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 parent_tgid = parent->tgid, child_tgid = child->tgid;
	struct zsp_target *target;

	if (child_tgid == parent_tgid) /* a thread */
		return 0;
	target = bpf_map_lookup_elem(&zsp_targets, &parent_tgid);
	if (!target)
		return 0;
	if (bpf_map_update_elem(&zsp_targets, &child_tgid, target, BPF_ANY))
		zsp_count(ZSP_COUNT_LOST_TARGET_FULL, 1);
	zsp_emit_proc(ZSP_KIND_PROC_FORK, child_tgid, parent_tgid, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(zsp_sched_process_exec, struct task_struct *task, int old_pid)
{
	u32 tgid = task->tgid, tid = old_pid;
	struct zsp_target *target = bpf_map_lookup_elem(&zsp_targets, &tgid);

	if (target) {
		/* The thread that called exec becomes the leader; what was known of either is void.
		 */
		bpf_map_delete_elem(&zsp_threads, &tid);
		bpf_map_delete_elem(&zsp_threads, &tgid);
		target->sqlite_copy = 0;
	}
	if (target || zsp_watch_exec)
		zsp_emit_proc(ZSP_KIND_PROC_EXEC, tgid, 0, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(zsp_sched_process_exit, struct task_struct *task)
{
	u32 tgid = task->tgid, tid = task->pid;

	if (!bpf_map_lookup_elem(&zsp_targets, &tgid))
		return 0;
	bpf_map_delete_elem(&zsp_threads, &tid);
	if (task->signal->live.counter != 0)
		return 0;
	bpf_map_delete_elem(&zsp_targets, &tgid);
	zsp_emit_proc(ZSP_KIND_PROC_EXIT, tgid, 0, task->exit_code);
	return 0;
}
