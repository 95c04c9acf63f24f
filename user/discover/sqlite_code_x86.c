// SPDX-License-Identifier: Apache-2.0
/* One x86-64 instruction on the symbolic machine; see sqlite_sim.h. */
#include <errno.h>

#include "discover/sqlite_sim.h"
#include "discover/x86_insn.h"

static const struct sim_value unknown = {.kind = SIM_UNKNOWN};
static const struct sim_value zero = {.kind = SIM_ZERO};

/* A 32-bit write clears the upper half: of our values only zero and bytes survive that. */
static struct sim_value narrowed(const struct x86_insn *insn, struct sim_value value)
{
	return insn->wide || value.kind == SIM_ZERO || value.kind == SIM_BYTE ? value : unknown;
}

/* Base of the memory operand; unknown for addresses with an index, a segment or none. */
static struct sim_value address(const struct sim *sim, const struct x86_insn *insn)
{
	if (insn->segment || insn->scaled != X86_NONE || insn->base == X86_NONE ||
	    insn->base == X86_RIP)
		return unknown;
	return sim->reg[insn->base];
}

static int read_rm(struct sim *sim, const struct x86_insn *insn, struct sim_value *ret_value)
{
	if (insn->memory)
		return sim_load(sim, address(sim, insn), insn->disp, insn->wide ? 8 : 4, ret_value);
	*ret_value = narrowed(insn, sim->reg[insn->rm]);
	return 0;
}

static int write_rm(struct sim *sim, const struct x86_insn *insn, struct sim_value value)
{
	if (insn->memory)
		return sim_store(sim, address(sim, insn), insn->disp, insn->wide ? 8 : 4, value);
	sim->reg[insn->rm] = narrowed(insn, value);
	return 0;
}

static int push(struct sim *sim, struct sim_value value)
{
	sim->reg[sim->sp] = sim_add(sim->reg[sim->sp], -8);
	return sim_store(sim, sim->reg[sim->sp], 0, 8, value);
}

static int pop(struct sim *sim, int reg)
{
	struct sim_value value;
	int err = sim_load(sim, sim->reg[sim->sp], 0, 8, &value);

	if (err)
		return err;
	sim->reg[sim->sp] = sim_add(sim->reg[sim->sp], 8);
	sim->reg[reg] = value;
	return 0;
}

static int leave(struct sim *sim)
{
	sim->reg[sim->sp] = sim->reg[X86_RBP];
	return pop(sim, X86_RBP);
}

/* Only with the stack as it was found, else the return address is not the caller's. */
static int ret(struct sim *sim)
{
	struct sim_value sp = sim->reg[sim->sp];

	if (sp.kind != SIM_STACK || sp.n != 0)
		return -ENOTSUP;
	sim->returned = true;
	return 0;
}

/* 0x83 and 0x81: add, sub on the stack pointer, cmp with 0. */
static int arithmetic(struct sim *sim, const struct x86_insn *insn)
{
	struct sim_value value;
	int err = read_rm(sim, insn, &value);

	if (err)
		return err;
	sim->flag = SIM_FLAG_UNKNOWN;
	if (insn->reg == 7) {
		if (insn->wide && insn->immediate == 0)
			sim_compare_zero(sim, value);
		return 0;
	}
	if (insn->reg != 0 && insn->reg != 5)
		return -ENOTSUP;
	return write_rm(
	    sim, insn, sim_add(value, insn->reg == 0 ? insn->immediate : -insn->immediate));
}

static int move(struct sim *sim, const struct x86_insn *insn)
{
	struct sim_value value;
	int err;

	switch (insn->opcode) {
	case 0x89:
		return write_rm(sim, insn, sim->reg[insn->reg]);
	case 0x8b:
		err = read_rm(sim, insn, &value);
		if (!err)
			sim->reg[insn->reg] = value;
		return err;
	case 0xc7:
		if (insn->reg != 0)
			return -ENOTSUP;
		return write_rm(sim, insn, insn->immediate == 0 ? zero : unknown);
	default: /* mov $imm, reg */
		sim->reg[insn->reg] = insn->immediate == 0 ? zero : unknown;
		return 0;
	}
}

/* test and xor of a register with itself. */
static int with_itself(struct sim *sim, const struct x86_insn *insn)
{
	if (insn->memory || insn->reg != insn->rm)
		return -ENOTSUP;
	if (insn->opcode == 0x85) {
		sim_compare_zero(sim, narrowed(insn, sim->reg[insn->rm]));
		return 0;
	}
	sim->reg[insn->rm] = zero;
	sim->flag = SIM_FLAG_EQUAL;
	return 0;
}

static int branch(struct sim *sim, const struct x86_insn *insn, size_t next, size_t len)
{
	unsigned condition = insn->opcode & 0x0f;
	bool conditional = insn->opcode != 0xeb && insn->opcode != 0xe9;

	if (insn->opcode == 0xe8)
		return -ENOTSUP;
	if (!conditional)
		return sim_branch(sim, true, next, insn->immediate, len);
	/* 4: equal, 5: not equal; no other condition tells NULL from a pointer. */
	if ((condition != 4 && condition != 5) || sim->flag == SIM_FLAG_UNKNOWN)
		return -ENOTSUP;
	return sim_branch(
	    sim, (sim->flag == SIM_FLAG_EQUAL) == (condition == 4), next, insn->immediate, len);
}

/* movzx of a byte from memory, or of a register that holds one. */
static int extend(struct sim *sim, const struct x86_insn *insn)
{
	struct sim_value value;
	int err = 0;

	if (insn->memory)
		err = sim_load(sim, address(sim, insn), insn->disp, 1, &value);
	else /* without a prefix 4 to 7 are the second bytes of the first four */
		value = insn->rm < 4 || insn->rex ? sim->reg[insn->rm] : unknown;
	if (!err)
		sim->reg[insn->reg] = value.kind == SIM_BYTE ? value : unknown;
	return err;
}

static int execute(struct sim *sim, const struct x86_insn *insn)
{
	switch (insn->opcode) {
	case 0x90:
	case 0x0f1e:
	case 0x0f1f:
		return 0;
	case 0x50 ... 0x57:
		return insn->operand16 ? -ENOTSUP : push(sim, sim->reg[insn->reg]);
	case 0x58 ... 0x5f:
		return insn->operand16 ? -ENOTSUP : pop(sim, insn->reg);
	case 0xc9:
		return leave(sim);
	case 0xc3:
		return ret(sim);
	case 0x89:
	case 0x8b:
	case 0xc7:
	case 0xb8 ... 0xbf:
		return insn->operand16 ? -ENOTSUP : move(sim, insn);
	case 0x0fb6:
		return insn->operand16 ? -ENOTSUP : extend(sim, insn);
	case 0x85:
	case 0x31:
	case 0x33:
		return insn->operand16 ? -ENOTSUP : with_itself(sim, insn);
	case 0x81:
	case 0x83:
		return insn->operand16 ? -ENOTSUP : arithmetic(sim, insn);
	default:
		return -ENOTSUP;
	}
}

int sim_step_x86(struct sim *sim, const uint8_t *code, size_t len)
{
	struct x86_insn insn;
	size_t next;
	int err;

	if (sim->pc >= len || !x86_insn_decode(code + sim->pc, len - sim->pc, &insn))
		return -ENOTSUP;
	next = sim->pc + insn.len;
	if (x86_insn_is_branch(&insn))
		return branch(sim, &insn, next, len);
	err = execute(sim, &insn);
	sim->pc = next;
	return err;
}
