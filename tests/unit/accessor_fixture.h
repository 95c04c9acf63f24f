/* SPDX-License-Identifier: Apache-2.0 */
/* Accessors of SQLite as machine code, and what holds for whatever reads them (sqlite_code.h). */
#ifndef ZS_TESTS_ACCESSOR_FIXTURE_H
#define ZS_TESTS_ACCESSOR_FIXTURE_H

#include <errno.h>
#include <string.h>

#include "discover/elf.h"
#include "support.h"

enum {
	REFUSED = -1
};

struct accessor {
	const char *name;
	enum elf_machine machine;
	int expected; /* offset or REFUSED */
	const char *code;
	size_t len;
};

/* One of sqlite_code_field(), _byte(), _word(), _tested(). */
typedef int accessor_reader(
    enum elf_machine machine, const uint8_t *code, size_t len, uint32_t *ret_offset);

/* The answer for len bytes, which end at an unmapped page. */
static inline int accessor_read(
    accessor_reader *read, enum elf_machine machine, const void *code, size_t len)
{
	struct edge edge = edge_copy(code, len);
	uint32_t offset = 0xdead;
	int err = read(machine, (const uint8_t *)edge.p, len, &offset);

	edge_free(&edge);
	if (!err)
		return (int)offset;
	assert_int_equal(err, -ENOTSUP);
	assert_int_equal(offset, 0xdead);
	return REFUSED;
}

/* Each as expected. Cut off, code is refused or says the same: what is cut off may be what follows the last path. */
static inline void accessors_check(accessor_reader *read, const struct accessor *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct accessor *a = &all[i];

		for (size_t len = 0; len <= a->len; len++) {
			int got = accessor_read(read, a->machine, a->code, len);

			if (got != a->expected && (len == a->len || got != REFUSED))
				fail_msg("%s, %zu of %zu bytes: %d, not %d", a->name, len, a->len,
				    got, a->expected);
		}
	}
}

/* None is taken for what read is for. */
static inline void accessors_are_refused(
    accessor_reader *read, const struct accessor *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    accessor_read(read, all[i].machine, all[i].code, all[i].len), REFUSED);
}

/* Any byte replaced by any other: never a crash, and never an offset outside of from..4095 or of another multiple. */
static inline void accessors_survive_damage(
    accessor_reader *read, const struct accessor *all, size_t n, uint32_t from, uint32_t multiple)
{
	uint8_t code[256];

	for (size_t i = 0; i < n; i++) {
		const struct accessor *a = &all[i];

		assert_true(a->len <= sizeof(code));
		for (size_t at = 0; at < a->len; at++) {
			memcpy(code, a->code, a->len);
			for (int value = 0; value < 256; value++) {
				uint32_t offset = 0;

				code[at] = (uint8_t)value;
				if (read(a->machine, code, a->len, &offset) == 0)
					assert_true(offset >= from && offset < 4096 &&
					    offset % multiple == 0);
			}
		}
	}
}

#endif
