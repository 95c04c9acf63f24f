/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the terminal view: tree.c draws the tree and its columns, tree_facts.c says what is
 * worth telling about one span, tree_logs.c shows the lines of logs.
 */
#ifndef ZS_EXPORT_TREE_H
#define ZS_EXPORT_TREE_H

#include "base/buf.h"
#include "span/span.h"

#define ANSI_RESET "\033[0m"
#define ANSI_BOLD  "\033[1m"
#define ANSI_DIM   "\033[2m"
#define ANSI_RED   "\033[31m"

/*
 * Append s for a terminal: control characters (C0, DEL, C1), which could move the cursor or worse,
 * become '?', and after max_width characters an ellipsis stands for the rest. Returns the number
 * of characters appended. s is valid UTF-8.
 */
size_t tree_append_text(struct buf *out, struct sv s, size_t max_width);

/* Append blanks behind what has this width, up to the column; at least one. */
void tree_append_padding(struct buf *out, size_t width, size_t column);

/* Append a duration for people: "85 us" with a micro sign, "0.9 ms", "12.3 ms", "345 ms", "2.21 s",
 * "3 m 07 s". Returns its width in characters. */
size_t tree_append_duration(struct buf *out, uint64_t ns);

/*
 * The name, without "SQLITE_", of a result code in decimal, by its primary code: of those that people meet, NULL for others
 * (sqlite.org/rescode.html).
 */
const char *tree_sqlite_code_name(struct sv code);

/* Append who had a lock: "behind: worker thread 17, at pool_release (pool.c:41), serving GET /". It is known. */
void tree_append_lock_culprit(struct buf *out, const struct wait_culprit *culprit);

/* Append the facts of one span, separated by spaces, each with one leading space. */
void tree_append_facts(struct buf *out, const struct span *span, bool colour);

/* Append the lines that a trace has (trace.logs), each on one of its own, in the order of time. */
void tree_append_logs(struct buf *out, const struct trace *trace, bool colour);

#endif
