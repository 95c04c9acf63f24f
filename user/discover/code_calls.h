/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions of one file call which: direct calls and jumps, through entries of the procedure linkage
 * table (PLT) too. So is found whether a compiler left the calls between SQLite's functions as they stand in its
 * source. Pure functions over bytes.
 *
 *	call f			e8 distance				the function itself
 *	call f@plt		e8 distance -> jmp *word(%rip)		word: filled with f's address
 *	call *f@got(%rip)	ff 15 distance				likewise
 */
#ifndef ZS_DISCOVER_CODE_CALLS_H
#define ZS_DISCOVER_CODE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/elf.h"

/* Code at a virtual address. */
struct code_text {
	enum elf_machine machine;
	uint64_t address;
	const uint8_t *bytes;
	size_t len;
};

/* A call or a jump. */
struct code_call {
	size_t at, next; /* of its instruction and the one behind it, from the text's start */
	uint64_t target; /* virtual address of what it goes to, or of the word that holds it */
	bool through_word;
};

/*
 * The first call or jump that leaves the text at or behind *at, which is moved behind it. False when there is
 * none. On x86-64, where instructions cannot be told apart everywhere, bytes that are none may be taken for one:
 * only a target that is known means something.
 */
bool code_next_call(const struct code_text *text, size_t *at, struct code_call *ret_call);

/* Where an entry of the PLT, a jump through a word, leads: the word's address; false when the bytes are none. */
bool code_plt_word(const struct code_text *entry, uint64_t *ret_word);

/* Where a jump at the text's start leads that is always taken and whose distance it says; false when there is none. */
bool code_begins_with_jump(const struct code_text *text, uint64_t *ret_target);

/* What a return address follows. */
struct code_return {
	/* Virtual addresses; 0: not called so, or not known. On x86-64 more than one may seem to be so. */
	uint64_t target; /* of what was called directly: a function, or an entry of the PLT */
	uint64_t word;   /* that holds what was called */
	bool any;        /* called through a register, or a word that a register leads to */
};

/* Bytes that tell a call from anything else. */
#define CODE_CALL_MAX 7

/*
 * Whether the text may end with a call. A byte sequence that is one by chance is taken for it too. False when it is
 * none.
 */
bool code_ends_with_call(const struct code_text *text, struct code_return *ret_return);

#endif
