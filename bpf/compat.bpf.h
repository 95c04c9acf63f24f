/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every difference between kernels and architectures that the programs must know, in one place,
 * each with the commit that made it. No version numbers: the running kernel's BTF answers.
 */
#ifndef ZSP_COMPAT_BPF_H
#define ZSP_COMPAT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "event.h"
#include "knobs.bpf.h"

/* --- system calls ---------------------------------------------------------------------------------- */

#define ZSP_ENOSYS 38

struct zsp_args {
	u64 a[4]; /* the first four */
};

/* Where loads are not plain, BPF_PROBE_READ() reads them: it relocates what vmlinux.h has relocated, which on x86 is nothing. */
#if defined(__TARGET_ARCH_x86)
#define ZSP_REG_NUMBER orig_ax
#define ZSP_REG_ARG0   di
#define ZSP_REG_ARG1   si
#define ZSP_REG_ARG2   dx
#define ZSP_REG_ARG3   r10
#define ZSP_REGS_SIZE  sizeof(struct pt_regs)
#elif defined(__TARGET_ARCH_arm64)
#define ZSP_REG_NUMBER syscallno
#define ZSP_REG_ARG0 \
	orig_x0 /* x0 may hold the result by now; the kernel keeps the argument for restarts */
#define ZSP_REG_ARG1  regs[1]
#define ZSP_REG_ARG2  regs[2]
#define ZSP_REG_ARG3  regs[3]
#define ZSP_REGS_SIZE bpf_core_type_size(struct pt_regs)
#endif

/*
 * The arguments of the system call that the current thread is in. The registers survive the call, so a program at its
 * end sees arguments and result. Linux 5.15, commit dd6e10fbd9fb "bpf: Add bpf_task_pt_regs() helper" hands them
 * out, to be followed by plain loads. Before, the kernel put their address into the first word of the context of
 * the typed tracepoint, for stack traces (kernel/trace/trace_syscalls.c, perf_call_bpf_exit); programs may not load
 * that word, but helpers may.
 */
static __always_inline bool zsp_syscall_args(void *ctx, struct zsp_args *ret)
{
	struct pt_regs *regs = NULL;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
		ret->a[0] = regs->ZSP_REG_ARG0;
		ret->a[1] = regs->ZSP_REG_ARG1;
		ret->a[2] = regs->ZSP_REG_ARG2;
		ret->a[3] = regs->ZSP_REG_ARG3;
		return true;
	}
	bpf_probe_read_kernel(&regs, sizeof(regs), ctx);
	if (!regs)
		return false;
	ret->a[0] = BPF_PROBE_READ(regs, ZSP_REG_ARG0);
	ret->a[1] = BPF_PROBE_READ(regs, ZSP_REG_ARG1);
	ret->a[2] = BPF_PROBE_READ(regs, ZSP_REG_ARG2);
	ret->a[3] = BPF_PROBE_READ(regs, ZSP_REG_ARG3);
	return true;
}

/* The number of that call; for kernels that have bpf_task_pt_regs(). */
static __always_inline u32 zsp_syscall_number(void)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	return regs->ZSP_REG_NUMBER;
}

/* The registers of a task as they were saved when it entered the kernel, as far as they tell in what it waits, and where. */
struct zsp_entry {
	s64 number; /* of the system call; of a fault or an interrupt, anything */
	u64 arg0, arg1;
	struct zsp_stand stand;
#if defined(__TARGET_ARCH_x86)
	u64 result, mark;
#endif
};

static __always_inline struct zsp_entry zsp_entry_from(const struct pt_regs *regs)
{
	return (struct zsp_entry)
	{
#if defined(__TARGET_ARCH_x86)
		.number = regs->ZSP_REG_NUMBER, .result = regs->ax, .mark = regs->cx,
		.stand = {.ip = regs->ip, .sp = regs->sp, .fp = regs->bp},
#elif defined(__TARGET_ARCH_arm64)
		.number = (s32)regs->ZSP_REG_NUMBER,
		.stand = {.ip = regs->pc,
		    .sp = regs->sp,
		    .fp = regs->regs[29],
		    .lr = regs->regs[30]},
#endif
		.arg0 = regs->ZSP_REG_ARG0, .arg1 = regs->ZSP_REG_ARG1,
	};
}

/* Before Linux 5.15 the registers lie at the end of the task's kernel stack, of 16 KiB on either architecture
 * (arch/x86/include/asm/page_64_types.h, arch/arm64/include/asm/memory.h). */
#define ZSP_THREAD_SIZE 16384

static __always_inline struct zsp_entry zsp_entry_on(const void *kernel_stack)
{
	struct pt_regs copy = {};

	bpf_probe_read_kernel(&copy, sizeof(copy), kernel_stack + ZSP_THREAD_SIZE - ZSP_REGS_SIZE);
	return zsp_entry_from(&copy);
}

/* Of a task at hand. */
static __always_inline struct zsp_entry zsp_entry_of(struct task_struct *task)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return zsp_entry_from((void *)bpf_task_pt_regs(task));
	return zsp_entry_on(task->stack);
}

