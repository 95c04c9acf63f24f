/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a descriptor to its connection. The key is the socket, not the descriptor: descriptors are
 * reused, duplicated, inherited and passed around, while the socket says who it is, also when it
 * was there before we came.
 */
#ifndef ZSP_CONN_BPF_H
#define ZSP_CONN_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "maps.bpf.h"

#define ZSP_AF_UNIX  1
#define ZSP_AF_INET  2
#define ZSP_AF_INET6 10

/* Changes of direction after which a connection without HTTP/1 is looked at no more. */
#define ZSP_OPAQUE_MAX 16

#define ZSP_SOCK_STREAM 1
#define ZSP_IPPROTO_TCP 6
/* Of struct socket.flags: who wrote was told to wait for room. */
#define ZSP_SOCK_NOSPACE (1 << 2)

/* A stream socket found behind a descriptor. */
struct zsp_socket {
	struct sock *sk;
	u64 id;    /* inode number */
	u64 flags; /* of struct socket */
};

/* The open file behind a descriptor that a system call just used, so that it is within the table. */
static __always_inline struct file *zsp_file_of(u32 fd)
{
	struct file **table = zsp_current_files(), *file = NULL;

	bpf_probe_read_kernel(&file, sizeof(file), table + fd);
	return file;
}

/* A socket's own words: its flags, which open file it belongs to, and its protocol part. */
struct zsp_socket_words {
	unsigned long flags;
	struct file *file;
	struct sock *sk;
};

static __always_inline void zsp_socket_words_read(
    struct socket_alloc *sock, struct zsp_socket_words *ret)
{
	/* Where loads are not plain: the three are neighbours, so one read does. */
	if (!bpf_rdonly_cast &&
	    bpf_core_field_offset(struct socket_alloc, socket.file) ==
		bpf_core_field_offset(struct socket_alloc, socket.flags) + sizeof(ret->flags) &&
	    bpf_core_field_offset(struct socket_alloc, socket.sk) ==
		bpf_core_field_offset(struct socket_alloc, socket.file) + sizeof(ret->file)) {
		bpf_probe_read_kernel(ret, sizeof(*ret), &sock->socket.flags);
		return;
	}
	ret->flags = ZSP_READ(sock, socket_alloc, socket.flags);
	ret->file = ZSP_READ(sock, socket_alloc, socket.file);
	ret->sk = ZSP_READ(sock, socket_alloc, socket.sk);
}

/*
 * The socket behind fd; false when it is no socket. What an open file calls its private data is a socket if that
 * says that it belongs to this very file.
 */
static __always_inline bool zsp_socket_of(u32 fd, struct zsp_socket *ret)
{
	struct file *file = zsp_file_of(fd);
	struct zsp_socket_words words = {};
	struct socket_alloc *sock;

	if (!file)
		return false;
	sock = ZSP_READ(file, file, private_data);
	zsp_socket_words_read(sock, &words);
	if (words.file != file || !words.sk)
		return false;
	ret->sk = words.sk;
	ret->flags = words.flags;
	ret->id = ZSP_READ(sock, socket_alloc, vfs_inode.i_ino);
	return true;
}

/* Most likely; others are told by zsp_conn_make(). */
static __always_inline bool zsp_is_tcp(struct sock *sk)
{
	return ZSP_READ(sk, sock, sk_protocol) == ZSP_IPPROTO_TCP;
}

static __always_inline bool zsp_is_socket(u32 fd)
{
	struct zsp_socket ignored;

	return zsp_socket_of(fd, &ignored);
}

/* enum zsp_family of a TCP or Unix stream socket, else 0. */
static __always_inline u8 zsp_stream_family(struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (BPF_CORE_READ(sk, sk_type) != ZSP_SOCK_STREAM)
		return 0;
	if (family == ZSP_AF_UNIX)
		return ZSP_FAMILY_UNIX;
	if (BPF_CORE_READ(sk, sk_protocol) != ZSP_IPPROTO_TCP)
		return 0;
	return family == ZSP_AF_INET ? ZSP_FAMILY_IPV4
	    : family == ZSP_AF_INET6 ? ZSP_FAMILY_IPV6
				     : 0;
}

/* The entry of a connection that is already known. A reused struct sock is told by its inode
 * number. */
static __always_inline struct zsp_conn *zsp_conn_find(const struct zsp_socket *socket)
{
	u64 key = (u64)socket->sk;
	struct zsp_conn *conn = bpf_map_lookup_elem(&zsp_conns, &key);

	return conn && conn->id == socket->id ? conn : NULL;
}

/* Make (or replace) the entry; NULL when it is no stream socket or the table is full (counted). */
static __always_inline struct zsp_conn *zsp_conn_make(
    const struct zsp_socket *socket, u8 role, u64 now)
{
	u64 key = (u64)socket->sk;
	struct zsp_conn fresh = {
	    .id = socket->id, .role = role, .family = zsp_stream_family(socket->sk)};

	if (!fresh.family)
		return NULL;
	if (role != ZSP_ROLE_UNKNOWN)
		fresh.first_ns = now;
	if (bpf_map_update_elem(&zsp_conns, &key, &fresh, BPF_ANY)) {
		zsp_count(ZSP_COUNT_LOST_CONN_FULL, 1);
		return NULL;
	}
	return zsp_conn_find(socket);
}

