/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies what a thread waits in, while it waits: its stack and the kernel's functions. The thread
 * is neither stopped nor touched. That it waits where it was seen to is asked before and after; one
 * that went on and came back to the same call in between is not told from one that stayed. Knows
 * nothing of what stacks mean.
 */
#ifndef ZS_STACK_BLOCKED_H
#define ZS_STACK_BLOCKED_H

#include <stddef.h>
#include <sys/types.h>

#include "stack/stack.h"

enum {
	BLOCKED_STACK_MAX = 32 << 10, /* bytes; tells most stacks whole */
	BLOCKED_KERNEL_MAX = 4096,    /* bytes; the kernel shows 64 functions at most */
};

struct blocked_thread {
	pid_t pid, tid;         /* as our /proc numbers them */
	struct stack_regs regs; /* with which it entered the kernel; ip and sp are compared */
};

struct blocked_copy {
	unsigned char bytes[BLOCKED_STACK_MAX]; /* what stood at regs.sp and upward */
	size_t len;                             /* at least 1; less at the end of a mapping */
	/*
	 * The kernel's functions, innermost first, '\n' between; no NUL. Empty where the kernel
	 * does not tell (CONFIG_STACKTRACE, CAP_SYS_ADMIN).
	 */
	char kernel[BLOCKED_KERNEL_MAX];
	size_t kernel_len;
};

/*
 * Copy, into the caller's storage, up to the first page of the stack that is swapped out. Returns
 * 0; -EAGAIN when it does not wait there, or not any more; -ESRCH when it has ended; -EACCES
 * without the right to look at it (that of ptrace); -EFAULT when there is nothing at its stack
 * pointer, or not in memory; -EBADMSG for a text that is not the kernel's; -ENOSYS without
 * process_vm_readv or pagemap (CONFIG_CROSS_MEMORY_ATTACH, CONFIG_PROC_PAGE_MONITOR). After a
 * failure the copy holds nothing of use.
 *
 * Reading a page that is not there would bring it in, which takes as long as that does: for pages
 * under userfaultfd(2) as long as the observed program likes. Whoever reads the kernel's events
 * must not wait for that, so which pages are there is asked first, and where that cannot be asked
 * nothing is copied. Pages that were never touched, as in the middle of a large array, hold zeros:
 * that is what they are, but for userfaultfd. A page that goes away between the two calls is waited
 * for.
 */
int blocked_copy_take(const struct blocked_thread *thread, struct blocked_copy *ret_copy);

#endif
