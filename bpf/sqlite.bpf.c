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
 * All of that is one to three hits per step, and a process may make millions of steps. So user space says for each process
 * how closely it is observed (enum zsp_sqlite_detail) and removes the probes that this needs no more. A step is the
 * first of an execution if its statement is at no row: this is all that STATEMENTS needs, and the only state it
 * keeps is SQLite's own.
 *
 * Each change begins an era. What began in one era and goes on in another was perhaps not seen whole, and is not told.
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
#include "ledger.bpf.h"
#include "maps.bpf.h"
#include "sqlite.bpf.h"
#include "statement.bpf.h"
#include "thread.bpf.h"

/* The stack pointer at a function's return is above that at its entry's probe by less than this. */
#define ZSP_PREPARE_FRAME 128

static const struct zsp_stmt zsp_stmt_zero;
static const u32 zsp_one = 1;

/* Which copy's probe was hit, in which process: the link's cookie, or what the process has on older
 * kernels. */
static __always_inline u32 current_place(void *ctx)
{
	u32 tgid, *place;

	if (ZSP_HAS_ATTACH_COOKIE)
		return bpf_get_attach_cookie(ctx);
	tgid = bpf_get_current_pid_tgid() >> 32;
	place = bpf_map_lookup_elem(&zsp_copy_of_process, &tgid);
	if (!place) {
		tgid = 0;
		place = bpf_map_lookup_elem(&zsp_copy_of_process, &tgid);
	}
	return place ? *place : ZSP_SQLITE_COPIES_MAX;
}

/* Note where the thread's probe was hit, and in which mode; its process. */
static __always_inline volatile struct zsp_sqlite_process *enter_place(
    struct zsp_thread *thread, void *ctx)
{
	volatile struct zsp_sqlite_process *process;

	thread->sqlite_place = current_place(ctx);
	process = process_at(thread->sqlite_place);
	thread->sqlite_now = process->mode;
	return process;
}

