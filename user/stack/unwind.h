/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one function's registers to its caller's, over the copied stack. Pure. Nothing here proves
 * that the result is right: whoever walks checks that each return address lies in code.
 *
 * All functions return 1 after putting the caller's registers in place of the function's; 0 when
 * there is no caller; -ENODATA when something is needed that was not copied (copy->cut says whether
 * it lay behind the copy's end) or is not known; -EBADMSG when the rules lead nowhere. Without a 1
 * the registers are untouched.
 */
#ifndef ZS_STACK_UNWIND_H
#define ZS_STACK_UNWIND_H

#include "stack/cfi.h"
#include "stack/frame.h"

/* By the rules of an unwind table. */
int unwind_by_rules(enum elf_machine machine, const struct cfi_common *common,
    const struct cfi_row *row, struct stack_copy *copy, struct registers *registers);

/*
 * By the frame pointer, where there is no table: code that a just-in-time compiler made, Go. If the
 * function has not set up its frame, or has none, its direct caller is left out.
 */
int unwind_by_frame_pointer(
    enum elf_machine machine, struct stack_copy *copy, struct registers *registers);

/*
 * arm64: from the code that a signal handler returns to, to the code that was interrupted: all
 * registers are where the kernel saved them (arch/arm64/kernel/signal.c, struct rt_sigframe).
 */
int unwind_by_signal_frame(struct stack_copy *copy, struct registers *registers);

/* The address in a return address: on arm64 the bits above may sign it (pointer authentication). */
uint64_t unwind_code_address(enum elf_machine machine, uint64_t address);

#endif
