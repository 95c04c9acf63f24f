// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The ends of connections, and listeners. TCP's own state machine is the truth: it sees the orderly
 * end, the reset, the process that dies, and the last of several descriptors alike.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "conn.bpf.h"
#include "thread.bpf.h"

#define ZSP_TCP_FIN_WAIT1  4
#define ZSP_TCP_CLOSE      7
#define ZSP_TCP_CLOSE_WAIT 8
#define ZSP_TCP_LAST_ACK   9
#define ZSP_TCP_LISTEN     10

static __always_inline void handle_state(struct sock *sk, int newstate)
{
	u64 key = (u64)sk;
	struct zsp_conn *conn;

	if (newstate == ZSP_TCP_LISTEN) {
		if (zsp_watch_listen)
			zsp_emit_proc(ZSP_KIND_LISTEN, bpf_get_current_pid_tgid() >> 32, 0,
			    BPF_CORE_READ(sk, __sk_common.skc_num));
		return;
	}
	conn = bpf_map_lookup_elem(&zsp_conns, &key);
	if (!conn || conn->state == newstate)
		return;
	conn->state = newstate;
	if (newstate == ZSP_TCP_FIN_WAIT1 || newstate == ZSP_TCP_LAST_ACK) {
		zsp_conn_report(conn, ZSP_CHANGE_LOCAL_FIN, 0);
	} else if (newstate == ZSP_TCP_CLOSE_WAIT) {
		zsp_conn_report(conn, ZSP_CHANGE_REMOTE_FIN, 0);
	} else if (newstate == ZSP_TCP_CLOSE) {
		/* A reset while a process still has the socket: it may read what had come, then closes. */
		conn->error = BPF_CORE_READ(sk, sk_err);
		if (BPF_CORE_READ(sk, sk_socket))
			return;
		zsp_conn_report(conn, ZSP_CHANGE_CLOSED, conn->error);
		bpf_map_delete_elem(&zsp_conns, &key);
	}
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(zsp_inet_sock_set_state, struct sock *sk, int oldstate, int newstate)
{
	if (!ZSP_EMPTY)
		handle_state(sk, newstate);
	return 0;
}

/*
 * The same once more: a packet or timer may interrupt a close() whose program runs, and a kernel skips a program while the same
 * one is interrupted on the same CPU, but not this one as well. Whichever comes second finds the state told.
 */
SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(zsp_inet_sock_set_state_twin, struct sock *sk, int oldstate, int newstate)
{
	if (!ZSP_EMPTY)
		handle_state(sk, newstate);
	return 0;
}
