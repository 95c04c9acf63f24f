/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What processes write to stdout and stderr; see log.bpf.c. Only called where zsp_logs is set. */
#ifndef ZSP_LOG_BPF_H
#define ZSP_LOG_BPF_H

#include "vmlinux.h"

/* Is the socket behind descriptor fd of the current process what it has for its log? Global: checked once, for any arguments. */
int zsp_log_is_socket(u32 fd);

/*
 * Has the current thread read so many bytes of no socket from descriptor fd by which others wake a loop up, or a timer does? Then it goes on with
 * what those have done, and not with what it was at. Likewise.
 */
int zsp_log_is_wakeup(u32 fd, u32 bytes);

/* The current thread's transfer wrote to descriptor fd: report it, if that is stdout or stderr. Likewise. */
int zsp_log_written(u32 fd);

#endif
