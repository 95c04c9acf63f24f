/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding (RFC 3986 section 2.1), which URLs, headers in variables and messages of gRPC have in common. */
#ifndef ZS_BASE_PERCENT_H
#define ZS_BASE_PERCENT_H

#include "base/sv.h"

/* The value of a hexadecimal digit of either case; -1: it is none. */
static inline int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Take one byte off text, which is not empty: the first, or the one that "%41" stands for. False, and nothing taken, for a '%' that
 * two digits do not follow.
 */
static inline bool percent_take(struct sv *text, char *ret_byte)
{
	int high, low;

	if (text->p[0] != '%') {
		*ret_byte = text->p[0];
		*text = sv_skip(*text, 1);
		return true;
	}
	high = text->len > 2 ? hex_value(text->p[1]) : -1;
	low = text->len > 2 ? hex_value(text->p[2]) : -1;
	if (high < 0 || low < 0)
		return false;
	*ret_byte = (char)(high << 4 | low);
	*text = sv_skip(*text, 3);
	return true;
}

/* The same for texts in which a bad escape stands for itself. */
static inline char percent_take_lenient(struct sv *text)
{
	char c = text->p[0];

	if (!percent_take(text, &c))
		*text = sv_skip(*text, 1);
	return c;
}

#endif
