// SPDX-License-Identifier: Apache-2.0
/*
 * One aarch64 instruction on the symbolic machine; see sqlite_sim.h. Encodings: Arm Architecture
 * Reference Manual, chapter C6. Register 31 is the stack pointer in addresses and in add/sub with
 * an immediate, the zero register elsewhere.
 */
#include <errno.h>

#include "discover/sqlite_sim.h"

enum {
	XZR = 31,
	LINK_REGISTER = 30
};

/* Registers that a function may change: x0 to x18; and the link register. */
#define CLOBBERED (0x7ffffu | 1u << LINK_REGISTER)

/* Bits [low, low + count) of the instruction. */
static uint32_t bits(uint32_t insn, unsigned low, unsigned count)
{
	return (insn >> low) & ((1u << count) - 1);
}

static int64_t signed_bits(uint32_t insn, unsigned low, unsigned count)
{
	int64_t value = bits(insn, low, count);

	return value & (1ll << (count - 1)) ? value - (1ll << count) : value;
}

static struct sim_value operand(const struct sim *sim, uint32_t reg)
{
	return reg == XZR ? (struct sim_value){.kind = SIM_ZERO} : sim->reg[reg];
}

static void set(struct sim *sim, uint32_t reg, struct sim_value value)
{
	if (reg != XZR)
		sim->reg[reg] = value;
}

/* Load or store of one register; scaled unsigned or unscaled signed offset. */
static int single(struct sim *sim, uint32_t insn, int64_t disp)
{
	size_t size = bits(insn, 30, 2) == 3 ? 8 : 4;
	struct sim_value base = sim->reg[bits(insn, 5, 5)], value;
	int err;

	if (bits(insn, 22, 2) == 0)
		return sim_store(sim, base, disp, size, operand(sim, bits(insn, 0, 5)));
	err = sim_load(sim, base, disp, size, &value);
	if (!err)
		set(sim, bits(insn, 0, 5), value);
	return err;
}

/* stp and ldp of two 64-bit registers: 1 post-index, 2 plain offset, 3 pre-index. */
static int pair(struct sim *sim, uint32_t insn)
{
	uint32_t mode = bits(insn, 23, 2), base = bits(insn, 5, 5);
	int64_t offset = signed_bits(insn, 15, 7) * 8, disp = mode == 1 ? 0 : offset;
	uint32_t reg[2] = {bits(insn, 0, 5), bits(insn, 10, 5)};
	struct sim_value at = sim->reg[base], value;
	int err = 0;

	for (int i = 0; i < 2 && !err; i++, disp += 8) {
		if (!bits(insn, 22, 1)) {
			err = sim_store(sim, at, disp, 8, operand(sim, reg[i]));
			continue;
		}
		err = sim_load(sim, at, disp, 8, &value);
		if (!err)
			set(sim, reg[i], value);
	}
	if (mode != 2)
		sim->reg[base] = sim_add(at, offset);
	return err;
}

/* add and sub of a 12-bit immediate; with 31 as destination and S it is a comparison. */
static int add_immediate(struct sim *sim, uint32_t insn)
{
	int64_t immediate = bits(insn, 10, 12);
	bool subtract = bits(insn, 30, 1), compare = bits(insn, 29, 1);
	struct sim_value source = sim->reg[bits(insn, 5, 5)];

	if (bits(insn, 22, 1))
		return -ENOTSUP;
	if (!compare) {
		if (immediate || source.kind == SIM_STACK)
			source = sim_add(source, subtract ? -immediate : immediate);
		sim->reg[bits(insn, 0, 5)] = source;
		return 0;
	}
	if (!subtract || immediate || bits(insn, 0, 5) != XZR)
		return -ENOTSUP;
	sim_compare_zero(sim, source);
	return 0;
}

/* Branches count from their own address. */
static int branch(struct sim *sim, bool taken, int64_t words, size_t len)
{
	return sim_branch(sim, taken, sim->pc + 4, words * 4 - 4, len);
}

/* cbz, cbnz */
static int compare_branch(struct sim *sim, uint32_t insn, size_t len)
{
	struct sim_value value = operand(sim, bits(insn, 0, 5));
	enum sim_flag before = sim->flag, now;
	bool taken;
	int err = 0;

	sim_compare_zero(sim, bits(insn, 31, 1) ? value : sim_narrow(value));
	now = sim->flag;
	sim->flag = before;
	taken = (now == SIM_FLAG_EQUAL) == !bits(insn, 24, 1);
	if (now == SIM_FLAG_UNKNOWN)
		err = sim_choose(sim, &taken);
	return err ? err : branch(sim, taken, signed_bits(insn, 5, 19), len);
}

/* b.eq, b.ne and the others, of which nothing is known. */
static int condition_branch(struct sim *sim, uint32_t insn, size_t len)
{
	uint32_t condition = bits(insn, 0, 4);
	bool taken = (sim->flag == SIM_FLAG_EQUAL) == (condition == 0);
	int err = 0;

	if (condition > 1 || sim->flag == SIM_FLAG_UNKNOWN)
		err = sim_choose(sim, &taken);
	return err ? err : branch(sim, taken, signed_bits(insn, 5, 19), len);
}

