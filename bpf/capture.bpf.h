/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a transfer to its record: the first bytes of it and, when there are more, the last ones, in the smallest record that
 * holds them. What is scattered over several pieces is put together in zsp_gathers.
 */
#ifndef ZSP_CAPTURE_BPF_H
#define ZSP_CAPTURE_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "chunk.bpf.h"
#include "emit.bpf.h"
#include "maps.bpf.h"
#include "transfer.bpf.h"

static __always_inline void data_init(struct zsp_data *data, const struct zsp_thread *thread,
    const struct zsp_conn *conn, u32 captured)
{
	const struct zsp_transfer *t = &thread->transfer;

	zsp_header_init(
	    &data->h, ZSP_KIND_DATA, sizeof(*data) + captured, t->now, thread->slice, conn->id);
	data->h.flags = t->flags;
	data->start_ns = t->start;
	data->seq = t->seq;
	data->bytes = t->bytes;
	data->captured = captured;
	data->direction = t->direction;
	data->tail = 0;
	__builtin_memset(data->reserved, 0, sizeof(data->reserved));
	data->waits = thread->ledger.waits;
	data->sent_ns = data->delayed_ns = 0;
	if (t->direction != ZSP_OUT || thread->begun.write != ZSP_BEGUN_WRITE)
		return;
	data->sent_ns = data->waits.ns[ZSP_WAIT_SEND] - thread->begun.sent_ns;
	data->delayed_ns = data->waits.ns[ZSP_WAIT_RUNQUEUE] - thread->begun.delayed_ns;
}

/* The first 8 bytes of room are 0 until bytes are copied over them, so that they can be looked at whatever their number. */
static __always_inline void data_clear_first(struct zsp_data *data)
{
	*(u64 *)data->payload = 0;
}

/* Append the end of the call behind the captured bytes. */
static __always_inline void append_tail(
    struct zsp_data *data, u64 captured, const struct zsp_transfer *t)
{
	u64 n = t->bytes - captured;

	if (n == 0 || captured == 0 || t->len < t->bytes)
		return;
	if (n > ZSP_TAIL_MAX)
		n = ZSP_TAIL_MAX;
	if (bpf_probe_read_user(data->payload + captured, n, (void *)(t->buf + t->bytes - n)))
		return;
	data->tail = n;
	data->h.size += n;
}

/* Its bytes could not be read from the process. */
static __always_inline void data_fault(struct zsp_data *data)
{
	data->h.flags |= ZSP_DATA_FAULT;
	data->h.size = sizeof(*data);
	data->captured = 0;
	data->tail = 0;
	zsp_count(ZSP_COUNT_FAULTS, 1);
}

/*
 * Fill in a record with the first bytes of one buffer, as many as are wanted and have room, and the end of the call. A function of its own, not
 * inlined: the verifier checks it for each size of record, but then need not change the program so often.
 */
static __noinline void data_fill(
    struct zsp_data *data, struct zsp_thread *thread, const struct zsp_conn *conn, u64 room)
{
	/* Read back from the map: of a number that it was given, the verifier would follow the origin through all that came before. */
	u64 n = *(volatile u64 *)&thread->transfer.want;

	if (n > room)
		n = room;
	data_init(data, thread, conn, n);
	data_clear_first(data);
	if (bpf_probe_read_user(data->payload, n, (void *)thread->transfer.buf)) {
		data_fault(data);
		return;
	}
	thread->transfer.first = *(u64 *)data->payload;
	append_tail(data, n, &thread->transfer);
}

/* The bytes that are wanted, room at most, from one buffer. room is a constant: the ring reserves constant sizes only. */
static __always_inline void emit_flat(
    const u64 room, struct zsp_thread *thread, const struct zsp_conn *conn)
{
	struct zsp_data *data =
	    zsp_reserve(sizeof(*data) + room + ZSP_TAIL_MAX, ZSP_COUNT_LOST_RING_DATA);

	if (!data)
		return;
	data_fill(data, thread, conn, room);
	zsp_submit(data, false);
}

/* A record without payload. */
static __always_inline void emit_size(struct zsp_thread *thread, const struct zsp_conn *conn)
{
	struct zsp_data *data = zsp_reserve(sizeof(*data), ZSP_COUNT_LOST_RING_DATA);

	if (!data)
		return;
	data_init(data, thread, conn, 0);
	zsp_submit(data, false);
}

/* --- scattered buffers ---------------------------------------------------------------------------- */

/* Hand over the record under construction; what follows begins another one. */
static __always_inline void gather_flush(struct zsp_gather *g)
{
	struct zsp_data *data = (struct zsp_data *)g->record;
	u64 payload = data->captured + data->tail;

	barrier_var(payload);
	if (payload > sizeof(g->record) - sizeof(*data))
		return;
	data->h.size = sizeof(*data) + payload;
	zsp_output(data, sizeof(*data) + payload, ZSP_COUNT_LOST_RING_DATA);
	data->seq += data->bytes;
	data->bytes = 0;
	data->captured = 0;
}

/* Copy n bytes at address behind what is captured already. False: they could not be read. */
static __always_inline bool gather_copy(struct zsp_gather *g, u64 n, const void *address)
{
	struct zsp_data *data = (struct zsp_data *)g->record;
	u64 done = data->captured;

	barrier_var(done);
	if (done > ZSP_CAPTURE_MAX)
		return false;
	barrier_var(n);
	n = ((n - 1) & (ZSP_CAPTURE_MAX - 1)) +
	    1; /* n as it is; for the verifier, without a branch */
	return !bpf_probe_read_user(data->payload + done, n, address);
}

