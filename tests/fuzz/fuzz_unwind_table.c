// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as an entry of an unwind table, as its common part and as the stack that it speaks of,
 * on both machines: what is found lies within, steps go up, and the registers are untouched when
 * there is none.
 */
#include "fuzz.h"
#include "stack/unwind.h"

enum {
	STACK = 0x10000,
	COPY_MAX = 256,
};

static struct registers some_registers(struct fuzz_choices *c)
{
	struct registers r = {.valid = UINT32_MAX};

	for (size_t i = 0; i < FRAME_REGISTERS; i++)
		r.value[i] = STACK + 8 * i;
	r.valid &= ~(1U << (fuzz_byte(c) & 31));
	r.value[fuzz_byte(c) & 31] = STACK + fuzz_word(c);
	return r;
}

static void check_step(enum elf_machine machine, const struct cfi_common *common,
    const struct cfi_row *row, struct sv stack, struct registers r)
{
	struct stack_copy copy = {
	    .start = STACK, .bytes = (const uint8_t *)stack.p, .len = stack.len};
	const struct registers before = r;
	unsigned sp = register_roles_of(machine)->sp;
	int result = unwind_by_rules(machine, common, row, &copy, &r);

	REQUIRE(result <= 1);
	if (result != 1) {
		REQUIRE(memcmp(&r, &before, sizeof(r)) == 0);
		return;
	}
	REQUIRE(r.ip);
	REQUIRE(r.valid >> sp & 1);
	REQUIRE(common->signal || r.value[sp] >= before.value[sp]);
}

static void check_table(struct sv common_bytes, struct sv function_bytes, enum cfi_kind kind,
    uint64_t place, struct sv stack, const struct registers *r)
{
	struct cfi_function function;
	struct cfi_common common;
	struct cfi_row row;
	uint64_t ip;

	if (cfi_common(common_bytes, kind, &common))
		return;
	REQUIRE(fuzz_within(common.program, common_bytes));
	if (cfi_function(function_bytes, 0x400000, &common, &function))
		return;
	REQUIRE(fuzz_within(function.program, function_bytes));
	REQUIRE(function.start < function.end);
	ip = function.start + place % (function.end - function.start);
	if (cfi_row(&common, &function, ip, &row))
		return;
	check_step(ELF_MACHINE_X86_64, &common, &row, stack, *r);
	check_step(ELF_MACHINE_AARCH64, &common, &row, stack, *r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {.p = data, .left = size};
	enum cfi_kind kind = fuzz_byte(&c) & 1 ? CFI_KIND_EH_FRAME : CFI_KIND_DEBUG_FRAME;
	uint64_t place = fuzz_word(&c);
	struct registers r = some_registers(&c);
	size_t common_len = fuzz_byte(&c), function_len = fuzz_byte(&c);
	struct sv taken, common, function, stack;

	taken = fuzz_bytes(&c, common_len);
	common = fuzz_copy(taken.p, taken.len);
	taken = fuzz_bytes(&c, function_len);
	function = fuzz_copy(taken.p, taken.len);
	taken = fuzz_bytes(&c, COPY_MAX);
	stack = fuzz_copy(taken.p, taken.len);
	check_table(common, function, kind, place, stack, &r);
	fuzz_free(common);
	fuzz_free(function);
	fuzz_free(stack);
	return 0;
}
