/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DWARF expressions as unwind tables use them (DWARF 5, section 2.5): a stack machine over
 * registers and the copied stack. Expressions come from observed programs: steps and depth are
 * bounded, and nothing that a processor traps on is computed. Pure.
 */
#ifndef ZS_STACK_EXPRESSION_H
#define ZS_STACK_EXPRESSION_H

#include "base/sv.h"
#include "stack/frame.h"

enum {
	EXPRESSION_DEPTH = 32,  /* values on its stack; compilers need 3 */
	EXPRESSION_STEPS = 256, /* operations; a jump back would not end otherwise */
};

/*
 * Evaluate. initial: NULL, or the value that stands on the stack at first. Returns 0, -EBADMSG when
 * it is malformed or uses what has no meaning here, -ENODATA when it needs a register or memory
 * that is not known.
 */
int expression_value(struct sv expression, const struct registers *registers,
    struct stack_copy *copy, const uint64_t *initial, uint64_t *ret_value);

#endif
