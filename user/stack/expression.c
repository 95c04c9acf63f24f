// SPDX-License-Identifier: Apache-2.0
/* DWARF expressions; see expression.h. */
#include "stack/expression.h"

#include <dwarf.h>
#include <errno.h>

#include "stack/cursor.h"

struct machine {
	struct cursor code;
	struct sv whole;
	const struct registers *registers;
	struct stack_copy *copy;
	uint64_t stack[EXPRESSION_DEPTH];
	size_t depth;
	int err; /* the first thing that went wrong */
};

static void fail(struct machine *m, int err)
{
	if (!m->err)
		m->err = err;
}

static void push(struct machine *m, uint64_t value)
{
	if (m->depth < EXPRESSION_DEPTH)
		m->stack[m->depth++] = value;
	else
		fail(m, -EBADMSG);
}

static uint64_t pop(struct machine *m)
{
	if (m->depth)
		return m->stack[--m->depth];
	fail(m, -EBADMSG);
	return 0;
}

/* The i-th value from the top, without taking it off. */
static uint64_t peek(struct machine *m, uint64_t i)
{
	if (i < m->depth)
		return m->stack[m->depth - 1 - i];
	fail(m, -EBADMSG);
	return 0;
}

static void push_register(struct machine *m, uint64_t number, int64_t offset)
{
	uint64_t value = 0;

	if (!register_get(m->registers, number, &value))
		fail(m, -ENODATA);
	push(m, value + (uint64_t)offset);
}

static void push_memory(struct machine *m, uint64_t bytes)
{
	uint64_t value = 0, address = pop(m);

	if (bytes == 0 || bytes > 8)
		fail(m, -EBADMSG);
	else if (!m->err && !stack_copy_read(m->copy, address, (unsigned)bytes, &value))
		fail(m, -ENODATA);
	push(m, value);
}

static void jump(struct machine *m, int64_t distance, bool taken)
{
	int64_t here = (const char *)m->code.p - m->whole.p, there = here + distance;

	if (!taken)
		return;
	if (there < 0 || (uint64_t)there > m->whole.len) {
		fail(m, -EBADMSG);
		return;
	}
	m->code.p = (const uint8_t *)m->whole.p + there;
}

/* Constants and registers. False when the operation is another one. */
static bool run_operand(struct machine *m, uint8_t op)
{
	struct cursor *c = &m->code;
	uint64_t number;

	if (op >= DW_OP_lit0 && op <= DW_OP_lit31) {
		push(m, (uint64_t)(op - DW_OP_lit0));
		return true;
	}
	if (op >= DW_OP_breg0 && op <= DW_OP_breg31) {
		push_register(m, (uint64_t)(op - DW_OP_breg0), cursor_sleb(c));
		return true;
	}
	switch (op) {
	case DW_OP_const1u:
	case DW_OP_const2u:
		push(m, cursor_number(c, op == DW_OP_const1u ? 1 : 2));
		return true;
	case DW_OP_const4u:
	case DW_OP_const8u:
		push(m, cursor_number(c, op == DW_OP_const4u ? 4 : 8));
		return true;
	case DW_OP_const1s:
	case DW_OP_const2s:
		push(m, (uint64_t)cursor_signed(c, op == DW_OP_const1s ? 1 : 2));
		return true;
	case DW_OP_const4s:
	case DW_OP_const8s:
		push(m, (uint64_t)cursor_signed(c, op == DW_OP_const4s ? 4 : 8));
		return true;
	case DW_OP_constu:
		push(m, cursor_uleb(c));
		return true;
	case DW_OP_consts:
		push(m, (uint64_t)cursor_sleb(c));
		return true;
	case DW_OP_bregx:
		number = cursor_uleb(c);
		push_register(m, number, cursor_sleb(c));
		return true;
	default:
		return false;
	}
}

/* What moves values on the stack. */
static bool run_move(struct machine *m, uint8_t op)
{
	uint64_t a, b, d;

	switch (op) {
	case DW_OP_nop:
		return true;
	case DW_OP_dup:
		push(m, peek(m, 0));
		return true;
	case DW_OP_drop:
		pop(m);
		return true;
	case DW_OP_over:
		push(m, peek(m, 1));
		return true;
	case DW_OP_pick:
		push(m, peek(m, cursor_number(&m->code, 1)));
		return true;
	case DW_OP_swap:
		a = pop(m);
		b = pop(m);
		push(m, a);
		push(m, b);
		return true;
	case DW_OP_rot:
		a = pop(m);
		b = pop(m);
		d = pop(m);
		push(m, a);
		push(m, d);
		push(m, b);
		return true;
	default:
		return false;
	}
}

