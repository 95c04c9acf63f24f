/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types that zerospan's BPF programs read, and nothing else: written by hand from the
 * kernel's headers, field names only. Offsets never come from here: every struct that is
 * no user ABI is preserve_access_index, so libbpf relocates each access against the running kernel's BTF (CO-RE).
 * Order and completeness of the fields are therefore irrelevant, and a build needs no BTF of the
 * build host.
 *
 * Of the running kernel's types libbpf is given those that have a name which stands here (user/probe/kernel_types.h).
 *
 * How to extend: add the field under its kernel name; when a kernel release moved or renamed it, do
 * not touch this file but add a flavour (struct name___suffix) in bpf/compat.bpf.h.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <linux/bpf.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
enum {
	false = 0,
	true = 1
};

#if defined(__TARGET_ARCH_x86)
/* User ABI (arch/x86/include/uapi/asm/ptrace.h), hence not relocated; on arm64 it is only in part. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax;
	unsigned long ip, cs, flags, sp, ss;
};
#elif !defined(__TARGET_ARCH_arm64)
#error "no register layout for this architecture"
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	u64 regs[31];
	u64 sp, pc, pstate;
};
struct pt_regs {
	u64 regs[31];
	u64 sp, pc, pstate;
	u64 orig_x0;
	s32 syscallno;
};
#endif

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

typedef atomic64_t atomic_long_t;

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file_lock_core {
	unsigned char flc_type;
};

struct file_lock {
	struct file_lock_core c; /* one of these two: see bpf/compat.bpf.h */
	unsigned char fl_type;
	long long fl_start;
	long long fl_end;
};

typedef struct {
	atomic64_t refcnt;
} file_ref_t;

struct file {
	void *private_data;
	struct inode *f_inode;
	atomic_long_t f_count; /* one of these two: see bpf/compat.bpf.h */
	file_ref_t f_ref;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct signal_struct {
	atomic_t live;
};

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_arrival;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

struct task_struct {
	unsigned int __state; /* one of these two: see bpf/compat.bpf.h */
	long state;
	void *stack;
	unsigned int flags;
	struct sched_entity se;
	struct sched_info sched_info;
	int pid, tgid;
	int exit_code;
	unsigned int in_iowait : 1;
	struct files_struct *files;
	struct signal_struct *signal;
};

struct linux_binprm {
	const char *filename;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	unsigned long skc_flags;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket {
	unsigned long flags;
	struct file *file;
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	u16 sk_type;
	u16 sk_protocol;
	u8 sk_shutdown;
	int sk_err;
};

struct inet_connection_sock {
	struct {
		u32 lrcvtime;
	} icsk_ack;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 rcv_nxt;
	u32 copied_seq;
	u32 write_seq;
	u64 tcp_mstamp;
};

struct unix_address;

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

#pragma clang attribute pop

/*
 * What programs on the tracepoints of system calls get, as the format files of those tracepoints say
 * (/sys/kernel/tracing/events/syscalls, x86-64 and arm64 alike): user ABI, hence not relocated.
 */
struct zsp_call_enter {
	u64 common;
	long id;
	unsigned long args[6];
};

struct zsp_call_exit {
	u64 common;
	long id;
	long ret;
};

/* User ABI of the calls whose arguments are structures (include/uapi/linux/uio.h, socket.h). */
struct user_iovec {
	void *iov_base;
	u64 iov_len;
};

struct user_msghdr64 {
	void *msg_name;
	int msg_namelen;
	struct user_iovec *msg_iov;
	u64 msg_iovlen;
	void *msg_control;
	u64 msg_controllen;
	unsigned int msg_flags;
};

struct user_mmsghdr64 {
	struct user_msghdr64 msg_hdr;
	unsigned int msg_len;
};

#endif
