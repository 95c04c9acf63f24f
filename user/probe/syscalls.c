// SPDX-License-Identifier: Apache-2.0
/* System call numbers and their classes; see syscalls.h. Calls that an architecture lacks are left out. */
#include "probe/syscalls.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

static const struct {
	int number;
	enum zsp_syscall class;
} calls[] = {
    {SYS_read, ZSP_SYSCALL_READ},
    {SYS_readv, ZSP_SYSCALL_READV},
    {SYS_recvfrom, ZSP_SYSCALL_RECVFROM},
    {SYS_recvmsg, ZSP_SYSCALL_RECVMSG},
    {SYS_recvmmsg, ZSP_SYSCALL_RECVMMSG},
    {SYS_write, ZSP_SYSCALL_WRITE},
    {SYS_sendto, ZSP_SYSCALL_WRITE},
    {SYS_writev, ZSP_SYSCALL_WRITEV},
    {SYS_sendmsg, ZSP_SYSCALL_SENDMSG},
    {SYS_sendmmsg, ZSP_SYSCALL_SENDMMSG},
    {SYS_sendfile, ZSP_SYSCALL_SENDFILE},
    {SYS_splice, ZSP_SYSCALL_SPLICE},
    {SYS_accept, ZSP_SYSCALL_ACCEPT},
    {SYS_accept4, ZSP_SYSCALL_ACCEPT},
    {SYS_connect, ZSP_SYSCALL_CONNECT},
    {SYS_mmap, ZSP_SYSCALL_MMAP},
    {SYS_epoll_pwait, ZSP_SYSCALL_WAIT},
#ifdef SYS_epoll_pwait2
    {SYS_epoll_pwait2, ZSP_SYSCALL_WAIT},
#endif
    {SYS_ppoll, ZSP_SYSCALL_WAIT},
    {SYS_pselect6, ZSP_SYSCALL_WAIT},
#ifdef SYS_epoll_wait /* x86-64 keeps the old ones, arm64 never had them */
    {SYS_epoll_wait, ZSP_SYSCALL_WAIT},
#endif
#ifdef SYS_poll
    {SYS_poll, ZSP_SYSCALL_WAIT},
#endif
#ifdef SYS_select
    {SYS_select, ZSP_SYSCALL_WAIT},
#endif
    {SYS_io_uring_enter, ZSP_SYSCALL_IO_URING},
};

void syscalls_fill(unsigned char table[ZSP_SYSCALL_NUMBERS])
{
	memset(table, 0, ZSP_SYSCALL_NUMBERS);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		table[calls[i].number] = (unsigned char)calls[i].class;
}