/* What loads from memory, and jumps. */
static bool run_load(struct machine *m, uint8_t op)
{
	int64_t distance;

	switch (op) {
	case DW_OP_deref:
		push_memory(m, 8);
		return true;
	case DW_OP_deref_size:
		push_memory(m, cursor_number(&m->code, 1));
		return true;
	case DW_OP_skip:
		jump(m, cursor_signed(&m->code, 2), true);
		return true;
	case DW_OP_bra:
		distance = cursor_signed(&m->code, 2);
		jump(m, distance, pop(m) != 0);
		return true;
	default:
		return false;
	}
}

/* Of one value. */
static bool run_unary(struct machine *m, uint8_t op)
{
	uint64_t a;

	switch (op) {
	case DW_OP_abs:
		a = pop(m);
		push(m, a >> 63 ? -a : a);
		return true;
	case DW_OP_neg:
		push(m, -pop(m));
		return true;
	case DW_OP_not:
		push(m, ~pop(m));
		return true;
	case DW_OP_plus_uconst:
		a = cursor_uleb(&m->code);
		push(m, pop(m) + a);
		return true;
	default:
		return false;
	}
}

static uint64_t divide(struct machine *m, int64_t a, int64_t b)
{
	if (b == 0)
		fail(m, -EBADMSG);
	if (b == 0 || b == -1) /* the lowest number has no positive counterpart */
		return -(uint64_t)a;
	return (uint64_t)(a / b);
}

static uint64_t modulo(struct machine *m, uint64_t a, uint64_t b)
{
	if (b == 0)
		fail(m, -EBADMSG);
	return b ? a % b : 0;
}

static uint64_t shift_right_signed(uint64_t a, uint64_t b)
{
	uint64_t sign = a >> 63 ? ~0ULL : 0;

	if (b >= 64)
		return sign;
	return b ? a >> b | sign << (64 - b) : a;
}

/* Of two values; a lies below b. */
static uint64_t binary(struct machine *m, uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case DW_OP_and:
		return a & b;
	case DW_OP_div:
		return divide(m, (int64_t)a, (int64_t)b);
	case DW_OP_minus:
		return a - b;
	case DW_OP_mod:
		return modulo(m, a, b);
	case DW_OP_mul:
		return a * b;
	case DW_OP_or:
		return a | b;
	case DW_OP_plus:
		return a + b;
	case DW_OP_shl:
		return b < 64 ? a << b : 0;
	case DW_OP_shr:
		return b < 64 ? a >> b : 0;
	case DW_OP_shra:
		return shift_right_signed(a, b);
	case DW_OP_xor:
		return a ^ b;
	case DW_OP_eq:
		return a == b;
	case DW_OP_ge:
		return (int64_t)a >= (int64_t)b;
	case DW_OP_gt:
		return (int64_t)a > (int64_t)b;
	case DW_OP_le:
		return (int64_t)a <= (int64_t)b;
	case DW_OP_lt:
		return (int64_t)a < (int64_t)b;
	case DW_OP_ne:
		return a != b;
	default:
		fail(m, -EBADMSG);
		return 0;
	}
}

static void run(struct machine *m, uint8_t op)
{
	uint64_t a, b;

	if (run_operand(m, op) || run_move(m, op) || run_load(m, op) || run_unary(m, op))
		return;
	b = pop(m);
	a = pop(m);
	push(m, binary(m, op, a, b));
}

int expression_value(struct sv expression, const struct registers *registers,
    struct stack_copy *copy, const uint64_t *initial, uint64_t *ret_value)
{
	struct machine m = {.code = cursor_from(expression.p, expression.len),
	    .whole = expression,
	    .registers = registers,
	    .copy = copy};
	uint64_t value;

	if (initial)
		push(&m, *initial);
	for (int steps = 0; !m.err && cursor_left(&m.code); steps++) {
		if (steps == EXPRESSION_STEPS)
			fail(&m, -EBADMSG);
		run(&m, (uint8_t)cursor_number(&m.code, 1));
		if (m.code.bad)
			fail(&m, -EBADMSG);
	}
	value = pop(&m);
	if (!m.err)
		*ret_value = value;
	return m.err;
}
