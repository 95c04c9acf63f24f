/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this process may do what observing takes. */
#ifndef ZS_PRIVILEGES_H
#define ZS_PRIVILEGES_H

#include "base/buf.h"

/*
 * Needed: CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN, which older kernels want for both), and
 * CAP_SYS_PTRACE to look at other users' processes; and process numbers of the host. Returns 0, or
 * -EPERM with one sentence that names what is missing and the remedy.
 */
int privileges_check(struct buf *message);

#endif
