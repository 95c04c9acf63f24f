/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which probes a copy of SQLite gets: which program where. What is attached and what `zerospan check -v` shows are
 * this one list. Pure; attaches nothing.
 */
#ifndef ZS_PROBE_SQLITE_PLAN_H
#define ZS_PROBE_SQLITE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/sqlite_copy.h"
#include "probe/probes.h"

enum {
	SQLITE_PLAN_MAX = 13,
};

struct sqlite_plan_row {
	enum sqlite_function function;
	enum probes_program program;
	bool
	    on_return; /* runs when the function returns; its breakpoint is on the entry all the same */
	enum zsp_sqlite_detail until; /* it is attached in this detail and richer ones */
	bool emulated;   /* the kernel emulates the instruction at offset, else it steps it */
	uint64_t offset; /* of the breakpoint in the file */
};

/* Fill in the probes of a traceable copy, none for functions it lacks; their number. */
size_t sqlite_plan(
    const struct sqlite_copy *copy, struct sqlite_plan_row ret_rows[SQLITE_PLAN_MAX]);

#endif
