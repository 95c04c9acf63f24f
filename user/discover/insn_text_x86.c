// SPDX-License-Identifier: Apache-2.0
/* One x86-64 instruction in AT&T syntax; see insn_text.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "discover/insn_text.h"
#include "discover/x86_insn.h"

/* One operand; the longest is "%fs:-0x12345678(%r10,%r11,8)". */
struct operand {
	char text[48];
};

static const char *const conditions[] = {
    "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"};

/* By ModRM.reg of opcodes 0x80, 0x81 and 0x83, and by bits 3 to 5 of those with two operands. */
static const char *const arithmetic[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};

/* Operands have 1, 2, 4 or 8 bytes. */
static int operand_size(const struct x86_insn *insn)
{
	return insn->wide ? 8 : insn->operand16 ? 2 : 4;
}

static char size_letter(int size)
{
	return size == 8 ? 'q' : size == 4 ? 'l' : size == 2 ? 'w' : 'b';
}

static struct operand of_register(const struct x86_insn *insn, int reg, int size)
{
	static const char *const names[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
	struct operand operand;
	char *text = operand.text;
	size_t room = sizeof(operand.text);

	if (reg >= 8)
		snprintf(text, room, "%%r%d%s", reg,
		    size == 8       ? ""
			: size == 4 ? "d"
			: size == 2 ? "w"
				    : "b");
	else if (size > 1)
		snprintf(text, room, "%%%s%s", size == 8 ? "r" : size == 4 ? "e" : "", names[reg]);
	else if (x86_insn_byte_register(insn, reg) != reg)
		snprintf(text, room, "%%%ch", names[reg - 4][0]);
	else
		snprintf(text, room, "%%%.*sl", reg < 4 ? 1 : 2, names[reg]);
	return operand;
}

/* segment:disp(base,index,scale) */
static struct operand of_memory(const struct x86_insn *insn, const char *segment)
{
	struct operand base = {""}, scaled = {""}, operand;
	bool plain = insn->base == X86_NONE && insn->scaled == X86_NONE;
	/* Addresses from these bases cannot be written without a displacement, nor those without a base. */
	bool without_disp =
	    insn->base != X86_NONE && insn->base != X86_RIP && (insn->base & 7) != X86_RBP;
	int64_t disp = insn->disp;
	bool negative = disp < 0 && !plain;
	char distance[20] = "", address[24] = "";

	if (insn->base == X86_RIP)
		snprintf(base.text, sizeof(base.text), "%%rip");
	else if (insn->base != X86_NONE)
		base = of_register(insn, insn->base, 8);
	if (insn->scaled != X86_NONE)
		scaled = of_register(insn, insn->scaled, 8);
	if (disp || !without_disp)
		snprintf(distance, sizeof(distance), "%s0x%" PRIx64, negative ? "-" : "",
		    (uint64_t)(negative ? -disp : disp));
	if (insn->scaled != X86_NONE)
		snprintf(address, sizeof(address), "(%.4s,%.4s,%d)", base.text, scaled.text,
		    insn->scale);
	else if (!plain)
		snprintf(address, sizeof(address), "(%.4s)", base.text);
	snprintf(operand.text, sizeof(operand.text), "%s%s%s", segment, distance, address);
	return operand;
}

static struct operand of_immediate(const struct x86_insn *insn, int size)
{
	uint64_t mask = size == 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
	struct operand operand;

	snprintf(
	    operand.text, sizeof(operand.text), "$0x%" PRIx64, (uint64_t)insn->immediate & mask);
	return operand;
}

/* A decoded instruction and where it is written. */
struct writing {
	struct x86_insn insn;
	const char *segment; /* of the address: "%fs:", "%gs:" or "" */
	char *text;
};

static struct operand of_rm(const struct writing *w, int size)
{
	return w->insn.memory ? of_memory(&w->insn, w->segment)
			      : of_register(&w->insn, w->insn.rm, size);
}

static void put(const struct writing *w, const char *mnemonic, char suffix, struct operand source,
    struct operand target)
{
	char end[2] = {suffix, '\0'};

