// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * When the kernel had the bytes that a program reads: a request begins then, and not when a busy program gets round to
 * reading it, be it that it waited in the accept queue with its connection or in the socket's buffer.
 *
 *	packet ──► tcp_mstamp = now, lrcvtime = tick ─ ─ (waits) ─ ─ ► recvmsg: copy, tracepoint, tcp_mstamp = now
 *
 * TCP keeps the time of the last packet of a connection, in or out (tcp_mstamp, microseconds), and the clock tick of the
 * last one with data (lrcvtime). The tracepoint tcp_rcv_space_adjust fires in the reading thread right after the first piece
 * was copied and before the first of the two is overwritten, so nothing has to run when packets come.
 *
 * The first is exact unless something without data came or went since (an acknowledgement, a FIN): it is then later than
 * the second by more than ticks can be wrong, and the second, good to a few ticks, is taken. Of several packets that
 * waited it is the last one that is known: a wait may be understated, never overstated.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "knobs.bpf.h"
#include "thread.bpf.h"

#define ZSP_NS_PER_US 1000

/* Ticks by which two counts of them may differ from the time between: each is counted late on a machine short of CPU. */
#define ZSP_TICKS_UNSURE 4

static __always_inline u64 arrival_ns(struct tcp_sock *tcp)
{
	u64 packet_ns = tcp->tcp_mstamp * ZSP_NS_PER_US, now = bpf_ktime_get_ns(), data_ns;
	u32 ticks = (u32)bpf_jiffies64() - ((struct inet_connection_sock *)tcp)->icsk_ack.lrcvtime;

	if (packet_ns > now)
		return now;
	if (ticks <= ZSP_TICKS_UNSURE)
		return packet_ns;
	data_ns = now - (ticks - ZSP_TICKS_UNSURE) * zsp_tick_ns;
	return packet_ns < data_ns ? packet_ns : data_ns;
}

static __always_inline int arrived(struct sock *sk)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct tcp_sock *tcp;

	if (!thread || thread->arrival.sk == (u64)sk) /* the call's first piece counts */
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	thread->arrival.ns = arrival_ns(tcp);
	thread->arrival.seq = tcp->copied_seq;
	thread->arrival.sk = (u64)sk;
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(zsp_tcp_rcv_space_adjust, struct sock *sk)
{
	return arrived(sk);
}

/* See zsp_inet_sock_set_state_twin. */
SEC("?tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(zsp_tcp_rcv_space_adjust_twin, struct sock *sk)
{
	return arrived(sk);
}
