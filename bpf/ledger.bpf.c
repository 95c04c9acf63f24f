// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where the time of observed threads goes: running totals of what each one waited for while it was off the CPU. Records
 * carry the totals as they are then (struct zsp_waits), so a switch costs no record.
 *
 *	        leaves the CPU             woken             on the CPU again
 *	──on────────┤ waits for something ┊ runs too late ├────────────on──
 *	         off_ns                woken_ns            now
 *	            └─ ns[wait] += ──────┘└ ns[RUNQUEUE] += ┘
 *
 * What it waits for is told when it leaves, by the system call that its registers were saved by, the class of that call's
 * descriptor and the task's state; not by symbols or stacks. One that could still run waits for the CPU alone.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.bpf.h"
#include "knobs.bpf.h"
#include "sqlite.bpf.h"
#include "thread.bpf.h"
#include "transfer.bpf.h"

#define ZSP_S_IFMT   0170000
#define ZSP_S_IFSOCK 0140000
#define ZSP_S_IFREG  0100000
#define ZSP_S_IFBLK  0060000
#define ZSP_S_IFDIR  0040000

/* File type of the current task's descriptor, of its mode; 0: it has none. */
static __always_inline u32 file_type(struct task_struct *current, u32 fd)
{
	struct file **table = current->files->fdt->fd, *file = NULL;

	bpf_probe_read_kernel(&file, sizeof(file), table + fd);
	return file ? BPF_CORE_READ(file, f_inode, i_mode) & ZSP_S_IFMT : 0;
}

/* In a read or a write of any descriptor. */
static __always_inline u32 wait_of_file(struct task_struct *current, u32 fd, u32 on_socket)
{
	u32 type = file_type(current, fd);

	if (type == ZSP_S_IFSOCK)
		return on_socket;
	return type == ZSP_S_IFREG || type == ZSP_S_IFBLK || type == ZSP_S_IFDIR ? ZSP_WAIT_DISK
										 : ZSP_WAIT_OTHER;
}

/* What the current task, which cannot run on, waits for. */
static __always_inline u32 wait_of(const struct zsp_thread *thread, struct task_struct *current)
{
	bool io = BPF_CORE_READ_BITFIELD(current, in_iowait);
	u32 number = 0, class;
	u64 fd = 0;

	if (!zsp_regs_call(zsp_task_regs(current), &number, &fd))
		return ZSP_WAIT_PAGEFAULT;
	class = number < ZSP_SYSCALL_NUMBERS ? zsp_syscalls[number] : ZSP_SYSCALL_IGNORED;
	switch (class) {
	case ZSP_SYSCALL_SLEEP:
		return current_frame(thread) ? ZSP_WAIT_SQLITE_BUSY : ZSP_WAIT_SLEEP;
	case ZSP_SYSCALL_LOCK:
		return ZSP_WAIT_LOCK;
	case ZSP_SYSCALL_FILE:
		return ZSP_WAIT_DISK;
	case ZSP_SYSCALL_WAIT:
		return ZSP_WAIT_TIMER;
	case ZSP_SYSCALL_ACCEPT:
	case ZSP_SYSCALL_CONNECT:
		return ZSP_WAIT_PEER;
	}
	if (io)
		return ZSP_WAIT_DISK;
	if (class_is_read(class))
		return wait_of_file(current, fd, ZSP_WAIT_PEER);
	if (class_is_write(class))
		return wait_of_file(current, fd, ZSP_WAIT_SEND);
	return ZSP_WAIT_OTHER;
}

static __always_inline void leaves_cpu(
    struct zsp_thread *thread, struct task_struct *current, bool preempted, u64 now)
{
	struct zsp_ledger *ledger = &thread->ledger;

	if (preempted || !zsp_task_state(current))
		ledger->wait = ZSP_WAIT_RUNQUEUE;
	else
		ledger->wait = wait_of(thread, current);
	ledger->off_ns = now;
}

/* Is it idle while it waits for this, so that being woken begins something new? */
static __always_inline bool is_for_work(u32 wait)
{
	return wait == ZSP_WAIT_LOCK || wait == ZSP_WAIT_PEER || wait == ZSP_WAIT_TIMER ||
	    wait == ZSP_WAIT_OTHER;
}

static __always_inline void comes_back(struct zsp_thread *thread, u64 now)
{
	struct zsp_ledger *ledger = &thread->ledger;
	u64 off = ledger->off_ns, ready = now;
	u32 wait = ledger->wait;

	if (!off)
		return;
	if (wait == ZSP_WAIT_RUNQUEUE)
		ready = off;
	else if (ledger->woken_ns >= off && ledger->woken_ns <= now)
		ready = ledger->woken_ns;
	if (is_for_work(wait)) {
		ledger->waits.woken_ns = ready;
		ledger->waits.woken_by = ledger->waker;
	}
	if (wait == ZSP_WAIT_TIMER)
		ledger->polled_ns += ready - off;
	else if (wait < ZSP_WAIT_MAX)
		ledger->waits.ns[wait] += ready - off;
	ledger->waits.ns[ZSP_WAIT_RUNQUEUE] += now - ready;
	ledger->waits.switches++;
	ledger->off_ns = 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(zsp_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct zsp_thread *thread = zsp_thread_of(prev->pid);

	if (thread)
		leaves_cpu(thread, prev, preempt, bpf_ktime_get_ns());
	thread = zsp_thread_of(next->pid);
	if (thread)
		comes_back(thread, bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(zsp_sched_waking, struct task_struct *task)
{
	struct zsp_thread *thread = zsp_thread_of(task->pid);

	if (!thread)
		return 0;
	thread->ledger.waker = (u32)bpf_get_current_pid_tgid();
	thread->ledger.woken_ns = bpf_ktime_get_ns();
	return 0;
}
