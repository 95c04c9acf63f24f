// SPDX-License-Identifier: Apache-2.0
/* The probes of a copy of SQLite; see sqlite_plan.h. */
#include "probe/sqlite_plan.h"

#include "discover/elf.h"

static const struct {
	enum sqlite_function function;
	enum probes_program program;
	bool on_return;
	enum zsp_sqlite_detail until;
} wanted[] = {
    {SQLITE_FN_STEP, PROBES_SQLITE_STEP, false, ZSP_SQLITE_STATEMENTS},
    {SQLITE_FN_STEP, PROBES_SQLITE_STEP_RETURN, true, ZSP_SQLITE_EXECUTIONS},
    {SQLITE_FN_RESET, PROBES_SQLITE_END, false, ZSP_SQLITE_EXECUTIONS},
    {SQLITE_FN_FINALIZE, PROBES_SQLITE_END, false, ZSP_SQLITE_EXECUTIONS},
    {SQLITE_FN_VDBE_DELETE, PROBES_SQLITE_END, false, ZSP_SQLITE_EXECUTIONS},
    {SQLITE_FN_CLOSE, PROBES_SQLITE_CLOSE, false, ZSP_SQLITE_OFF},
    {SQLITE_FN_CLOSE_V2, PROBES_SQLITE_CLOSE, false, ZSP_SQLITE_OFF},
    {SQLITE_FN_LOCK_AND_PREPARE, PROBES_SQLITE_PREPARE, false, ZSP_SQLITE_FULL},
    {SQLITE_FN_LOCK_AND_PREPARE, PROBES_SQLITE_PREPARE_RETURN, true, ZSP_SQLITE_FULL},
    {SQLITE_FN_PREPARE_V2, PROBES_SQLITE_PREPARE, false, ZSP_SQLITE_FULL},
    {SQLITE_FN_PREPARE_V2, PROBES_SQLITE_PREPARE_RETURN, true, ZSP_SQLITE_FULL},
    {SQLITE_FN_PREPARE_V3, PROBES_SQLITE_PREPARE, false, ZSP_SQLITE_FULL},
    {SQLITE_FN_PREPARE_V3, PROBES_SQLITE_PREPARE_RETURN, true, ZSP_SQLITE_FULL},
};

#define N_WANTED (sizeof(wanted) / sizeof(wanted[0]))

enum {
	N_COVERING =
	    2, /* of LOCK_AND_PREPARE; the other preparing functions are not probed beside it */
	N_INSIDE =
	    2, /* what prepares inside sqlite3_exec: the call, and the instruction behind it as its return */
};

_Static_assert(N_WANTED - N_COVERING + N_INSIDE <= SQLITE_PLAN_MAX, "room for all probes");

/* What goes through a function that is probed needs no probe of its own. */
static bool is_covered(const struct sqlite_copy *copy, enum sqlite_function function)
{
	return (function == SQLITE_FN_PREPARE_V2 || function == SQLITE_FN_PREPARE_V3 ||
		   function == SQLITE_FN_EXEC) &&
	    copy->probe[SQLITE_FN_LOCK_AND_PREPARE].entry;
}

static size_t plan_inside_exec(const struct sqlite_copy *copy, struct sqlite_plan_row *rows)
{
	if (!copy->exec_prepare_call || is_covered(copy, SQLITE_FN_EXEC))
		return 0;
	rows[0] = (struct sqlite_plan_row){
	    .function = SQLITE_FN_EXEC,
	    .program = PROBES_SQLITE_PREPARE,
	    .emulated = elf_machine_host() == ELF_MACHINE_X86_64, /* a call */
	    .offset = copy->exec_prepare_call,
	};
	rows[1] = (struct sqlite_plan_row){
	    .function = SQLITE_FN_EXEC,
	    .program = PROBES_SQLITE_PREPARE_RETURN,
	    .emulated = copy->exec_prepare_return_cheap,
	    .offset = copy->exec_prepare_return,
	};
	return N_INSIDE;
}

size_t sqlite_plan(const struct sqlite_copy *copy, struct sqlite_plan_row ret_rows[SQLITE_PLAN_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < N_WANTED; i++) {
		const struct sqlite_probe *probe = &copy->probe[wanted[i].function];
		bool on_return = wanted[i].on_return;

		if (!probe->entry || is_covered(copy, wanted[i].function))
			continue;
		ret_rows[n++] = (struct sqlite_plan_row){
		    .function = wanted[i].function,
		    .program = wanted[i].program,
		    .on_return = on_return,
		    .until = wanted[i].until,
		    .emulated = on_return ? probe->entry_cheap : probe->cheapest_cheap,
		    .offset = on_return ? probe->entry : probe->cheapest,
		};
	}
	return n + plan_inside_exec(copy, ret_rows + n);
}
