/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the entry of an execution, or of a preparation that failed, to its record. */
#ifndef ZSP_STATEMENT_BPF_H
#define ZSP_STATEMENT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "emit.bpf.h"
#include "maps.bpf.h"
#include "sqlite.bpf.h"

enum {
	ZSP_SQL_USUAL = 408, /* bytes of text for which a small record has room */
};

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
static __always_inline void statement_submit(
    struct zsp_statement *s, const struct zsp_stmt *exec, int result)
{
	zsp_header_init(&s->h, ZSP_KIND_STATEMENT, sizeof(*s) + s->text_bytes, bpf_ktime_get_ns(),
	    exec->slice, 0);
	s->h.tid = exec->tid;
	s->stmt = exec->stmt;
	s->db = exec->db;
	s->db_closes = exec->closes;
	s->start_ns = exec->start_ns;
	s->end_ns = exec->last_ns;
	s->inside_ns = exec->inside_ns;
	s->rows = exec->rows;
	s->result = result;
	s->transaction = exec->transaction;
	s->detail = exec->mode & ZSP_SQLITE_DETAIL_MASK;
	s->era = exec->mode >> ZSP_SQLITE_ERA_SHIFT;
	s->errcode = (s32)exec->errcode;
	for (u32 i = 0; i < ZSP_WAIT_MAX; i++) {
		s->waits_before[i] = exec->waits_before[i];
		s->waits[i] = exec->waits[i];
	}
	zsp_submit(s, false);
}

static __always_inline struct zsp_statement *statement_reserve(const u64 room)
{
	return zsp_reserve(sizeof(struct zsp_statement) + room, ZSP_COUNT_LOST_RING_OTHER);
}

/* A record with exec's text: the small ones in small records, the rare long one, read again, in a large one. NULL: refused. */
static __always_inline struct zsp_statement *statement_begin(const struct zsp_stmt *exec)
{
	const char *text = (const char *)exec->text;
	struct zsp_statement *s = statement_reserve(ZSP_SQL_USUAL);

	if (!s || statement_text(s, ZSP_SQL_USUAL, text, exec->text_bytes))
		return s;
	bpf_ringbuf_discard(s, BPF_RB_NO_WAKEUP);
	s = statement_reserve(ZSP_SQL_MAX);
	if (s)
		statement_text(s, ZSP_SQL_MAX, text, exec->text_bytes);
	return s;
}

/* Report exec, whose text and connection are known. Uses the thread's key. */
static __always_inline void emit(struct zsp_thread *thread, struct zsp_stmt *exec, int result)
{
	struct zsp_statement *s;

	exec->closes = db_closes(thread, exec->db);
	if (!exec->text) /* SQLite's own reading of the schema: nobody's statement */
		return;
	s = statement_begin(exec);
	if (s)
		statement_submit(s, exec, result);
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

/* What the connection says of an execution that is over. */
static __always_inline void read_result(
    struct zsp_stmt *exec, const struct zsp_sqlite_copy *copy, int result)
{
	read_transaction(exec, copy->autocommit_offset);
	if (result != ZSP_SQLITE_ROW && result != ZSP_SQLITE_DONE)
		read_errcode(exec, copy->errcode_offset);
}

/* What is read from the process goes into the execution's entry: the stack has no room for it. */
static __always_inline void emit_execution(
    struct zsp_thread *thread, struct zsp_stmt *exec, int result)
{
	const struct zsp_sqlite_copy *copy = bpf_map_lookup_elem(&zsp_sqlite_copies, &exec->copy);

	if (copy) {
		bpf_probe_read_user(
		    &exec->text, sizeof(exec->text), (void *)(exec->stmt + copy->sql_offset));
		bpf_probe_read_user(
		    &exec->db, sizeof(exec->db), (void *)(exec->stmt + copy->db_offset));
		if (is_whole(exec->mode))
			read_result(exec, copy, result);
	}
	emit(thread, exec, result);
}

#endif