/* What the thread was inside of in another era is void. */
static __always_inline void enter_mode(struct zsp_thread *thread)
{
	if (thread->sqlite_mode == thread->sqlite_now)
		return;
	thread->sqlite_mode = thread->sqlite_now;
	thread->depth = 0;
	for (u32 i = 0; i < ZSP_PREPARE_DEPTH; i++)
		thread->prepares[i].sp = 0;
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

/* Is the statement of the thread's key at a row, so that its next step is not the first one? */
static __always_inline bool at_row(const struct zsp_thread *thread)
{
	u32 index = thread->sqlite_place & ZSP_SQLITE_COPY_MASK;
	const struct zsp_sqlite_copy *copy = bpf_map_lookup_elem(&zsp_sqlite_copies, &index);
	u64 row;

	if (!copy || !copy->row_offset)
		return false;
	return !bpf_probe_read_user(
		   &row, sizeof(row), (void *)(thread->key.address + copy->row_offset)) &&
	    row;
}

/* An entry under the thread's key. */
static __always_inline struct zsp_stmt *exec_begin(struct zsp_thread *thread, u32 slice, u64 now)
{
	struct zsp_stmt *exec;

	bpf_map_update_elem(&zsp_stmts, &thread->key, &zsp_stmt_zero, BPF_ANY);
	exec = bpf_map_lookup_elem(&zsp_stmts, &thread->key);
	if (!exec) {
		zsp_count(ZSP_COUNT_LOST_STMT_FULL, 1);
		return NULL;
	}
	exec->stmt = thread->key.address;
	exec->start_ns = now;
	exec->tid = (u32)bpf_get_current_pid_tgid();
	exec->slice = slice;
	exec->copy = thread->sqlite_place & ZSP_SQLITE_COPY_MASK;
	exec->text_bytes = ~0U;
	exec->mode = thread->sqlite_now;
	return exec;
}

static __always_inline void exec_delete(struct zsp_thread *thread, const struct zsp_stmt *exec)
{
	bpf_map_delete_elem(&zsp_stmts, object_key(thread, exec->stmt));
}

/* An execution that will not be told: count it if it was seen from its beginning on. */
static __always_inline void exec_cut(struct zsp_thread *thread, const struct zsp_stmt *exec)
{
	if (exec->start_ns)
		__sync_fetch_and_add(&process_at(thread->sqlite_place)->cut, 1);
	exec_delete(thread, exec);
}

/* The execution is over. One whose beginning nobody saw counts as lost, unless it began between eras. */
static __always_inline void exec_end(struct zsp_thread *thread, struct zsp_stmt *exec, int result)
{
	if (exec->start_ns)
		emit_execution(thread, exec, result);
	else if (!(exec->mode >> ZSP_SQLITE_ERA_SHIFT))
		zsp_count(ZSP_COUNT_LOST_STMT_RETURN, 1);
	exec_delete(thread, exec);
}

/*
 * A step, of the statement of the thread's key, in a process whose executions are not told to their end. Nothing is kept of it, and returns
 * find no frame.
 */
static __always_inline void step_brief(struct zsp_thread *thread)
{
	struct zsp_stmt *exec = bpf_map_lookup_elem(&zsp_stmts, &thread->key);

	thread->depth = 0;
	if (exec)
		exec_cut(thread, exec);
	if ((thread->sqlite_now & ZSP_SQLITE_DETAIL_MASK) != ZSP_SQLITE_STATEMENTS ||
	    at_row(thread))
		return;
	exec = exec_begin(thread, thread->slice, bpf_ktime_get_ns());
	if (!exec)
		return;
	__sync_fetch_and_add(&process_at(thread->sqlite_place)->executions, 1);
	exec->last_ns = exec->start_ns;
	emit_execution(thread, exec, 0);
	exec_delete(thread, exec);
}

/* The execution that a step of the statement of the thread's key belongs to; it begins one if there is none. */
static __always_inline struct zsp_stmt *step_execution(struct zsp_thread *thread)
{
	struct zsp_stmt *exec = bpf_map_lookup_elem(&zsp_stmts, &thread->key);

	if (exec && exec->mode == thread->sqlite_mode)
		return exec;
	if (exec)
		exec_cut(thread, exec);
	__sync_fetch_and_add(&process_at(thread->sqlite_place)->executions, 1);
	exec = exec_begin(thread, thread->slice, at_row(thread) ? 0 : bpf_ktime_get_ns());
	if (exec)
		ledger_begin(thread, exec->waits_before);
	return exec;
}

SEC("uprobe")
int BPF_KPROBE(zsp_sqlite_step, u64 stmt)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_stmt *exec;

	if (!thread || !stmt)
		return 0;
	ledger_update(thread);
	__sync_fetch_and_add(&enter_place(thread, ctx)->steps, 1);
	object_key(thread, stmt);
	if (!is_whole(thread->sqlite_now)) {
		step_brief(thread);
		return 0;
	}
	enter_mode(thread);
	push_frame(thread, stmt, PT_REGS_SP(ctx));
	exec = step_execution(thread);
	if (exec)
		exec->enter_ns = bpf_ktime_get_ns();
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
	ledger_update(thread);
	stmt = pop_frame(thread);
	if (stmt)
		exec = bpf_map_lookup_elem(&zsp_stmts, object_key(thread, stmt));
	if (!exec || exec->mode != thread->sqlite_mode) {
		/* No loss if the step began in another era. */
		if (thread->sqlite_mode == enter_place(thread, ctx)->mode)
			zsp_count(ZSP_COUNT_LOST_STMT_RETURN, 1);
		return 0;
	}
	exec->last_ns = bpf_ktime_get_ns();
	exec->inside_ns += exec->last_ns - exec->enter_ns;
	ledger_since(thread, exec->waits_before, exec->waits);
	if (result == ZSP_SQLITE_ROW)
		exec->rows++;
	else
		exec_end(thread, exec, result);
	return 0;
}

/* sqlite3_reset and sqlite3_finalize: the program is done with an execution that had more rows to give. */
SEC("uprobe")
int BPF_KPROBE(zsp_sqlite_end, u64 stmt)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_stmt *exec;

	if (!thread)
		return 0;
	__sync_fetch_and_add(&enter_place(thread, ctx)->ends, 1);
	if (inside_step(thread, stmt, PT_REGS_SP(ctx)))
		return 0;
	exec = bpf_map_lookup_elem(&zsp_stmts, object_key(thread, stmt));
	if (!exec)
		return 0;
	if (exec->mode != thread->sqlite_now)
		exec_cut(thread, exec);
	else if (exec->last_ns)
		exec_end(thread, exec, ZSP_SQLITE_ROW);
	else
		exec_delete(thread, exec);
	return 0;
}

