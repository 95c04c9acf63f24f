// SPDX-License-Identifier: Apache-2.0
/* Offsets and probe addresses from machine code; see sqlite_code.h. */
#include "discover/sqlite_code.h"

#include <errno.h>

#include "discover/sqlite_sim.h"
#include "discover/x86_insn.h"

enum {
	FIELD_MAX = 4096,        /* the statement object has about 300 bytes */
	PATHS_MAX = 256,         /* sqlite3_extended_errcode has 8 at most */
	PROBE_DISTANCE_MAX = 48, /* prologues are shorter */
	ARM64_X0 = 0,
	ARM64_SP = 31,
};

/* A machine at the function's start. */
static struct sim sim_at_start(enum elf_machine machine, bool null_argument)
{
	bool x86 = machine == ELF_MACHINE_X86_64;
	struct sim sim;

	sim_init(&sim, x86 ? X86_RDI : ARM64_X0, x86 ? X86_RSP : ARM64_SP, null_argument);
	return sim;
}

bool sqlite_code_reads_field(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t offset)
{
	bool x86 = machine == ELF_MACHINE_X86_64;
	struct sim sim;

	if (!x86 && machine != ELF_MACHINE_AARCH64)
		return false;
	sim = sim_at_start(machine, false);
	for (int i = 0; i < SIM_STEPS && !sim.returned; i++) {
		if (x86 ? sim_step_x86(&sim, code, len) : sim_step_arm64(&sim, code, len))
			return false;
		for (int reg = 0; reg < SIM_REGISTERS; reg++)
			if (sim.reg[reg].kind == SIM_FIELD && sim.reg[reg].n == offset)
				return true;
	}
	return false;
}

/* The value that the function returns on the path that sim takes. */
static int run(struct sim *sim, enum elf_machine machine, const uint8_t *code, size_t len,
    struct sim_value *ret_value)
{
	bool x86 = machine == ELF_MACHINE_X86_64;
	int err;

	for (int i = 0; i < SIM_STEPS && !sim->returned; i++) {
		err = x86 ? sim_step_x86(sim, code, len) : sim_step_arm64(sim, code, len);
		if (err)
			return err;
	}
	if (!sim->returned)
		return -ENOTSUP;
	*ret_value = sim->reg[x86 ? X86_RAX : ARM64_X0];
	return 0;
}

/* The value that the function returns on one of its two paths. */
static int run_accessor(enum elf_machine machine, const uint8_t *code, size_t len,
    bool null_argument, struct sim_value *ret_value)
{
	struct sim sim = sim_at_start(machine, null_argument);

	return run(&sim, machine, code, len, ret_value);
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
	struct sim null = sim_at_start(machine, true);
	struct sim at_none = sim_at_start(machine, false), at_row = at_none;
	struct sim_value value;
	int64_t field;

	if (machine != ELF_MACHINE_X86_64 && machine != ELF_MACHINE_AARCH64)
		return -ENOTSUP;
	at_none.field_flag = SIM_FLAG_EQUAL;
	at_row.field_flag = SIM_FLAG_DIFFER;
	if (run(&null, machine, code, len, &value) || null.tested >= 0 ||
	    (value.kind != SIM_ZERO && value.kind != SIM_ARGUMENT))
		return -ENOTSUP;
	if (run(&at_none, machine, code, len, &value) || value.kind != SIM_ZERO)
		return -ENOTSUP;
	/* What it returns at a row is of no interest, so that run may end where it is not understood. */
	if (!run(&at_row, machine, code, len, &value) && value.kind == SIM_ZERO)
		return -ENOTSUP;
	field = at_none.tested;
	if (at_row.tested != field || field <= 0 || field >= FIELD_MAX || field % 8)
		return -ENOTSUP;
	*ret_offset = (uint32_t)field;
	return 0;
}

/* The choices of the next path, when the last one made n; false: that was all. */
static bool next_choices(uint16_t *choices, unsigned n)
{
	while (n > 0) {
		uint16_t last = (uint16_t)(1u << --n);

		*choices ^= last;
		if (*choices & last)
			return true;
	}
	return false;
}

/* Follow all paths. *offset becomes that of the word which those return that return one; the others return an error. */
static int explore(
    enum elf_machine machine, const uint8_t *code, size_t len, bool null_argument, int64_t *offset)
{
	uint16_t choices = 0;

	for (int paths = 0; paths < PATHS_MAX; paths++) {
		struct sim sim = sim_at_start(machine, null_argument);
		struct sim_value value;
		int err;

		sim.explores = true;
		sim.choices = choices;
		err = run(&sim, machine, code, len, &value);
		if (err)
			return err;
		if (value.kind == SIM_WORD && value.n > 0 && (*offset == 0 || *offset == value.n))
			*offset = value.n;
		else if (value.kind != SIM_CONSTANT && value.kind != SIM_ANSWER)
			return -ENOTSUP;
		if (!next_choices(&choices, sim.n_choices))
			return 0;
	}
	return -ENOTSUP;
}

int sqlite_code_word(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset)
{
	int64_t offset = 0, of_null = 0;
	int err;

	if (machine != ELF_MACHINE_X86_64 && machine != ELF_MACHINE_AARCH64)
		return -ENOTSUP;
	err = explore(machine, code, len, false, &offset);
	if (!err)
		err = explore(machine, code, len, true, &of_null);
	if (err)
		return err;
	if (!offset || offset >= FIELD_MAX || offset % 4 || of_null)
		return -ENOTSUP;
	*ret_offset = (uint32_t)offset;
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

/* Is the register one of those that the first arguments are passed in? */
static bool is_argument(int reg, int arguments)
{
	static const int passed_in[] = {X86_RDI, X86_RSI, X86_RDX};

	for (int i = 0; i < arguments; i++)
		if (passed_in[i] == reg)
			return true;
	return false;
}

size_t sqlite_code_probe_offset(
    enum elf_machine machine, const uint8_t *code, size_t len, int arguments, bool *ret_cheap)
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
		if (!x86_insn_writes(&insn, &written) || is_argument(written, arguments))
			return 0;
	}
	return 0;
}

/* From code[at] on nothing happens to the result until the function returns. */
static bool returns_at_once(const uint8_t *code, size_t len, size_t at)
{
	struct x86_insn insn;
	int written;

	for (; at < len && x86_insn_decode(code + at, len - at, &insn); at += insn.len) {
		if (insn.opcode == 0xc3)
			return true;
		if (!x86_insn_writes(&insn, &written) || written == X86_RAX)
			return false;
	}
	return false;
}

bool sqlite_code_wraps(
    enum elf_machine machine, const uint8_t *code, size_t len, int64_t *ret_target)
{
	struct x86_insn insn;
	int written;

	if (machine != ELF_MACHINE_X86_64)
		return false;
	for (size_t at = 0; at < len && x86_insn_decode(code + at, len - at, &insn);
	     at += insn.len) {
		if (insn.opcode == 0xe8) {
			*ret_target = (int64_t)(at + insn.len) + insn.immediate;
			return returns_at_once(code, len, at + insn.len);
		}
		if (!x86_insn_writes(&insn, &written) || is_argument(written, 3))
			return false;
	}
	return false;
}

bool sqlite_code_entry_is_cheap(enum elf_machine machine, const uint8_t *code, size_t len)
{
	struct x86_insn insn;

	return machine == ELF_MACHINE_X86_64 && x86_insn_decode(code, len, &insn) &&
	    is_emulated(&insn);
}
