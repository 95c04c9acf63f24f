// SPDX-License-Identifier: Apache-2.0
/* One x86-64 instruction on the symbolic machine; see sqlite_sim.h. */
#include <errno.h>

#include "discover/sqlite_sim.h"
#include "discover/x86_insn.h"

/* Registers that a function may change: rax, rcx, rdx, rsi, rdi, r8 to r11. */
#define CLOBBERED 0x0fc7u

static const struct sim_value unknown = {.kind = SIM_UNKNOWN};
static const struct sim_value zero = {.kind = SIM_ZERO};
static const struct sim_value constant = {.kind = SIM_CONSTANT};

/* A 32-bit write clears the upper half. */
static struct sim_value narrowed(const struct x86_insn *insn, struct sim_value value)
{
	return insn->wide ? value : sim_narrow(value);
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
		return write_rm(sim, insn, insn->immediate == 0 ? zero : constant);
	default: /* mov $imm, reg */
		sim->reg[insn->reg] = insn->immediate == 0 ? zero : constant;
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

/* A jump; out of the function it is a call whose answer is returned. */
static int jump(struct sim *sim, size_t next, int64_t distance, size_t len)
{
	int err = sim_branch(sim, true, next, distance, len);

	if (!err || !sim->explores)
		return err;
	err = sim_call(sim, CLOBBERED, X86_RAX);
	return err ? err : ret(sim);
}

static int branch(struct sim *sim, const struct x86_insn *insn, size_t next, size_t len)
{
	unsigned condition = insn->opcode & 0x0f;
	bool taken = (sim->flag == SIM_FLAG_EQUAL) == (condition == 4);
	int err = 0;

	if (insn->opcode == 0xe8) {
		sim->pc = next;
		return sim_call(sim, CLOBBERED, X86_RAX);
	}
	if (insn->opcode == 0xeb || insn->opcode == 0xe9)
		return jump(sim, next, insn->immediate, len);
	/* 4: equal, 5: not equal; no other condition tells NULL from a pointer. */
	if ((condition != 4 && condition != 5) || sim->flag == SIM_FLAG_UNKNOWN)
		err = sim_choose(sim, &taken);
	return err ? err : sim_branch(sim, taken, next, insn->immediate, len);
}

/* movzx of a byte from memory, or of a register that holds one. */
static int extend(struct sim *sim, const struct x86_insn *insn)
{
	struct sim_value value;
	int err = 0;

	if (insn->memory)
		err = sim_load(sim, address(sim, insn), insn->disp, 1, &value);
	else /* of the lowest byte of a register */
		value = x86_insn_byte_register(insn, insn->rm) == insn->rm ? sim->reg[insn->rm]
									   : unknown;
	if (!err)
		sim->reg[insn->reg] = value.kind == SIM_BYTE ? value : unknown;
	return err;
}

/* A comparison that says nothing of NULL: what it finds is not known. */
static int compare(struct sim *sim, const struct x86_insn *insn, size_t size)
{
	struct sim_value value;

	sim->flag = SIM_FLAG_UNKNOWN;
	return insn->memory ? sim_load(sim, address(sim, insn), insn->disp, size, &value) : 0;
}

/* mov of a byte to a register, whose upper part stays. */
static int move_byte(struct sim *sim, const struct x86_insn *insn)
{
	struct sim_value value;

	sim->reg[x86_insn_byte_register(insn, insn->reg)] = unknown;
	return insn->memory ? sim_load(sim, address(sim, insn), insn->disp, 1, &value) : 0;
}

static int set_condition(struct sim *sim, const struct x86_insn *insn)
{
	if (insn->memory)
		return sim_store(sim, address(sim, insn), insn->disp, 1, unknown);
	sim->reg[x86_insn_byte_register(insn, insn->rm)] = unknown;
	return 0;
}

/* lea of what is not on the stack. */
static int load_address(struct sim *sim, const struct x86_insn *insn)
{
	if (address(sim, insn).kind == SIM_STACK)
		return -ENOTSUP;
	sim->reg[insn->reg] = unknown;
	return 0;
}

static int execute_byte(struct sim *sim, const struct x86_insn *insn)
{
	switch (insn->opcode) {
	case 0x38: /* cmp, test */
	case 0x3a:
	case 0x3c:
	case 0x84:
		return compare(sim, insn, 1);
	case 0x80:
		return insn->reg == 7 ? compare(sim, insn, 1) : -ENOTSUP;
	case 0x8a:
		return move_byte(sim, insn);
	case 0x0f90 ... 0x0f9f:
		return set_condition(sim, insn);
	default:
		return -ENOTSUP;
	}
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
	case 0x39:
	case 0x3b:
		return insn->operand16 ? -ENOTSUP : compare(sim, insn, insn->wide ? 8 : 4);
	case 0x8d:
		return insn->operand16 ? -ENOTSUP : load_address(sim, insn);
	default:
		return execute_byte(sim, insn);
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
