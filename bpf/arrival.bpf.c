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

/* What TCP knows of what it has received. */
struct tcp_received {
	u64 packet_us;  /* tcp_mstamp */
	u32 data_ticks; /* lrcvtime, the lower bits of jiffies */
	u32 read_seq;   /* stream position behind what was read */
};

/* Most have not waited, and cost no look at the clock. Who uses it knows the time by then, and that it cannot be later. */
static __always_inline u64 arrival_ns(const struct tcp_received *tcp)
{
	u64 packet_ns = tcp->packet_us * ZSP_NS_PER_US, data_ns;
	u32 ticks = (u32)bpf_jiffies64() - tcp->data_ticks;

	if (ticks <= ZSP_TICKS_UNSURE)
		return packet_ns;
	data_ns = bpf_ktime_get_ns() - (ticks - ZSP_TICKS_UNSURE) * zsp_tick_ns;
	return packet_ns < data_ns ? packet_ns : data_ns;
}

/* The call's first piece counts. */
static __always_inline bool is_first(const struct zsp_thread *thread, const struct sock *sk)
{
	return thread && thread->arrival.sk != (u64)sk;
}

static __always_inline void arrived(
    struct zsp_thread *thread, const struct sock *sk, const struct tcp_received *tcp)
{
	thread->arrival.ns = arrival_ns(tcp);
	thread->arrival.seq = tcp->read_seq;
	thread->arrival.sk = (u64)sk;
}

SEC("?tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(zsp_tcp_rcv_space_adjust, struct sock *sk)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct tcp_received received;
	struct tcp_sock *tcp;

	if (!is_first(thread, sk))
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	received.packet_us = tcp->tcp_mstamp;
	received.data_ticks = tcp->inet_conn.icsk_ack.lrcvtime;
	received.read_seq = tcp->copied_seq;
	arrived(thread, sk, &received);
	return 0;
}

/* The function that the tracepoint is in, where programs on tracepoints are preemptible. */
SEC("?kprobe.multi")
int zsp_call_tcp_read(struct pt_regs *ctx)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct tcp_sock *tcp = (void *)PT_REGS_PARM1(ctx);
	struct tcp_received received;

	if (!is_first(thread, (struct sock *)tcp))
		return 0;
	received.packet_us = BPF_CORE_READ(tcp, tcp_mstamp);
	received.data_ticks = BPF_CORE_READ(tcp, inet_conn.icsk_ack.lrcvtime);
	received.read_seq = BPF_CORE_READ(tcp, copied_seq);
	arrived(thread, (struct sock *)tcp, &received);
	return 0;
}
