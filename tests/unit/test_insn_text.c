// SPDX-License-Identifier: Apache-2.0
/* insn_text(): instructions as objdump writes them, those it leaves alone, code that is cut off. */
#include <stdio.h>
#include <string.h>

#include "discover/insn_text.h"
#include "support.h"

#define CODE(code) code, sizeof(code) - 1

static const struct {
	const char *code;
	size_t len;
	const char *text;
} x86[] = {
    {CODE("\x55"), "push %rbp"},
    {CODE("\x41\x57"), "push %r15"},
    {CODE("\x5d"), "pop %rbp"},
    {CODE("\x66\x55"), "push %bp"},
    {CODE("\x90"), "nop"},
    {CODE("\x66\x90"), ""},
    {CODE("\x41\x90"), ""},
    {CODE("\xf3\x90"), ""},
    {CODE("\xf3\x0f\x1e\xfa"), "endbr64"},
    {CODE("\xf3\x0f\x1e\xfb"), ""},
    {CODE("\x0f\x1f\x40\x00"), "nopl"},
    {CODE("\x66\x0f\x1f\x44\x00\x00"), "nopw"},
    {CODE("\x48\x83\xec\x10"), "sub $0x10,%rsp"},
    {CODE("\x48\x81\xec\x88\x00\x00\x00"), "sub $0x88,%rsp"},
    {CODE("\x48\x83\xe4\xf0"), "and $0xfffffffffffffff0,%rsp"},
    {CODE("\x83\xc0\xff"), "add $0xffffffff,%eax"},
    {CODE("\x48\x89\xe5"), "mov %rsp,%rbp"},
    {CODE("\x49\x89\xc9"), "mov %rcx,%r9"},
    {CODE("\xb9\x80\x00\x00\x00"), "mov $0x80,%ecx"},
    {CODE("\x48\x8b\x87\xf8\x00\x00\x00"), "mov 0xf8(%rdi),%rax"},
    {CODE("\x48\x8b\x07"), "mov (%rdi),%rax"},
    {CODE("\x48\x89\x7d\xf8"), "mov %rdi,-0x8(%rbp)"},
    {CODE("\xc7\x45\xfc\x07\x00\x00\x00"), "movl $0x7,-0x4(%rbp)"},
    {CODE("\x48\xc7\xc0\xff\xff\xff\xff"), "mov $0xffffffffffffffff,%rax"},
    {CODE("\x64\x48\x8b\x04\x25\x28\x00\x00\x00"), "mov %fs:0x28,%rax"},
    {CODE("\x8b\x04\x25\x00\x00\x00\x80"), "mov 0xffffffff80000000,%eax"},
    {CODE("\x48\x8b\x04\xf7"), "mov (%rdi,%rsi,8),%rax"},
    {CODE("\x64\x4b\xc7\x84\xda\x00\x00\x00\x80\x00\x00\x00\x80"),
	"movq $0xffffffff80000000,%fs:-0x80000000(%r10,%r11,8)"},
    {CODE("\x48\x8d\x0c\xed\x00\x00\x00\x00"), "lea 0x0(,%rbp,8),%rcx"},
    {CODE("\x48\x8d\x15\x34\x12\x00\x00"), "lea 0x1234(%rip),%rdx"},
    {CODE("\x8b\x45\x00"), "mov 0x0(%rbp),%eax"},
    {CODE("\x31\xf6"), "xor %esi,%esi"},
    {CODE("\x48\x85\xff"), "test %rdi,%rdi"},
    {CODE("\x84\xd1"), "test %dl,%cl"},
    {CODE("\x40\x84\xf6"), "test %sil,%sil"},
    {CODE("\x84\xe4"), "test %ah,%ah"},
    {CODE("\x45\x84\xc0"), "test %r8b,%r8b"},
    {CODE("\x3c\xba"), "cmp $0xba,%al"},
    {CODE("\x80\x7f\x67\x00"), "cmpb $0x0,0x67(%rdi)"},
    {CODE("\x48\x83\x7f\x08\x00"), "cmpq $0x0,0x8(%rdi)"},
    {CODE("\x66\x83\x7f\x08\x00"), "cmpw $0x0,0x8(%rdi)"},
    {CODE("\x48\x63\xd2"), "movslq %edx,%rdx"},
    {CODE("\x0f\xb6\x47\x65"), "movzbl 0x65(%rdi),%eax"},
    {CODE("\x48\x0f\xbe\xc0"), "movsbq %al,%rax"},
    {CODE("\x0f\x95\xc1"), "setne %cl"},
    {CODE("\x8a\x47\x71"), "mov 0x71(%rdi),%al"},
    {CODE("\x74\x0b"), "je .+0xd"},
    {CODE("\x0f\x85\x00\x01\x00\x00"), "jne .+0x106"},
    {CODE("\xeb\xfe"), "jmp .+0x0"},
    {CODE("\xe9\x00\xff\xff\xff"), "jmp .-0xfb"},
    {CODE("\xe8\x00\x00\x00\x00"), "call .+0x5"},
    {CODE("\xc3"), "ret"},
    {CODE("\xc9"), "leave"},
    {CODE("\xf3\xc3"), ""},
    {CODE("\x0f\x28\xc1"), ""},
};