/*
 * Look at piece i: capture it as far as the budget goes, or whole if it is short, since the size lines of chunks are such
 * pieces, or begin them. The record under construction ends before a piece that does not follow on what it captured. Returns whether
 * there is more to look at. A global function: checked once, for any arguments.
 */
__weak int zsp_gather_piece(u32 cpu, u64 i)
{
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	u64 len, n, least = ZSP_TAIL_MAX;
	const struct user_iovec *pieces;
	struct zsp_data *data;

	if (!g)
		return false;
	data = (struct zsp_data *)g->record;
	pieces = (void *)g->iov;
	if (g->chunks)
		least = zsp_chunk_next(cpu);
	else if (i > 0 && g->batch && !batch_piece(g->iov, i, &g->piece))
		return false;
	else if (i > 0 && !g->batch && bpf_probe_read_user(&g->piece, sizeof(g->piece), &pieces[i]))
		return false;
	len = g->piece.iov_len < g->left ? g->piece.iov_len : g->left;
	n = g->want < least && (g->chunks || len <= least) ? least : g->want;
	if (n > len)
		n = len;
	if (n && (data->captured < data->bytes || data->captured + n > ZSP_CAPTURE_MAX))
		gather_flush(g);
	g->piece.iov_len = len;
	g->left -= len;
	g->want -= n < g->want ? n : g->want;
	data->bytes += len;
	if (n && !gather_copy(g, n, g->piece.iov_base)) {
		data_fault(data);
		return false;
	}
	data->captured += n;
	if (i == 0)
		g->first = *(u64 *)data->payload;
	return g->left != 0;
}

/* What is left of the call, with the end of its last piece if that was looked at. Returns the first 8 bytes. */
__weak u64 zsp_gather_end(u32 cpu)
{
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	struct zsp_data *data;
	u64 rest, done;

	if (!g)
		return 0;
	data = (struct zsp_data *)g->record;
	rest = data->bytes - data->captured;
	done = data->captured;
	if (rest > ZSP_TAIL_MAX)
		rest = ZSP_TAIL_MAX;
	barrier_var(done);
	if (g->left == 0 && rest && done && done <= ZSP_CAPTURE_MAX &&
	    !bpf_probe_read_user(
		data->payload + done, rest, g->piece.iov_base + g->piece.iov_len - rest))
		data->tail = rest;
	data->bytes += g->left;
	gather_flush(g);
	return g->first;
}

/* Is it in two pieces, as most answers are, a head and its body, and is all of it to be captured? */
static __always_inline bool is_pair(const struct zsp_transfer *t, u64 want)
{
	return t->second && t->len && !t->chunks && want >= t->bytes;
}

/* Both of them at once, where zsp_gather_piece() would look at one after the other. */
static __always_inline void gather_pair(struct zsp_gather *g, struct zsp_transfer *t)
{
	struct zsp_data *data = (struct zsp_data *)g->record;
	bool copied = gather_copy(g, t->len, (void *)t->buf);

	data->captured = t->len;
	copied &= gather_copy(g, t->bytes - t->len, (void *)t->second);
	data->bytes = data->captured = t->bytes;
	if (!copied)
		data_fault(data);
	t->first = *(u64 *)data->payload;
	gather_flush(g);
}

/* want bytes from several pieces, or from one buffer with chunks, of which chunk_begin() has told. */
static __always_inline void emit_gathered(
    u64 want, struct zsp_thread *thread, struct zsp_conn *conn)
{
	struct zsp_transfer *t = &thread->transfer;
	u32 cpu = bpf_get_smp_processor_id();
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	u8 chunks = *(volatile u8 *)&t->chunks;
	struct zsp_data *data;

	if (!g)
		return;
	data = (struct zsp_data *)g->record;
	data_init(data, thread, conn, 0);
	data->bytes = 0;
	data_clear_first(data);
	if (is_pair(t, want)) {
		gather_pair(g, t);
		return;
	}
	g->iov = t->iov;
	g->batch = t->batch;
	g->want = want;
	g->chunks = chunks;
	if (!chunks) {
		g->left = t->bytes;
		g->piece.iov_base = (void *)t->buf;
		g->piece.iov_len = t->len;
	}
	for (u32 i = 0; i < ZSP_PIECES_MAX && i < t->pieces; i++)
		if (!zsp_gather_piece(cpu, i))
			break;
	t->first = zsp_gather_end(cpu);
	if (chunks)
		chunk_end(g, conn, t);
}

/* Emit the call with want bytes of payload, and with all size lines if it is of chunks. */
static __always_inline void emit_transfer(
    u64 want, struct zsp_thread *thread, struct zsp_conn *conn)
{
	struct zsp_transfer *t = &thread->transfer;

	if (*(volatile u8 *)&t->pieces) {
		emit_gathered(want, thread, conn);
		return;
	}
	if (t->len < want)
		t->want = want = t->len;
	if (want == 0)
		emit_size(thread, conn);
	else if (want <= 192)
		emit_flat(192, thread, conn);
	else if (want <= 448)
		emit_flat(448, thread, conn);
	else if (want <= 960)
		emit_flat(960, thread, conn);
	else if (want <= 4032)
		emit_flat(4032, thread, conn);
	else
		emit_flat(ZSP_CAPTURE_MAX, thread, conn);
}

#endif
