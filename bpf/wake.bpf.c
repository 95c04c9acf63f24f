// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who gave a lock back that a thread of a slow request waited for. Attached only while user space looks at such waits
 * (user/lookout/lookout.h), since it runs for every wake-up of the host, and reports only those that user space has marked.
 *
 * Who runs while another is woken need not have to do with it: the clock's interrupt ends waits, too. So it is told only if it is in
 * a call that wakes those who wait for the same futex: the same process, and the same address.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "ledger.bpf.h"
#include "thread.bpf.h"

/* Operations of futex() that wake (include/uapi/linux/futex.h): WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, UNLOCK_PI, WAKE_BITSET. */
#define ZSP_FUTEX_CMD_MASK 0x7f
#define ZSP_FUTEX_WAKING   (1u << 1 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 7 | 1u << 10)

/* Is it a call of futex(), made to wake others and not to wait? */
static __always_inline bool is_waking(const struct zsp_entry *entry)
{
	u32 op = entry->arg1 & ZSP_FUTEX_CMD_MASK;

	return zsp_class_of(entry) == ZSP_SYSCALL_FUTEX && op < 32 && (ZSP_FUTEX_WAKING >> op & 1);
}

/* The stack of the current thread, as far as it is there. */
static __always_inline u32 copy_stack(struct zsp_wake *wake)
{
	const void *from = (const void *)wake->stand.sp;

	if (!bpf_probe_read_user(wake->stack, ZSP_WAKE_STACK_MAX, from))
		return ZSP_WAKE_STACK_MAX;
	/* It begins nearer to here. */
	if (!bpf_probe_read_user(wake->stack, ZSP_WAKE_STACK_MAX / 8, from))
		return ZSP_WAKE_STACK_MAX / 8;
	return 0;
}

static __always_inline void report(
    const struct zsp_ledger *ledger, const struct zsp_entry *entry, u32 woken)
{
	struct zsp_wake *wake =
	    zsp_reserve(sizeof(*wake) + ZSP_WAKE_STACK_MAX, ZSP_COUNT_LOST_RING_OTHER);

	if (!wake)
		return;
	wake->stand = entry->stand;
	wake->since_ns = ledger->off_ns;
	wake->woken = woken;
	wake->stack_bytes = copy_stack(wake);
	if (bpf_get_current_comm(wake->comm, sizeof(wake->comm)))
		wake->comm[0] = 0;
	zsp_header_init(
	    &wake->h, ZSP_KIND_WAKE, sizeof(*wake) + wake->stack_bytes, bpf_ktime_get_ns(), 0, 0);
	zsp_submit(wake, false);
}

SEC("tp_btf/sched_waking")
int BPF_PROG(zsp_sched_waking, struct task_struct *woken)
{
	struct zsp_thread *thread = zsp_thread_of(woken->pid);
	struct zsp_ledger *ledger;
	struct zsp_entry entry;

	if (!thread)
		return 0;
	ledger = &thread->ledger;
	if (!ledger->off_ns || ledger->watched_ns != ledger->off_ns)
		return 0;
	entry = zsp_own_entry();
	if (ledger->pid != bpf_get_current_pid_tgid() >> 32 || !is_waking(&entry) ||
	    entry.arg0 != ledger->what)
		return 0;
	ledger->watched_ns = 0;
	report(ledger, &entry, woken->pid);
	return 0;
}
