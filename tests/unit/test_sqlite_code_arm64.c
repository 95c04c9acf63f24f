// SPDX-License-Identifier: Apache-2.0
/* sqlite_code.h: the accessors of SQLite itself, 3.40.1 and 3.46.1, as aarch64 compilers write them. */
#include "support.h"

#include <string.h>

#include "discover/elf.h"
#include "discover/sqlite_code.h"

/* Identical code is listed once: gcc -O3 writes what -O2 does. */
static const struct accessor {
	const char *name, *function;
	uint32_t expected;
	const char *code;
	size_t len;
} accessors[] = {
    /* clang-format off */
    {"gcc -O0", "sqlite3_sql", 0xf8,
	"\xff\x83\x00\xd1\xe0\x07\x00\xf9\xe0\x07\x40\xf9\xe0\x0f\x00\xf9\xe0\x0f\x40"
	"\xf9\x1f\x00\x00\xf1\x80\x00\x00\x54\xe0\x0f\x40\xf9\x00\x7c\x40\xf9\x02\x00"
	"\x00\x14\x00\x00\x80\xd2\xff\x83\x00\x91\xc0\x03\x5f\xd6", 52},
    {"gcc -O0", "sqlite3_db_handle", 0,
	"\xff\x43\x00\xd1\xe0\x07\x00\xf9\xe0\x07\x40\xf9\x1f\x00\x00\xf1\x80\x00\x00"
	"\x54\xe0\x07\x40\xf9\x00\x00\x40\xf9\x02\x00\x00\x14\x00\x00\x80\xd2\xff\x43"
	"\x00\x91\xc0\x03\x5f\xd6", 44},
    {"gcc -O0", "sqlite3_get_autocommit", 0x65,
	"\xff\x43\x00\xd1\xe0\x07\x00\xf9\xe0\x07\x40\xf9\x00\x94\x41\x39\xff\x43\x00"
	"\x91\xc0\x03\x5f\xd6", 24},
    {"gcc -O2", "sqlite3_sql", 0xf8,
	"\x60\x00\x00\xb4\x00\x7c\x40\xf9\xc0\x03\x5f\xd6\x00\x00\x80\xd2\xc0\x03\x5f"
	"\xd6", 20},
    {"gcc -O2", "sqlite3_db_handle", 0,
	"\x60\x00\x00\xb4\x00\x00\x40\xf9\xc0\x03\x5f\xd6\x00\x00\x80\xd2\xc0\x03\x5f"
	"\xd6", 20},
    {"gcc -O2", "sqlite3_get_autocommit", 0x65,
	"\x00\x94\x41\x39\xc0\x03\x5f\xd6", 8},
    {"gcc -O2 -fPIC -mbranch-protection=standard, SQLite 3.46.1", "sqlite3_sql", 0xf8,
	"\x5f\x24\x03\xd5\x60\x00\x00\xb4\x00\x7c\x40\xf9\xc0\x03\x5f\xd6\x00\x00\x80"
	"\xd2\xc0\x03\x5f\xd6", 24},
    {"gcc -O2 -fPIC -mbranch-protection=standard, SQLite 3.46.1", "sqlite3_db_handle", 0,
	"\x5f\x24\x03\xd5\x60\x00\x00\xb4\x00\x00\x40\xf9\xc0\x03\x5f\xd6\x00\x00\x80"
	"\xd2\xc0\x03\x5f\xd6", 24},
    {"gcc -O2 -fPIC -mbranch-protection=standard, SQLite 3.46.1", "sqlite3_get_autocommit", 0x65,
	"\x5f\x24\x03\xd5\x00\x94\x41\x39\xc0\x03\x5f\xd6", 12},
    /* clang-format on */
};

static int reveal(const struct accessor *a, size_t len, uint32_t *ret_offset)
{
	struct edge edge = edge_copy(a->code, len);
	const uint8_t *code = (const uint8_t *)edge.p;
	int err;

	if (strcmp(a->function, "sqlite3_get_autocommit") == 0)
		err = sqlite_code_byte(ELF_MACHINE_AARCH64, code, len, ret_offset);
	else
		err = sqlite_code_field(ELF_MACHINE_AARCH64, code, len, ret_offset);
	edge_free(&edge);
	return err;
}

static void reads_sqlite_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accessors) / sizeof(accessors[0]); i++) {
		const struct accessor *a = &accessors[i];
		uint32_t offset = ~0u;

		if (reveal(a, a->len, &offset) || offset != a->expected)
			fail_msg("%s, %s: %u", a->name, a->function, offset);
		for (size_t cut = 0; cut < a->len; cut++)
			if (reveal(a, cut, &offset) == 0 && offset != a->expected)
				fail_msg(
				    "%s, %s cut at %zu: %u", a->name, a->function, cut, offset);
	}
}

/* sqlite3_sql takes a statement; what takes a number reads nothing of it. */
static void knows_who_reads_a_field(void **state)
{
	static const uint8_t number[] = {/* mov w1, #5; mov w0, w1; ret */
	    0xa1, 0x00, 0x80, 0x52, 0xe0, 0x03, 0x01, 0x2a, 0xc0, 0x03, 0x5f, 0xd6};

	(void)state;
	for (size_t i = 0; i < sizeof(accessors) / sizeof(accessors[0]); i++) {
		const struct accessor *a = &accessors[i];
		const uint8_t *code = (const uint8_t *)a->code;
		bool word = strcmp(a->function, "sqlite3_get_autocommit") != 0;

		assert_int_equal(
		    sqlite_code_reads_field(ELF_MACHINE_AARCH64, code, a->len, a->expected), word);
		assert_false(sqlite_code_reads_field(ELF_MACHINE_AARCH64, code, a->len, 0x100));
		assert_false(sqlite_code_reads_field(ELF_MACHINE_OTHER, code, a->len, a->expected));
	}
	assert_false(sqlite_code_reads_field(ELF_MACHINE_AARCH64, number, sizeof(number), 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_sqlite_itself),
	    cmocka_unit_test(knows_who_reads_a_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
