// SPDX-License-Identifier: Apache-2.0
/* Runs the programs of unwind tables up to an address; see cfi.h. */
#include <dwarf.h>
#include <errno.h>

#include "stack/cfi.h"
#include "stack/cursor.h"

struct run {
	const struct cfi_common *common;
	struct cursor code;
	uint64_t at; /* address that the row holds from */
	struct cfi_row row, initial;
	struct cfi_row remembered[CFI_REMEMBERED];
	size_t n_remembered;
};

/* Registers that are not kept are written nowhere. */
static void set_rule(struct run *run, uint64_t number, enum cfi_rule rule, int64_t value)
{
	if (number < FRAME_REGISTERS)
		run->row.registers[number] = (struct cfi_register){.rule = rule, .value = value};
}

static int64_t factored(const struct run *run, uint64_t offset)
{
	return (int64_t)(offset * (uint64_t)run->common->data_factor);
}

static void set_cfa(struct run *run, uint64_t number, int64_t offset)
{
	run->row.cfa = (struct cfi_register){.rule = CFI_RULE_REGISTER,
	    .value = number < FRAME_REGISTERS ? (int64_t)number : FRAME_REGISTERS};
	run->row.cfa_offset = offset;
}

static struct sv take_block(struct cursor *c)
{
	uint64_t len = cursor_uleb(c);
	const uint8_t *p = cursor_take(c, len);

	return sv_from(p, p ? (size_t)len : 0);
}

static void restore(struct run *run, uint64_t number)
{
	if (number < FRAME_REGISTERS)
		run->row.registers[number] = run->initial.registers[number];
}

static void remember(struct run *run)
{
	if (run->n_remembered < CFI_REMEMBERED)
		run->remembered[run->n_remembered++] = run->row;
	else
		run->code.bad = true;
}

static void recall(struct run *run)
{
	if (run->n_remembered)
		run->row = run->remembered[--run->n_remembered];
	else
		run->code.bad = true;
}

/* Instructions that say where the CFA is. False when it is another one. */
static bool run_cfa(struct run *run, uint8_t op)
{
	struct cursor *c = &run->code;
	uint64_t number;

	switch (op) {
	case DW_CFA_def_cfa:
		number = cursor_uleb(c);
		set_cfa(run, number, (int64_t)cursor_uleb(c));
		return true;
	case DW_CFA_def_cfa_sf:
		number = cursor_uleb(c);
		set_cfa(run, number, factored(run, (uint64_t)cursor_sleb(c)));
		return true;
	case DW_CFA_def_cfa_register:
		number = cursor_uleb(c);
		c->bad = c->bad || run->row.cfa.rule != CFI_RULE_REGISTER;
		set_cfa(run, number, run->row.cfa_offset);
		return true;
	case DW_CFA_def_cfa_offset:
		run->row.cfa_offset = (int64_t)cursor_uleb(c);
		c->bad = c->bad || run->row.cfa.rule != CFI_RULE_REGISTER;
		return true;
	case DW_CFA_def_cfa_offset_sf:
		run->row.cfa_offset = factored(run, (uint64_t)cursor_sleb(c));
		c->bad = c->bad || run->row.cfa.rule != CFI_RULE_REGISTER;
		return true;
	case DW_CFA_def_cfa_expression:
		run->row.cfa = (struct cfi_register){
		    .rule = CFI_RULE_VAL_EXPRESSION, .expression = take_block(c)};
		return true;
	default:
		return false;
	}
}

static void set_expression(struct run *run, uint64_t number, enum cfi_rule rule)
{
	struct sv block = take_block(&run->code);

	set_rule(run, number, rule, 0);
	if (number < FRAME_REGISTERS)
		run->row.registers[number].expression = block;
}

