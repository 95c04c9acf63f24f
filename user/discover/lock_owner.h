/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a lock that threads wait for, if the lock says so itself: a mutex of the GNU C library names its owner (its
 * struct __pthread_mutex_s, the same on x86-64 and arm64), beginning with the futex that is waited for. Semaphores,
 * condition variables and the locks of languages that bring their own have no owner.
 */
#ifndef ZS_DISCOVER_LOCK_OWNER_H
#define ZS_DISCOVER_LOCK_OWNER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOCK_OWNER_BYTES 20

/* The owner that LOCK_OWNER_BYTES bytes at a futex name, if they are such a mutex that is waited for; else 0. Pure. */
uint32_t lock_owner_parse(const void *bytes);

/*
 * The thread that holds the lock whose futex is at this address of a process; 0: not known. A process in a pid namespace of its own has other
 * numbers for its threads than ours: not known then.
 */
pid_t lock_owner(pid_t pid, uint64_t address);

#endif
