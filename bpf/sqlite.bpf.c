// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * SQLite statement executions, folded: one record per execution however many rows it returns.
 *
 *	step entry    first one makes the execution, each one pushes a frame on the thread
 *	step return   pops the frame; a row is counted, anything else ends the execution
 *	reset,        end an execution that was abandoned after a row: its last moment is
 *	finalize      the end of the last step, not this call
 *	prepare entry, return	only a preparation that fails is reported: no execution will tell of it
 *
 * uprobe programs are preemptible and may share their stack with each other on some kernels
 *(private stacks of 64 bytes and more, Linux 6.13): keep each program's stack below 64 bytes, use
 *no per-CPU scratch.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.bpf.h"
#include "emit.bpf.h"
#include "maps.bpf.h"
#include "sqlite.bpf.h"
#include "thread.bpf.h"

#define ZSP_SQLITE_ROW  100
#define ZSP_SQLITE_DONE 101

/* The stack pointer at a function's return is above that at its entry's probe by less than this. */
#define ZSP_PREPARE_FRAME 128

static const struct zsp_stmt zsp_stmt_zero;
static const u32 zsp_one = 1;

/* Index of the copy whose probe was hit: the link's cookie, or what the process has on older
 * kernels. */
static __always_inline u32 current_copy(void *ctx)
{
	u32 tgid, *copy;

	if (ZSP_HAS_ATTACH_COOKIE)
		return bpf_get_attach_cookie(ctx);
	tgid = bpf_get_current_pid_tgid() >> 32;
	copy = bpf_map_lookup_elem(&zsp_copy_of_process, &tgid);
	if (!copy) {
		tgid = 0;
		copy = bpf_map_lookup_elem(&zsp_copy_of_process, &tgid);
	}
	return copy ? *copy : ZSP_SQLITE_COPIES_MAX;
}

/* Append the SQL text at its user address, most bytes at most; false when the record has no room for it. */
static __always_inline bool statement_text(
    struct zsp_statement *s, const u64 room, const char *text, u32 most)
{
	long n = text ? bpf_probe_read_user_str(s->text, room, text) : 0;

	if (n < 0)
		n = 0;
	s->text_bytes = n > 0 ? n - 1 : 0;
	s->text_truncated = n == (long)room && s->text_bytes < most;
	if (s->text_bytes > most)
		s->text_bytes = most;
	return !s->text_truncated;
}

/* Everything but the text, which is there already; then hand it over. */
static __always_inline void statement_submit(struct zsp_statement *s, struct zsp_thread *thread,
    const struct zsp_stmt *exec, u64 end_ns, int result)
{
	zsp_header_init(&s->h, ZSP_KIND_STATEMENT, sizeof(*s) + s->text_bytes, bpf_ktime_get_ns(),
	    exec->slice, 0);
	s->h.tid = exec->tid;
	s->stmt = thread->key.address;
	s->db = exec->db;
	s->db_closes = exec->closes;
	s->start_ns = exec->start_ns;
	s->end_ns = end_ns;
	s->inside_ns = exec->inside_ns;
	s->rows = exec->rows;
	s->result = result;
	s->transaction = exec->transaction;
	s->errcode = (s32)exec->errcode;
	__builtin_memset(s->reserved, 0, sizeof(s->reserved));
	zsp_submit(s, false);
}

/* Small texts go into small records; the rare long one is read again into a large one. */
static __always_inline struct zsp_statement *statement_reserve(
    const u64 room, const struct zsp_stmt *exec, bool force)
{
	struct zsp_statement *s =
	    zsp_reserve(sizeof(struct zsp_statement) + room, ZSP_COUNT_LOST_RING_OTHER);

	if (!s)
		return NULL;
	if (!statement_text(s, room, (const char *)exec->text, exec->text_bytes) && !force) {
		bpf_ringbuf_discard(s, BPF_RB_NO_WAKEUP);
		return NULL;
	}
	return s;
}

/* Report exec, whose text and connection are known; stmt is 0 for a preparation. */
static __always_inline void emit(
    struct zsp_thread *thread, struct zsp_stmt *exec, u64 stmt, u64 end_ns, int result)
{
	struct zsp_statement *s;

	exec->closes = db_closes(thread, exec->db);
	object_key(thread, stmt);
	if (!exec->text) /* SQLite's own reading of the schema: nobody's statement */
		return;
	s = statement_reserve(408, exec, false);
	if (!s)
		s = statement_reserve(ZSP_SQL_MAX, exec, true);
	if (s)
		statement_submit(s, thread, exec, end_ns, result);
}

