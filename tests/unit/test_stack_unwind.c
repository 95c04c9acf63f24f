// SPDX-License-Identifier: Apache-2.0
/* cfi.h and unwind.h on tables made by hand, for both machines; cut off at every byte. */
#include "support.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "stack/unwind.h"

enum {
	CODE = 0x401000, /* where the function of the tests lies */
	SIZE = 0x100,
	STACK = 0x7000,
};

/* A table of one function, as bytes. */
struct table {
	uint8_t common[64], function[256];
	size_t common_len, function_len;
};

static void append(uint8_t *bytes, size_t *len, const void *p, size_t n)
{
	memcpy(bytes + *len, p, n);
	*len += n;
}

static void append_number(uint8_t *bytes, size_t *len, uint64_t value, size_t n)
{
	append(bytes, len, &value, n);
}

static void set_length(uint8_t *bytes, size_t len)
{
	uint32_t length = (uint32_t)(len - 4);

	memcpy(bytes, &length, sizeof(length));
}

/* A CIE of .eh_frame with factors 1 and -8, and an FDE with absolute addresses. */
static struct table table_of(uint8_t return_register, const char *augmentation, const void *common,
    size_t common_len, const void *function, size_t function_len)
{
	struct table t = {0};
	static const uint8_t absolute = DW_EH_PE_absptr;

	append_number(t.common, &t.common_len, 0, 8);
	append_number(t.common, &t.common_len, 1, 1);
	append(t.common, &t.common_len, augmentation, strlen(augmentation) + 1);
	append(t.common, &t.common_len, (const uint8_t[]){1, 0x78, return_register, 1}, 4);
	append(t.common, &t.common_len, &absolute, 1);
	append(t.common, &t.common_len, common, common_len);
	set_length(t.common, t.common_len);
	append_number(t.function, &t.function_len, 0, 4);
	append_number(t.function, &t.function_len, 0x1234, 4);
	append_number(t.function, &t.function_len, CODE, 8);
	append_number(t.function, &t.function_len, SIZE, 8);
	append_number(t.function, &t.function_len, 0, 1);
	append(t.function, &t.function_len, function, function_len);
	set_length(t.function, t.function_len);
	return t;
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* As gcc begins for x86-64: CFA = rsp + 8, return address at CFA - 8. */
#define X86_COMMON BYTES(DW_CFA_def_cfa, 7, 8, DW_CFA_offset + 16, 1)
#define ARM_COMMON BYTES(DW_CFA_def_cfa, 31, 0)

static int row_of(
    const struct table *t, uint64_t ip, struct cfi_common *ret_common, struct cfi_row *ret_row)
{
	struct cfi_function function;
	int err = cfi_common(sv_from(t->common, t->common_len), CFI_KIND_EH_FRAME, ret_common);

	if (!err)
		err = cfi_function(sv_from(t->function, t->function_len), 0, ret_common, &function);
	if (!err)
		err = cfi_row(ret_common, &function, ip, ret_row);
	return err;
}

static uint64_t words[128];

static struct stack_copy copy_of_stack(size_t n)
{
	return (struct stack_copy){
	    .start = STACK, .bytes = (const uint8_t *)words, .len = n * sizeof(words[0])};
}

/* push rbp; mov rbp, rsp; push rbx; ...; pop; leave; ret; cold part with the frame again. */
static const struct table *usual_function(void)
{
	static struct table t;

	t = table_of(16, "zR", X86_COMMON,
	    BYTES(DW_CFA_advance_loc + 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset + 6, 2,
		DW_CFA_advance_loc + 3, DW_CFA_def_cfa_register, 6, DW_CFA_advance_loc + 1,
		DW_CFA_offset + 3, 3, DW_CFA_advance_loc1, 0x20, DW_CFA_remember_state,
		DW_CFA_def_cfa, 7, 8, DW_CFA_restore + 6, DW_CFA_advance_loc2, 1, 0,
		DW_CFA_restore_state));
	return &t;
}

static int step_x86(const struct table *t, uint64_t ip, size_t n_words, struct registers *r,
    struct stack_copy *ret_copy)
{
	struct cfi_common common;
	struct cfi_row row;

	*ret_copy = copy_of_stack(n_words);
	r->ip = ip;
	assert_int_equal(row_of(t, ip, &common, &row), 0);
	return unwind_by_rules(ELF_MACHINE_X86_64, &common, &row, ret_copy, r);
}

static void x86_by_rules(void **state)
{
	struct registers r = {0};
	struct stack_copy copy;

	(void)state;
	words[0] = 0x402345; /* at entry, the return address lies on top */
	register_set(&r, 7, STACK);
	register_set(&r, 6, 66);
	register_set(&r, 3, 33);
	register_set(&r, 0, 1);
	assert_int_equal(step_x86(usual_function(), CODE, 1, &r, &copy), 1);
	assert_int_equal(r.ip, 0x402345);
	assert_int_equal(r.value[7], STACK + 8);
	assert_int_equal(r.value[6], 66);
	assert_int_equal(r.value[3], 33);
	assert_int_equal(
	    r.valid, 1U << 7 | 1U << 6 | 1U << 3); /* what a call may change is not known */

	words[2] = 303, words[3] = 606, words[4] = 0x402345;
	for (int remembered = 0; remembered < 2; remembered++) {
		memset(&r, 0, sizeof(r));
		register_set(&r, 7, STACK);
		register_set(&r, 6, STACK + 24);
		assert_int_equal(
		    step_x86(usual_function(), CODE + (remembered ? 0x30 : 8), 5, &r, &copy), 1);
		assert_int_equal(r.ip, 0x402345);
		assert_int_equal(r.value[7], STACK + 40);
		assert_int_equal(r.value[6], 606);
		assert_int_equal(r.value[3], 303);
	}
}

static void what_is_missing(void **state)
{
	struct registers r = {0}, before;
	struct stack_copy copy;

	(void)state;
	register_set(&r, 7, STACK);
	register_set(&r, 6, STACK + 24);
	before = r;
	assert_int_equal(step_x86(usual_function(), CODE + 8, 4, &r, &copy), -ENODATA);
	assert_true(copy.cut);
	before.ip = r.ip;
	assert_memory_equal(&r, &before, sizeof(r));
	r.value[6] = STACK - 64; /* below the copy: damaged, not cut */
	assert_int_equal(step_x86(usual_function(), CODE + 8, 5, &r, &copy), -ENODATA);
	assert_false(copy.cut);
	r.valid &= ~(1U << 6);
	assert_int_equal(step_x86(usual_function(), CODE + 8, 5, &r, &copy), -ENODATA);
	/* A frame that ends where it begins, or below. */
	register_set(&r, 6, STACK - 16);
	words[0] = 0x402345;
	copy = copy_of_stack(5);
	assert_int_equal(step_x86(usual_function(), CODE + 8, 5, &r, &copy), -ENODATA);
}

static void outermost(void **state)
{
	const struct table start = table_of(16, "zR", X86_COMMON, BYTES(DW_CFA_undefined, 16));
	struct registers r = {0};
	struct stack_copy copy;

	(void)state;
	register_set(&r, 7, STACK);
	assert_int_equal(step_x86(&start, CODE + 4, 5, &r, &copy), 0);
	words[0] = 0;
	assert_int_equal(step_x86(usual_function(), CODE, 5, &r, &copy), 0);
}

static void expressions_and_registers(void **state)
{
	/* The CFA is what rbp - 16 points to; rbx saved at rbp - 8, r12 = CFA - 24, r13 in rbx. */
	const struct table t = table_of(16, "zR", X86_COMMON,
	    BYTES(DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x70, DW_OP_deref, DW_CFA_expression,
		3, 2, DW_OP_breg6, 0x78, DW_CFA_val_offset, 12, 3, DW_CFA_register, 13, 3,
		DW_CFA_val_expression, 14, 2, DW_OP_lit2, DW_OP_plus, DW_CFA_same_value, 15));
	struct registers r = {0};
	struct stack_copy copy;

	(void)state;
	register_set(&r, 7, STACK);
	register_set(&r, 6, STACK + 32);
	register_set(&r, 3, 333);
	register_set(&r, 15, 15);
	words[2] = STACK + 64, words[3] = 303, words[7] = 0x405555;
	assert_int_equal(step_x86(&t, CODE, 16, &r, &copy), 1);
	assert_int_equal(r.ip, 0x405555);
	assert_int_equal(r.value[7], STACK + 64);
	assert_int_equal(r.value[3], 303);
	assert_int_equal(r.value[12], STACK + 40);
	assert_int_equal(r.value[13], 333);
	assert_int_equal(r.value[14], STACK + 66);
	assert_int_equal(r.value[15], 15);
}

static void arm64_by_rules(void **state)
{
	/* stp x29, x30, [sp, -32]!, signed; str x19, [sp, 16] */
	const struct table t = table_of(30, "zR", ARM_COMMON,
	    BYTES(DW_CFA_GNU_window_save, DW_CFA_advance_loc + 4, DW_CFA_def_cfa_offset, 32,
		DW_CFA_offset + 29, 4, DW_CFA_offset + 30, 3, DW_CFA_offset + 19, 2,
		DW_CFA_offset_extended, 72, 1));
	struct registers r = {0};
	struct stack_copy copy = copy_of_stack(4);
	struct cfi_common common;
	struct cfi_row row;

	(void)state;
	register_set(&r, 31, STACK);
	register_set(&r, 30, 0x0055aaaa00402222); /* signed */
	register_set(&r, 19, 19);
	r.ip = CODE;
	assert_int_equal(row_of(&t, CODE, &common, &row), 0);
	assert_int_equal(unwind_by_rules(ELF_MACHINE_AARCH64, &common, &row, &copy, &r), 1);
	assert_int_equal(r.ip, 0xaaaa00402222);
	assert_int_equal(r.value[31], STACK);
	assert_int_equal(r.value[19], 19);
	/*
	 * Having been called, the caller cannot be one that still has its return address in a
	 * register.
	 */
	r.ip = CODE;
	assert_int_equal(unwind_by_rules(ELF_MACHINE_AARCH64, &common, &row, &copy, &r), -EBADMSG);

	words[0] = 29, words[1] = 0x003f0000aabbcc00, words[2] = 1919;
	r.ip = CODE + 4;
	assert_int_equal(row_of(&t, CODE + 4, &common, &row), 0);
	assert_int_equal(unwind_by_rules(ELF_MACHINE_AARCH64, &common, &row, &copy, &r), 1);
	assert_int_equal(r.ip, 0xaabbcc00);
	assert_int_equal(r.value[29], 29);
	assert_int_equal(r.value[19], 1919);
	assert_int_equal(r.value[31], STACK + 32);
}

/*
 * struct rt_sigframe: siginfo (128), ucontext up to mcontext (176), fault_address, x0 ... x30, sp,
 * pc.
 */
static void arm64_signal_frame(void **state)
{
	struct registers r = {0};
	struct stack_copy copy = copy_of_stack(128);

	(void)state;
	for (uint64_t i = 0; i <= 30; i++)
		words[39 + i] = 1000 + i;
	words[70] = STACK + 4096;
	words[71] = 0x404040;
	register_set(&r, 31, STACK);
	assert_int_equal(unwind_by_signal_frame(&copy, &r), 1);
	assert_int_equal(r.ip, 0x404040);
	assert_int_equal(r.value[0], 1000);
	assert_int_equal(r.value[30], 1030);
	assert_int_equal(r.value[31], STACK + 4096);
	copy = copy_of_stack(71);
	register_set(&r, 31, STACK);
	assert_int_equal(unwind_by_signal_frame(&copy, &r), -ENODATA);
	assert_true(copy.cut);
}

static void by_frame_pointer(void **state)
{
	static const enum elf_machine machines[] = {ELF_MACHINE_X86_64, ELF_MACHINE_AARCH64};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct register_roles *roles = register_roles_of(machines[i]);
		struct stack_copy copy = copy_of_stack(8);
		struct registers r = {0};

		words[4] = STACK + 56, words[5] = 0x406060, words[7] = 0;
		register_set(&r, roles->sp, STACK);
		register_set(&r, roles->fp, STACK + 32);
		assert_int_equal(unwind_by_frame_pointer(machines[i], &copy, &r), 1);
		assert_int_equal(r.ip, 0x406060);
		assert_int_equal(r.value[roles->fp], STACK + 56);
		assert_int_equal(r.value[roles->sp], STACK + 48);
		assert_int_equal(unwind_by_frame_pointer(machines[i], &copy, &r), -ENODATA);
		assert_true(copy.cut);
		register_set(&r, roles->fp, STACK + 32); /* goes down */
		assert_int_equal(unwind_by_frame_pointer(machines[i], &copy, &r), -EBADMSG);
		register_set(&r, roles->fp, STACK + 49);
		assert_int_equal(unwind_by_frame_pointer(machines[i], &copy, &r), -EBADMSG);
		register_set(&r, roles->fp, 0);
		assert_int_equal(unwind_by_frame_pointer(machines[i], &copy, &r), 0);
	}
}