	snprintf(w->text, INSN_TEXT_MAX, "%s%s %s,%s", mnemonic, end, source.text, target.text);
}

/* Two operands of one size, of which one is a register. */
static void put_two(const struct writing *w, const char *mnemonic, int size, bool to_register)
{
	struct operand reg = of_register(&w->insn, w->insn.reg, size), rm = of_rm(w, size);

	put(w, mnemonic, '\0', to_register ? rm : reg, to_register ? reg : rm);
}

/* An immediate and an operand, whose size must be said when it is memory. */
static void put_immediate(const struct writing *w, const char *mnemonic, int size)
{
	put(w, mnemonic, w->insn.memory ? size_letter(size) : '\0', of_immediate(&w->insn, size),
	    of_rm(w, size));
}

/* movzx and movsx: of how many bytes to how many. */
static void put_extension(const struct writing *w, const char *mnemonic, int size)
{
	char name[8];

	snprintf(name, sizeof(name), "%.4s%c", mnemonic, size_letter(size));
	put(w, name, size_letter(operand_size(&w->insn)), of_rm(w, size),
	    of_register(&w->insn, w->insn.reg, operand_size(&w->insn)));
}

static void put_branch(const struct writing *w)
{
	uint16_t op = w->insn.opcode;
	int64_t distance = (int64_t)w->insn.len + w->insn.immediate;
	const char *name = op == 0xe8 ? "call" : "jmp", *condition = "";

	if (op != 0xe8 && op != 0xe9 && op != 0xeb) {
		name = "j";
		condition = conditions[op & 0xf];
	}
	snprintf(w->text, INSN_TEXT_MAX, "%s%s .%c0x%" PRIx64, name, condition,
	    distance < 0 ? '-' : '+', (uint64_t)(distance < 0 ? -distance : distance));
}

static void put_one(const struct writing *w, const char *mnemonic, struct operand operand)
{
	snprintf(w->text, INSN_TEXT_MAX, "%s %s", mnemonic, operand.text);
}

static void put_two_bytes(const struct writing *w)
{
	uint16_t op = w->insn.opcode;
	char name[8];

	switch (op) {
	case 0x0f1f:
		snprintf(w->text, INSN_TEXT_MAX, "nop%c", size_letter(operand_size(&w->insn)));
		break;
	case 0x0fb6:
	case 0x0fb7:
		put_extension(w, "movz", op == 0x0fb6 ? 1 : 2);
		break;
	case 0x0fbe:
	case 0x0fbf:
		put_extension(w, "movs", op == 0x0fbe ? 1 : 2);
		break;
	case 0x0f90 ... 0x0f9f:
		snprintf(name, sizeof(name), "set%s", conditions[op & 0xf]);
		put_one(w, name, of_rm(w, 1));
		break;
	default:
		break;
	}
}

static void put_one_byte(const struct writing *w)
{
	const struct x86_insn *insn = &w->insn;
	uint16_t op = insn->opcode;
	int size = operand_size(insn);

	switch (op) {
	case 0x50 ... 0x5f:
		put_one(w, op < 0x58 ? "push" : "pop",
		    of_register(insn, insn->reg, insn->operand16 ? 2 : 8));
		break;
	case 0x90:
	case 0xc3:
	case 0xc9:
		if (insn->len == 1)
			snprintf(w->text, INSN_TEXT_MAX, "%s",
			    op == 0x90       ? "nop"
				: op == 0xc3 ? "ret"
					     : "leave");
		break;
	case 0x84:
	case 0x85:
		put_two(w, "test", op == 0x84 ? 1 : size, false);
		break;
	case 0x89:
	case 0x8a:
	case 0x8b:
		put_two(w, "mov", op == 0x8a ? 1 : size, op != 0x89);
		break;
	case 0x8d:
		put_two(w, "lea", size, true);
		break;
	case 0x63:
		put(w, "movslq", '\0', of_rm(w, 4), of_register(insn, insn->reg, size));
		break;
	case 0x80:
	case 0x81:
	case 0x83:
		put_immediate(w, arithmetic[insn->reg & 7], op == 0x80 ? 1 : size);
		break;
	case 0xc7:
		if (insn->reg == 0)
			put_immediate(w, "mov", size);
		break;
	case 0xb8 ... 0xbf:
		put(w, "mov", '\0', of_immediate(insn, size), of_register(insn, insn->reg, size));
		break;
	case 0x3c:
		put(w, "cmp", '\0', of_immediate(insn, 1), of_register(insn, X86_RAX, 1));
		break;
	default: /* add to cmp: 0x01 to 0x3b */
		if (op < 0x40)
			put_two(w, arithmetic[op >> 3], op & 1 ? size : 1, op & 2);
		break;
	}
}

static bool is_prefix(uint8_t byte)
{
	static const uint8_t prefixes[] = {0x2e, 0x3e, 0x64, 0x65, 0x66, 0xf2, 0xf3};

	return memchr(prefixes, byte, sizeof(prefixes));
}

size_t insn_text_x86(const uint8_t *code, size_t len, char ret_text[INSN_TEXT_MAX])
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	struct writing w = {.segment = "", .text = ret_text};
	bool strange = false; /* prefixes that mean something else with each instruction */

	*ret_text = '\0';
	if (!x86_insn_decode(code, len, &w.insn))
		return 0;
	if (w.insn.len == sizeof(endbr64) && !memcmp(code, endbr64, sizeof(endbr64))) {
		snprintf(ret_text, INSN_TEXT_MAX, "endbr64");
		return w.insn.len;
	}
	for (size_t i = 0; i < w.insn.len && is_prefix(code[i]); i++) {
		if (code[i] == 0x64 || code[i] == 0x65)
			w.segment = code[i] == 0x64 ? "%fs:" : "%gs:";
		else if (code[i] != 0x66)
			strange = true;
	}
	if (strange)
		return w.insn.len;
	if (x86_insn_is_branch(&w.insn))
		put_branch(&w);
	else if (w.insn.opcode > 0xff)
		put_two_bytes(&w);
	else
		put_one_byte(&w);
	return w.insn.len;
}

size_t insn_text(
    enum elf_machine machine, const uint8_t *code, size_t len, char ret_text[INSN_TEXT_MAX])
{
	if (machine == ELF_MACHINE_X86_64)
		return insn_text_x86(code, len, ret_text);
	if (machine == ELF_MACHINE_AARCH64)
		return insn_text_arm64(code, len, ret_text);
	*ret_text = '\0';
	return 0;
}