/* Of the current one. */
static __always_inline struct zsp_entry zsp_own_entry(void)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return zsp_entry_from((void *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	task = (void *)bpf_get_current_task();
	return zsp_entry_on(BPF_CORE_READ(task, stack));
}

/*
 * Has the task entered the kernel by a system call, and not by a fault or an interrupt? On x86-64 the number may then be a fault's
 * error code: a call under way still has the result that it began with, or
 * else, at its very end, the instruction's own mark, its return address in rcx (arch/x86/entry/entry_64.S).
 */
static __always_inline bool zsp_entry_is_call(const struct zsp_entry *entry)
{
#if defined(__TARGET_ARCH_x86)
	if ((s64)entry->result != -ZSP_ENOSYS && entry->mark != entry->stand.ip)
		return false;
#endif
	return entry->number >= 0;
}

/* --- a task's state ------------------------------------------------------------------------------------ */
/* Linux 5.14, commit 2f064a59a11f "sched: Change task_struct::state". 0: it can run. */

static __always_inline u32 zsp_task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(((struct task_struct *)0)->__state))
		return task->__state;
	return task->state;
}

/* What the scheduler keeps of a task. Without CONFIG_SCHED_INFO 0. */
#define ZSP_LOAD(pointer, field) ((pointer)->field)
#define ZSP_SCHED_INFO(read, task, field)                                   \
	(bpf_core_field_exists(((struct task_struct *)0)->sched_info.field) \
		? read(task, sched_info.field)                              \
		: 0)
#define ZSP_CURRENT_SCHED_INFO(field)                                                \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf) \
		? ZSP_SCHED_INFO(ZSP_LOAD, bpf_get_current_task_btf(), field)        \
		: ZSP_SCHED_INFO(                                                    \
		      BPF_CORE_READ, (struct task_struct *)bpf_get_current_task(), field))

/* For how long it could run and did not, ever. */
static __always_inline u64 zsp_run_delay(struct task_struct *task)
{
	return ZSP_SCHED_INFO(ZSP_LOAD, task, run_delay);
}

static __always_inline u64 zsp_current_run_delay(void)
{
	return ZSP_CURRENT_SCHED_INFO(run_delay);
}

/* When it was put on its CPU, by the scheduler's clock there. */
static __always_inline u64 zsp_last_arrival(struct task_struct *task)
{
	return ZSP_SCHED_INFO(ZSP_LOAD, task, last_arrival);
}

static __always_inline u64 zsp_current_last_arrival(void)
{
	return ZSP_CURRENT_SCHED_INFO(last_arrival);
}

/* --- plain loads -------------------------------------------------------------------------------------- */
/*
 * Linux 6.2, commit a35b9af4ec2c "bpf: Add a kfunc for generic type cast": a pointer that a program found somewhere can be
 * given a type, and is then followed by plain loads, which give 0 where there is no memory, as the helper does that
 * older kernels need for each step. type: the name of one of the structs that zsp_type_numbers has. (Used in one object only: the linker of libbpf 1.1 cannot merge functions of the kernel
 * that two objects refer to.)
 */
extern void *bpf_rdonly_cast(const void *object, u32 type_id) __weak __ksym;

#define ZSP_READ(pointer, type, field)                                                       \
	({                                                                                   \
		typeof(((struct type *)0)->field) zsp_value;                                 \
		if (bpf_rdonly_cast)                                                         \
			zsp_value =                                                          \
			    ((struct type *)bpf_rdonly_cast(pointer, zsp_type_numbers.type)) \
				->field;                                                     \
		else                                                                         \
			zsp_value = BPF_CORE_READ((struct type *)(pointer), field);          \
		zsp_value;                                                                   \
	})

/* --- struct file's reference count ----------------------------------------------------------- */
/* Linux 6.13, commit 90ee6ed776c0 "fs: port files to file_ref": f_count became f_ref, which holds
 * the number of references minus one. */

/* Is this the only reference to the open file? During close() the descriptor table's own. */
static __always_inline bool zsp_file_is_last_ref(struct file *file)
{
	if (bpf_core_field_exists(((struct file *)0)->f_ref))
		return BPF_CORE_READ(file, f_ref.refcnt.counter) == 0;
	return BPF_CORE_READ(file, f_count.counter) == 1;
}

/* --- struct file_lock's type ------------------------------------------------------------------ */
/* Linux 6.9, commit a69ce85ec9af "filelock: split common fields into struct file_lock_core". */

static __always_inline u32 zsp_lock_type(struct file_lock *lock)
{
	if (bpf_core_field_exists(((struct file_lock *)0)->c))
		return lock->c.flc_type;
	return lock->fl_type;
}

/* --- the current task's descriptor table ---------------------------------------------------------- */
/* Linux 5.11, commit 3ca1032ab7ab "bpf: Implement get_current_task_btf and RET_PTR_TO_BTF_ID": its result
 * is followed by plain loads, an older kernel's by helper calls. */

static __always_inline struct file **zsp_current_files(void)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf()->files->fdt->fd;
	task = (void *)bpf_get_current_task();
	return BPF_CORE_READ(task, files, fdt, fd);
}

/* Number of entries in it. */
static __always_inline u32 zsp_current_files_max(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, files, fdt, max_fds);
}

/* --- bpf_get_attach_cookie ------------------------------------------------------------------- */
/* Linux 5.15, commit 7adfc6c9b315 "bpf: Add bpf_get_attach_cookie() BPF helper". */

#define ZSP_HAS_ATTACH_COOKIE \
	bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_attach_cookie)

#endif
