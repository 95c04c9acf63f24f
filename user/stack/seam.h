/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goes on with a walk where a return probe stands in its way. A function that has one will return
 * to a trampoline of the kernel's; where it was called from, only the kernel knows. Everything
 * else is there still: the caller's frame begins at the stack pointer, its own return address is
 * somewhere above, and what was called there is the function that is looked for.
 *
 *	      │ main's frame                 │
 *	      ├──────────────────────────────┤
 *	slot  │ return address into main     │ ◄─ behind "call load": the caller is load
 *	      │ load's frame                 │
 *	sp    ├──────────────────────────────┤
 *	      │ [uprobes], and not load      │ ◄─ the walk stops here
 *	      │ sqlite3_step's frame         │
 *
 * The stack is full of return addresses of functions that have returned. A slot is believed if
 * load's unwind table puts its return address just there at a call in load, of the function that
 * has the probe if that can be seen. With one such call, that is where load waits, and nothing is
 * missing. With several it is load, but not known where in it. What load jumps to as its last deed
 * stands for load.
 *
 * Where the caller has a return probe as well, its slot holds the trampoline again: then load may
 * be the caller's caller.
 *
 * If no slot is so (called through a pointer, no table), the first is taken from which the walk
 * comes to the thread's first function with a call in front of every return address; which
 * function is missing is then known if the call is a direct one.
 */
#ifndef ZS_STACK_SEAM_H
#define ZS_STACK_SEAM_H

#include "stack/walk.h"

enum {
	SEAM_WORDS = 256, /* of the caller's frame, its return address included */
	/*
	 * For all return probes of a trace: calls looked at, and words that are code; a step of a
	 * walk costs more.
	 */
	SEAM_WORK_MAX = 16384,
	SEAM_STEP_WORK = 8,
	SEAM_STEPS_MAX = 64, /* of a walk that shows whether it comes to an end */
};

struct seam {
	struct registers registers; /* of the next function that is known; the others are invalid */
	bool gap;                   /* one function in between is not known, or more */
	uint64_t missing;           /* its first address, in the process; 0: not known either */
};

/* For a walk that is at a return probe. Returns 0, or -ENOENT when there is no way on. */
int seam_cross(struct walk *w, struct seam *ret_seam);

#endif
