// SPDX-License-Identifier: Apache-2.0
/* The table of system calls; see syscalls.h. Calls that an architecture lacks are left out. */
#include "probe/syscalls.h"

#include <string.h>
#include <sys/syscall.h>

#define EXIT_EVENT(event)  "syscalls/sys_exit_" #event
#define ENTER_EVENT(event) "syscalls/sys_enter_" #event
#define FUNCTION(event)    SYSCALLS_FUNCTION_PREFIX #event

/* event: the kernel's name of the call, where it is not the C library's. */
#define RETURNS(name, event, class, required)                                              \
	{                                                                                  \
		SYS_##name, ZSP_SYSCALL_##class, EXIT_EVENT(event), NULL, FUNCTION(event), \
		    required                                                               \
	}
#define BEGINS_AS(name, event, class, required)                                         \
	{                                                                               \
		SYS_##name, ZSP_SYSCALL_##class, EXIT_EVENT(event), ENTER_EVENT(event), \
		    FUNCTION(event), required                                           \
	}
/* A call that is looked at when it returns; one whose beginning counts too, as of those that write. */
#define CALL(name, class)   RETURNS(name, name, class, false)
#define NEEDED(name, class) RETURNS(name, name, class, true)
#define WRITES(name, class) BEGINS_AS(name, name, class, true)

static const struct syscall_row rows[] = {
    NEEDED(read, READ),
    NEEDED(readv, READV),
    NEEDED(recvfrom, RECVFROM),
    NEEDED(recvmsg, RECVMSG),
    CALL(recvmmsg, RECVMMSG),
    WRITES(write, WRITE),
    WRITES(sendto, WRITE),
    WRITES(writev, WRITEV),
    WRITES(sendmsg, SENDMSG),
    BEGINS_AS(sendmmsg, sendmmsg, SENDMMSG, false),
    BEGINS_AS(sendfile, sendfile64, SENDFILE, false),
    BEGINS_AS(splice, splice, SPLICE, false),
    CALL(accept, ACCEPT),
    CALL(accept4, ACCEPT),
    CALL(connect, CONNECT),
    CALL(mmap, MMAP),
    CALL(io_uring_enter, IO_URING),
    BEGINS_AS(nanosleep, nanosleep, SLEEP, false),
    BEGINS_AS(clock_nanosleep, clock_nanosleep, SLEEP, false),
    CALL(epoll_pwait, WAIT),
#ifdef SYS_epoll_pwait2
    CALL(epoll_pwait2, WAIT),
#endif
    CALL(ppoll, WAIT),
    CALL(pselect6, WAIT),
#ifdef SYS_epoll_wait /* x86-64 keeps the old ones, arm64 never had them */
    CALL(epoll_wait, WAIT),
#endif
#ifdef SYS_poll
    CALL(poll, WAIT),
#endif
#ifdef SYS_select
    CALL(select, WAIT),
#endif
};

/* Calls that nobody looks at, but that say what a thread waits for when it leaves the CPU in them. */
static const struct {
	int number;
	enum zsp_syscall class;
} waits[] = {
    {SYS_futex, ZSP_SYSCALL_FUTEX},
#ifdef SYS_futex_waitv
    {SYS_futex_waitv, ZSP_SYSCALL_LOCK},
#endif
    {SYS_semop, ZSP_SYSCALL_LOCK},
    {SYS_semtimedop, ZSP_SYSCALL_LOCK},
    {SYS_fcntl, ZSP_SYSCALL_LOCK}, /* of the others only opening a lease waits */
    {SYS_flock, ZSP_SYSCALL_LOCK},
    {SYS_pread64, ZSP_SYSCALL_FILE},
    {SYS_preadv, ZSP_SYSCALL_FILE},
    {SYS_preadv2, ZSP_SYSCALL_FILE},
    {SYS_pwrite64, ZSP_SYSCALL_FILE},
    {SYS_pwritev, ZSP_SYSCALL_FILE},
    {SYS_pwritev2, ZSP_SYSCALL_FILE},
    {SYS_fsync, ZSP_SYSCALL_FILE},
    {SYS_fdatasync, ZSP_SYSCALL_FILE},
    {SYS_sync, ZSP_SYSCALL_FILE},
    {SYS_syncfs, ZSP_SYSCALL_FILE},
    {SYS_sync_file_range, ZSP_SYSCALL_FILE},
    {SYS_msync, ZSP_SYSCALL_FILE},
    {SYS_readahead, ZSP_SYSCALL_FILE},
    {SYS_fadvise64, ZSP_SYSCALL_FILE},
    {SYS_fallocate, ZSP_SYSCALL_FILE},
    {SYS_truncate, ZSP_SYSCALL_FILE},
    {SYS_ftruncate, ZSP_SYSCALL_FILE},
    {SYS_copy_file_range, ZSP_SYSCALL_FILE},
    {SYS_openat, ZSP_SYSCALL_FILE},
    {SYS_faccessat, ZSP_SYSCALL_FILE},
    {SYS_unlinkat, ZSP_SYSCALL_FILE},
    {SYS_renameat, ZSP_SYSCALL_FILE},
    {SYS_renameat2, ZSP_SYSCALL_FILE},
    {SYS_mkdirat, ZSP_SYSCALL_FILE},
    {SYS_getdents64, ZSP_SYSCALL_FILE},
#ifdef SYS_newfstatat
    {SYS_newfstatat, ZSP_SYSCALL_FILE},
#endif
    {SYS_statx, ZSP_SYSCALL_FILE},
    {SYS_io_getevents, ZSP_SYSCALL_FILE},
#ifdef SYS_open /* x86-64 keeps the old ones */
    {SYS_open, ZSP_SYSCALL_FILE},
    {SYS_access, ZSP_SYSCALL_FILE},
    {SYS_unlink, ZSP_SYSCALL_FILE},
    {SYS_rename, ZSP_SYSCALL_FILE},
    {SYS_mkdir, ZSP_SYSCALL_FILE},
    {SYS_rmdir, ZSP_SYSCALL_FILE},
    {SYS_stat, ZSP_SYSCALL_FILE},
    {SYS_lstat, ZSP_SYSCALL_FILE},
#endif
};

const struct syscall_row *syscalls_row(size_t i)
{
	return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

void syscalls_fill(unsigned char table[ZSP_SYSCALL_NUMBERS])
{
	memset(table, 0, ZSP_SYSCALL_NUMBERS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		table[rows[i].number] = (unsigned char)rows[i].class;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		table[waits[i].number] = (unsigned char)waits[i].class;
}
