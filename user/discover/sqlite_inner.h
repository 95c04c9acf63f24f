/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a copy of SQLite goes around its own interface. In the source sqlite3_exec() runs a statement so:
 *
 *	sqlite3_prepare_v2()	-> lock and prepare			a compiler may call the inner one at once, as may
 *								all other functions that prepare
 *	sqlite3_step()							each row; must be a call to the function itself
 *	VDBE finalize		-> VDBE reset, VDBE delete		also when a callback wants no more rows
 *
 * and sqlite3_finalize() is VDBE reset and VDBE delete, too. The inner functions have names only in programs with all
 * symbols; otherwise they are known by who calls them. Internal to sqlite_copy.c.
 */
#ifndef ZS_DISCOVER_SQLITE_INNER_H
#define ZS_DISCOVER_SQLITE_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "discover/elf.h"

/* What is known by name; offset 0: not known. */
struct sqlite_outer {
	struct elf_function step, reset, finalize, prepare_v2, prepare_v3, exec;
	struct elf_function vdbe_delete, vdbe_finalize; /* inner ones */
	uint32_t db_offset;                             /* of the connection in a statement */
};

struct sqlite_inner {
	struct elf_function prepare; /* all that prepares goes through it; offset 0: not found */
	bool exec_steps;             /* sqlite3_exec calls sqlite3_step */
	bool exec_prepares;          /* sqlite3_exec calls sqlite3_prepare_v2 ... */
	/* ... or here something that does it: offsets in the file of the call and of the instruction behind it; 0: not found */
	uint64_t prepare_call, prepare_next;
	bool prepare_next_cheap;         /* the kernel emulates the latter */
	struct elf_function vdbe_delete; /* every statement ends in it; offset 0: not found */
};

void sqlite_inner_find(
    struct elf_file *file, const struct sqlite_outer *outer, struct sqlite_inner *ret_inner);

#endif
