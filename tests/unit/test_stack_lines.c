// SPDX-License-Identifier: Apache-2.0
/*
 * line_table.h on tables made by hand, of both forms; cut off at every byte, and with each byte
 * changed.
 */
#include "support.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "stack/line_table.h"

enum {
	TABLE_MAX = 512,
	/* Bytes of what stands before header_length counts, and before unit_length does. */
	LENGTH_END = 4,
};

/* A table under construction. */
struct table {
	uint8_t bytes[TABLE_MAX];
	size_t len;
};

static void put(struct table *t, const void *p, size_t n)
{
	assert_true(n <= TABLE_MAX - t->len);
	memcpy(t->bytes + t->len, p, n);
	t->len += n;
}

#define PUT(t, ...)      put(t, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define PUT_STRING(t, s) put(t, s, sizeof(s))

static void put_length(struct table *t, size_t at)
{
	uint32_t length = (uint32_t)(t->len - at - 4);

	memcpy(t->bytes + at, &length, sizeof(length));
}

/* Rows from 0x1000: line 10; 0x1004: 12; then file 2 from 0x1015: 12, 0x1018: 12; up to 0x1020. A second sequence
 * lies before the first. */
static void put_program(struct table *t)
{
	PUT(t, 0, 9, DW_LNE_set_address, 0, 0x10, 0, 0, 0, 0, 0, 0);
	PUT(t, DW_LNS_advance_line, 9, DW_LNS_copy);
	PUT(t, (2 + 5) + 14 * 4 + 13); /* special: 2 lines, 4 bytes on */
	PUT(t, DW_LNS_set_file, 2, DW_LNS_const_add_pc, DW_LNS_copy);
	PUT(t, DW_LNS_set_column, 7, DW_LNS_negate_stmt, DW_LNS_set_isa, 1, 0, 2,
	    DW_LNE_set_discriminator, 3);
	PUT(t, DW_LNS_fixed_advance_pc, 3, 0, DW_LNS_copy);
	PUT(t, DW_LNS_advance_pc, 8, 0, 1, DW_LNE_end_sequence);
	PUT(t, 0, 9, DW_LNE_set_address, 0, 0x08, 0, 0, 0, 0, 0, 0);
	PUT(t, DW_LNS_advance_line, 0x7f, DW_LNS_copy); /* line 0 */
	PUT(t, DW_LNS_advance_pc, 1, 0, 1, DW_LNE_end_sequence);
}

static void put_fields(struct table *t)
{
	PUT(t, 1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1);
}

static struct table old_table(void)
{
	struct table t = {0};

	PUT(&t, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0);
	put_fields(&t);
	PUT_STRING(&t, "dir");
	PUT_STRING(&t, "/abs");
	PUT(&t, 0);
	PUT_STRING(&t, "a.c");
	PUT(&t, 1, 0, 0);
	PUT_STRING(&t, "b.c");
	PUT(&t, 2, 0x80, 1, 0);
	PUT_STRING(&t, "/c.c");
	PUT(&t, 1, 0, 0);
	PUT_STRING(&t, "d.c");
	PUT(&t, 0, 0, 0);
	PUT_STRING(&t, "e.c");
	PUT(&t, 9, 0, 0);
	PUT(&t, 0);
	put_length(&t, 6);
	put_program(&t);
	put_length(&t, 0);
	return t;
}

static struct table new_table(void)
{
	struct table t = {0};