/* Instructions that say where a register is; a number comes first in all of them. */
static bool run_register(struct run *run, uint8_t op)
{
	struct cursor *c = &run->code, before = *c;
	uint64_t number = cursor_uleb(c);

	switch (op) {
	case DW_CFA_undefined:
		set_rule(run, number, CFI_RULE_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		set_rule(run, number, CFI_RULE_SAME, 0);
		return true;
	case DW_CFA_offset_extended:
		set_rule(run, number, CFI_RULE_OFFSET, factored(run, cursor_uleb(c)));
		return true;
	case DW_CFA_offset_extended_sf:
		set_rule(run, number, CFI_RULE_OFFSET, factored(run, (uint64_t)cursor_sleb(c)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		set_rule(run, number, CFI_RULE_OFFSET, factored(run, -cursor_uleb(c)));
		return true;
	case DW_CFA_val_offset:
		set_rule(run, number, CFI_RULE_VAL_OFFSET, factored(run, cursor_uleb(c)));
		return true;
	case DW_CFA_val_offset_sf:
		set_rule(run, number, CFI_RULE_VAL_OFFSET, factored(run, (uint64_t)cursor_sleb(c)));
		return true;
	case DW_CFA_register:
		set_rule(run, number, CFI_RULE_REGISTER, (int64_t)cursor_uleb(c));
		return true;
	case DW_CFA_expression:
		set_expression(run, number, CFI_RULE_EXPRESSION);
		return true;
	case DW_CFA_val_expression:
		set_expression(run, number, CFI_RULE_VAL_EXPRESSION);
		return true;
	case DW_CFA_restore_extended:
		restore(run, number);
		return true;
	default:
		*c = before;
		return false;
	}
}

/* Instructions that move on. */
static bool run_advance(struct run *run, uint8_t op)
{
	uint64_t factor = run->common->code_factor;

	switch (op) {
	case DW_CFA_advance_loc1:
		run->at += cursor_number(&run->code, 1) * factor;
		return true;
	case DW_CFA_advance_loc2:
		run->at += cursor_number(&run->code, 2) * factor;
		return true;
	case DW_CFA_advance_loc4:
		run->at += cursor_number(&run->code, 4) * factor;
		return true;
	default:
		return false;
	}
}

static void run_other(struct run *run, uint8_t op)
{
	switch (op) {
	case DW_CFA_nop:
	case DW_CFA_GNU_window_save: /* arm64: the return address is signed, or no longer */
		return;
	case DW_CFA_remember_state:
		remember(run);
		return;
	case DW_CFA_restore_state:
		recall(run);
		return;
	case DW_CFA_GNU_args_size: /* pushed arguments; the CFA knows of them */
		cursor_uleb(&run->code);
		return;
	default:
		run->code.bad = true;
	}
}

/* Run a program until the row holds for ip. */
static int run_program(struct run *run, struct sv program, uint64_t ip)
{
	struct cursor *c = &run->code;

	*c = cursor_from(program.p, program.len);
	while (cursor_left(c) && !c->bad) {
		uint8_t op = (uint8_t)cursor_number(c, 1), low = op & 0x3f;
		uint64_t at = run->at;

		if ((op & 0xc0) == DW_CFA_advance_loc)
			run->at += low * run->common->code_factor;
		else if ((op & 0xc0) == DW_CFA_offset)
			set_rule(run, low, CFI_RULE_OFFSET, factored(run, cursor_uleb(c)));
		else if ((op & 0xc0) == DW_CFA_restore)
			restore(run, low);
		else if (!run_advance(run, op) && !run_cfa(run, op) && !run_register(run, op))
			run_other(run, op);
		if (run->at > ip || run->at < at) /* the row holds up to here */
			break;
	}
	return c->bad ? -EBADMSG : 0;
}

int cfi_row(const struct cfi_common *common, const struct cfi_function *function, uint64_t ip,
    struct cfi_row *ret_row)
{
	struct run run = {.common = common, .at = function->start};

	if (run_program(&run, common->program, UINT64_MAX))
		return -EBADMSG;
	run.initial = run.row;
	run.at = function->start;
	run.n_remembered = 0;
	if (run_program(&run, function->program, ip) || run.row.cfa.rule == CFI_RULE_UNSPECIFIED)
		return -EBADMSG;
	*ret_row = run.row;
	return 0;
}
