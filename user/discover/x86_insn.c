// SPDX-License-Identifier: Apache-2.0
/* A table-driven decoder for a small part of x86-64; see x86_insn.h. */
#include "discover/x86_insn.h"

#include <string.h>

/* What follows an opcode, and which operand it writes. */
enum form {
	FORM_UNKNOWN = 0,
	FORM_PLAIN = 1,     /* nothing */
	FORM_IN_OPCODE = 2, /* a register in the opcode's low bits */
	FORM_MODRM = 4,
	FORM_IMM8 = 8,
	FORM_IMM32 = 16, /* 16 bits under the prefix 0x66 */
	FORM_REL8 = 32,
	FORM_REL32 = 64,
	FORM_WRITES_RM = 128, /* the r/m operand */
	FORM_WRITES_REG = 256,
};

static unsigned form_one_byte(uint8_t op)
{
	switch (op) {
	case 0x50 ... 0x57: /* push */
	case 0x58 ... 0x5f: /* pop */
		return FORM_IN_OPCODE;
	case 0x70 ... 0x7f: /* jcc */
	case 0xeb:          /* jmp */
		return FORM_REL8;
	case 0xe8: /* call */
	case 0xe9: /* jmp */
		return FORM_REL32;
	case 0x90: /* nop */
	case 0xc3: /* ret */
	case 0xc9: /* leave */
		return FORM_PLAIN;
	case 0xb8 ... 0xbf: /* mov $imm, reg; 64 bits of it under REX.W are refused below */
		return FORM_IN_OPCODE | FORM_IMM32;
	case 0x39: /* cmp */
	case 0x3b:
	case 0x85: /* test */
	case 0x38: /* cmp and test of bytes */
	case 0x3a:
	case 0x84:
		return FORM_MODRM;
	case 0x3c: /* cmp $imm, %al */
		return FORM_IMM8;
	case 0x01: /* add, or, and, sub, xor, mov to r/m */
	case 0x09:
	case 0x21:
	case 0x29:
	case 0x31:
	case 0x89:
		return FORM_MODRM | FORM_WRITES_RM;
	case 0x03: /* add, or, and, sub, xor, movslq, mov, lea to reg */
	case 0x0b:
	case 0x23:
	case 0x2b:
	case 0x33:
	case 0x63:
	case 0x8b:
	case 0x8a: /* mov of a byte */
	case 0x8d:
		return FORM_MODRM | FORM_WRITES_REG;
	case 0x80: /* add ... cmp with an immediate */
	case 0x83:
		return FORM_MODRM | FORM_IMM8 | FORM_WRITES_RM;
	case 0x81:
	case 0xc7: /* mov */
		return FORM_MODRM | FORM_IMM32 | FORM_WRITES_RM;
	default:
		return FORM_UNKNOWN;
	}
}

static unsigned form_two_bytes(uint8_t op)
{
	switch (op) {
	case 0x1e: /* endbr64 and other hints */
	case 0x1f: /* nop */
	case 0x10: /* loads and stores of vector registers, xorps, pxor */
	case 0x11:
	case 0x28:
	case 0x29:
	case 0x57:
	case 0x6f:
	case 0x7f:
	case 0xef:
		return FORM_MODRM;
	case 0x80 ... 0x8f: /* jcc */
		return FORM_REL32;
	case 0x90 ... 0x9f: /* setcc */
		return FORM_MODRM | FORM_WRITES_RM;
	case 0xb6: /* movzx, movsx */
	case 0xb7:
	case 0xbe:
	case 0xbf:
		return FORM_MODRM | FORM_WRITES_REG;
	default:
		return FORM_UNKNOWN;
	}
}

static unsigned form_of(uint16_t opcode)
{
	return opcode > 0xff ? form_two_bytes((uint8_t)opcode) : form_one_byte((uint8_t)opcode);
}

struct cursor {
	const uint8_t *p;
	size_t left;
	bool cut; /* something was missing */
};

static uint8_t take_byte(struct cursor *c)
{
	if (!c->left) {
		c->cut = true;
		return 0;
	}
	c->left--;
	return *c->p++;
}

/* A little-endian signed number of 1, 2 or 4 bytes. */
static int32_t take_signed(struct cursor *c, size_t size)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint32_t)take_byte(c) << (8 * i);
	if (size == 1)
		return (int8_t)value;
	return size == 2 ? (int16_t)value : (int32_t)value;
}

