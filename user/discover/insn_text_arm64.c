// SPDX-License-Identifier: Apache-2.0
/* One aarch64 instruction as GNU tools write it; see insn_text.h. Encodings: Arm Architecture Reference Manual, chapter C6. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "discover/insn_text.h"

enum {
	INSN_BYTES = 4
};

/* Bits [low, low + count) of the instruction. */
static uint32_t bits(uint32_t insn, unsigned low, unsigned count)
{
	return (insn >> low) & ((1u << count) - 1);
}

static int signed_bits(uint32_t insn, unsigned low, unsigned count)
{
	int value = (int)bits(insn, low, count);

	return value & (1 << (count - 1)) ? value - (1 << count) : value;
}

/* A register's name: x or w, and what 31 means there. */
struct name {
	char text[8];
};

static struct name name_of(uint32_t reg, bool wide, const char *of_31)
{
	struct name name;

	if (reg == 31)
		snprintf(name.text, sizeof(name.text), "%s%s", wide ? "" : "w", of_31);
	else
		snprintf(name.text, sizeof(name.text), "%c%u", wide ? 'x' : 'w', reg & 31);
	return name;
}

static struct name plain(uint32_t insn, unsigned low, bool wide)
{
	return name_of(bits(insn, low, 5), wide, wide ? "xzr" : "zr");
}

static struct name base(uint32_t insn, unsigned low)
{
	return name_of(bits(insn, low, 5), true, "sp");
}

static void put_hint(char *text, uint32_t insn)
{
	static const struct {
		uint32_t insn;
		const char *name;
	} hints[] = {{0xd503201f, "nop"}, {0xd503233f, "paciasp"}, {0xd50323bf, "autiasp"},
	    {0xd503241f, "bti"}, {0xd503245f, "bti c"}, {0xd503249f, "bti j"},
	    {0xd50324df, "bti jc"}, {0xd65f03c0, "ret"}};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (insn == hints[i].insn)
			snprintf(text, INSN_TEXT_MAX, "%s", hints[i].name);
}

/* stp, ldp of two 64-bit registers: 1 post-index, 2 plain offset, 3 pre-index. */
static void put_pair(char *text, uint32_t insn)
{
	uint32_t mode = bits(insn, 23, 2);
	int offset = signed_bits(insn, 15, 7) * 8, n;

	n = snprintf(text, INSN_TEXT_MAX, "%s %s, %s, [%s", bits(insn, 22, 1) ? "ldp" : "stp",
	    plain(insn, 0, true).text, plain(insn, 10, true).text, base(insn, 5).text);
	if (mode == 1)
		snprintf(text + n, (size_t)(INSN_TEXT_MAX - n), "], #%d", offset);
	else if (offset || mode == 3)
		snprintf(text + n, (size_t)(INSN_TEXT_MAX - n), ", #%d]%s", offset,
		    mode == 3 ? "!" : "");
	else
		snprintf(text + n, (size_t)(INSN_TEXT_MAX - n), "]");
}

/* str, ldr of 32 or 64 bits with an unsigned offset. */
static void put_single(char *text, uint32_t insn)
{
	bool wide = bits(insn, 30, 1);
	uint32_t offset = bits(insn, 10, 12) << (wide ? 3 : 2);
	int n = snprintf(text, INSN_TEXT_MAX, "%s %s, [%s", bits(insn, 22, 1) ? "ldr" : "str",
	    plain(insn, 0, wide).text, base(insn, 5).text);

	if (offset)
		n += snprintf(text + n, (size_t)(INSN_TEXT_MAX - n), ", #%u", offset);
	snprintf(text + n, (size_t)(INSN_TEXT_MAX - n), "]");
}

/* add, sub, cmp, cmn of an immediate; add of 0 to or from sp is called mov. */
static void put_immediate(char *text, uint32_t insn)
{
	bool wide = bits(insn, 31, 1), subtract = bits(insn, 30, 1), flags = bits(insn, 29, 1);
	uint32_t immediate = bits(insn, 10, 12), target = bits(insn, 0, 5);
	const char *shift = bits(insn, 22, 1) ? ", lsl #12" : "";
	struct name source = name_of(bits(insn, 5, 5), wide, "sp");

	if (flags && target == 31)
		snprintf(text, INSN_TEXT_MAX, "%s %s, #0x%x%s", subtract ? "cmp" : "cmn",
		    source.text, immediate, shift);
	else if (!flags && !subtract && !immediate && !*shift &&
	    (target == 31 || bits(insn, 5, 5) == 31))
		snprintf(text, INSN_TEXT_MAX, "mov %s, %s", name_of(target, wide, "sp").text,
		    source.text);
	else
		snprintf(text, INSN_TEXT_MAX, "%s%s %s, %s, #0x%x%s", subtract ? "sub" : "add",
		    flags ? "s" : "",
		    flags ? plain(insn, 0, wide).text : name_of(target, wide, "sp").text,
		    source.text, immediate, shift);
}

static void put_branch(char *text, const char *name, int words)
{
	int64_t distance = (int64_t)words * INSN_BYTES;

	snprintf(text, INSN_TEXT_MAX, "%s .%c0x%" PRIx64, name, distance < 0 ? '-' : '+',
	    (uint64_t)(distance < 0 ? -distance : distance));
}

static void put_compare_branch(char *text, uint32_t insn)
{
	char name[16];

	snprintf(name, sizeof(name), "cb%sz %s,", bits(insn, 24, 1) ? "n" : "",
	    plain(insn, 0, bits(insn, 31, 1)).text);
	put_branch(text, name, signed_bits(insn, 5, 19));
}

size_t insn_text_arm64(const uint8_t *code, size_t len, char ret_text[INSN_TEXT_MAX])
{
	uint32_t insn;

	*ret_text = '\0';
	if (len < INSN_BYTES)
		return 0;
	insn = (uint32_t)code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 |
	    (uint32_t)code[3] << 24;
	if ((insn & 0xfe000000) == 0xa8000000 && bits(insn, 23, 2))
		put_pair(ret_text, insn);
	else if ((insn & 0xbf800000) == 0xb9000000)
		put_single(ret_text, insn);
	else if ((insn & 0x1f800000) == 0x11000000)
		put_immediate(ret_text, insn);
	else if ((insn & 0x7fe0ffe0) == 0x2a0003e0)
		snprintf(ret_text, INSN_TEXT_MAX, "mov %s, %s",
		    plain(insn, 0, bits(insn, 31, 1)).text,
		    plain(insn, 16, bits(insn, 31, 1)).text);
	else if ((insn & 0x7e000000) == 0x34000000)
		put_compare_branch(ret_text, insn);
	else if ((insn & 0x7c000000) == 0x14000000)
		put_branch(ret_text, bits(insn, 31, 1) ? "bl" : "b", signed_bits(insn, 0, 26));
	else
		put_hint(ret_text, insn);
	return INSN_BYTES;
}
