// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where the time of observed threads goes: running totals of what each one waited for while it was off the CPU. Records
 * carry the totals as they are then (struct zsp_waits), so a switch costs no record.
 *
 *	        leaves the CPU       can run again    on the CPU again
 *	──on────────┤ waits for something ┊ waits for it ├────────────on──
 *	         off_ns                   ┊            on_ns
 *	            └─ ns[wait] += ───────┘└ RUNQUEUE += ┘
 *
 * For how long it could run and did not, the scheduler counts itself (sched_info.run_delay), a little after it has told of the
 * switch; so a wait is added to the totals when they are next asked for, by the thread itself.
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
#include "ledger.bpf.h"
#include "sqlite.bpf.h"
#include "thread.bpf.h"
#include "transfer.bpf.h"

volatile struct zsp_running zsp_running[ZSP_CPUS_MAX];

#define ZSP_TASK_UNINTERRUPTIBLE 0x2 /* include/linux/sched.h */

/* As zsp_is_socket(), for which the linker has no second place: see ZSP_READ. */
static __always_inline bool is_socket(struct task_struct *current, u32 fd)
{
	struct file **table = current->files->fdt->fd, *file = NULL;
	struct socket_alloc *sock;

	bpf_probe_read_kernel(&file, sizeof(file), table + fd);
	sock = BPF_CORE_READ(file, private_data);
	return file && BPF_CORE_READ(sock, socket.file) == file;
}

/*
 * In a read or a write of any descriptor. Who waits for a disk is not to be interrupted, who waits for others is; but
 * a socket may be locked for a moment.
 */
static __always_inline u32 wait_of_io(
    struct task_struct *current, u32 state, u32 fd, u32 on_socket, u32 otherwise)
{
	bool fixed = state & ZSP_TASK_UNINTERRUPTIBLE;

	if (!fixed && on_socket == otherwise)
		return on_socket;
	if (is_socket(current, fd))
		return on_socket;
	return fixed ? ZSP_WAIT_DISK : otherwise;
}

/* What the current task, which cannot run on, waits for. */
static __always_inline u32 wait_of(const struct zsp_thread *thread, struct task_struct *current,
    const struct zsp_entry *entry, u32 state)
{
	u32 class = zsp_class_of(entry), fd = entry->arg0;

	switch (class) {
	case ZSP_CLASS_NO_CALL:
		return ZSP_WAIT_PAGEFAULT;
	case ZSP_SYSCALL_SLEEP:
		return current_frame(thread) ? ZSP_WAIT_SQLITE_BUSY : ZSP_WAIT_SLEEP;
	case ZSP_SYSCALL_LOCK:
	case ZSP_SYSCALL_FUTEX:
		return ZSP_WAIT_LOCK;
	case ZSP_SYSCALL_FILE:
		return ZSP_WAIT_DISK;
	case ZSP_SYSCALL_WAIT:
		return ZSP_WAIT_TIMER;
	case ZSP_SYSCALL_ACCEPT:
	case ZSP_SYSCALL_CONNECT:
		return ZSP_WAIT_PEER;
	}
	if (BPF_CORE_READ_BITFIELD(current, in_iowait))
		return ZSP_WAIT_DISK;
	if (class_is_read(class))
		return wait_of_io(current, state, fd, ZSP_WAIT_PEER, ZSP_WAIT_PEER);
	if (class_is_write(class))
		return wait_of_io(current, state, fd, ZSP_WAIT_SEND, ZSP_WAIT_OTHER);
	return ZSP_WAIT_OTHER;
}

/* The most by which the scheduler counts a thread as being on the CPU before it tells of the switch. */
#define ZSP_SOONER_NS 1000000

/*
 * How long the thread was away that leaves the CPU now. Where the scheduler counts it as being on the CPU from a little sooner than was told
 * (an idle CPU that wakes up), that is known when the thread leaves again, by the count. By that alone if the switch was not
 * told; see ledger_make_good().
 */
static __always_inline u64 was_away(const struct zsp_ledger *ledger, u64 cpu_ns, u64 now)
{
	s64 told = ledger->on_ns - ledger->off_ns;
	s64 counted = now - ledger->off_ns - (cpu_ns - ledger->cpu_ns);

	if (told >= 0 && (counted >= told || told - counted > ZSP_SOONER_NS))
		return told;
	return counted > 0 ? counted : 0;
}

/* The same of a wait that is in the totals as it was told, since somebody asked for them: by how much it was told too long. */
static __always_inline u32 was_early(const struct zsp_ledger *ledger, u64 cpu_ns, u64 now)
{
	s64 early = cpu_ns - ledger->cpu_ns - (now - ledger->on_ns);

	return early > 0 && early <= ZSP_SOONER_NS ? early : 0;
}

static __always_inline void leaves_cpu(struct zsp_thread *thread, struct task_struct *current,
    volatile struct zsp_running *cpu, bool preempted)
{
	struct zsp_ledger *ledger = &thread->ledger;
	u64 now = bpf_ktime_get_ns(), cpu_ns = current->se.sum_exec_runtime;
	u32 state = zsp_task_state(current), wait;
	struct zsp_entry entry;

	if (ledger->on_ns > ledger->off_ns)
		cpu->ahead_ns = ledger->on_ns - zsp_last_arrival(current);
	if (ledger->off_ns) {
		ledger_settle(ledger, ledger_counts(thread, was_away(ledger, cpu_ns, now)),
		    zsp_run_delay(current));
	} else {
		ledger->run_delay_ns = zsp_run_delay(current);
		thread->early_ns = was_early(ledger, cpu_ns, now);
	}
	ledger->wait = ZSP_WAIT_RUNQUEUE;
	barrier(); /* who looks at it meanwhile does not see an older wait as this one, */
	ledger->off_ns = now;
	ledger->cpu_ns = cpu_ns;
	if (preempted || !state)
		return;
	entry = zsp_entry_of(current);
	wait = wait_of(thread, current, &entry, state);
	ledger->pid = current->tgid;
	ledger->what = entry.arg0;
	ledger->stand = entry.stand;
	barrier(); /* nor a part of it */
	ledger->wait = wait;
}

static __always_inline void comes_back(struct zsp_ledger *ledger, struct task_struct *task)
{
	u64 now = bpf_ktime_get_ns();

	/* It was away when it began to be observed, for whatever: to be woken from that begins something new, too. */
	if (!ledger->on_ns && !ledger->off_ns) {
		ledger->wait = ZSP_WAIT_OTHER;
		ledger->off_ns = now;
		ledger->cpu_ns = task->se.sum_exec_runtime;
	}
	ledger->on_ns = now;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(zsp_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	volatile struct zsp_running *cpu;
	struct zsp_thread *thread;

	if (ZSP_EMPTY)
		return 0;
	cpu = zsp_running_here();
	cpu->now = next->pid;
	cpu->before = prev->pid;
	thread = zsp_thread_of(prev->pid);
	if (thread)
		leaves_cpu(thread, prev, cpu, preempt);
	thread = zsp_thread_of(next->pid);
	if (thread)
		comes_back(&thread->ledger, next);
	return 0;
}
