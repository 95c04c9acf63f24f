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

/* --- who sees a change ------------------------------------------------------------------------------ */

/*
 * A change of state comes to several programs that do the same, one after the other: the kernel skips a program while the same one is
 * interrupted on the same CPU, as by a packet that interrupts a close(), but hardly ever all of them. Who sees a change first counts
 * it; the kernel knows how many there were: lost is what nobody counted.
 *
 * Which changes have been seen: of a socket the last one, since its next one is another one, and since all programs come to one before
 * the next begins. The sockets of one row only have to be as few as the row is long while that lasts.
 */
#define ZSP_CHANGE_ROWS 512 /* a power of two */

volatile __u64 zsp_changes[ZSP_CHANGE_ROWS][2];
volatile struct zsp_changes_seen zsp_changes_seen[ZSP_CPUS_MAX];

static __always_inline volatile struct zsp_changes_seen *seen_here(void)
{
	return &zsp_changes_seen[bpf_get_smp_processor_id() & (ZSP_CPUS_MAX - 1)];
}

static __always_inline void count_change(u64 sk, int oldstate, int newstate)
{
	u64 change = sk << 8 | (oldstate & 0xf) << 4 | (newstate & 0xf);
	volatile u64 *row = zsp_changes[(sk * 0x9e3779b97f4a7c15) >> 55 & (ZSP_CHANGE_ROWS - 1)];

	if (row[0] == change || row[1] == change)
		return;
	/* The socket's own place, else the first; who was there moves on. */
	if ((row[1] ^ change) >> 8 == 0) {
		row[1] = change;
	} else {
		if ((row[0] ^ change) >> 8 != 0)
			row[1] = row[0];
		row[0] = change;
	}
	__sync_fetch_and_add(&seen_here()->seen, 1);
}

static __always_inline void changed(u64 key, struct sock *sk, int oldstate, int newstate)
{
	if (ZSP_EMPTY)
		return;
	count_change(key, oldstate, newstate);
	handle_state(sk, newstate);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(zsp_inet_sock_set_state, struct sock *sk, int oldstate, int newstate)
{
	u64 key;

	/* The socket's address as a mere number, with which the verifier lets us reckon. */
	bpf_probe_read_kernel(&key, sizeof(key), ctx);
	changed(key, sk, oldstate, newstate);
	seen_here()->runs++; /* nobody else does, on this CPU */
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(zsp_inet_sock_set_state_twin, struct sock *sk, int oldstate, int newstate)
{
	u64 key;

	bpf_probe_read_kernel(&key, sizeof(key), ctx);
	changed(key, sk, oldstate, newstate);
	return 0;
}

/* The function that nearly all changes are made by, where programs on tracepoints are preemptible: there a thread may hold up both. */
SEC("?kprobe.multi")
int zsp_call_tcp_set_state(struct pt_regs *ctx)
{
	struct sock *sk = (void *)PT_REGS_PARM1(ctx);
	int oldstate = BPF_CORE_READ(sk, __sk_common.skc_state);

	changed((u64)sk, sk, oldstate, (int)PT_REGS_PARM2(ctx));
	return 0;
}
