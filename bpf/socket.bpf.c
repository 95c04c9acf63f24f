// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reads and writes on sockets, at the end of the system call.
 *
 * One program on the exit of the calls does the work: there the argument registers still stand, the
 * result is known and the bytes are in memory. A write's beginning is the one thing that the exit cannot know;
 * a small program on the entry of the writing calls keeps its time per thread, and what that had waited for by then.
 *
 *	entry of write, send...   thread.call_start_ns = now, begun = totals
 *	exit of any of them       number → class → descriptor → socket → connection → record
 *
 * The same code hangs on the typed tracepoints of these calls, or on the kernel functions behind them where those can
 * be hooked well (user/probe/call_hooks.h says when and why): all other calls of the host run no program at all.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "capture.bpf.h"
#include "chunk.bpf.h"
#include "compat.bpf.h"
#include "conn.bpf.h"
#include "emit.bpf.h"
#include "http.bpf.h"
#include "ledger.bpf.h"
#include "lock.bpf.h"
#include "log.bpf.h"
#include "thread.bpf.h"
#include "transfer.bpf.h"

/* Captured of every message whatever is left of its burst's budget: the size of a chunk stands first in most writes. */
#define ZSP_CAPTURE_ALWAYS 32

#define ZSP_EINPROGRESS 115

#define ZSP_PROT_EXEC     0x4
#define ZSP_MAP_ANONYMOUS 0x20

static __always_inline u16 *budget_of(struct zsp_conn *conn, const struct zsp_transfer *t)
{
	return &conn->budget[way_of(t)];
}

static __always_inline bool starts_message(const struct zsp_transfer *t)
{
	return !t->hidden && zsp_starts_http(t->buf, t->len < t->bytes ? t->len : t->bytes);
}

/* The payload bytes to capture of this call, taken from the burst's budget. */
static __always_inline u64 take_budget(struct zsp_conn *conn, const struct zsp_transfer *t)
{
	u16 *budget = budget_of(conn, t);
	u32 want;

	if (t->hidden)
		return 0;
	want = t->bytes < *budget ? t->bytes : *budget;
	*budget -= want;
	if (want < ZSP_CAPTURE_ALWAYS)
		want = t->bytes < ZSP_CAPTURE_ALWAYS ? t->bytes : ZSP_CAPTURE_ALWAYS;
	return want;
}

/* The message start that was captured begins a new burst, of which want bytes are used. */
static __always_inline void renew_budget(struct zsp_conn *conn, struct zsp_transfer *t, u32 want)
{
	t->starts = zsp_starts_usually(t->first) || starts_message(t);
	if (t->starts)
		*budget_of(conn, t) = ZSP_CAPTURE_MAX - want;
}

/*
 * The connection of a message that must be looked at before it is captured, with a new budget if one starts; NULL when it is not
 * HTTP/1, and counted then. conn is what is known of it, or NULL.
 */
static __always_inline struct zsp_conn *conn_of_message(
    struct zsp_conn *conn, const struct zsp_socket *socket, struct zsp_transfer *t)
{
	bool starts = starts_message(t);

	t->starts = starts;
	if (!conn && (starts || zsp_is_tcp(socket->sk)))
		conn = zsp_conn_make(socket, ZSP_ROLE_UNKNOWN, t->now);
	if (!conn || (!conn->http && !starts)) {
		if (conn)
			zsp_conn_seems_opaque(conn, t->direction);
		zsp_count(ZSP_COUNT_OPAQUE_MESSAGES, t->bytes != 0);
		return NULL;
	}
	conn->http = 1;
	conn->opaque = 0;
	if (starts)
		*budget_of(conn, t) = ZSP_CAPTURE_MAX;
	return conn;
}

/* When the call began to write, or when the kernel had what it read. */
static __always_inline u64 start_of(
    const struct zsp_thread *thread, const struct zsp_socket *socket, u64 moved)
{
	const struct zsp_transfer *t = &thread->transfer;

	if (t->direction == ZSP_OUT)
		return thread->call_start_ns ? thread->call_start_ns : t->now;
	if (thread->arrival.sk != (u64)socket->sk || thread->arrival.seq - t->seq - 1 >= moved)
		return t->now;
	return thread->arrival.ns < t->now ? thread->arrival.ns : t->now;
}

