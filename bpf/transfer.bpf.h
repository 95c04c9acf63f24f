/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a call's class and registers to struct zsp_transfer: how many bytes it moved, in which direction, and where they
 * stand in the process. Several pieces (readv, sendmsg ...) and several messages (recvmmsg, sendmmsg) are one transfer.
 */
#ifndef ZSP_TRANSFER_BPF_H
#define ZSP_TRANSFER_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "compat.bpf.h"
#include "maps.bpf.h"
#include "thread.bpf.h"

#define ZSP_MSG_OOB      0x0001
#define ZSP_MSG_PEEK     0x0002
#define ZSP_MSG_TRUNC    0x0020
#define ZSP_MSG_ERRQUEUE 0x2000

/* Empty pieces before the first byte of a scattered buffer that are passed over. */
#define ZSP_IOV_EMPTY_MAX 16

/* n, ZSP_PIECES_MAX at most; without a branch, of which the verifier would follow both ways. */
static __always_inline u8 pieces_at_most(u64 n)
{
	u64 more = (ZSP_PIECES_MAX - n) >> 63; /* 0 or 1 */

	return (n & (more - 1)) | more * ZSP_PIECES_MAX;
}

/*
 * The only piece of message i of a batch. False: there are several, or it cannot be read; capturing ends there.
 */
static __always_inline bool batch_piece(u64 address, u64 i, struct user_iovec *piece)
{
	const struct user_mmsghdr64 *batch = (void *)address;
	struct user_mmsghdr64 message = {};

	if (bpf_probe_read_user(&message, sizeof(message), &batch[i]) ||
	    message.msg_hdr.msg_iovlen != 1)
		return false;
	if (bpf_probe_read_user(piece, sizeof(*piece), message.msg_hdr.msg_iov))
		return false;
	if (piece->iov_len > message.msg_len)
		piece->iov_len = message.msg_len;
	return true;
}

/* How many empty pieces come before the first byte. A global function: checked once, for any arguments. */
__weak int zsp_empty_pieces(u64 iov, u64 count)
{
	const struct user_iovec *pieces = (void *)iov;
	u64 len = 0;
	u32 i;

	for (i = 0; i < ZSP_IOV_EMPTY_MAX && i + 1 < count; i++)
		if (bpf_probe_read_user(&len, sizeof(len), &pieces[i].iov_len) || len)
			break;
	return i;
}

/* Describe the user buffer of an iovec array; empty pieces before the first byte are passed over. What cannot be read is 0. */
static __always_inline void transfer_from_iov(struct zsp_transfer *t, u64 iov, u64 count)
{
	struct user_iovec two[2] = {};
	u32 empty;

	if (!count)
		return;
	if (count > 1)
		bpf_probe_read_user(two, sizeof(two), (void *)iov);
	else
		bpf_probe_read_user(two, sizeof(two[0]), (void *)iov);
	if (!two[0].iov_len && count > 1) {
		empty = zsp_empty_pieces(iov, count);
		iov += empty * sizeof(two[0]);
		count -= empty;
		two[1].iov_base = NULL;
		bpf_probe_read_user(two, sizeof(two[0]), (void *)iov);
	}
	t->iov = iov;
	t->pieces = pieces_at_most(count);
	t->buf = (u64)two[0].iov_base;
	t->len = two[0].iov_len;
	if (two[0].iov_len + two[1].iov_len >= t->bytes)
		t->second = (u64)two[1].iov_base;
}

static __always_inline void transfer_from_msghdr(struct zsp_transfer *t, u64 address)
{
	struct user_msghdr64 msg = {};

	if (bpf_probe_read_user(&msg, sizeof(msg), (void *)address))
		return;
	transfer_from_iov(t, (u64)msg.msg_iov, msg.msg_iovlen);
}

/* Bytes that all messages of a sendmmsg or recvmmsg moved. A global function: checked once, for any arguments. */
__weak int zsp_batch_bytes(u64 address, u64 messages)
{
	const struct user_mmsghdr64 *batch = (void *)address;
	u32 total = 0, length = 0;

	for (u32 i = 0; i < ZSP_PIECES_MAX && i < messages; i++) {
		if (bpf_probe_read_user(&length, sizeof(length), &batch[i].msg_len))
			break;
		total += length;
	}
	return total;
}

/* sendmmsg, recvmmsg: one transfer, of which each message is a piece, or only the first one's pieces are captured. */
static __always_inline void transfer_from_batch(struct zsp_transfer *t, u64 address, u32 messages)
{
	struct user_iovec first = {};

	if (!messages)
		return;
	if (messages > ZSP_PIECES_MAX)
		zsp_count(ZSP_COUNT_LOST_BATCH, messages - ZSP_PIECES_MAX);
	t->bytes = zsp_batch_bytes(address, messages);
	if (messages < 2 || !batch_piece(address, 0, &first)) {
		transfer_from_msghdr(t, address);
		return;
	}
	t->batch = 1;
	t->iov = address;
	t->pieces = pieces_at_most(messages);
	t->buf = (u64)first.iov_base;
	t->len = first.iov_len;
}

/*
 * Where a connection keeps what it has for this direction. Read each time it is needed: else it is a number of which the verifier knows
 * something, and follows one path for each.
 */
static __always_inline u32 way_of(const struct zsp_transfer *t)
{
	return (*(const volatile u8 *)&t->direction - 1) & 1;
}

static __always_inline bool class_is_write(u32 class)
{
	return class >= ZSP_SYSCALL_WRITE && class <= ZSP_SYSCALL_SPLICE;
}

static __always_inline bool class_is_read(u32 class)
{
	return class >= ZSP_SYSCALL_READ && class <= ZSP_SYSCALL_RECVMMSG;
}

/* Fill t from the call's registers. False: nothing of the stream was moved (MSG_PEEK and the like). */
static __always_inline bool transfer_describe(
    struct zsp_transfer *t, u32 class, const struct zsp_args *args)
{
	u64 flags = 0, asked = args->a[2]; /* 0: the call had no room for a byte */

	switch (class) {
	case ZSP_SYSCALL_RECVFROM:
		flags = args->a[3];
		/* fall through */
	case ZSP_SYSCALL_READ:
	case ZSP_SYSCALL_WRITE:
		t->buf = args->a[1];
		t->len = t->bytes;
		break;
	case ZSP_SYSCALL_READV:
	case ZSP_SYSCALL_WRITEV:
		transfer_from_iov(t, args->a[1], args->a[2]);
		asked = t->len;
		break;
	case ZSP_SYSCALL_RECVMSG:
		flags = args->a[2];
		/* fall through */
	case ZSP_SYSCALL_SENDMSG:
		transfer_from_msghdr(t, args->a[1]);
		asked = t->len;
		break;
	case ZSP_SYSCALL_RECVMMSG:
		flags = args->a[3];
		/* fall through */
	case ZSP_SYSCALL_SENDMMSG:
		transfer_from_batch(t, args->a[1], t->bytes);
		asked = t->batch | t->len;
		break;
	default:
		t->hidden = 1;
	}
	t->hidden |= !!(flags & ZSP_MSG_TRUNC);
	if (t->bytes == 0 && (t->direction != ZSP_IN || !asked))
		return false; /* not the end of the stream: nothing was written, or asked for */
	return !(flags & (ZSP_MSG_PEEK | ZSP_MSG_ERRQUEUE | ZSP_MSG_OOB));
}

#endif