static const struct {
	uint32_t insn;
	const char *text;
} arm64[] = {
    {0xd503201f, "nop"},
    {0xd503245f, "bti c"},
    {0xd503233f, "paciasp"},
    {0xd50323bf, "autiasp"},
    {0xd65f03c0, "ret"},
    {0xa9be7bfd, "stp x29, x30, [sp, #-32]!"},
    {0xa9007bfd, "stp x29, x30, [sp]"},
    {0xa90153f3, "stp x19, x20, [sp, #16]"},
    {0xa8c27bfd, "ldp x29, x30, [sp], #32"},
    {0xa9407bfd, "ldp x29, x30, [sp]"},
    {0xd10083ff, "sub sp, sp, #0x20"},
    {0x910003fd, "mov x29, sp"},
    {0x91000021, "add x1, x1, #0x0"},
    {0x91400421, "add x1, x1, #0x1, lsl #12"},
    {0xf100001f, "cmp x0, #0x0"},
    {0x7102e81f, "cmp w0, #0xba"},
    {0xf1000400, "subs x0, x0, #0x1"},
    {0xb100041f, "cmn x0, #0x1"},
    {0xaa0003f3, "mov x19, x0"},
    {0x2a1f03e0, "mov w0, wzr"},
    {0xf9400fe0, "ldr x0, [sp, #24]"},
    {0xb9405000, "ldr w0, [x0, #80]"},
    {0xf900001f, "str xzr, [x0]"},
    {0xb4000060, "cbz x0, .+0xc"},
    {0x35ffffe1, "cbnz w1, .-0x4"},
    {0x14000003, "b .+0xc"},
    {0x97ffffff, "bl .-0x4"},
    {0x39419c00, ""},
    {0xd503203f, ""},
};

/* One instruction, at the edge of what may be read. */
static void expect(
    enum elf_machine machine, const char *code, size_t len, size_t expected, const char *text)
{
	struct edge edge = edge_copy(code, len);
	char got[INSN_TEXT_MAX] = "untouched";
	size_t got_len = insn_text(machine, (const uint8_t *)edge.p, len, got);

	if (got_len != expected || strcmp(got, text) != 0)
		fail_msg("'%s', %zu bytes instead of '%s', %zu", got, got_len, text, expected);
	edge_free(&edge);
}

static void writes_x86(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(x86) / sizeof(x86[0]); i++) {
		expect(ELF_MACHINE_X86_64, x86[i].code, x86[i].len, x86[i].len, x86[i].text);
		for (size_t cut = 0; cut < x86[i].len; cut++)
			expect(ELF_MACHINE_X86_64, x86[i].code, cut, 0, "");
	}
	expect(ELF_MACHINE_X86_64, CODE("\x0f\xa2"), 0, ""); /* cpuid */
}

static void writes_arm64(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(arm64) / sizeof(arm64[0]); i++) {
		uint32_t insn = arm64[i].insn;
		char code[] = {
		    (char)insn, (char)(insn >> 8), (char)(insn >> 16), (char)(insn >> 24)};

		expect(ELF_MACHINE_AARCH64, code, 4, 4, arm64[i].text);
		for (size_t cut = 0; cut < 4; cut++)
			expect(ELF_MACHINE_AARCH64, code, cut, 0, "");
	}
}

static void knows_no_other_machine(void **state)
{
	(void)state;
	expect(ELF_MACHINE_OTHER, CODE("\x90\x90\x90\x90"), 0, "");
}

/* Any bytes: text that ends, and a length within the code. */
static void survives_anything(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		uint8_t code[16];

		for (size_t i = 0; i < sizeof(code); i++) {
			random = random * 1664525 + 1013904223;
			code[i] = (uint8_t)(random >> 24);
		}
		for (int machine = ELF_MACHINE_X86_64; machine <= ELF_MACHINE_AARCH64; machine++) {
			char text[INSN_TEXT_MAX];

			assert_true(
			    insn_text((enum elf_machine)machine, code, sizeof(code), text) <= 15);
			assert_true(strnlen(text, sizeof(text)) < sizeof(text) - 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_x86),
	    cmocka_unit_test(writes_arm64),
	    cmocka_unit_test(knows_no_other_machine),
	    cmocka_unit_test(survives_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
