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

/* The address behind each is BASE + its length. */
static const struct ending {
	const char *name;
	enum elf_machine machine;
	const char *code;
	size_t len;
	uint64_t target, word;
	bool any;
} endings[] = {
    {"call", ELF_MACHINE_X86_64, CODE("\x90\x90\xe8\x00\x10\x00\x00"), BASE + 0x1007, 0, false},
    {"call *word", ELF_MACHINE_X86_64, CODE("\xff\x15\x00\x20\x00\x00"), 0, BASE + 0x2006, false},
    {"call *%rax", ELF_MACHINE_X86_64, CODE("\x90\xff\xd0"), 0, 0, true},
    {"call *%r12", ELF_MACHINE_X86_64, CODE("\x41\xff\xd4"), 0, 0, true},
    {"call *(%rbx)", ELF_MACHINE_X86_64, CODE("\xff\x13"), 0, 0, true},
    {"call *8(%rbx)", ELF_MACHINE_X86_64, CODE("\xff\x53\x08"), 0, 0, true},
    {"call *8(%rsp)", ELF_MACHINE_X86_64, CODE("\xff\x54\x24\x08"), 0, 0, true},
    {"call *(%rax,%rbx,8)", ELF_MACHINE_X86_64, CODE("\xff\x14\xd8"), 0, 0, true},
    {"call *0x100(%rax)", ELF_MACHINE_X86_64, CODE("\xff\x90\x00\x01\x00\x00"), 0, 0, true},
    {"call *0x100(%rsp)", ELF_MACHINE_X86_64, CODE("\xff\x94\x24\x00\x01\x00\x00"), 0, 0, true},
    {"call *0x1000(,%rax,8)", ELF_MACHINE_X86_64, CODE("\xff\x14\xc5\x00\x10\x00\x00"), 0, 0, true},
    {"jmp *%rax", ELF_MACHINE_X86_64, CODE("\xff\xe0"), 0, 0, false},
    {"jmp", ELF_MACHINE_X86_64, CODE("\xe9\x00\x10\x00\x00"), 0, 0, false},
    {"nothing", ELF_MACHINE_X86_64, CODE("\x90\x90\x90\x90\x90\x90\x90"), 0, 0, false},
    {"bl", ELF_MACHINE_AARCH64, CODE("\xd5\x00\x04\x00\x94"), BASE + 0x1000, 0, false},
    {"blr x0", ELF_MACHINE_AARCH64, CODE("\x00\x00\x3f\xd6"), 0, 0, true},
    {"blraaz x8", ELF_MACHINE_AARCH64, CODE("\x1f\x09\x3f\xd6"), 0, 0, true},
    {"blraa x8, x9", ELF_MACHINE_AARCH64, CODE("\x09\x09\x3f\xd7"), 0, 0, true},
    {"b", ELF_MACHINE_AARCH64, CODE("\x00\x04\x00\x14"), 0, 0, false},
    {"br x0", ELF_MACHINE_AARCH64, CODE("\x00\x00\x1f\xd6"), 0, 0, false},
    {"other machine", ELF_MACHINE_OTHER, CODE("\xe8\x00\x10\x00\x00"), 0, 0, false},
};

static bool ending_of(const struct ending *e, size_t cut, struct code_return *r)
{
	struct edge edge = edge_copy(e->code + cut, e->len - cut);
	/* On arm64 code is aligned, whatever is in front of it. */
	uint64_t address = BASE + (e->machine == ELF_MACHINE_AARCH64 ? 4 - e->len : 0) + cut;
	struct code_text text = {e->machine, address, (const uint8_t *)edge.p, edge.len};
	bool is = code_ends_with_call(&text, r);

	edge_free(&edge);
	return is;
}

static void knows_what_return_addresses_follow(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		const struct ending *e = &endings[i];
		struct code_return r = {0};

		if (ending_of(e, 0, &r) != (e->target || e->word || e->any) ||
		    r.target != e->target || r.word != e->word || r.any != e->any)
			fail_msg("%s: wrong", e->name);
		for (size_t cut = 1; cut <= e->len; cut++)
			ending_of(e, cut, &r);
	}
}

static void follows_jumps(void **state)
{
	static const struct {
		enum elf_machine machine;
		const char *code;
		size_t len;
		uint64_t target; /* 0: none */
	} jumps[] = {
	    {ELF_MACHINE_X86_64, CODE("\xeb\x10"), BASE + 0x12},
	    {ELF_MACHINE_X86_64, CODE("\xeb\xfe"), BASE},
	    {ELF_MACHINE_X86_64, CODE("\xe9\x00\x10\x00\x00"), BASE + 0x1005},
	    {ELF_MACHINE_X86_64, CODE("\xe8\x00\x10\x00\x00"), 0},
	    {ELF_MACHINE_X86_64, CODE("\x75\x10"), 0},
	    {ELF_MACHINE_AARCH64, CODE("\x00\x04\x00\x14"), BASE + 0x1000},
	    {ELF_MACHINE_AARCH64, CODE("\xff\xff\xff\x17"), BASE - 4},
	    {ELF_MACHINE_AARCH64, CODE("\x00\x04\x00\x94"), 0},
	    {ELF_MACHINE_AARCH64, CODE("\x00\x04\x00\x54"), 0},
	    {ELF_MACHINE_OTHER, CODE("\xeb\x10"), 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++)
		for (size_t len = 0; len <= jumps[i].len; len++) {
			struct edge edge = edge_copy(jumps[i].code, len);
			struct code_text text = {
			    jumps[i].machine, BASE, (const uint8_t *)edge.p, len};
			uint64_t target = 0;
			bool is = code_begins_with_jump(&text, &target);

			assert_int_equal(is, len == jumps[i].len && jumps[i].target);
			assert_int_equal(target, is ? jumps[i].target : 0);
			edge_free(&edge);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_calls),
	    cmocka_unit_test(looks_behind_what_is_no_call),
	    cmocka_unit_test(follows_plt_entries),
	    cmocka_unit_test(knows_what_return_addresses_follow),
	    cmocka_unit_test(follows_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