static int ret(struct sim *sim)
{
	struct sim_value sp = sim->reg[sim->sp], link = sim->reg[LINK_REGISTER];

	if (sp.kind != SIM_STACK || sp.n != 0 || link.kind != SIM_ENTRY || link.n != LINK_REGISTER)
		return -ENOTSUP;
	sim->returned = true;
	return 0;
}

/* b; out of the function it is a call whose answer is returned. */
static int jump(struct sim *sim, uint32_t insn, size_t len)
{
	int err = branch(sim, true, signed_bits(insn, 0, 26), len);
	struct sim_value link = sim->reg[LINK_REGISTER];

	if (!err || !sim->explores)
		return err;
	err = sim_call(sim, CLOBBERED, 0);
	sim->reg[LINK_REGISTER] = link; /* the function called returns to where we would */
	return err ? err : ret(sim);
}

static int call(struct sim *sim)
{
	sim->pc += 4;
	return sim_call(sim, CLOBBERED, 0);
}

/* nop, bti, paciasp, autiasp; signing is undone before the return it guards. */
static bool is_hint(uint32_t insn)
{
	return insn == 0xd503201f || (insn & 0xffffff3f) == 0xd503241f || insn == 0xd503233f ||
	    insn == 0xd50323bf;
}

static int move(struct sim *sim, uint32_t insn)
{
	struct sim_value value = operand(sim, bits(insn, 16, 5));

	set(sim, bits(insn, 0, 5), bits(insn, 31, 1) ? value : sim_narrow(value));
	return 0;
}

/* movz; and movk, which puts 16 bits into a constant. */
static int move_constant(struct sim *sim, uint32_t insn)
{
	bool zero = bits(insn, 5, 16) == 0, keeps = bits(insn, 29, 1);
	enum sim_kind before = operand(sim, bits(insn, 0, 5)).kind;
	struct sim_value value = {.kind = zero ? SIM_ZERO : SIM_CONSTANT};

	if (keeps && (zero || (before != SIM_ZERO && before != SIM_CONSTANT)))
		value.kind = SIM_UNKNOWN;
	set(sim, bits(insn, 0, 5), value);
	return 0;
}

/* cmp of 32 bits with an immediate or a register, ccmp: they say nothing of NULL. */
static bool compares(uint32_t insn)
{
	return (insn & 0xff80001f) == 0x7100001f || (insn & 0xffe0fc1f) == 0x6b00001f ||
	    (insn & 0x7fe00410) == 0x7a400000;
}

static int execute(struct sim *sim, uint32_t insn)
{
	if (is_hint(insn))
		return 0;
	if (insn == 0xd65f03c0 || insn == 0xd65f0bff) /* ret, retaa */
		return ret(sim);
	if ((insn & 0xbf800000) == 0xb9000000) /* str, ldr, unsigned offset */
		return single(sim, insn, (int64_t)bits(insn, 10, 12) << bits(insn, 30, 2));
	if ((insn & 0xffc00000) == 0x39400000) { /* ldrb, unsigned offset */
		struct sim_value value;
		int err = sim_load(sim, sim->reg[bits(insn, 5, 5)], bits(insn, 10, 12), 1, &value);

		if (!err)
			set(sim, bits(insn, 0, 5), value);
		return err;
	}
	if ((insn & 0xbfa00c00) == 0xb8000000) /* stur, ldur */
		return single(sim, insn, signed_bits(insn, 12, 9));
	if ((insn & 0xfe000000) == 0xa8000000 && bits(insn, 23, 2)) /* stp, ldp */
		return pair(sim, insn);
	if ((insn & 0x9f800000) == 0x91000000)
		return add_immediate(sim, insn);
	if ((insn & 0x7fe0ffe0) == 0x2a0003e0) /* mov rd, rm */
		return move(sim, insn);
	if ((insn & 0x7f800000) == 0x52800000 || (insn & 0x7f800000) == 0x72800000)
		return move_constant(sim, insn);
	if ((insn & 0x9f000000) == 0x90000000) { /* adrp */
		set(sim, bits(insn, 0, 5), (struct sim_value){.kind = SIM_UNKNOWN});
		return 0;
	}
	if (!compares(insn))
		return -ENOTSUP;
	sim->flag = SIM_FLAG_UNKNOWN;
	return 0;
}

int sim_step_arm64(struct sim *sim, const uint8_t *code, size_t len)
{
	uint32_t insn;
	int err;

	if (sim->pc >= len || len - sim->pc < 4)
		return -ENOTSUP;
	insn = (uint32_t)code[sim->pc] | (uint32_t)code[sim->pc + 1] << 8 |
	    (uint32_t)code[sim->pc + 2] << 16 | (uint32_t)code[sim->pc + 3] << 24;
	if ((insn & 0x7e000000) == 0x34000000)
		return compare_branch(sim, insn, len);
	if ((insn & 0xff000010) == 0x54000000)
		return condition_branch(sim, insn, len);
	if ((insn & 0xfc000000) == 0x14000000)
		return jump(sim, insn, len);
	if ((insn & 0xfc000000) == 0x94000000)
		return call(sim);
	err = execute(sim, insn);
	sim->pc += 4;
	return err;
}
