// SPDX-License-Identifier: Apache-2.0
/* code_calls.h: calls as compilers and linkers write them, at every cut, and what is none. */
#include "support.h"

#include "discover/code_calls.h"

enum {
	BASE = 0x10000
};

struct row {
	const char *name;
	enum elf_machine machine;
	const char *code;
	size_t len;
	size_t at, next;
	uint64_t target; /* 0: no call */
	bool through_word;
};

#define CODE(code) code, sizeof(code) - 1

static const struct row rows[] = {
    {"call", ELF_MACHINE_X86_64, CODE("\x55\xe8\x00\x10\x00\x00\xc3"), 1, 6, BASE + 0x1006, false},
    {"call back", ELF_MACHINE_X86_64, CODE("\xe8\xfb\xef\xff\xff"), 0, 5, BASE - 0x1000, false},
    {"tail jump", ELF_MACHINE_X86_64, CODE("\x5d\xe9\x00\x10\x00\x00"), 1, 6, BASE + 0x1006, false},
    {"call *word", ELF_MACHINE_X86_64, CODE("\xff\x15\x00\x20\x00\x00"), 0, 6, BASE + 0x2006, true},
    {"jmp *word", ELF_MACHINE_X86_64, CODE("\xff\x25\x00\x20\x00\x00"), 0, 6, BASE + 0x2006, true},
    {"call *%rax", ELF_MACHINE_X86_64, CODE("\xff\xd0\x90\x90\x90\x90\x90"), 0, 0, 0, false},
    {"jump inside", ELF_MACHINE_X86_64, CODE("\xe9\x01\x00\x00\x00\x90\xc3"), 0, 0, 0, false},
    {"bl", ELF_MACHINE_AARCH64, CODE("\x1f\x20\x03\xd5\x00\x04\x00\x94"), 4, 8, BASE + 0x1004,
	false},
    {"bl back", ELF_MACHINE_AARCH64, CODE("\x00\xfc\xff\x97"), 0, 4, BASE - 0x1000, false},
    {"b", ELF_MACHINE_AARCH64, CODE("\x00\x04\x00\x14"), 0, 4, BASE + 0x1000, false},
    {"blr x0", ELF_MACHINE_AARCH64, CODE("\x00\x00\x3f\xd6"), 0, 0, 0, false},
    {"b inside", ELF_MACHINE_AARCH64, CODE("\x01\x00\x00\x14\xc0\x03\x5f\xd6"), 0, 0, 0, false},
    {"other machine", ELF_MACHINE_OTHER, CODE("\xe8\x00\x10\x00\x00"), 0, 0, 0, false},
};

static bool first_call(const struct row *row, size_t len, struct code_call *call)
{
	struct edge edge = edge_copy(row->code, len);
	struct code_text text = {row->machine, BASE, (const uint8_t *)edge.p, len};
	size_t at = 0;
	bool found = code_next_call(&text, &at, call);

	while (found && code_next_call(&text, &at, &(struct code_call){0}))
		;
	assert_true(at <= len);
	edge_free(&edge);
	return found;
}

static void finds_calls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct code_call call = {0};

		if (first_call(r, r->len, &call) != (r->target != 0))
			fail_msg("%s: wrong", r->name);
		if (!r->target)
			continue;
		assert_int_equal(call.at, r->at);
		assert_int_equal(call.next, r->next);
		assert_int_equal(call.target, r->target);
		assert_int_equal(call.through_word, r->through_word);
		for (size_t cut = 0; cut < r->next; cut++)
			assert_false(first_call(r, cut, &call));
	}
}

static void looks_behind_what_is_no_call(void **state)
{
	/* mov $0xe8,%eax; call: the e8 of the constant is taken for a call, the real one is not lost. */
	static const uint8_t code[] = {
	    0xb8, 0xe8, 0x00, 0x00, 0x00, 0xe8, 0x00, 0x10, 0x00, 0x00, 0xc3};
	struct code_text text = {ELF_MACHINE_X86_64, BASE, code, sizeof(code)};
	struct code_call call;
	size_t at = 0;
	bool found = false;

	(void)state;
	while (code_next_call(&text, &at, &call))
		found |= call.target == BASE + 0x100a;
	assert_true(found);
}

static const struct plt_entry {
	const char *name;
	enum elf_machine machine;
	const char *code;
	size_t len;
	uint64_t word; /* 0: it is none */
} entries[] = {
    {"lazy", ELF_MACHINE_X86_64, CODE("\xff\x25\x00\x20\x00\x00\x68\x00\x00\x00\x00"),
	BASE + 0x2006},
    {"endbr64", ELF_MACHINE_X86_64, CODE("\xf3\x0f\x1e\xfa\xff\x25\x00\x20\x00\x00"),
	BASE + 0x200a},
    {"endbr64; bnd", ELF_MACHINE_X86_64, CODE("\xf3\x0f\x1e\xfa\xf2\xff\x25\x00\x20\x00\x00"),
	BASE + 0x200b},
    {"half an endbr64", ELF_MACHINE_X86_64, CODE("\xf3\x0f\xff\x25\x00\x20\x00\x00"), 0},
    {"a function", ELF_MACHINE_X86_64, CODE("\x55\x48\x89\xe5\xff\x25\x00\x20\x00\x00"), 0},
    {"a jump", ELF_MACHINE_X86_64, CODE("\xe9\x00\x20\x00\x00\x90\x90"), 0},
    /* ld: adrp x16, +0x102000; ldr x17, [x16, #8] */
    {"ld", ELF_MACHINE_AARCH64,
	CODE("\x10\x08\x00\xd0\x11\x06\x40\xf9\x10\x22\x00\x91\x20\x02\x1f\xd6"), BASE + 0x102008},
    {"ld with a landing pad", ELF_MACHINE_AARCH64,
	CODE("\x5f\x24\x03\xd5\x10\x08\x00\xd0\x11\x06\x40\xf9\x10\x22\x00\x91\x20\x02\x1f\xd6"),
	BASE + 0x102008},
    {"page before", ELF_MACHINE_AARCH64,
	CODE("\xf0\xff\xff\xf0\x11\x02\x40\xf9\x10\x02\x00\x91\x20\x02\x1f\xd6"), BASE - 0x1000},
    {"no entry", ELF_MACHINE_AARCH64,
	CODE("\x10\x08\x00\xd0\x11\x06\x40\xf9\x10\x22\x00\x91\xc0\x03\x5f\xd6"), 0},
};

static uint64_t word_of(const struct plt_entry *s, size_t len)
{
	struct edge edge = edge_copy(s->code, len);
	struct code_text text = {s->machine, BASE, (const uint8_t *)edge.p, len};
	uint64_t word = 0;
	bool found = code_plt_word(&text, &word);

	edge_free(&edge);
	assert_true(found || !word);
	return word;
}

static void follows_plt_entries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		const struct plt_entry *s = &entries[i];

		if (word_of(s, s->len) != s->word)
			fail_msg("%s: %#llx", s->name, (unsigned long long)word_of(s, s->len));
		for (size_t cut = 0; cut < s->len; cut++) {
			uint64_t word = word_of(s, cut);

			assert_true(word == 0 || word == s->word);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_calls),
	    cmocka_unit_test(looks_behind_what_is_no_call),
	    cmocka_unit_test(follows_plt_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