/*
 * May the call be in a chunked body? What is in several buffers is not followed, and what may be preempted, neither: it has no zsp_gathers.
 * Most calls are told by this alone.
 */
static __always_inline bool may_have_chunks(
    const struct zsp_thread *thread, struct zsp_conn *conn, struct zsp_transfer *t)
{
	u8 *state = &conn->chunk_state[way_of(t)];

	if (t->hidden || t->len < t->bytes || thread->late == ZSP_LATE_TAKEN) {
		*state = ZSP_CHUNK_NONE;
		return false;
	}
	if (!t->fits && bpf_probe_read_user(&t->first, sizeof(t->first), (void *)t->buf))
		t->first = 0;
	if (*state || chunk_seems_size(t->first))
		return true;
	return t->starts && t->bytes >= ZSP_CHUNK_LEAST && !ZSP_BEGINS(t->first, "GET ", 4);
}

/*
 * If the current thread's call, on the connection of its key, is in a chunked body, see where in that it ends when all of it is captured
 * anyhow, else return true. A global function: what it works on it looks up again, so that the verifier checks it once.
 */
__weak int zsp_follow_chunks(u32 cpu)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_conn *conn =
	    thread ? bpf_map_lookup_elem(&zsp_conns, &thread->key.address) : NULL;
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);

	if (!conn || !g)
		return false;
	chunk_begin(g, conn, &thread->transfer);
	if (zsp_chunk_find(cpu, thread->transfer.starts) && !thread->transfer.fits)
		return true;
	if (g->chunk_state)
		chunk_pass(cpu);
	chunk_end(g, conn, &thread->transfer);
	return false;
}

/*
 * How many pieces of it are to be looked at; 0: there is only one. Late receives are told from a hook that, unlike those of system calls, may
 * be preempted by another one: zsp_gathers is not for them.
 */
static __always_inline u32 pieces_of(const struct zsp_thread *thread, const struct zsp_transfer *t)
{
	if (t->chunks)
		return ZSP_PIECES_MAX;
	if (!t->want || !t->iov || t->len >= t->bytes || thread->late == ZSP_LATE_TAKEN)
		return 0;
	return t->pieces;
}

/* It was no socket's, or one's that is no conversation. */
static __always_inline void handle_other(u32 fd, struct zsp_thread *thread)
{
	const struct zsp_transfer *t = &thread->transfer;

	if (!zsp_logs)
		return;
	if (t->direction == ZSP_OUT)
		zsp_log_written(fd);
	else if (zsp_log_is_wakeup(fd, t->bytes))
		thread->slice++;
}

/* The transfer described in the thread's entry moved bytes on descriptor fd, or found the stream's end. */
static __always_inline void handle_transfer(u32 fd, struct zsp_thread *thread)
{
	struct zsp_transfer *t = &thread->transfer;
	u64 moved = t->bytes, want;
	struct zsp_socket socket = {};
	struct zsp_conn *conn;

	if (!zsp_socket_of(fd, &socket)) {
		handle_other(fd, thread);
		return;
	}
	conn = zsp_conn_find(&socket);
	if (!conn && zsp_logs && zsp_log_is_socket(fd)) {
		handle_other(fd, thread);
		return;
	}
	if (conn && conn->opaque == ZSP_OPAQUE_MAX) {
		zsp_count(ZSP_COUNT_OPAQUE_MESSAGES, moved != 0);
		return;
	}
	/* Within the budget all is captured, and then looked at where it was copied to: one reading of the process less. */
	t->fits = conn && conn->http && t->bytes <= *budget_of(conn, t);
	if (!t->fits)
		conn = conn_of_message(conn, &socket, t);
	if (!conn)
		return;
	if (t->direction == ZSP_OUT && (socket.flags & ZSP_SOCK_NOSPACE))
		t->flags = ZSP_DATA_FULL;
	zsp_conn_announce(conn, socket.sk, t->now, t->direction, moved);
	t->seq = zsp_stream_begin(conn, socket.sk, t->direction, moved);
	t->start = start_of(thread, &socket, moved);
	t->want = take_budget(conn, t);
	thread->key.address = (u64)socket.sk;
	t->chunks = !t->fits && may_have_chunks(thread, conn, t) &&
	    zsp_follow_chunks(bpf_get_smp_processor_id());
	t->pieces = pieces_of(thread, t);
	/* Read back from the map it is just any number to the verifier, which follows one path from here and not many. */
	want = *(volatile u64 *)&t->want;
	emit_transfer(want, thread, conn);
	if (t->fits && want) {
		renew_budget(conn, t, want);
		if (may_have_chunks(thread, conn, t))
			zsp_follow_chunks(bpf_get_smp_processor_id());
	}
	__sync_fetch_and_add(&conn->bytes[way_of(t)], *(volatile u32 *)&t->bytes);
}

