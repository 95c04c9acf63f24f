// SPDX-License-Identifier: Apache-2.0
/* One step up the stack; see unwind.h. */
#include "stack/unwind.h"

#include <errno.h>

#include "stack/expression.h"

enum {
	WORD = 8,
	/*
	 * arm64: siginfo (128), uc_flags, uc_link, uc_stack and uc_sigmask with its reserve (168),
	 * aligned to 16, then fault_address. Fixed by include/uapi/asm/{ucontext,sigcontext}.h.
	 */
	SIGNAL_X0 = 128 + 176 + 8,
	SIGNAL_SP = SIGNAL_X0 + 31 * WORD,
	SIGNAL_PC = SIGNAL_SP + WORD,
};

bool stack_copy_read(struct stack_copy *copy, uint64_t address, unsigned bytes, uint64_t *ret_value)
{
	uint64_t at = address - copy->start, value = 0;

	if (address < copy->start)
		return false;
	if (at > copy->len || bytes > copy->len - at) {
		copy->cut = true;
		return false;
	}
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)copy->bytes[at + i] << (8 * i);
	*ret_value = value;
	return true;
}

uint64_t unwind_code_address(enum elf_machine machine, uint64_t address)
{
	return machine == ELF_MACHINE_AARCH64 ? address & ((1ULL << 48) - 1) : address;
}

struct step {
	const struct register_roles *roles;
	const struct cfi_row *row;
	const struct registers *from;
	struct stack_copy *copy;
	uint64_t cfa;
};

static int find_cfa(struct step *s)
{
	const struct cfi_register *cfa = &s->row->cfa;
	uint64_t base;

	if (cfa->rule == CFI_RULE_VAL_EXPRESSION)
		return expression_value(cfa->expression, s->from, s->copy, NULL, &s->cfa);
	if (!register_get(s->from, (uint64_t)cfa->value, &base))
		return -ENODATA;
	s->cfa = base + (uint64_t)s->row->cfa_offset;
	return 0;
}

/* What the rule of a register gives. -ENODATA: its value is not known. */
static int find_register(struct step *s, unsigned number, uint64_t *ret_value)
{
	const struct cfi_register *r = &s->row->registers[number];
	uint64_t address;
	int err;

	switch (r->rule) {
	case CFI_RULE_SAME:
		return register_get(s->from, number, ret_value) ? 0 : -ENODATA;
	case CFI_RULE_OFFSET:
		address = s->cfa + (uint64_t)r->value;
		return stack_copy_read(s->copy, address, WORD, ret_value) ? 0 : -ENODATA;
	case CFI_RULE_VAL_OFFSET:
		*ret_value = s->cfa + (uint64_t)r->value;
		return 0;
	case CFI_RULE_REGISTER:
		return register_get(s->from, (uint64_t)r->value, ret_value) ? 0 : -ENODATA;
	case CFI_RULE_EXPRESSION:
		err = expression_value(r->expression, s->from, s->copy, &s->cfa, &address);
		if (err)
			return err;
		return stack_copy_read(s->copy, address, WORD, ret_value) ? 0 : -ENODATA;
	case CFI_RULE_VAL_EXPRESSION:
		return expression_value(r->expression, s->from, s->copy, &s->cfa, ret_value);
	default:
		return -ENODATA;
	}
}

/* Registers that no rule names: the stack pointer is the CFA, preserved ones are what they were. */
static int find_unnamed(const struct step *s, unsigned number, uint64_t *ret_value)
{
	if (number == s->roles->sp) {
		*ret_value = s->cfa;
		return 0;
	}
	if (!(s->roles->preserved >> number & 1))
		return -ENODATA;
	return register_get(s->from, number, ret_value) ? 0 : -ENODATA;
}

static int find_any(struct step *s, unsigned number, uint64_t *ret_value)
{
	if (s->row->registers[number].rule == CFI_RULE_UNSPECIFIED)
		return find_unnamed(s, number, ret_value);
	return find_register(s, number, ret_value);
}

