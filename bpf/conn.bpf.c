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

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(zsp_inet_sock_set_state, struct sock *sk, int oldstate, int newstate)
{
	u64 key = (u64)sk;
	struct zsp_conn *conn;

	if (newstate == ZSP_TCP_LISTEN) {
		if (zsp_watch_listen)
			zsp_emit_proc(ZSP_KIND_LISTEN, bpf_get_current_pid_tgid() >> 32, 0,
			    BPF_CORE_READ(sk, __sk_common.skc_num));
		return 0;
	}
	conn = bpf_map_lookup_elem(&zsp_conns, &key);
	if (!conn)
		return 0;
	if (newstate == ZSP_TCP_FIN_WAIT1 || newstate == ZSP_TCP_LAST_ACK) {
		zsp_conn_report(conn, ZSP_CHANGE_LOCAL_FIN, 0);
	} else if (newstate == ZSP_TCP_CLOSE_WAIT) {
		zsp_conn_report(conn, ZSP_CHANGE_REMOTE_FIN, 0);
	} else if (newstate == ZSP_TCP_CLOSE) {
		zsp_conn_report(conn, ZSP_CHANGE_CLOSED, BPF_CORE_READ(sk, sk_err));
		bpf_map_delete_elem(&zsp_conns, &key);
	}
	return 0;
}

/* Unix sockets have no such state machine: the last close() is their end. */
SEC("tracepoint/syscalls/sys_enter")
int zsp_enter_close(struct trace_event_raw_sys_enter *ctx)
{
	struct zsp_socket socket;
	struct zsp_conn *conn;
	struct file *file;
	u64 key;

	/* Unlike at the exit of a call, the descriptor may be any number here. */
	if (!zsp_current_thread() || ctx->args[0] >= zsp_current_files_max() ||
	    !zsp_socket_of(ctx->args[0], &socket))
		return 0;
	conn = zsp_conn_find(&socket);
	if (!conn || conn->family != ZSP_FAMILY_UNIX)
		return 0;
	file = zsp_file_of(ctx->args[0]);
	if (!zsp_file_is_last_ref(file))
		return 0;
	zsp_conn_report(conn, ZSP_CHANGE_CLOSED, 0);
	key = (u64)socket.sk;
	bpf_map_delete_elem(&zsp_conns, &key);
	return 0;
}
