// SPDX-License-Identifier: Apache-2.0
/* Offsets and probe addresses from machine code; see sqlite_code.h. */
#include "discover/sqlite_code.h"

#include <errno.h>

#include "discover/sqlite_sim.h"
#include "discover/x86_insn.h"

enum {
	FIELD_MAX = 4096,        /* the statement object has about 300 bytes */
	PROBE_DISTANCE_MAX = 48, /* prologues are shorter */
	ARM64_X0 = 0,
	ARM64_SP = 31,
};

/* Run the function to its return on the path that its argument and the field it tests lead to. */
static int run(enum elf_machine machine, const uint8_t *code, size_t len, bool null_argument,
    enum sim_flag field_flag, struct sim *sim)
{
	bool x86 = machine == ELF_MACHINE_X86_64;
	int err;

	sim_init(sim, x86 ? X86_RDI : ARM64_X0, x86 ? X86_RSP : ARM64_SP, null_argument);
	sim->field_flag = field_flag;
	for (int i = 0; i < SIM_STEPS && !sim->returned; i++) {
		err = x86 ? sim_step_x86(sim, code, len) : sim_step_arm64(sim, code, len);
		if (err)
			return err;
	}
	return sim->returned ? 0 : -ENOTSUP;
}

static struct sim_value result_of(enum elf_machine machine, const struct sim *sim)
{
	return sim->reg[machine == ELF_MACHINE_X86_64 ? X86_RAX : ARM64_X0];
}

/* The value that the function returns on one of its two paths. */
static int run_accessor(enum elf_machine machine, const uint8_t *code, size_t len,
    bool null_argument, struct sim_value *ret_value)
{
	struct sim sim;
	int err = run(machine, code, len, null_argument, SIM_FLAG_UNKNOWN, &sim);

	if (!err)
		*ret_value = result_of(machine, &sim);
	return err;
}

int sqlite_code_field(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset)
{
	struct sim_value value, null_value;
	int err;

	if (machine != ELF_MACHINE_X86_64 && machine != ELF_MACHINE_AARCH64)
		return -ENOTSUP;
	err = run_accessor(machine, code, len, false, &value);
	if (!err)
		err = run_accessor(machine, code, len, true, &null_value);
	if (err)
		return err;
	if (value.kind != SIM_FIELD || value.n < 0 || value.n >= FIELD_MAX || value.n % 8)
		return -ENOTSUP;
	if (null_value.kind != SIM_ZERO && null_value.kind != SIM_ARGUMENT)
		return -ENOTSUP;
	*ret_offset = (uint32_t)value.n;
	return 0;
}

int sqlite_code_byte(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset)
{
	struct sim_value value;
	int err;

	if (machine != ELF_MACHINE_X86_64 && machine != ELF_MACHINE_AARCH64)
		return -ENOTSUP;
	err = run_accessor(machine, code, len, false, &value);
	if (err)
		return err;
	if (value.kind != SIM_BYTE || value.n <= 0 || value.n >= FIELD_MAX)
		return -ENOTSUP;
	*ret_offset = (uint32_t)value.n;
	return 0;
}

int sqlite_code_tested(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset)
{
	struct sim null, at_none, at_row;
	enum sim_kind null_result;
	int64_t field;

	if (machine != ELF_MACHINE_X86_64 && machine != ELF_MACHINE_AARCH64)
		return -ENOTSUP;
	if (run(machine, code, len, true, SIM_FLAG_UNKNOWN, &null) ||
	    run(machine, code, len, false, SIM_FLAG_EQUAL, &at_none))
		return -ENOTSUP;
	null_result = result_of(machine, &null).kind;
	if ((null_result != SIM_ZERO && null_result != SIM_ARGUMENT) || null.tested >= 0 ||
	    result_of(machine, &at_none).kind != SIM_ZERO)
		return -ENOTSUP;
	/* What it returns at a row is of no interest, so that run may end where it is not understood. */
	run(machine, code, len, false, SIM_FLAG_DIFFER, &at_row);
	field = at_none.tested;
	if (at_row.tested != field ||
	    (at_row.returned && result_of(machine, &at_row).kind == SIM_ZERO))
		return -ENOTSUP;
	if (field <= 0 || field >= FIELD_MAX || field % 8)
		return -ENOTSUP;
	*ret_offset = (uint32_t)field;
	return 0;
}

/* What the kernel emulates; a longer push or a prefix 0x66 sends it to single-stepping. */
static bool is_emulated(const struct x86_insn *insn)
{
	if (insn->operand16)
		return false;
	if (insn->opcode >= 0x50 && insn->opcode <= 0x57)
		return insn->len == 1 || (insn->len == 2 && insn->rex == 0x41);
	return insn->opcode == 0x90 || x86_insn_is_branch(insn);
}

static int32_t read_rel32(const uint8_t *p)
{
	return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24);
}

/* Target of the branch whose bytes start at p[at], decoded without regard to what comes before; 0
 * for none. */
static int64_t branch_target(const uint8_t *p, size_t len, size_t at)
{
	bool two_bytes = p[at] == 0x0f && len - at >= 2 && (p[at + 1] & 0xf0) == 0x80;
	size_t opcode_end = at + (two_bytes ? 2 : 1);

	if ((p[at] & 0xf0) == 0x70 || p[at] == 0xeb || (p[at] & 0xfc) == 0xe0)
		return len - at >= 2 ? (int64_t)at + 2 + (int8_t)p[at + 1] : 0;
	if ((two_bytes || p[at] == 0xe9) && len - opcode_end >= 4)
		return (int64_t)opcode_end + 4 + read_rel32(p + opcode_end);
	return 0;
}

/*
 * Whether the function may branch to (0, last]: a loop may return there, and a probe would count
 * its rounds as calls. Goes by instructions as long as they are understood, then by every byte, so
 * that it errs only towards "may".
 */
static bool may_branch_into(const uint8_t *code, size_t len, size_t last)
{
	struct x86_insn insn;
	bool understood = true;

	for (size_t at = 0; at < len; at += understood ? insn.len : 1) {
		int64_t target = branch_target(code, len, at);

		if (target > 0 && target <= (int64_t)last)
			return true;
		understood = understood && x86_insn_decode(code + at, len - at, &insn);
	}
	return false;
}

size_t sqlite_code_probe_offset(
    enum elf_machine machine, const uint8_t *code, size_t len, bool *ret_cheap)
{
	struct x86_insn insn;
	int written;

	*ret_cheap = false;
	if (machine != ELF_MACHINE_X86_64)
		return 0;
	for (size_t at = 0; at < len && at <= PROBE_DISTANCE_MAX; at += insn.len) {
		if (!x86_insn_decode(code + at, len - at, &insn))
			return 0;
		if (is_emulated(&insn)) {
			/* A compiler never loops back to a push: the stack would grow. */
			bool push = (insn.opcode & 0xf8) == 0x50;

			if (at && !push && may_branch_into(code, len, at))
				return 0;
			*ret_cheap = true;
			return at;
		}
		if (!x86_insn_writes(&insn, &written))
			return 0;
		if (written == X86_RDI || written == X86_RSI || written == X86_RDX)
			return 0;
	}
	return 0;
}

bool sqlite_code_entry_is_cheap(enum elf_machine machine, const uint8_t *code, size_t len)
{
	struct x86_insn insn;

	return machine == ELF_MACHINE_X86_64 && x86_insn_decode(code, len, &insn) &&
	    is_emulated(&insn);
}