/* Legacy prefixes, then REX. False for prefixes outside the subset. */
static bool take_prefixes(struct cursor *c, struct x86_insn *insn)
{
	while (c->left) {
		uint8_t b = *c->p;

		if (b == 0x66)
			insn->operand16 = true;
		else if (b == 0x64 || b == 0x65)
			insn->segment = true;
		else if (b == 0xf0 || b == 0x67)
			return false;
		else if (b != 0xf2 && b != 0xf3 && b != 0x2e && b != 0x3e)
			break;
		take_byte(c);
	}
	if (c->left && (*c->p & 0xf0) == 0x40)
		insn->rex = take_byte(c);
	insn->wide = insn->rex & 8;
	return true;
}

static void take_modrm(struct cursor *c, struct x86_insn *insn)
{
	uint8_t modrm = take_byte(c), mod = modrm >> 6;
	int high_b = (insn->rex & 1) << 3, high_x = (insn->rex & 2) << 2;

	insn->has_modrm = true;
	insn->reg = ((modrm >> 3) & 7) | (insn->rex & 4) << 1;
	insn->rm = (modrm & 7) | high_b;
	if (mod == 3)
		return;
	insn->memory = true;
	insn->base = insn->rm;
	if ((modrm & 7) == 4) {
		uint8_t sib = take_byte(c);
		int scaled = ((sib >> 3) & 7) | high_x;

		insn->scaled = scaled == 4 ? X86_NONE : scaled;
		insn->scale = 1 << (sib >> 6);
		insn->base = (sib & 7) | high_b;
		if ((sib & 7) == 5 && mod == 0) {
			insn->base = X86_NONE;
			mod = 2;
		}
	} else if ((modrm & 7) == 5 && mod == 0) {
		insn->base = X86_RIP;
		mod = 2;
	}
	if (mod)
		insn->disp = take_signed(c, mod == 1 ? 1 : 4);
}

bool x86_insn_decode(const uint8_t *p, size_t len, struct x86_insn *ret_insn)
{
	struct cursor c = {.p = p, .left = len > 15 ? 15 : len};
	struct x86_insn insn = {
	    .reg = X86_NONE, .rm = X86_NONE, .base = X86_NONE, .scaled = X86_NONE};
	unsigned form;

	if (!take_prefixes(&c, &insn))
		return false;
	insn.opcode = take_byte(&c);
	if (insn.opcode == 0x0f)
		insn.opcode = 0x0f00 | take_byte(&c);
	form = form_of(insn.opcode);
	if (form == FORM_UNKNOWN)
		return false;
	if (form & FORM_MODRM)
		take_modrm(&c, &insn);
	if (form & FORM_IN_OPCODE)
		insn.reg = (insn.opcode & 7) | (insn.rex & 1) << 3;
	if ((form & FORM_IN_OPCODE) && (form & FORM_IMM32) && insn.wide)
		return false;
	if (form & (FORM_IMM8 | FORM_REL8))
		insn.immediate = take_signed(&c, 1);
	if (form & FORM_IMM32)
		insn.immediate = take_signed(&c, insn.operand16 ? 2 : 4);
	/* AMD and Intel disagree about 0x66 before a near branch. */
	if ((form & (FORM_REL8 | FORM_REL32)) && insn.operand16)
		return false;
	if (form & FORM_REL32)
		insn.immediate = take_signed(&c, 4);
	if (c.cut)
		return false;
	insn.len = (size_t)(c.p - p);
	*ret_insn = insn;
	return true;
}

bool x86_insn_is_branch(const struct x86_insn *insn)
{
	return form_of(insn->opcode) & (FORM_REL8 | FORM_REL32);
}

int x86_insn_byte_register(const struct x86_insn *insn, int reg)
{
	return reg >= 4 && reg < 8 && !insn->rex ? reg - 4 : reg;
}

static bool writes_byte(const struct x86_insn *insn)
{
	return insn->opcode == 0x80 || insn->opcode == 0x8a || (insn->opcode & 0xfff0) == 0x0f90;
}

bool x86_insn_writes(const struct x86_insn *insn, int *ret_register)
{
	unsigned form = form_of(insn->opcode);
	bool compares = (insn->opcode == 0x80 || insn->opcode == 0x81 || insn->opcode == 0x83) &&
	    insn->reg == 7;
	int written = X86_NONE;

	if (x86_insn_is_branch(insn) || insn->opcode == 0xc3 || insn->opcode == 0xc9)
		return false;
	if (insn->opcode == 0xc7 && insn->reg != 0)
		return false;
	if ((form & FORM_IN_OPCODE) && insn->opcode >= 0x58)
		written = insn->reg;
	else if (form & FORM_WRITES_REG)
		written = insn->reg;
	else if ((form & FORM_WRITES_RM) && !insn->memory && !compares)
		written = insn->rm;
	*ret_register = writes_byte(insn) ? x86_insn_byte_register(insn, written) : written;
	return true;
}
