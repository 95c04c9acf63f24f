/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk up one stack, step by step: finds the code that an address lies in, and with its unwind
 * table, or by frame pointer, the caller. Knows nothing of traces and names.
 */
#ifndef ZS_STACK_WALK_H
#define ZS_STACK_WALK_H

#include "stack/cfi.h"
#include "stack/frame.h"
#include "stack/space.h"

struct walk {
	struct space *space;
	struct cfi_memory *memory;
	uint64_t now_ns;
	struct stack_copy copy;
	struct registers registers;
	uint64_t called;     /* where the function begins that the last step left; 0: not known */
	unsigned *seam_work; /* what may still be done to get past return probes */
	bool exact;          /* ip is where the function stopped, not where it will come back to */
	bool guessed;        /* the last step was by frame pointer */
};

/* How to get on from a place; err as binary_find_rules(). Borrows from the walk's memory. */
struct walk_rules {
	struct cfi_found found;
	struct cfi_row row;
	uint64_t start; /* of the function, in the process; 0: not known */
	int err;
};

/* As space_find(); the mappings are read again if need be. */
bool walk_find_place(struct walk *w, uint64_t address, struct space_place *ret_place);

void walk_find_rules(struct walk *w, const struct space_place *place, struct walk_rules *ret_rules);

/* To the caller; results as in unwind.h. */
int walk_step(struct walk *w, const struct walk_rules *rules);

/*
 * Whether the function will return to the kernel's trampoline, which hides its caller; see seam.h.
 */
bool walk_is_at_return_probe(struct walk *w);

#endif