/* The return address, or 0 when the table says that there is none. */
static int find_return(struct step *s, uint64_t number, uint64_t *ret_address)
{
	enum cfi_rule rule;

	if (number >= FRAME_REGISTERS)
		return -EBADMSG;
	rule = s->row->registers[number].rule;
	if (rule == CFI_RULE_UNDEFINED) {
		*ret_address = 0;
		return 0;
	}
	if (rule ==
	    CFI_RULE_UNSPECIFIED) /* still in its register: arm64 functions that call none */
		return register_get(s->from, number, ret_address) ? 0 : -EBADMSG;
	return find_register(s, (unsigned)number, ret_address);
}

/* A caller's frame lies above; only signal handlers may have a stack of their own. */
static bool goes_up(const struct registers *from, const struct registers *to, unsigned sp)
{
	return to->value[sp] > from->value[sp] ||
	    (to->value[sp] == from->value[sp] && to->ip != from->ip);
}

int unwind_by_rules(enum elf_machine machine, const struct cfi_common *common,
    const struct cfi_row *row, struct stack_copy *copy, struct registers *registers)
{
	struct step s = {
	    .roles = register_roles_of(machine), .row = row, .from = registers, .copy = copy};
	struct registers to = {0};
	uint64_t value;
	int err = find_cfa(&s);

	if (!err)
		err = find_return(&s, common->return_register, &value);
	if (err)
		return err;
	to.ip = unwind_code_address(machine, value);
	if (!to.ip)
		return 0;
	for (unsigned i = 0; i < s.roles->count; i++) {
		/* A call has changed it, so that the caller cannot count on it. */
		if (i == s.roles->ra && !common->signal)
			continue;
		if (find_any(&s, i, &value) == 0)
			register_set(&to, i, value);
	}
	if (!(to.valid >> s.roles->sp & 1))
		return -ENODATA;
	if (!common->signal && !goes_up(registers, &to, s.roles->sp))
		return -EBADMSG;
	*registers = to;
	return 1;
}

int unwind_by_frame_pointer(
    enum elf_machine machine, struct stack_copy *copy, struct registers *registers)
{
	const struct register_roles *roles = register_roles_of(machine);
	struct registers to = {0};
	uint64_t fp, saved, address;

	if (!register_get(registers, roles->fp, &fp))
		return -ENODATA;
	if (fp == 0) /* how both ABIs mark the outermost frame */
		return 0;
	if (fp % WORD || fp < registers->value[roles->sp])
		return -EBADMSG;
	if (!stack_copy_read(copy, fp, WORD, &saved) ||
	    !stack_copy_read(copy, fp + WORD, WORD, &address))
		return -ENODATA;
	to.ip = unwind_code_address(machine, address);
	if (!to.ip)
		return 0;
	if (saved && saved <= fp)
		return -EBADMSG;
	register_set(&to, roles->fp, saved);
	register_set(&to, roles->sp, fp + 2 * WORD);
	if (machine ==
	    ELF_MACHINE_AARCH64) /* the record is at the low end of a frame: no more than a bound */
		to.valid &= ~(1U << roles->sp);
	*registers = to;
	return 1;
}

int unwind_by_signal_frame(struct stack_copy *copy, struct registers *registers)
{
	const struct register_roles *roles = register_roles_of(ELF_MACHINE_AARCH64);
	struct registers to = {0};
	uint64_t sp, value;

	if (!register_get(registers, roles->sp, &sp))
		return -ENODATA;
	for (unsigned i = 0; i <= roles->ra; i++) {
		if (!stack_copy_read(copy, sp + SIGNAL_X0 + i * WORD, WORD, &value))
			return -ENODATA;
		register_set(&to, i, value);
	}
	if (!stack_copy_read(copy, sp + SIGNAL_SP, WORD, &value) ||
	    !stack_copy_read(copy, sp + SIGNAL_PC, WORD, &to.ip))
		return -ENODATA;
	register_set(&to, roles->sp, value);
	if (!to.ip)
		return 0;
	*registers = to;
	return 1;
}
