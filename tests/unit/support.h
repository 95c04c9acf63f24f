/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the unit tests: cmocka with the headers it wants, and inputs that end at an unmapped
 * page, so that a parser that reads one byte too far dies at once.
 */
#ifndef ZS_TESTS_SUPPORT_H
#define ZS_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sv.h"

/* A copy of len bytes whose end touches an unmapped page. */
struct edge {
	char *p;
	size_t len;
	void *map;
	size_t map_len;
};

struct edge edge_copy(const void *p, size_t len);
void edge_free(struct edge *edge);

/* Contents of a file below tests/data, NUL-terminated; fails the test when it is missing. Caller
 * frees. */
char *test_data(const char *name);

#endif