/* Is the execution's connection in a transaction? */
static __always_inline void read_transaction(struct zsp_stmt *exec, u32 offset)
{
	u8 autocommit;

	if (!offset || !exec->db ||
	    bpf_probe_read_user(&autocommit, sizeof(autocommit), (void *)(exec->db + offset)))
		return;
	exec->transaction = autocommit ? ZSP_TRANSACTION_NONE : ZSP_TRANSACTION_OPEN;
}

/* What does the execution's connection say of the error it ended in? */
static __always_inline void read_errcode(struct zsp_stmt *exec, u32 offset)
{
	if (offset && exec->db)
		bpf_probe_read_user(
		    &exec->errcode, sizeof(exec->errcode), (void *)(exec->db + offset));
}

/* What is read from the process goes into the execution's entry: the stack has no room for it. */
static __always_inline void emit_execution(
    struct zsp_thread *thread, struct zsp_stmt *exec, u64 stmt, u64 end_ns, int result)
{
	const struct zsp_sqlite_copy *copy = bpf_map_lookup_elem(&zsp_sqlite_copies, &exec->copy);

	if (copy) {
		bpf_probe_read_user(
		    &exec->text, sizeof(exec->text), (void *)(stmt + copy->sql_offset));
		bpf_probe_read_user(&exec->db, sizeof(exec->db), (void *)(stmt + copy->db_offset));
		read_transaction(exec, copy->autocommit_offset);
		if (result != ZSP_SQLITE_ROW && result != ZSP_SQLITE_DONE)
			read_errcode(exec, copy->errcode_offset);
	}
	emit(thread, exec, stmt, end_ns, result);
}

/*
 * Has this return been told before? Older kernels run the return probes of all processes that have the same file under
 * observation, whichever process returns.
 */
static __always_inline bool is_told(struct zsp_thread *thread, u64 sp)
{
	bool told = thread->returned_sp == sp;

	thread->returned_sp = sp;
	return told;
}

/* Push a frame; frames at or below this stack pointer never returned (a longjmp) and are dropped.
 */
static __always_inline void push_frame(struct zsp_thread *thread, u64 stmt, u64 sp)
{
	u32 depth = thread->depth;

	for (u32 i = 0; i < ZSP_SQLITE_DEPTH; i++) {
		if (depth == 0 || depth > ZSP_SQLITE_DEPTH)
			break;
		if (thread->frames[(depth - 1) & (ZSP_SQLITE_DEPTH - 1)].sp > sp)
			break;
		depth--;
	}
	if (depth < ZSP_SQLITE_DEPTH) {
		thread->frames[depth & (ZSP_SQLITE_DEPTH - 1)].stmt = stmt;
		thread->frames[depth & (ZSP_SQLITE_DEPTH - 1)].sp = sp;
	}
	thread->depth = depth + 1;
	thread->returned_sp = 0;
}

/* The statement whose step returns now, 0 when unknown. */
static __always_inline u64 pop_frame(struct zsp_thread *thread)
{
	if (thread->depth == 0)
		return 0;
	thread->depth--;
	if (thread->depth >= ZSP_SQLITE_DEPTH)
		return 0;
	return thread->frames[thread->depth & (ZSP_SQLITE_DEPTH - 1)].stmt;
}

/*
 * Is the thread inside a step of this statement now? SQLite resets a statement itself in the middle of a
 * step: when it was done before, and when the schema changed and it prepares anew.
 */
static __always_inline bool inside_step(const struct zsp_thread *thread, u64 stmt, u64 sp)
{
	const struct zsp_sqlite_frame *top = top_frame(thread);

	return top && top->stmt == stmt && top->sp > sp;
}

static __always_inline struct zsp_stmt *exec_begin(
    const struct zsp_object_key *key, u32 copy, u32 slice, u64 now)
{
	struct zsp_stmt *exec;

	bpf_map_update_elem(&zsp_stmts, key, &zsp_stmt_zero, BPF_ANY);
	exec = bpf_map_lookup_elem(&zsp_stmts, key);
	if (!exec) {
		zsp_count(ZSP_COUNT_LOST_STMT_FULL, 1);
		return NULL;
	}
	exec->start_ns = now;
	exec->tid = (u32)bpf_get_current_pid_tgid();
	exec->slice = slice;
	exec->copy = copy;
	exec->text_bytes = ~0U;
	return exec;
}

SEC("uprobe")
int BPF_KPROBE(zsp_sqlite_step, u64 stmt)
{
	struct zsp_thread *thread = zsp_current_thread();
	const struct zsp_object_key *key;
	struct zsp_stmt *exec;
	u64 now;

	if (!thread || !stmt)
		return 0;
	push_frame(thread, stmt, PT_REGS_SP(ctx));
	now = bpf_ktime_get_ns();
	key = object_key(thread, stmt);
	exec = bpf_map_lookup_elem(&zsp_stmts, key);
	if (!exec)
		exec = exec_begin(key, current_copy(ctx), thread->slice, now);
	if (exec)
		exec->enter_ns = now;
	return 0;
}

