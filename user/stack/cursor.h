/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading DWARF's numbers off a run of bytes that nobody vouches for. Reading beyond the end gives
 * zeros and marks the cursor bad, so a parser reads on and asks once.
 */
#ifndef ZS_STACK_CURSOR_H
#define ZS_STACK_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct cursor cursor_from(const void *p, size_t len)
{
	return (struct cursor){.p = p, .end = len ? (const uint8_t *)p + len : p};
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* Step over n bytes; NULL when there are fewer. */
static inline const uint8_t *cursor_take(struct cursor *c, uint64_t n)
{
	const uint8_t *p = c->p;

	if (n > cursor_left(c)) {
		c->p = c->end;
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return p;
}

/* An unsigned little-endian number of 1 to 8 bytes. */
static inline uint64_t cursor_number(struct cursor *c, unsigned bytes)
{
	const uint8_t *p = cursor_take(c, bytes);
	uint64_t value = 0;

	for (unsigned i = 0; p && i < bytes; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

/* The same, signed. */
static inline int64_t cursor_signed(struct cursor *c, unsigned bytes)
{
	uint64_t value = cursor_number(c, bytes), sign = 1ULL << (8 * bytes - 1);

	return (int64_t)((value ^ sign) - sign);
}

/* LEB128; bits beyond the 64th are dropped. */
static inline uint64_t cursor_uleb(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint64_t byte = cursor_number(c, 1);

		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
}

static inline int64_t cursor_sleb(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned shift = 0;;) {
		uint64_t byte = cursor_number(c, 1);

		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
		if (byte & 0x80)
			continue;
		if ((byte & 0x40) && shift < 64)
			value |= ~0ULL << shift;
		return (int64_t)value;
	}
}

/* A NUL-terminated string; NULL when the NUL is missing. */
static inline const char *cursor_string(struct cursor *c)
{
	const uint8_t *nul = cursor_left(c) ? memchr(c->p, '\0', cursor_left(c)) : NULL;

	if (!nul) {
		c->bad = true;
		return NULL;
	}
	return (const char *)cursor_take(c, (uint64_t)(nul - c->p) + 1);
}

#endif
