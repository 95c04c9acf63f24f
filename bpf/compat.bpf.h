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

/* --- system calls at their exit ------------------------------------------------------------------ */

/*
 * The argument registers survive a system call, so a program on its exit sees arguments and result. The
 * typed tracepoint does not hand them out. Linux 5.15, commit dd6e10fbd9fb "bpf: Add bpf_task_pt_regs()
 * helper" does. Before, the kernel put the address of the system call's registers into the first word of
 * the context, for stack traces (kernel/trace/trace_syscalls.c, perf_call_bpf_exit); programs may not load
 * that word, but helpers may.
 */
static __always_inline struct pt_regs *zsp_syscall_regs(void *ctx)
{
	struct pt_regs *regs = NULL;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	bpf_probe_read_kernel(&regs, sizeof(regs), ctx);
	return regs;
}

struct zsp_args {
	u64 a[4]; /* the first four */
};

static __always_inline bool zsp_syscall_args(void *ctx, struct zsp_args *ret)
{
	struct pt_regs *regs = zsp_syscall_regs(ctx);

	if (!regs)
		return false;
#if defined(__TARGET_ARCH_x86)
	ret->a[0] = BPF_CORE_READ(regs, di);
	ret->a[1] = BPF_CORE_READ(regs, si);
	ret->a[2] = BPF_CORE_READ(regs, dx);
	ret->a[3] = BPF_CORE_READ(regs, r10);
#elif defined(__TARGET_ARCH_arm64)
	/* x0 holds the result by now; the kernel keeps the argument for restarts. */
	ret->a[0] = BPF_CORE_READ(regs, orig_x0);
	ret->a[1] = BPF_CORE_READ(regs, regs[1]);
	ret->a[2] = BPF_CORE_READ(regs, regs[2]);
	ret->a[3] = BPF_CORE_READ(regs, regs[3]);
#endif
	return true;
}

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
