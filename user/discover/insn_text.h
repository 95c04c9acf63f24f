/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machine code for people to read: one instruction as objdump writes it (AT&T syntax on x86-64). For what opens
 * functions; of other instructions nothing is said rather than something wrong. Pure.
 */
#ifndef ZS_DISCOVER_INSN_TEXT_H
#define ZS_DISCOVER_INSN_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "discover/elf.h"

#define INSN_TEXT_MAX 112

/*
 * Write the first instruction of code, "push %rbp"; branches have their distance from the instruction's start, "je .+0x12".
 * "" when it is not known how to write it. Returns the instruction's length in bytes, 0 when that is not known.
 */
size_t insn_text(
    enum elf_machine machine, const uint8_t *code, size_t len, char ret_text[INSN_TEXT_MAX]);

/* One per instruction set. */
size_t insn_text_x86(const uint8_t *code, size_t len, char ret_text[INSN_TEXT_MAX]);
size_t insn_text_arm64(const uint8_t *code, size_t len, char ret_text[INSN_TEXT_MAX]);

#endif