static __always_inline void handle_io(
    struct zsp_thread *thread, u32 class, const struct zsp_args *args, long moved)
{
	struct zsp_transfer *t = &thread->transfer;
	u32 fd = args->a[0];

	*t = (struct zsp_transfer){.now = bpf_ktime_get_ns(), .bytes = moved};
	t->direction = class_is_write(class) ? ZSP_OUT : ZSP_IN;
	if (transfer_describe(t, class, args)) {
		/* One end of a splice is a pipe: the other one is the socket, if any. */
		if (class == ZSP_SYSCALL_SPLICE && !zsp_is_socket(fd))
			fd = args->a[2];
		else if (class == ZSP_SYSCALL_SPLICE)
			t->direction = ZSP_IN;
		handle_transfer(fd, thread);
	}
	thread->arrival.sk = 0;
}

/* accept and connect: remember which side the process is on and since when. */
static __always_inline void handle_new_conn(u32 fd, u8 role)
{
	struct zsp_socket socket = {};

	if (zsp_socket_of(fd, &socket) && !zsp_conn_find(&socket))
		zsp_conn_make(&socket, role, bpf_ktime_get_ns());
}

/* Did this mmap() bring in code from a file? Then a library was loaded. */
static __always_inline bool maps_code(const struct zsp_args *args, long ret)
{
	return (u64)ret < (u64)-4095 && (args->a[2] & ZSP_PROT_EXEC) &&
	    !(args->a[3] & ZSP_MAP_ANONYMOUS);
}

/* A call of an observed thread has returned. */
static __always_inline int call_returned(
    struct zsp_thread *thread, u32 class, const struct zsp_args *args, long ret)
{
	ledger_update(thread);
	if (class == ZSP_SYSCALL_WAIT) {
		thread->slice++;
		ledger_polled(thread, ret == 0);
	} else if (class == ZSP_SYSCALL_SLEEP) {
		lock_backed_off(thread);
	} else if (class == ZSP_SYSCALL_IO_URING) {
		zsp_count(ZSP_COUNT_IO_URING, 1);
	} else if (class == ZSP_SYSCALL_ACCEPT) {
		if (ret >= 0)
			handle_new_conn(ret, ZSP_ROLE_ACCEPTED);
	} else if (class == ZSP_SYSCALL_CONNECT) {
		if (ret == 0 || ret == -ZSP_EINPROGRESS)
			handle_new_conn(args->a[0], ZSP_ROLE_CONNECTED);
	} else if (class == ZSP_SYSCALL_MMAP) {
		if (maps_code(args, ret))
			zsp_emit_proc(ZSP_KIND_PROC_MAP, bpf_get_current_pid_tgid() >> 32, 0, 0);
	} else if (class_is_read(class) || class_is_write(class)) {
		if (ret >= 0)
			handle_io(thread, class, args, ret);
	}
	return 0;
}

/* --- hooks: tracepoints ------------------------------------------------------------------------- */

SEC("?tracepoint/syscalls/sys_exit")
int zsp_sys_exit(struct zsp_call_exit *ctx)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_args args;
	u32 nr = ctx->id; /* an int to the kernel; what follows it in memory is anything */

	if (!thread || nr >= ZSP_SYSCALL_NUMBERS || !zsp_syscall_args(ctx, &args))
		return 0;
	return call_returned(thread, zsp_syscalls[nr], &args, ctx->ret);
}

