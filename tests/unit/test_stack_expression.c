// SPDX-License-Identifier: Apache-2.0
/* expression.h: every operation, whole and cut off, and what a processor would trap on. */
#include "support.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "stack/expression.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static const uint8_t memory[] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 0xff};

/* Register 7 is 0x1000, where the memory begins; 6 is 3; 31 is 5. Others are not known. */
static int evaluate(const void *p, size_t len, const uint64_t *initial, uint64_t *ret_value)
{
	struct stack_copy copy = {.start = 0x1000, .bytes = memory, .len = sizeof(memory)};
	struct registers registers = {0};

	register_set(&registers, 7, 0x1000);
	register_set(&registers, 6, 3);
	register_set(&registers, 31, 5);
	return expression_value(sv_from(p, len), &registers, &copy, initial, ret_value);
}

static const struct {
	uint64_t expected;
	const uint8_t *code;
	size_t len;
} cases[] = {
    {31, BYTES(DW_OP_lit31)},
    {0xff, BYTES(DW_OP_const1u, 0xff)},
    {UINT64_MAX, BYTES(DW_OP_const1s, 0xff)},
    {0xfffe, BYTES(DW_OP_const2u, 0xfe, 0xff)},
    {UINT64_MAX - 1, BYTES(DW_OP_const2s, 0xfe, 0xff)},
    {0xfffffffe, BYTES(DW_OP_const4u, 0xfe, 0xff, 0xff, 0xff)},
    {UINT64_MAX - 1, BYTES(DW_OP_const4s, 0xfe, 0xff, 0xff, 0xff)},
    {0x8000000000000001, BYTES(DW_OP_const8u, 1, 0, 0, 0, 0, 0, 0, 0x80)},
    {0x8000000000000001, BYTES(DW_OP_const8s, 1, 0, 0, 0, 0, 0, 0, 0x80)},
    {300, BYTES(DW_OP_constu, 0xac, 0x02)},
    {(uint64_t)-2, BYTES(DW_OP_consts, 0x7e)},
    {0xffc, BYTES(DW_OP_breg7, 0x7c)},
    {6, BYTES(DW_OP_bregx, 31, 1)},
    {8, BYTES(DW_OP_lit4, DW_OP_dup, DW_OP_plus)},
    {1, BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_drop)},
    {1, BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_over)},
    {1, BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_lit3, DW_OP_pick, 2)},
    {1, BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_swap)},
    {2, BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_lit3, DW_OP_rot)},
    {(uint64_t)-6, BYTES(DW_OP_lit9, DW_OP_lit1, DW_OP_lit3, DW_OP_rot, DW_OP_drop, DW_OP_minus)},
    {0xfedcba9876543210, BYTES(DW_OP_breg7, 0, DW_OP_deref)},
    {0x3210, BYTES(DW_OP_breg7, 0, DW_OP_deref_size, 2)},
    {0xff, BYTES(DW_OP_breg7, 8, DW_OP_deref_size, 1)},
    {5, BYTES(DW_OP_consts, 0x7b, DW_OP_abs)},
    {(uint64_t)-5, BYTES(DW_OP_lit5, DW_OP_neg)},
    {(uint64_t)-6, BYTES(DW_OP_lit5, DW_OP_not)},
    {261, BYTES(DW_OP_lit5, DW_OP_plus_uconst, 0x80, 2)},
    {4, BYTES(DW_OP_lit5, DW_OP_lit6, DW_OP_and)},
    {(uint64_t)-2, BYTES(DW_OP_consts, 0x7b, DW_OP_lit2, DW_OP_div)},
    {3, BYTES(DW_OP_lit8, DW_OP_lit5, DW_OP_minus)},
    {3, BYTES(DW_OP_lit8, DW_OP_lit5, DW_OP_mod)},
    {40, BYTES(DW_OP_lit8, DW_OP_lit5, DW_OP_mul)},
    {7, BYTES(DW_OP_lit5, DW_OP_lit6, DW_OP_or)},
    {11, BYTES(DW_OP_lit5, DW_OP_lit6, DW_OP_plus)},
    {40, BYTES(DW_OP_lit5, DW_OP_lit3, DW_OP_shl)},
    {0, BYTES(DW_OP_lit5, DW_OP_const1u, 64, DW_OP_shl)},
    {2, BYTES(DW_OP_lit5, DW_OP_lit1, DW_OP_shr)},
    {0, BYTES(DW_OP_lit5, DW_OP_const1u, 200, DW_OP_shr)},
    {(uint64_t)-3, BYTES(DW_OP_consts, 0x7b, DW_OP_lit1, DW_OP_shra)},
    {(uint64_t)-1, BYTES(DW_OP_consts, 0x7b, DW_OP_const1u, 64, DW_OP_shra)},
    {(uint64_t)-5, BYTES(DW_OP_consts, 0x7b, DW_OP_lit0, DW_OP_shra)},
    {3, BYTES(DW_OP_lit5, DW_OP_lit6, DW_OP_xor)},
    {1, BYTES(DW_OP_lit5, DW_OP_lit5, DW_OP_eq)},
    {0, BYTES(DW_OP_consts, 0x7b, DW_OP_lit5, DW_OP_ge)},
    {1, BYTES(DW_OP_lit6, DW_OP_lit5, DW_OP_gt)},
    {1, BYTES(DW_OP_consts, 0x7b, DW_OP_lit5, DW_OP_le)},
    {0, BYTES(DW_OP_lit5, DW_OP_lit5, DW_OP_lt)},
    {0, BYTES(DW_OP_lit5, DW_OP_lit5, DW_OP_ne)},
    {2, BYTES(DW_OP_lit2, DW_OP_skip, 1, 0, DW_OP_lit3, DW_OP_nop)},
    {2, BYTES(DW_OP_lit2, DW_OP_lit1, DW_OP_bra, 1, 0, DW_OP_lit3)},
    {3, BYTES(DW_OP_lit2, DW_OP_lit0, DW_OP_bra, 1, 0, DW_OP_lit3)},
    /* Counts down to 0 by jumping back. */
    {0, BYTES(DW_OP_lit9, DW_OP_lit1, DW_OP_minus, DW_OP_dup, DW_OP_bra, 0xfa, 0xff)},
    /*
     * The CFA in a procedure linkage table, as ld writes it; register 7 for the instruction
     * pointer.
     */
    {0x1008,
	BYTES(DW_OP_breg7, 8, DW_OP_breg6, 0, DW_OP_lit15, DW_OP_and, DW_OP_lit11, DW_OP_ge,
	    DW_OP_lit3, DW_OP_shl, DW_OP_plus)},
    /* The lowest number by -1 has no result: a processor traps. */
    {0x8000000000000000,
	BYTES(DW_OP_const8u, 0, 0, 0, 0, 0, 0, 0, 0x80, DW_OP_lit0, DW_OP_not, DW_OP_div)},
};

