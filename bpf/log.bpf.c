// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What processes write to stdout and stderr, if that is asked for (zsp_logs): a record per call, with the time, the thread and the
 * first ZSP_LOG_MAX bytes. Lines are made of it in user space.
 *
 * A descriptor is stdout's or stderr's if it is 1 or 2, or has the same file open as one of them: loggers duplicate
 * descriptors, or open /dev/stdout anew, which is another struct file of the same inode.
 *
 * Sockets are conversations, and their bytes nobody's log, but for two kinds: those that can only be written, as the journal's are, and pairs
 * of sockets that were made nameless, which some parents have instead of pipes. A process whose stdin is the same
 * socket talks to somebody (inetd, socat).
 *
 * A flood of lines must not push out messages: lines may use a quarter of the ring, what comes beyond is counted.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "compat.bpf.h"
#include "conn.bpf.h"
#include "emit.bpf.h"
#include "log.bpf.h"
#include "maps.bpf.h"
#include "thread.bpf.h"

#define ZSP_RCV_SHUTDOWN 1 /* include/net/sock.h: nothing can be received */

#define ZSP_S_IFMT  0170000
#define ZSP_S_IFIFO 0010000

/* Part of the ring that lines may use. */
#define ZSP_LOG_RING_PART 4

/* --- which stream --------------------------------------------------------------------------------- */

/* Every table of descriptors has room for more than these three. */
static __always_inline bool is_open_as(u32 fd, struct file *file, struct inode *inode)
{
	struct file *other = zsp_file_of(fd);

	return other && (other == file || BPF_CORE_READ(other, f_inode) == inode);
}

/* enum zsp_stream; INVALID: neither. */
static __always_inline u32 stream_of(u32 fd)
{
	struct file *file;
	struct inode *inode;

	if (fd == 1)
		return ZSP_STDOUT;
	if (fd == 2)
		return ZSP_STDERR;
	file = zsp_file_of(fd);
	if (!file)
		return ZSP_STREAM_INVALID;
	inode = BPF_CORE_READ(file, f_inode);
	return is_open_as(1, file, inode) ? ZSP_STDOUT
	    : is_open_as(2, file, inode)  ? ZSP_STDERR
					  : ZSP_STREAM_INVALID;
}

int zsp_log_is_socket(u32 fd)
{
	struct file *file;
	struct socket_alloc *sock;
	struct sock *sk, *peer;

	if (!zsp_logs || !stream_of(fd))
		return false;
	file = zsp_file_of(fd);
	if (!file || is_open_as(0, file, BPF_CORE_READ(file, f_inode)))
		return false;
	sock = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(sock, socket.sk);
	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_family) != ZSP_AF_UNIX)
		return false;
	if (BPF_CORE_READ(sk, sk_shutdown) & ZSP_RCV_SHUTDOWN)
		return true;
	peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
	return peer && !BPF_CORE_READ((struct unix_sock *)sk, addr) &&
	    !BPF_CORE_READ((struct unix_sock *)peer, addr);
}

/* A pipe, or the number that eventfd and timerfd give. */
int zsp_log_is_wakeup(u32 fd, u32 bytes)
{
	struct file *file;

	if (!zsp_logs)
		return false;
	if (bytes == sizeof(u64))
		return true;
	file = zsp_file_of(fd);
	return file && (BPF_CORE_READ(file, f_inode, i_mode) & ZSP_S_IFMT) == ZSP_S_IFIFO;
}

/* --- records -------------------------------------------------------------------------------------- */

static __always_inline void log_init(
    struct zsp_log *log, const struct zsp_thread *thread, u32 stream, u32 captured)
{
	const struct zsp_transfer *t = &thread->transfer;

	zsp_header_init(&log->h, ZSP_KIND_LOG, sizeof(*log) + captured, t->now, thread->slice, 0);
	log->woken_ns = thread->ledger.waits.woken_ns;
	log->bytes = t->bytes;
	log->captured = captured;
	log->stream = stream;
	log->last = 0;
	log->last_known = 0;
	__builtin_memset(log->reserved, 0, sizeof(log->reserved));
}