	PUT(&t, 0, 0, 0, 0, 5, 0, 8, 0, 0, 0, 0, 0);
	put_fields(&t);
	PUT(&t, 1, DW_LNCT_path, DW_FORM_line_strp, 2, 0, 0, 0, 0, 6, 0, 0, 0);
	PUT(&t, 3, DW_LNCT_path, DW_FORM_string, DW_LNCT_directory_index, DW_FORM_udata,
	    DW_LNCT_MD5, DW_FORM_data16, 4);
	for (uint8_t i = 0; i < 4; i++) {
		const char name[] = {"0abc"[i], '.', 'c', '\0'};

		put(&t, name, sizeof(name));
		PUT(&t, i % 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
	}
	put_length(&t, 8);
	put_program(&t);
	put_length(&t, 0);
	return t;
}

static struct line_sections sections_of(const void *p, size_t len)
{
	return (struct line_sections){.line = sv_from(p, len), .line_str = SV("/home\0inner")};
}

static void rows(void **state)
{
	static const struct {
		uint64_t address, file, line;
		int err;
	} cases[] = {
	    {0x0fff, 0, 0, -ENOENT},
	    {0x1000, 1, 10, 0},
	    {0x1003, 1, 10, 0},
	    {0x1004, 1, 12, 0},
	    {0x1014, 1, 12, 0},
	    {0x1015, 2, 12, 0},
	    {0x101f, 2, 12, 0},
	    {0x1020, 0, 0, -ENOENT},
	    {0x0800, 1, 0, 0},
	    {0x0801, 0, 0, -ENOENT},
	};
	const struct table tables[] = {old_table(), new_table()};

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct line_sections s = sections_of(tables[k].bytes, tables[k].len);

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct line_row row = {0};

			assert_int_equal(
			    line_table_find(&s, 0, cases[i].address, &row), cases[i].err);
			assert_int_equal(row.file, cases[i].file);
			assert_int_equal(row.line, cases[i].line);
		}
		assert_int_equal(
		    line_table_find(&s, tables[k].len, 0x1000, &(struct line_row){0}), -ENOENT);
	}
}

static void check_path(const struct line_sections *s, const char *directory, uint64_t file,
    size_t size, const char *expected)
{
	char path[64] = "untouched";
	int err = line_table_file(s, 0, directory, file, path, size);

	assert_int_equal(err, expected ? 0 : -ENOENT);
	assert_string_equal(path, expected ? expected : "untouched");
}

static void paths(void **state)
{
	const struct table before = old_table(), now = new_table();
	struct line_sections s = sections_of(before.bytes, before.len);

	(void)state;
	check_path(&s, "/src", 0, 64, NULL);
	check_path(&s, "/src", 1, 64, "dir/a.c");
	check_path(&s, "/src", 2, 64, "/abs/b.c");
	check_path(&s, "/src", 3, 64, "/c.c");
	check_path(&s, "/src", 4, 64, "/src/d.c");
	check_path(&s, NULL, 4, 64, "d.c");
	check_path(&s, "/src", 5, 64, "e.c");
	check_path(&s, "/src", 6, 64, NULL);
	check_path(&s, "/src", UINT64_MAX, 64, NULL);
	check_path(&s, "/src", 2, 6, "s/b.c");
	check_path(&s, "/src", 2, 3, ".c");
	check_path(&s, "/src", 2, 1, "");
	s = sections_of(now.bytes, now.len);
	check_path(&s, "/src", 0, 64, "/home/0.c");
	check_path(&s, "/src", 1, 64, "inner/a.c");
	check_path(&s, "/src", 2, 64, "b.c"); /* its directory is not in the list */
	check_path(&s, "/src", 3, 64, "/home/c.c");
	check_path(&s, "/src", 4, 64, NULL);
}

static void exercise(const void *p, size_t len)
{
	struct line_sections s = sections_of(p, len);
	struct line_row row;
	char path[16];

	for (uint64_t address = 0xff8; address < 0x1028; address += 3)
		line_table_find(&s, 0, address, &row);
	for (uint64_t file = 0; file < 7; file++)
		if (line_table_file(&s, 0, "/src", file, path, sizeof(path)) == 0)
			assert_true(strlen(path) < sizeof(path));
}

static void damage(void **state)
{
	const struct table tables[] = {old_table(), new_table()};

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		for (size_t len = 0; len <= tables[k].len; len++) {
			struct edge edge = edge_copy(tables[k].bytes, len);

			exercise(edge.p, len);
			if (len >= LENGTH_END) { /* cut, and the length says so */
				uint32_t length = (uint32_t)len - LENGTH_END;

				memcpy(edge.p, &length, sizeof(length));
				exercise(edge.p, len);
			}
			edge_free(&edge);
		}
		for (size_t at = 0; at < tables[k].len; at++) {
			static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};

			for (size_t v = 0; v < sizeof(values); v++) {
				struct edge edge = edge_copy(tables[k].bytes, tables[k].len);

				edge.p[at] = (char)values[v];
				exercise(edge.p, tables[k].len);
				edge_free(&edge);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows),
	    cmocka_unit_test(paths),
	    cmocka_unit_test(damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