static void values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 0xdead;
		int err = evaluate(cases[i].code, cases[i].len, NULL, &value);

		if (err || value != cases[i].expected)
			fail_msg("case %zu: %d, %llx instead of %llx", i, err,
			    (unsigned long long)value, (unsigned long long)cases[i].expected);
	}
}

/* Cut off, an expression has another value or none, and nothing behind its end is read. */
static void cut_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t len = 0; len < cases[i].len; len++) {
			struct edge edge = edge_copy(cases[i].code, len);
			uint64_t value = 0xdead;
			int err = evaluate(edge.p, len, NULL, &value);

			assert_true(!err || value == 0xdead);
			assert_true(len || err == -EBADMSG);
			edge_free(&edge);
		}
	}
}

static const struct {
	int expected;
	const uint8_t *code;
	size_t len;
} refused[] = {
    {-EBADMSG, BYTES(DW_OP_lit1, DW_OP_lit0, DW_OP_div)},
    {-EBADMSG, BYTES(DW_OP_lit1, DW_OP_lit0, DW_OP_mod)},
    {-EBADMSG, BYTES(DW_OP_plus)},
    {-EBADMSG, BYTES(DW_OP_lit1, DW_OP_pick, 1)},
    {-EBADMSG, BYTES(DW_OP_skip, 0xfd, 0xff)},             /* to itself, for ever */
    {-EBADMSG, BYTES(DW_OP_lit1, DW_OP_skip, 0xf0, 0xff)}, /* before the start */
    {-EBADMSG, BYTES(DW_OP_lit1, DW_OP_skip, 1, 0)},       /* behind the end */
    {-EBADMSG, BYTES(DW_OP_dup, DW_OP_skip, 0xfc, 0xff)},  /* stack empty */
    {-EBADMSG, BYTES(DW_OP_lit1, DW_OP_skip, 0xfc, 0xff)}, /* stack overflows */
    {-EBADMSG, BYTES(DW_OP_addr, 0, 0, 0, 0, 0, 0, 0, 0)}, /* of the program, not of the stack */
    {-EBADMSG, BYTES(DW_OP_call_frame_cfa)},
    {-EBADMSG, BYTES(DW_OP_breg7, 0, DW_OP_deref_size, 9)},
    {-EBADMSG, BYTES(DW_OP_breg7, 0, DW_OP_deref_size, 0)},
    {-EBADMSG, BYTES(0xff)},
    {-ENODATA, BYTES(DW_OP_breg0, 0)},
    {-ENODATA, BYTES(DW_OP_bregx, 0x80, 0x80, 0x80, 0x80, 0x10, 0)},
    {-ENODATA, BYTES(DW_OP_breg7, 2, DW_OP_deref)},
    {-ENODATA, BYTES(DW_OP_breg7, 0x7f, DW_OP_deref)},
};

static void refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		uint64_t value = 0xdead;
		int err = evaluate(refused[i].code, refused[i].len, NULL, &value);

		if (err != refused[i].expected || value != 0xdead)
			fail_msg("case %zu: %d, value %llx", i, err, (unsigned long long)value);
	}
}

static void starts_with_a_value(void **state)
{
	const uint64_t initial = 40;
	uint64_t value;

	(void)state;
	assert_int_equal(evaluate(BYTES(DW_OP_lit2, DW_OP_plus), &initial, &value), 0);
	assert_int_equal(value, 42);
	assert_int_equal(evaluate("", 0, &initial, &value), 0);
	assert_int_equal(value, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values),
	    cmocka_unit_test(cut_off),
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(starts_with_a_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