/* The entries of calls whose beginning counts: when the first byte of a request or an answer set out, or a sleep began. */
static __always_inline int call_begins(void)
{
	struct zsp_thread *thread = zsp_current_thread();

	if (!thread)
		return 0;
	ledger_update(thread);
	thread->call_start_ns = bpf_ktime_get_ns();
	thread->begun = (struct zsp_begun){
	    .write = ZSP_BEGUN_WRITE,
	    .sent_ns = thread->ledger.waits.ns[ZSP_WAIT_SEND],
	    .delayed_ns = thread->ledger.waits.ns[ZSP_WAIT_RUNQUEUE],
	};
	return 0;
}

SEC("?tracepoint/syscalls/sys_enter")
int zsp_enter_call(void *ctx)
{
	return call_begins();
}

/* --- hooks: the functions of the calls ------------------------------------------------------------ */

SEC("?kretprobe.multi")
int zsp_call_return(struct pt_regs *ctx)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_args args;
	u32 class, late;

	if (!thread || !zsp_syscall_args(ctx, &args))
		return 0;
	class = bpf_get_attach_cookie(ctx);
	late = thread->late;
	thread->late = ZSP_LATE_NO;
	if (late == ZSP_LATE_TAKEN && class_is_read(class))
		return 0;
	return call_returned(thread, class, &args, PT_REGS_RC(ctx));
}

SEC("?kprobe.multi")
int zsp_call_begin(struct pt_regs *ctx)
{
	return call_begins();
}

/*
 * A function that was entered before it was hooked returns without the hook. Servers wait inside a read, and the first
 * request after the attach would go unseen. So what such a thread receives first is taken from the socket layer. If that
 * call was hooked after all, its return is told by ZSP_LATE_TAKEN; if not, the next receive forgets it.
 */
SEC("?tp_btf/sock_recv_length")
int BPF_PROG(zsp_sock_recv_length, struct sock *sk, int ret)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_args args;
	u32 nr, late;

	if (!thread || thread->late == ZSP_LATE_NO)
		return 0;
	late = thread->late;
	thread->late = ZSP_LATE_NO;
	nr = zsp_syscall_number();
	if (late == ZSP_LATE_TAKEN || nr >= ZSP_SYSCALL_NUMBERS || !zsp_syscall_args(ctx, &args))
		return 0;
	if (zsp_syscalls[nr] == ZSP_SYSCALL_RECVMMSG) /* returns messages, not bytes */
		return 0;
	thread->late = ZSP_LATE_TAKEN;
	return call_returned(thread, zsp_syscalls[nr], &args, ret);
}

/* --- close -------------------------------------------------------------------------------------- */

/*
 * The last close() of a socket: the process neither reads nor writes any more, whatever TCP still has to
 * settle with the other side. Unix sockets have no other end than this. Unlike at the exit of a call, the
 * descriptor may be any number here.
 */
static __always_inline int closing(u64 fd)
{
	struct zsp_socket socket;
	struct zsp_conn *conn;
	u64 key;

	if (fd >= zsp_current_files_max() || !zsp_socket_of(fd, &socket))
		return 0;
	conn = zsp_conn_find(&socket);
	if (!conn || !zsp_file_is_last_ref(zsp_file_of(fd)))
		return 0;
	zsp_conn_report(conn, ZSP_CHANGE_CLOSED, conn->error);
	key = (u64)socket.sk;
	bpf_map_delete_elem(&zsp_conns, &key);
	return 0;
}

SEC("?tracepoint/syscalls/sys_enter")
int zsp_enter_close(struct zsp_call_enter *ctx)
{
	return zsp_current_thread() ? closing(ctx->args[0]) : 0;
}

SEC("?kprobe.multi")
int zsp_call_close(struct pt_regs *ctx)
{
	struct zsp_args args;

	return zsp_current_thread() && zsp_syscall_args(ctx, &args) ? closing(args.a[0]) : 0;
}
