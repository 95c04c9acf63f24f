// SPDX-License-Identifier: Apache-2.0
/* Owners of mutexes; see lock_owner.h. */
#include "discover/lock_owner.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "discover/proc.h"

/* nptl/sysdeps' struct_mutex.h. */
struct mutex {
	uint32_t lock; /* 2: taken and waited for; robust or inheriting ones: owner and flags */
	uint32_t count, owner, users;
	uint32_t kind;
};

_Static_assert(sizeof(struct mutex) == LOCK_OWNER_BYTES, "layout");

#define CONTENDED    2u
#define KIND_ROBUST  0x10u
#define KIND_INHERIT 0x20u
#define KIND_MAX     0x3ffu
#define FUTEX_TID    0x3fffffffu /* linux/futex.h: FUTEX_TID_MASK */

uint32_t lock_owner_parse(const void *bytes)
{
	struct mutex mutex;
	bool by_number;

	memcpy(&mutex, bytes, sizeof(mutex));
	by_number = mutex.kind & (KIND_ROBUST | KIND_INHERIT);
	if (mutex.kind > KIND_MAX || mutex.users == 0)
		return 0;
	if (by_number ? (mutex.lock & FUTEX_TID) != mutex.owner : mutex.lock != CONTENDED)
		return 0;
	return mutex.owner;
}

/* Who reads memory that is not there waits until it is, perhaps at the program's mercy. */
static bool is_present(pid_t pid, uint64_t address)
{
	struct proc_pages pages;

	if (proc_read_pages(pid, address, LOCK_OWNER_BYTES, &pages) || pages.n == 0)
		return false;
	for (size_t i = 0; i < pages.n; i++)
		if (!(pages.entries[i] & PROC_PAGE_PRESENT))
			return false;
	return true;
}

pid_t lock_owner(pid_t pid, uint64_t address)
{
	unsigned char bytes[LOCK_OWNER_BYTES];
	struct iovec to = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct iovec from = {.iov_base = (void *)(uintptr_t)address, .iov_len = sizeof(bytes)};
	char path[64];
	uint32_t owner;

	if (!is_present(pid, address) ||
	    process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)sizeof(bytes))
		return 0;
	owner = lock_owner_parse(bytes);
	snprintf(path, sizeof(path), "/proc/%d/task/%u", pid, owner);
	return owner && access(path, F_OK) == 0 ? (pid_t)owner : 0;
}
