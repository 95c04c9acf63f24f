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

/* --- system calls at their exit -------------------------------------------------------------- */
/* The argument registers survive the call, so the exit probe alone sees arguments and result. */

#if defined(__TARGET_ARCH_x86)

#define ZSP_TS_COMPAT 0x0002 /* arch/x86/include/asm/thread_info.h: a 32-bit system call */

static __always_inline u64 zsp_syscall_nr(const struct pt_regs *regs)
{
	return regs->orig_ax;
}

/* 32-bit calls use other numbers and structures. The flag is cleared after the exit tracepoint
 * only. */
static __always_inline bool zsp_syscall_is_32bit(const struct pt_regs *regs)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread_info.status) & ZSP_TS_COMPAT;
}

#define ZSP_ARG0(regs) ((regs)->di)
#define ZSP_ARG1(regs) ((regs)->si)
#define ZSP_ARG2(regs) ((regs)->dx)
#define ZSP_ARG3(regs) ((regs)->r10)

#elif defined(__TARGET_ARCH_arm64)

#define ZSP_PSR_MODE32 0x10 /* arch/arm64/include/uapi/asm/ptrace.h: PSR_MODE32_BIT */

static __always_inline u64 zsp_syscall_nr(const struct pt_regs *regs)
{
	return (u32)regs->syscallno;
}

static __always_inline bool zsp_syscall_is_32bit(const struct pt_regs *regs)
{
	return regs->pstate & ZSP_PSR_MODE32;
}

/* x0 holds the result by now; the kernel keeps the argument for restarts. */
#define ZSP_ARG0(regs) ((regs)->orig_x0)
#define ZSP_ARG1(regs) ((regs)->regs[1])
#define ZSP_ARG2(regs) ((regs)->regs[2])
#define ZSP_ARG3(regs) ((regs)->regs[3])

#endif

/* --- struct file's reference count ----------------------------------------------------------- */
/* Linux 6.13, commit 90ee6ed776c0 "fs: port files to file_ref": f_count became f_ref, which holds
 * the number of references minus one. */

typedef struct {
	atomic64_t refcnt;
} __attribute__((preserve_access_index)) file_ref_t___new;

struct file___new {
	file_ref_t___new f_ref;
} __attribute__((preserve_access_index));

/* Is this the only reference to the open file? During close() the descriptor table's own. */
static __always_inline bool zsp_file_is_last_ref(struct file *file)
{
	if (bpf_core_field_exists(((struct file___new *)0)->f_ref))
		return BPF_CORE_READ((struct file___new *)file, f_ref.refcnt.counter) == 0;
	return BPF_CORE_READ(file, f_count.counter) == 1;
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
