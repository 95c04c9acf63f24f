/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL text as it may leave the host: literals replaced, comments stripped, and a low-cardinality
 * summary (OpenTelemetry semantic conventions v1.44.0, db.query.text and db.query.summary). A
 * tokeniser for SQLite's dialect, no grammar; total: any bytes give a result. Pure.
 */
#ifndef ZS_PROTO_SQL_H
#define ZS_PROTO_SQL_H

#include "base/buf.h"
#include "base/sv.h"

/* A summary is cut at a token before this many bytes. */
#define SQL_SUMMARY_MAX 255

/*
 * Append text with each literal (string, number, blob, TRUE, FALSE; not NULL) replaced by ?, a list
 * of literals behind IN by one, comments removed, runs of white space outside quotes collapsed to
 * one space, trimmed; quoted identifiers and placeholders (?, ?1, :a, @a, $a) stay, but "double
 * quoted" tokens where a value may stand count as literals. A text cut in the middle of a literal
 * still leaks nothing. Output is valid UTF-8.
 */
void sql_sanitise(struct buf *out, struct sv text);

/*
 * Overwrite what sql_sanitise() would replace or remove, in place: literals with others of the same length, comments with x. The
 * sanitised text stays the same; so does the summary, but for names that are written as 'strings'.
 */
void sql_mask(char *text, size_t len);

/*
 * Take the next statement off *rest, without its semicolon; empty (p NULL) when there is none. The statements in a
 * trigger's body belong to the trigger.
 */
struct sv sql_next_statement(struct sv *rest);

/*
 * A text of several statements run by one call: append the sanitised statements joined by "; " and a
 * summary ("BATCH " and the statements' own summary when all are the same, else "BATCH"). A single
 * statement gives what sql_sanitise() and sql_summary() give. Returns the number of statements.
 */
size_t sql_batch(struct buf *out_text, struct buf *out_summary, struct sv text);

/* Append the summary: operations and their targets in order, for example "SELECT orders customers".
 */
void sql_summary(struct buf *out, struct sv text);

#endif
