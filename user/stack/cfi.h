/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables: what .eh_frame and .debug_frame say about one address of a program (DWARF 5,
 * sections 6.4 and 7.24; Linux Standard Base 5.0, "Exception Frames"). Pure: bytes in, rules out.
 *
 * libdw has a reader of its own, which believes what it reads: register numbers of a table become
 * sizes of allocations (2 GiB for one instruction), augmentation strings are followed past the end,
 * and libdwfl divides as the table says, traps included. These tables come from observed programs,
 * so they are read here, with fixed memory.
 */
#ifndef ZS_STACK_CFI_H
#define ZS_STACK_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"
#include "stack/frame.h"

enum {
	CFI_REMEMBERED = 8,       /* rows remembered at a time; compilers nest 1 */
	CFI_ENTRY_MAX = 64 << 10, /* bytes of an entry; the largest in clang has 8 KB */
};

enum cfi_kind {
	CFI_KIND_INVALID = 0,
	CFI_KIND_EH_FRAME = 1,
	CFI_KIND_DEBUG_FRAME = 2,
};

/* How an entry of either table begins. */
struct cfi_entry {
	bool is_common;  /* a CIE: what several functions share */
	uint64_t size;   /* bytes of the entry, its length field included */
	uint64_t body;   /* place behind the id field */
	uint64_t common; /* of an FDE: in .eh_frame the distance from its start back to its CIE, in
	                  * .debug_frame the place of the CIE in the section */
};

struct cfi_common {
	enum cfi_kind kind;
	uint8_t pointers; /* DW_EH_PE_*: how FDEs write addresses */
	bool sized;       /* FDEs have augmentation data, whose size comes first */
	bool signal;      /* describes what the kernel calls signal handlers from */
	uint64_t code_factor;
	int64_t data_factor;
	uint64_t return_register;
	struct sv program; /* borrowed */
};

/* A function, or a part of one. */
struct cfi_function {
	uint64_t start, end; /* virtual addresses */
	struct sv program;   /* borrowed */
};

enum cfi_rule {
	CFI_RULE_UNSPECIFIED = 0,
	CFI_RULE_UNDEFINED = 1,
	CFI_RULE_SAME = 2,
	CFI_RULE_OFFSET = 3,     /* saved at CFA + value */
	CFI_RULE_VAL_OFFSET = 4, /* is CFA + value */
	CFI_RULE_REGISTER = 5,   /* saved in register value */
	CFI_RULE_EXPRESSION = 6, /* saved where the expression says */
	CFI_RULE_VAL_EXPRESSION = 7,
};

struct cfi_register {
	enum cfi_rule rule;
	int64_t value;
	struct sv expression; /* borrowed */
};

/* How the caller's registers are found at one address. */
struct cfi_row {
	struct cfi_register cfa; /* REGISTER: that register + cfa_offset; or VAL_EXPRESSION */
	int64_t cfa_offset;
	struct cfi_register registers[FRAME_REGISTERS];
};

/*
 * The head of the entry at the start of bytes. Returns 0, -EBADMSG, or -ENOENT for the terminator
 * of .eh_frame. bytes may end within the entry, but not before 24 bytes of it.
 */
int cfi_entry(struct sv bytes, enum cfi_kind kind, struct cfi_entry *ret_entry);

/* A CIE; bytes is the whole entry. Returns 0 or -EBADMSG. The result borrows from bytes. */
int cfi_common(struct sv bytes, enum cfi_kind kind, struct cfi_common *ret_common);

/* An FDE of that CIE; address: virtual, of the entry's first byte. Likewise. */
int cfi_function(struct sv bytes, uint64_t address, const struct cfi_common *common,
    struct cfi_function *ret_function);

/* The row for an address of the function. Returns 0 or -EBADMSG. It borrows from both. */
int cfi_row(const struct cfi_common *common, const struct cfi_function *function, uint64_t ip,
    struct cfi_row *ret_row);

#endif