/* Cut anywhere, with its length put right, a table is refused or still says something. */
static void cut_tables(void **state)
{
	const struct table whole = *usual_function();
	struct cfi_common common;
	struct cfi_row row;

	(void)state;
	for (size_t len = 0; len <= whole.common_len + whole.function_len; len++) {
		size_t c = len < whole.common_len ? len : whole.common_len, f = len - c;
		struct edge first = edge_copy(whole.common, c);
		struct edge second = edge_copy(whole.function, f);
		struct cfi_function function;
		int err;

		if (c >= 4)
			set_length((uint8_t *)first.p, c);
		if (f >= 4)
			set_length((uint8_t *)second.p, f);
		err = cfi_common(sv_from(first.p, c), CFI_KIND_EH_FRAME, &common);
		assert_true(c < whole.common_len || !err);
		if (!err)
			err = cfi_function(sv_from(second.p, f), 0, &common, &function);
		if (!err)
			cfi_row(&common, &function, CODE + 0x30, &row);
		edge_free(&first);
		edge_free(&second);
	}
}

static void refused_tables(void **state)
{
	const struct {
		const uint8_t *code;
		size_t len;
	} programs[] = {
	    {BYTES(DW_CFA_restore_state)},
	    {BYTES(DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
		DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
		DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state)},
	    {BYTES(0x3f)},
	    {BYTES(DW_CFA_def_cfa_expression, 100)},
	    {BYTES(DW_CFA_def_cfa_expression, 0, DW_CFA_def_cfa_offset, 8)},
	};
	struct cfi_common common;
	struct cfi_row row;

	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const struct table t =
		    table_of(16, "zR", X86_COMMON, programs[i].code, programs[i].len);

		assert_int_equal(row_of(&t, CODE + 1, &common, &row), -EBADMSG);
	}
}

