// SPDX-License-Identifier: Apache-2.0
/*
 * sqlite_code_byte(): the accessor of one byte as compilers write it, code that must be refused, and the host's library
 * checked against a live connection.
 */
#include <string.h>

#include "accessor_fixture.h"
#include "discover/sqlite_code.h"
#include "sqlite_dl.h"

/*
 * What gcc 12 and clang 14 make of
 *
 *	int sqlite3_get_autocommit(struct sqlite3 *db) { return db->autoCommit; }
 *
 * with the byte at offset 0x65; identical code is listed once. Then of neighbours that return something else: a
 * signed byte, an int, the byte's opposite, the byte plus one.
 */
static const struct accessor accessors[] = {
    /* clang-format off */
    {"gcc -O0", ELF_MACHINE_X86_64, 0x65,
	"\x55\x48\x89\xe5\x48\x89\x7d\xf8\x48\x8b\x45\xf8\x0f\xb6\x40\x65\x0f\xb6\xc0"
	"\x5d\xc3", 21},
    {"gcc -O0 -fcf-protection", ELF_MACHINE_X86_64, 0x65,
	"\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x48\x89\x7d\xf8\x48\x8b\x45\xf8\x0f\xb6\x40"
	"\x65\x0f\xb6\xc0\x5d\xc3", 25},
    {"gcc -O1", ELF_MACHINE_X86_64, 0x65,
	"\x0f\xb6\x47\x65\xc3", 5},
    {"gcc -O1 -fcf-protection", ELF_MACHINE_X86_64, 0x65,
	"\xf3\x0f\x1e\xfa\x0f\xb6\x47\x65\xc3", 9},
    {"clang -O0", ELF_MACHINE_X86_64, 0x65,
	"\x55\x48\x89\xe5\x48\x89\x7d\xf8\x48\x8b\x45\xf8\x0f\xb6\x40\x65\x5d\xc3", 18},
    {"clang -O0 -fcf-protection", ELF_MACHINE_X86_64, 0x65,
	"\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x48\x89\x7d\xf8\x48\x8b\x45\xf8\x0f\xb6\x40"
	"\x65\x5d\xc3", 22},
    {"gcc -O0", ELF_MACHINE_AARCH64, 0x65,
	"\xff\x43\x00\xd1\xe0\x07\x00\xf9\xe0\x07\x40\xf9\x00\x94\x41\x39\xff\x43\x00"
	"\x91\xc0\x03\x5f\xd6", 24},
    {"gcc -O0 -mbranch-protection=standard", ELF_MACHINE_AARCH64, 0x65,
	"\x5f\x24\x03\xd5\xff\x43\x00\xd1\xe0\x07\x00\xf9\xe0\x07\x40\xf9\x00\x94\x41"
	"\x39\xff\x43\x00\x91\xc0\x03\x5f\xd6", 28},
    {"gcc -O1", ELF_MACHINE_AARCH64, 0x65,
	"\x00\x94\x41\x39\xc0\x03\x5f\xd6", 8},
    {"gcc -O1 -mbranch-protection=standard", ELF_MACHINE_AARCH64, 0x65,
	"\x5f\x24\x03\xd5\x00\x94\x41\x39\xc0\x03\x5f\xd6", 12},
    {"clang -O0", ELF_MACHINE_AARCH64, 0x65,
	"\xff\x43\x00\xd1\xe0\x07\x00\xf9\xe8\x07\x40\xf9\x00\x95\x41\x39\xff\x43\x00"
	"\x91\xc0\x03\x5f\xd6", 24},
    {"clang -O0 -mbranch-protection=standard", ELF_MACHINE_AARCH64, 0x65,
	"\x5f\x24\x03\xd5\xff\x43\x00\xd1\xe0\x07\x00\xf9\xe8\x07\x40\xf9\x00\x95\x41"
	"\x39\xff\x43\x00\x91\xc0\x03\x5f\xd6", 28},
    {"signed byte", ELF_MACHINE_X86_64, REFUSED,
	"\x0f\xbe\x47\x64\xc3", 5},
    {"signed byte", ELF_MACHINE_AARCH64, REFUSED,
	"\x00\x90\xc1\x39\xc0\x03\x5f\xd6", 8},
    {"int", ELF_MACHINE_X86_64, REFUSED,
	"\x8b\x47\x68\xc3", 4},
    {"int", ELF_MACHINE_AARCH64, REFUSED,
	"\x00\x68\x40\xb9\xc0\x03\x5f\xd6", 8},
    {"opposite", ELF_MACHINE_X86_64, REFUSED,
	"\x31\xc0\x80\x7f\x65\x00\x0f\x94\xc0\xc3", 10},
    {"opposite", ELF_MACHINE_AARCH64, REFUSED,
	"\x00\x94\x41\x39\x1f\x00\x00\x71\xe0\x17\x9f\x1a\xc0\x03\x5f\xd6", 16},
    {"plus one", ELF_MACHINE_X86_64, REFUSED,
	"\x0f\xb6\x47\x65\x83\xc0\x01\xc3", 8},
    {"plus one", ELF_MACHINE_AARCH64, REFUSED,
	"\x00\x94\x41\x39\x00\x04\x00\x11\xc0\x03\x5f\xd6", 12},
    /* clang-format on */
};

