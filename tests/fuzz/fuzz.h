/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the fuzz targets: properties whose breach ends the run, and inputs that end where their memory
 * ends, so that a parser that reads one byte too far dies at once.
 */
#ifndef ZS_TESTS_FUZZ_H
#define ZS_TESTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/sv.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(property) ((property) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #property))

static inline void fuzz_broken(const char *file, int line, const char *property)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, property);
	abort();
}

/* A copy of len bytes at the end of its memory; fuzz_free() frees it. */
static inline struct sv fuzz_copy(const void *p, size_t len)
{
	char *copy = malloc(len ? len : 1);

	REQUIRE(copy);
	if (len)
		memcpy(copy, p, len);
	return sv_from(len ? copy : copy + 1, len);
}

static inline void fuzz_free(struct sv copy)
{
	free((char *)(uintptr_t)copy.p - (copy.len ? 0 : 1));
}

/* The same as a C string; free() frees it. */
static inline char *fuzz_string(const void *p, size_t len)
{
	char *copy = malloc(len + 1);

	REQUIRE(copy);
	if (len)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

/* Is inner empty or a part of outer? */
static inline bool fuzz_within(struct sv inner, struct sv outer)
{
	return inner.len == 0 ||
	    (inner.p >= outer.p && inner.len <= outer.len &&
		(size_t)(inner.p - outer.p) <= outer.len - inner.len);
}

/* The bytes of an input that choose what happens; zeros behind the last. */
struct fuzz_choices {
	const uint8_t *p;
	size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_choices *c)
{
	if (c->left == 0)
		return 0;
	c->left--;
	return *c->p++;
}

static inline uint32_t fuzz_word(struct fuzz_choices *c)
{
	uint32_t low = fuzz_byte(c);

	return low | (uint32_t)fuzz_byte(c) << 8;
}

/* The next n bytes, or what is left. */
static inline struct sv fuzz_bytes(struct fuzz_choices *c, size_t n)
{
	struct sv taken = sv_from(c->p, n < c->left ? n : c->left);

	c->p += taken.len;
	c->left -= taken.len;
	return taken;
}

/* The input up to the next separator, which is taken too. */
static inline struct sv fuzz_part(struct fuzz_choices *c, char separator)
{
	struct sv part = fuzz_bytes(c, sv_find(sv_from(c->p, c->left), separator));

	fuzz_byte(c);
	return part;
}

#endif