SEC("uretprobe")
int BPF_KRETPROBE(zsp_sqlite_step_return, int result)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_stmt *exec = NULL;
	u64 stmt;

	if (!thread || is_told(thread, PT_REGS_SP(ctx)))
		return 0;
	stmt = pop_frame(thread);
	if (stmt)
		exec = bpf_map_lookup_elem(&zsp_stmts, object_key(thread, stmt));
	if (!exec) {
		zsp_count(ZSP_COUNT_LOST_STMT_RETURN, 1);
		return 0;
	}
	exec->last_ns = bpf_ktime_get_ns();
	exec->inside_ns += exec->last_ns - exec->enter_ns;
	if (result == ZSP_SQLITE_ROW) {
		exec->rows++;
		return 0;
	}
	emit_execution(thread, exec, stmt, exec->last_ns, result);
	bpf_map_delete_elem(&zsp_stmts, &thread->key);
	return 0;
}

/* sqlite3_reset and sqlite3_finalize: the program is done with an execution that had more rows to give. */
SEC("uprobe")
int BPF_KPROBE(zsp_sqlite_end, u64 stmt)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_stmt *exec;

	if (!thread || inside_step(thread, stmt, PT_REGS_SP(ctx)))
		return 0;
	exec = bpf_map_lookup_elem(&zsp_stmts, object_key(thread, stmt));
	if (!exec)
		return 0;
	if (exec->last_ns)
		emit_execution(thread, exec, stmt, exec->last_ns, ZSP_SQLITE_ROW);
	bpf_map_delete_elem(&zsp_stmts, &thread->key);
	return 0;
}

/*
 * sqlite3_prepare and its kin. One may run inside another (a virtual table prepares statements of its own): then only the
 * inner one is known.
 */
SEC("uprobe")
int BPF_KPROBE(zsp_sqlite_prepare, u64 db, u64 text, int bytes)
{
	struct zsp_thread *thread = zsp_current_thread();

	if (!thread)
		return 0;
	thread->returned_sp = 0;
	thread->prepare.sp = PT_REGS_SP(ctx);
	thread->prepare.start_ns = bpf_ktime_get_ns();
	thread->prepare.db = db;
	thread->prepare.text = text;
	thread->prepare.text_bytes = bytes; /* negative: any number */
	thread->prepare.slice = thread->slice;
	return 0;
}

/* Reported as an execution that has no statement; until then its entry is known by the stack pointer. */
static __always_inline void prepare_failed(struct zsp_thread *thread, u32 copy_index, int result)
{
	const struct zsp_prepare *prepare = &thread->prepare;
	u64 end_ns = bpf_ktime_get_ns();
	struct zsp_stmt *exec = exec_begin(
	    object_key(thread, prepare->sp), copy_index, prepare->slice, prepare->start_ns);
	const struct zsp_sqlite_copy *copy;

	if (!exec)
		return;
	exec->inside_ns = end_ns - prepare->start_ns;
	exec->db = prepare->db;
	exec->text = prepare->text;
	exec->text_bytes = prepare->text_bytes;
	copy = bpf_map_lookup_elem(&zsp_sqlite_copies, &exec->copy);
	if (copy)
		read_errcode(exec, copy->errcode_offset);
	emit(thread, exec, 0, end_ns, result);
	bpf_map_delete_elem(&zsp_stmts, object_key(thread, prepare->sp));
}

SEC("uretprobe")
int BPF_KRETPROBE(zsp_sqlite_prepare_return, int result)
{
	struct zsp_thread *thread = zsp_current_thread();

	if (!thread || is_told(thread, PT_REGS_SP(ctx)))
		return 0;
	if (result && thread->returned_sp - thread->prepare.sp >= ZSP_PREPARE_FRAME)
		zsp_count(ZSP_COUNT_LOST_STMT_RETURN, 1);
	else if (result)
		prepare_failed(thread, current_copy(ctx), result);
	thread->prepare.sp = 0;
	return 0;
}

/* sqlite3_close and sqlite3_close_v2: what follows at this address is another connection. */
SEC("uprobe")
int BPF_KPROBE(zsp_sqlite_close, u64 db)
{
	struct zsp_thread *thread = zsp_current_thread();
	const struct zsp_object_key *key;
	u32 *closes;

	if (!thread || !db)
		return 0;
	key = object_key(thread, db);
	closes = bpf_map_lookup_elem(&zsp_db_closes, key);
	if (closes)
		__sync_fetch_and_add(closes, 1);
	else
		bpf_map_update_elem(&zsp_db_closes, key, &zsp_one, BPF_NOEXIST);
	return 0;
}