/* A register number of 268435455 is no size; neither is an augmentation without end. */
static void numbers_are_not_believed(void **state)
{
	const struct table t = table_of(16, "zR", X86_COMMON,
	    BYTES(DW_CFA_undefined, 0xff, 0xff, 0xff, 0x7f, DW_CFA_offset_extended, 0xff, 0xff,
		0xff, 0x7f, 1, DW_CFA_restore_extended, 0xff, 0xff, 0xff, 0x7f));
	const struct table letters =
	    table_of(16, "zRLLLLLLLLLLLLLLLLLLLLLLLLLLLLL", X86_COMMON, BYTES(DW_CFA_nop));
	struct cfi_common common;
	struct cfi_row row;

	(void)state;
	assert_int_equal(row_of(&t, CODE, &common, &row), 0);
	assert_int_equal(row_of(&letters, CODE, &common, &row), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(x86_by_rules),
	    cmocka_unit_test(what_is_missing),
	    cmocka_unit_test(outermost),
	    cmocka_unit_test(expressions_and_registers),
	    cmocka_unit_test(arm64_by_rules),
	    cmocka_unit_test(arm64_signal_frame),
	    cmocka_unit_test(by_frame_pointer),
	    cmocka_unit_test(cut_tables),
	    cmocka_unit_test(refused_tables),
	    cmocka_unit_test(numbers_are_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
