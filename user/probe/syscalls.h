/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls the kernel side looks at, by number of the architecture this is built for. */
#ifndef ZS_PROBE_SYSCALLS_H
#define ZS_PROBE_SYSCALLS_H

#include "event.h"

/* Fill the table that the kernel side is loaded with. */
void syscalls_fill(unsigned char table[ZSP_SYSCALL_NUMBERS]);

#endif
