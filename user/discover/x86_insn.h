/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes the few x86-64 instructions that open functions and make up one-line accessors (Intel SDM
 * volume 2, chapter 2 and appendix A). Everything else is "not known": the callers give up rather
 * than guess. Pure; knows nothing of what the instructions are wanted for.
 */
#ifndef ZS_DISCOVER_X86_INSN_H
#define ZS_DISCOVER_X86_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum x86_register {
	X86_NONE = -1,
	X86_RAX = 0,
	X86_RDX = 2,
	X86_RSP = 4,
	X86_RBP = 5,
	X86_RSI = 6,
	X86_RDI = 7,
	X86_RIP = 16, /* as the base of an address only */
};

struct x86_insn {
	size_t len;        /* bytes, prefixes included; 1 to 15 */
	uint16_t opcode;   /* one byte, or 0x0f00 + the second byte */
	uint8_t rex;       /* the REX prefix or 0 */
	bool wide;         /* 64-bit operands (REX.W) */
	bool operand16;    /* prefix 0x66 */
	bool segment;      /* prefix FS or GS: the address is not a plain one */
	bool has_modrm;    /* reg and the operand below are valid */
	bool memory;       /* the r/m operand is memory, not a register */
	int reg;           /* ModRM.reg or the register in the opcode */
	int rm;            /* register of the r/m operand when !memory */
	int base;          /* of the address when memory; X86_NONE, X86_RIP */
	int scaled;        /* index register of the address or X86_NONE */
	int scale;         /* what it is multiplied by when it is there: 1, 2, 4, 8 */
	int32_t disp;      /* displacement of the address */
	int64_t immediate; /* sign-extended; also a relative branch's distance */
};

/* Decode one instruction. Returns false when it is not in the subset or cut off. */
bool x86_insn_decode(const uint8_t *p, size_t len, struct x86_insn *ret_insn);

/* A jump relative to its own end whose distance is the immediate: jcc, jmp, call. */
bool x86_insn_is_branch(const struct x86_insn *insn);

/* The register that an 8-bit operand is part of: without a REX prefix 4 to 7 are the second bytes of 0 to 3. */
int x86_insn_byte_register(const struct x86_insn *insn, int reg);

/*
 * The general register that an instruction writes besides rsp, X86_NONE when it writes none. False
 * for branches and everything whose effect is not described here.
 */
bool x86_insn_writes(const struct x86_insn *insn, int *ret_register);

#endif