/*
 * A message of a connection that has shown no HTTP/1 yet begins none either. HTTP's messages begin where the direction changes,
 * so after some changes without one the connection is left alone; a body that we came into the middle of changes nothing.
 */
static __always_inline void zsp_conn_seems_opaque(struct zsp_conn *conn, u32 direction)
{
	if (conn->direction != direction && conn->opaque < ZSP_OPAQUE_MAX)
		conn->opaque++;
	conn->direction = direction;
}

static __always_inline u64 zsp_unix_peer(struct sock *sk)
{
	struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	struct socket_alloc *sock = peer ? (void *)BPF_CORE_READ(peer, sk_socket) : NULL;

	return sock ? BPF_CORE_READ(sock, vfs_inode.i_ino) : 0;
}

static __always_inline void zsp_addresses(struct zsp_conn_open *open, struct sock *sk, u8 family)
{
	__builtin_memset(open->local, 0, sizeof(open->local));
	__builtin_memset(open->remote, 0, sizeof(open->remote));
	open->local_port = 0;
	open->remote_port = 0;
	open->peer_conn = 0;
	if (family == ZSP_FAMILY_UNIX) {
		open->peer_conn = zsp_unix_peer(sk);
		return;
	}
	open->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	open->remote_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	if (family == ZSP_FAMILY_IPV4) {
		__be32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__be32 remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(open->local, &local, sizeof(local));
		__builtin_memcpy(open->remote, &remote, sizeof(remote));
	} else {
		BPF_CORE_READ_INTO(&open->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&open->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	}
}

#define ZSP_SOCK_DONE 1 /* include/net/sock.h, enum sock_flags: the peer's FIN has come */

/*
 * Stream position behind the last byte that the process has read, or written. A read that found the end of the
 * stream has consumed the peer's FIN as well, which TCP counts as one position.
 */
static __always_inline u32 zsp_stream_end(
    const struct zsp_conn *conn, struct sock *sk, u32 direction)
{
	struct tcp_sock *tcp = (void *)sk;
	u32 copied;

	if (conn->family == ZSP_FAMILY_UNIX)
		return conn->bytes[(direction - 1) & 1];
	if (direction == ZSP_OUT)
		return ZSP_READ(tcp, tcp_sock, write_seq);
	copied = ZSP_READ(tcp, tcp_sock, copied_seq);
	if ((ZSP_READ(sk, sock, __sk_common.skc_flags) >> ZSP_SOCK_DONE & 1) &&
	    copied == ZSP_READ(tcp, tcp_sock, rcv_nxt))
		copied--;
	return copied;
}

/* Stream position before the moved bytes that the process has just read, or written. Those of Unix sockets are counted later. */
static __always_inline u32 zsp_stream_begin(
    const struct zsp_conn *conn, struct sock *sk, u32 direction, u32 moved)
{
	u32 end = zsp_stream_end(conn, sk, direction);

	return conn->family == ZSP_FAMILY_UNIX ? end : end - moved;
}

/*
 * Tell user space about the connection once; tried again with the next message when the ring was full. moved bytes
 * of direction are about to be reported themselves.
 */
static __always_inline void zsp_conn_announce(
    struct zsp_conn *conn, struct sock *sk, u64 now, u32 direction, u32 moved)
{
	struct zsp_conn_open *open;

	if (conn->announced)
		return;
	open = zsp_reserve(sizeof(*open), ZSP_COUNT_LOST_RING_OTHER);
	if (!open)
		return;
	zsp_header_init(&open->h, ZSP_KIND_CONN_OPEN, sizeof(*open), now, 0, conn->id);
	open->first_ns = conn->first_ns;
	open->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	open->in_seq = zsp_stream_begin(conn, sk, ZSP_IN, direction == ZSP_IN ? moved : 0);
	open->out_seq = zsp_stream_begin(conn, sk, ZSP_OUT, direction == ZSP_OUT ? moved : 0);
	open->family = conn->family;
	open->role = conn->role;
	__builtin_memset(open->reserved, 0, sizeof(open->reserved));
	zsp_addresses(open, sk, conn->family);
	conn->announced = 1;
	zsp_submit(open, false);
}

/* Report a change of an announced connection. */
static __always_inline void zsp_conn_report(struct zsp_conn *conn, u32 change, u32 error)
{
	struct zsp_conn_state *state;

	if (!conn->announced)
		return;
	state = zsp_reserve(sizeof(*state), ZSP_COUNT_LOST_RING_OTHER);
	if (!state)
		return;
	zsp_header_init(
	    &state->h, ZSP_KIND_CONN_STATE, sizeof(*state), bpf_ktime_get_ns(), 0, conn->id);
	state->h.pid = 0;
	state->h.tid = 0;
	state->change = change;
	state->error = error;
	zsp_submit(state, false);
}

#endif
