/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls the kernel side looks at on the architecture this is built for: number, class, the names
 * of its tracepoints and of its function.
 */
#ifndef ZS_PROBE_SYSCALLS_H
#define ZS_PROBE_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "event.h"

#if defined(__x86_64__)
#define SYSCALLS_FUNCTION_PREFIX "__x64_sys_"
#elif defined(__aarch64__)
#define SYSCALLS_FUNCTION_PREFIX "__arm64_sys_"
#else
#error "no system call functions for this architecture"
#endif

struct syscall_row {
	int number; /* below ZSP_SYSCALL_NUMBERS */
	enum zsp_syscall class;
	const char *exit_event;  /* "syscalls/sys_exit_read" */
	const char *enter_event; /* for calls that write, "syscalls/sys_enter_write"; else NULL */
	const char *function;    /* the kernel's function for it, "__x64_sys_read" */
	bool required;           /* observing makes no sense without it; others may be missing */
};

/* The i-th row, or NULL beyond the last. */
const struct syscall_row *syscalls_row(size_t i);

/* Fill the table that the kernel side is loaded with. */
void syscalls_fill(unsigned char table[ZSP_SYSCALL_NUMBERS]);

#endif