#define N_ACCESSORS (sizeof(accessors) / sizeof(accessors[0]))

static void reads_what_compilers_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ACCESSORS; i++) {
		const struct accessor *a = &accessors[i];
		const uint8_t *code = (const uint8_t *)a->code;

		if (accessor_read(sqlite_code_byte, a->machine, code, a->len) != a->expected)
			fail_msg("%s: not %d", a->name, a->expected);
		for (size_t cut = 0; cut + 4 < a->len; cut++)
			if (accessor_read(sqlite_code_byte, a->machine, code, cut) != REFUSED)
				fail_msg("%s cut at %zu is taken", a->name, cut);
	}
}

/* A word is no byte, and the other way round. */
static void kinds_are_told_apart(void **state)
{
	static const uint8_t word[] = {0x48, 0x8b, 0x47, 0x68, 0xc3}; /* mov 0x68(%rdi),%rax; ret */

	(void)state;
	assert_int_equal(
	    accessor_read(sqlite_code_byte, ELF_MACHINE_X86_64, word, sizeof(word)), REFUSED);
	accessors_are_refused(sqlite_code_field, accessors, N_ACCESSORS);
}

static void survives_damage(void **state)
{
	(void)state;
	accessors_survive_damage(sqlite_code_byte, accessors, N_ACCESSORS, 1, 1);
}

static void agrees_with_a_live_connection(void **state)
{
	struct sqlite_dl s = sqlite_dl_open("libsqlite3.so.0");
	struct elf_file *file = sqlite_dl_file(&s);
	uint8_t code[SQLITE_CODE_BYTES];
	size_t len = sqlite_dl_code(&s, file, "sqlite3_get_autocommit", code, sizeof(code));
	uint32_t offset;
	void *db;

	(void)state;
	assert_int_equal(sqlite_code_byte(elf_file_machine(file), code, len, &offset), 0);
	assert_int_equal(s.open(":memory:", &db), 0);
	assert_int_equal(((uint8_t *)db)[offset], 1);
	assert_int_equal(s.exec(db, "BEGIN", NULL, NULL, NULL), 0);
	assert_int_equal(((uint8_t *)db)[offset], 0);
	assert_int_equal(s.exec(db, "COMMIT", NULL, NULL, NULL), 0);
	assert_int_equal(((uint8_t *)db)[offset], 1);
	s.close(db);
	elf_file_close(file);
	dlclose(s.library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_what_compilers_write),
	    cmocka_unit_test(kinds_are_told_apart),
	    cmocka_unit_test(survives_damage),
	    cmocka_unit_test(agrees_with_a_live_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