/* The first bytes of one buffer, at most room. room is a constant: the ring reserves constant sizes only. */
static __always_inline void emit_flat(const u64 room, struct zsp_thread *thread, u32 stream)
{
	const struct zsp_transfer *t = &thread->transfer;
	struct zsp_log *log = zsp_reserve(sizeof(*log) + room, ZSP_COUNT_LOST_RING_LOGS);
	u64 n = t->bytes;

	if (!log)
		return;
	barrier_var(n);
	if (n > room)
		n = room;
	log_init(log, thread, stream, n);
	if (bpf_probe_read_user(log->text, n, (void *)t->buf)) {
		log_init(log, thread, stream, 0);
		zsp_count(ZSP_COUNT_FAULTS, !t->hidden);
	}
	if (!bpf_probe_read_user(&log->last, 1, (void *)(t->buf + t->bytes - 1)))
		log->last_known = 1;
	zsp_submit(log, false);
}

/*
 * Append piece i to the record under construction. Returns whether more are to be looked at. A global function: checked once, for any
 * arguments.
 */
__noinline int zsp_log_piece(u32 cpu, u64 i)
{
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	const struct user_iovec *pieces;
	struct zsp_log *log;
	u64 done, n;

	if (!zsp_logs || !g)
		return false;
	log = (struct zsp_log *)g->record;
	pieces = (void *)g->iov;
	if (bpf_probe_read_user(&g->piece, sizeof(g->piece), &pieces[i]))
		return false;
	n = g->piece.iov_len < g->left ? g->piece.iov_len : g->left;
	if (n == 0)
		return g->left != 0;
	g->left -= n;
	if (g->left == 0 && !bpf_probe_read_user(&log->last, 1, g->piece.iov_base + n - 1))
		log->last_known = 1;
	done = log->captured;
	barrier_var(done);
	if (done >= ZSP_LOG_MAX)
		return g->left != 0;
	if (n > ZSP_LOG_MAX - done)
		n = ZSP_LOG_MAX - done;
	barrier_var(n);
	n = ((n - 1) & (ZSP_LOG_MAX - 1)) + 1; /* n as it is; for the verifier, without a branch */
	if (bpf_probe_read_user(log->text + done, n, g->piece.iov_base)) {
		zsp_count(ZSP_COUNT_FAULTS, 1);
		return false;
	}
	log->captured = done + n;
	return g->left != 0;
}

/* All pieces of a scattered buffer, by way of zsp_gathers, which the program of this call has for itself. */
static __always_inline void emit_gathered(struct zsp_thread *thread, u32 stream)
{
	const struct zsp_transfer *t = &thread->transfer;
	u32 cpu = bpf_get_smp_processor_id();
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	struct zsp_log *log;
	u64 captured;

	if (!g)
		return;
	log = (struct zsp_log *)g->record;
	log_init(log, thread, stream, 0);
	g->iov = t->iov;
	g->left = t->bytes;
	for (u32 i = 0; i < ZSP_PIECES_MAX && i < t->pieces; i++)
		if (!zsp_log_piece(cpu, i))
			break;
	captured = log->captured;
	barrier_var(captured);
	if (captured > ZSP_LOG_MAX)
		return;
	log->h.size = sizeof(*log) + captured;
	zsp_output(log, sizeof(*log) + captured, ZSP_COUNT_LOST_RING_LOGS);
}

/* Is there room that messages do not need? */
static __always_inline bool has_room(void)
{
	return bpf_ringbuf_query(&zsp_ring, BPF_RB_AVAIL_DATA) <
	    bpf_ringbuf_query(&zsp_ring, BPF_RB_RING_SIZE) / ZSP_LOG_RING_PART;
}

int zsp_log_written(u32 fd)
{
	struct zsp_thread *thread = zsp_logs ? zsp_current_thread() : NULL;
	u32 stream;
	u64 bytes;

	if (!thread)
		return 0;
	stream = stream_of(fd);
	bytes = thread->transfer.bytes;
	if (!stream || bytes == 0 || thread->transfer.batch)
		return 0;
	if (!has_room())
		zsp_count(ZSP_COUNT_LOST_RING_LOGS, !zsp_silent);
	else if (thread->transfer.iov && thread->transfer.len < bytes)
		emit_gathered(thread, stream);
	else if (bytes <= 192)
		emit_flat(192, thread, stream);
	else if (bytes <= 960)
		emit_flat(960, thread, stream);
	else if (bytes <= 4032)
		emit_flat(4032, thread, stream);
	else
		emit_flat(ZSP_LOG_MAX, thread, stream);
	return 0;
}
