/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads SQLite's own machine code instead of a table of versions. Two questions are answered:
 *
 * 1. Which word of its argument does a one-line accessor return? sqlite3_sql() returns the
 *    statement's SQL text and sqlite3_db_handle() its connection, so the two give the offsets of
 *    both inside the statement:
 *
 *	sqlite3_sql:  test %rdi,%rdi		argument NULL?
 *		      je   1f
 *		      mov  0xf8(%rdi),%rax	-> 0xf8
 *		      ret
 *		  1:  xor  %eax,%eax
 *		      ret
 *
 *    The code is run twice on a symbolic machine, with an argument and with NULL. The answer stands
 *    only if the first run returns one 64-bit word of the argument and the second returns NULL;
 *    anything not understood is refused. sqlite3_extended_errcode() is longer: it is run along each
 *    of its paths, whatever decides between them.
 *
 * 2. Where near its start is a function probed at the least cost? The kernel emulates push, nop and
 *    relative branches and single-steps everything else, which is ten times dearer
 *    (arch/x86/kernel/uprobes.c, push_setup_xol_ops and branch_setup_xol_ops).
 *
 * Pure functions over bytes; knows nothing of processes and files.
 */
#ifndef ZS_DISCOVER_SQLITE_CODE_H
#define ZS_DISCOVER_SQLITE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/elf.h"

enum {
	/* Bytes of a function that a caller should provide: the longest accessor (gcc -O0) has 50,
	 * and the search for branches that return into a prologue sees the rest. */
	SQLITE_CODE_BYTES = 1024,
};

/*
 * Offset in bytes of the word that the accessor in code returns: a multiple of 8 below 4096.
 * Returns 0, or -ENOTSUP when the code is not such an accessor beyond doubt.
 */
int sqlite_code_field(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset);

/*
 * The same for an accessor of one byte, sqlite3_get_autocommit(), which takes no NULL: offset above 0 and below
 * 4096 of the byte whose value it returns.
 */
int sqlite_code_byte(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset);

/*
 * The same for sqlite3_data_count(), which returns 0 for NULL and for a statement that is at no row: offset of the pointer to
 * the row that decides it.
 */
int sqlite_code_tested(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset);

/*
 * The same for sqlite3_extended_errcode(), which returns an int of its connection unless the connection is NULL, or not one
 * (another function tells), or is short of memory: offset above 0 and below 4096, a multiple of 4, of the word that
 * some of its paths return, all others returning an error: a constant or what another function says.
 */
int sqlite_code_word(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset);

/*
 * Whether the function, before anything that is not understood, reads the word at offset of its first argument:
 * so a function that takes a statement is told from one that takes a number.
 */
bool sqlite_code_reads_field(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t offset);

/*
 * Bytes from the function's start to the address where a probe on its entry costs least, with its
 * first arguments, 1 to 3, still in their registers; each call passes it exactly once. 0 when nothing
 * is better than the start. *ret_cheap: the instruction there is emulated.
 */
size_t sqlite_code_probe_offset(
    enum elf_machine machine, const uint8_t *code, size_t len, int arguments, bool *ret_cheap);

/*
 * Whether all that the function does is call another one with its own first three arguments, and return what that returned:
 * sqlite3_prepare_v2() as gcc compiles it for x86-64. *ret_target: of that, in bytes from the function's start.
 */
bool sqlite_code_wraps(
    enum elf_machine machine, const uint8_t *code, size_t len, int64_t *ret_target);

/* Whether the function's first instruction, on which a return probe sits, is emulated. */
bool sqlite_code_entry_is_cheap(enum elf_machine machine, const uint8_t *code, size_t len);

#endif
