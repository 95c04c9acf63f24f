/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a transfer to its record: the first bytes of it, gathered from their pieces, and its end, in the smallest record
 * that holds them.
 */
#ifndef ZSP_CAPTURE_BPF_H
#define ZSP_CAPTURE_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "emit.bpf.h"
#include "maps.bpf.h"
#include "transfer.bpf.h"

static __always_inline void data_init(struct zsp_data *data, const struct zsp_thread *thread,
    const struct zsp_conn *conn, u32 captured)
{
	const struct zsp_transfer *t = &thread->transfer;

	zsp_header_init(
	    &data->h, ZSP_KIND_DATA, sizeof(*data) + captured, t->now, thread->slice, conn->id);
	data->start_ns = t->start;
	data->seq = t->seq;
	data->bytes = t->bytes;
	data->captured = captured;
	data->direction = t->direction;
	data->tail = 0;
	__builtin_memset(data->reserved, 0, sizeof(data->reserved));
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
	u64 n = t->tail;

	if (n == 0 || n > ZSP_TAIL_MAX)
		return;
	if (bpf_probe_read_user(data->payload + captured, n, (void *)t->tail_at))
		return;
	data->tail = n;
	data->h.size += n;
}

static __always_inline void data_submit(struct zsp_data *data, long fault)
{
	if (fault) {
		data->h.flags |= ZSP_DATA_FAULT;
		data->h.size = sizeof(*data);
		data->captured = 0;
		data->tail = 0;
		zsp_count(ZSP_COUNT_FAULTS, 1);
	}
	zsp_submit(data, false);
}

/* want <= room bytes from one buffer. room is a constant: the ring reserves constant sizes only. */
static __always_inline void emit_flat(
    const u64 room, u64 want, struct zsp_thread *thread, const struct zsp_conn *conn)
{
	const u64 tail = room ? ZSP_TAIL_MAX : 0;
	struct zsp_data *data = zsp_reserve(sizeof(*data) + room + tail, ZSP_COUNT_LOST_RING_DATA);
	u64 n = want;
	long fault = 0;

	if (!data)
		return;
	data_init(data, thread, conn, want);
	barrier_var(n);
	if (n > room)
		n = room;
	if (room) {
		data_clear_first(data);
		fault = bpf_probe_read_user(data->payload, n, (void *)thread->transfer.buf);
		thread->transfer.first = *(u64 *)data->payload;
		append_tail(data, n, &thread->transfer);
	}
	data_submit(data, fault);
}

/*
 * want <= room bytes from several pieces. Twice the room is reserved, since the verifier of
 * Linux 5.10 bounds offset and length each for itself and not their sum.
 */
static __always_inline void emit_gathered(const u64 room, const bool batch, u64 want,
    struct zsp_thread *thread, const struct zsp_conn *conn)
{
	struct zsp_data *data =
	    zsp_reserve(sizeof(*data) + 2 * room + ZSP_TAIL_MAX, ZSP_COUNT_LOST_RING_DATA);
	struct zsp_transfer *t = &thread->transfer;
	const struct user_iovec *iov = (void *)t->iov;
	long fault = 0;

	if (!data)
		return;
	data_clear_first(data);
	for (u32 i = 0; i < ZSP_IOV_MAX; i++) {
		struct user_iovec piece = {.iov_base = (void *)t->buf, .iov_len = t->len};
		u64 done = t->gathered;
		u64 n;

		if (i >= t->iov_count || done >= want)
			break;
		if (i > 0 && batch && !zsp_batch_piece(t->iov, i))
			break;
		if (i > 0 && batch)
			piece = t->piece;
		else if (i > 0)
			fault = bpf_probe_read_user(&piece, sizeof(piece), &iov[i]);
		if (fault)
			break;
		n = piece.iov_len < want - done ? piece.iov_len : want - done;
		if (n == 0)
			continue;
		barrier_var(n);
		n = ((n - 1) & (room - 1)) + 1; /* n as it is; for the verifier, without a branch */
		fault = bpf_probe_read_user(data->payload + (done & (room - 1)), n, piece.iov_base);
		if (fault)
			break;
		t->gathered = done + n;
	}
	t->first = *(u64 *)data->payload;
	data_init(data, thread, conn, t->gathered);
	append_tail(data, t->gathered & (2 * room - 1), t);
	data_submit(data, fault);
}

/* Emit the call with want bytes of payload, in the smallest record that holds them. */
static __always_inline void emit_transfer(
    u64 want, struct zsp_thread *thread, const struct zsp_conn *conn)
{
	bool pieces = thread->transfer.iov && thread->transfer.len < want;

	if (want == 0)
		emit_flat(0, 0, thread, conn);
	else if (pieces && thread->transfer.batch) /* rare: one size for all */
		emit_gathered(ZSP_CAPTURE_MAX, true, want, thread, conn);
	else if (pieces && want < 256)
		emit_gathered(256, false, want, thread, conn);
	else if (pieces && want < 1024)
		emit_gathered(1024, false, want, thread, conn);
	else if (pieces && want < 4096)
		emit_gathered(4096, false, want, thread, conn);
	else if (pieces)
		emit_gathered(ZSP_CAPTURE_MAX, false, want, thread, conn);
	else if (want <= 192)
		emit_flat(192, want, thread, conn);
	else if (want <= 448)
		emit_flat(448, want, thread, conn);
	else if (want <= 960)
		emit_flat(960, want, thread, conn);
	else if (want <= 4032)
		emit_flat(4032, want, thread, conn);
	else
		emit_flat(ZSP_CAPTURE_MAX, want, thread, conn);
}

#endif
