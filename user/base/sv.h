/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A string view: borrowed bytes that need no terminator. Wire data, header values and SQL text
 * travel as views; whoever keeps one longer than its source copies it. Knows nothing of tracing.
 */
#ifndef ZS_BASE_SV_H
#define ZS_BASE_SV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sv {
	const char *p; /* may be NULL when len is 0 */
	size_t len;    /* bytes */
};

/* Arguments for printf's "%.*s". */
#define SV_ARG(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct sv sv_from(const void *p, size_t len)
{
	return (struct sv){.p = p, .len = len};
}

/* View of a C string; NULL gives the empty view. */
static inline struct sv sv_cstr(const char *s)
{
	return (struct sv){.p = s, .len = s ? strlen(s) : 0};
}

/* View of a string literal, length known at compile time. */
#define SV(literal) ((struct sv){.p = (literal), .len = sizeof(literal) - 1})

static inline bool sv_eq(struct sv a, struct sv b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* ASCII lower case of one byte; independent of the locale. */
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Eight bytes at p, each as ascii_lower() has it: bit 7 of `upper` marks a byte from 'A' to 'Z'. */
static inline uint64_t ascii_lower_word(const char *p)
{
	const uint64_t ones = 0x0101010101010101ULL;
	uint64_t word, low, upper;

	memcpy(&word, p, sizeof(word));
	low = word & (ones * 0x7f);
	upper = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x7f - 'Z')) & ~word & (ones * 0x80);
	return word | upper >> 2;
}

static inline bool sv_eq_nocase(struct sv a, struct sv b)
{
	size_t i = 0;

	if (a.len != b.len)
		return false;
	if (a.len >= 8) {
		for (; i + 8 < a.len; i += 8)
			if (ascii_lower_word(a.p + i) != ascii_lower_word(b.p + i))
				return false;
		return ascii_lower_word(a.p + a.len - 8) == ascii_lower_word(b.p + a.len - 8);
	}
	for (; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

static inline bool sv_starts(struct sv s, struct sv prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

/* The view without its first n bytes; n beyond the end gives the empty view. */
static inline struct sv sv_skip(struct sv s, size_t n)
{
	if (n > s.len)
		n = s.len;
	return (struct sv){.p = s.p ? s.p + n : NULL, .len = s.len - n};
}

/* Without leading and trailing SP and HTAB (OWS of RFC 9110 section 5.6.3). */
static inline struct sv sv_trim_ows(struct sv s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = sv_skip(s, 1);
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Position of the first c, or s.len when there is none. */
static inline size_t sv_find(struct sv s, char c)
{
	const char *hit = s.len ? memchr(s.p, c, s.len) : NULL;

	return hit ? (size_t)(hit - s.p) : s.len;
}

#endif