/*
 * Where a preparation goes that begins at this stack pointer. One inside another (it reads the schema, or a virtual table
 * prepares statements of its own) has the lower one; of more than two the outermost and the innermost are known.
 */
static __always_inline struct zsp_prepare *prepare_at(struct zsp_thread *thread, u64 sp)
{
	return &thread->prepares[thread->prepares[0].sp > sp];
}

/* The one that returns at this stack pointer; NULL: its beginning is not known. */
static __always_inline struct zsp_prepare *prepare_returning(struct zsp_thread *thread, u64 sp)
{
	for (u32 i = 0; i < ZSP_PREPARE_DEPTH; i++)
		if (sp - thread->prepares[i].sp < ZSP_PREPARE_FRAME)
			return &thread->prepares[i];
	return NULL;
}

/* sqlite3_prepare_v2 and its kin, or what they all call. */
SEC("uprobe")
int BPF_KPROBE(zsp_sqlite_prepare, u64 db, u64 text, int bytes)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_prepare *prepare;

	if (!thread)
		return 0;
	__sync_fetch_and_add(&enter_place(thread, ctx)->prepares, 1);
	if (!is_full(thread->sqlite_now))
		return 0;
	ledger_update(thread);
	enter_mode(thread);
	thread->returned_sp = 0;
	prepare = prepare_at(thread, PT_REGS_SP(ctx));
	prepare->sp = PT_REGS_SP(ctx);
	prepare->start_ns = bpf_ktime_get_ns();
	prepare->db = db;
	prepare->text = text;
	prepare->text_bytes = bytes; /* negative: any number */
	prepare->slice = thread->slice;
	prepare->waited_ns = ledger_waited(thread);
	return 0;
}

/*
 * Is it SQLite that prepares a statement anew, inside of its step since the schema has changed? The text is the statement's own
 * then, and its execution tells of the failure. Leaves that text in exec.
 */
static __always_inline bool is_anew(const struct zsp_thread *thread,
    const struct zsp_prepare *prepare, struct zsp_stmt *exec, u32 sql_offset)
{
	const struct zsp_sqlite_frame *top = top_frame(thread);

	return top &&
	    !bpf_probe_read_user(
		&exec->text, sizeof(exec->text), (void *)(top->stmt + sql_offset)) &&
	    exec->text == prepare->text;
}

/* Reported as an execution that has no statement; until then its entry is known by the stack pointer. */
static __always_inline void prepare_failed(
    struct zsp_thread *thread, const struct zsp_prepare *prepare, int result)
{
	const struct zsp_sqlite_copy *copy;
	struct zsp_stmt *exec;

	object_key(thread, prepare->sp);
	exec = exec_begin(thread, prepare->slice, prepare->start_ns);
	if (!exec)
		return;
	copy = bpf_map_lookup_elem(&zsp_sqlite_copies, &exec->copy);
	if (copy && is_anew(thread, prepare, exec, copy->sql_offset))
		goto out;
	__sync_fetch_and_add(&process_at(thread->sqlite_place)->refused, 1);
	exec->stmt = 0;
	exec->last_ns = bpf_ktime_get_ns();
	exec->inside_ns = exec->last_ns - prepare->start_ns;
	exec->waits[ZSP_WAIT_OTHER] = ledger_waited(thread) - prepare->waited_ns;
	exec->db = prepare->db;
	exec->text = prepare->text;
	exec->text_bytes = prepare->text_bytes;
	if (copy)
		read_errcode(exec, copy->errcode_offset);
	emit(thread, exec, result);
out:
	bpf_map_delete_elem(&zsp_stmts, object_key(thread, prepare->sp));
}

SEC("uretprobe")
int zsp_sqlite_prepare_return(struct pt_regs *ctx)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct zsp_prepare *prepare;
	int result;

	if (!thread || is_told(thread, PT_REGS_SP(ctx)))
		return 0;
	ledger_update(thread);
	prepare = prepare_returning(thread, thread->returned_sp);
	result = PT_REGS_RC(ctx);
	/* No failure of ours if it began in another era. */
	if (result && thread->sqlite_mode == enter_place(thread, ctx)->mode) {
		if (prepare)
			prepare_failed(thread, prepare, result);
		else
			zsp_count(ZSP_COUNT_LOST_STMT_RETURN, 1);
	}
	if (prepare)
		prepare->sp = 0;
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
