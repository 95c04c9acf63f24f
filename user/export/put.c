// SPDX-License-Identifier: Apache-2.0
/* Raw text writers; see put.h. */
#include "export/put.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

char *put_u64(char *p, uint64_t value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char text[PUT_INT_MAX];
	char *begin = text + sizeof(text);

	while (value >= 100) {
		begin -= 2;
		memcpy(begin, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		begin -= 2;
		memcpy(begin, pairs + value * 2, 2);
	} else {
		*--begin = (char)('0' + value);
	}
	return put_bytes(p, begin, (size_t)(text + sizeof(text) - begin));
}

char *put_i64(char *p, int64_t value)
{
	if (value >= 0)
		return put_u64(p, (uint64_t)value);
	*p++ = '-';
	return put_u64(p, 0 - (uint64_t)value);
}

char *put_hex(char *p, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*p++ = digits[bytes[i] >> 4];
		*p++ = digits[bytes[i] & 15];
	}
	return p;
}

char *put_base64(char *p, const uint8_t *bytes, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)bytes[i] << 16;

		if (n > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (n > 2)
			group |= bytes[i + 2];
		*p++ = digits[group >> 18];
		*p++ = digits[group >> 12 & 63];
		*p++ = n > 1 ? digits[group >> 6 & 63] : '=';
		*p++ = n > 2 ? digits[group & 63] : '=';
	}
	return p;
}

/*
 * 15 significant digits survive decimal to double and back, so when they read back equal, "%g",
 * which drops trailing zeros, has found the shortest form; 17 digits always do.
 */
char *put_double(char *p, double value)
{
	if (isnan(value))
		return PUT_LIT(p, "NaN");
	if (isinf(value))
		return value > 0 ? PUT_LIT(p, "+Inf") : PUT_LIT(p, "-Inf");
	if (fabs(value) < 1e15 && value == (double)(int64_t)value)
		return put_i64(p, (int64_t)value);
	for (int digits = 15; digits <= 17; digits++) {
		int len = snprintf(p, PUT_DOUBLE_MAX, "%.*g", digits, value);

		if (digits == 17 || strtod(p, NULL) == value)
			return p + len;
	}
	return p;
}

/* True when one of the eight bytes must be escaped: below 0x20, a quote or a backslash. */
static bool word_needs_escape(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
	uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
	uint64_t hit =
	    ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);

	return (hit & high) != 0;
}

static char *put_json_char(char *p, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	/* RFC 8259's two-character forms, by code. */
	static const char shorts[0x20] = {
	    ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

	if (c >= 0x20 && c != '"' && c != '\\') {
		*p++ = (char)c;
		return p;
	}
	*p++ = '\\';
	if (c >= 0x20) {
		*p++ = (char)c;
	} else if (shorts[c]) {
		*p++ = shorts[c];
	} else {
		p = PUT_LIT(p, "u00");
		*p++ = digits[c >> 4];
		*p++ = digits[c & 15];
	}
	return p;
}

/*
 * Copy the last tail (< 8) bytes of s in words that overlap what is already written. When the word
 * holds nothing to escape, its first part was written unescaped, so writing it again changes
 * nothing. Returns NULL when this does not apply.
 */
static char *put_clean_tail(char *p, struct sv s, size_t tail)
{
	uint64_t word = 0;

	if (s.len >= sizeof(word)) {
		memcpy(&word, s.p + s.len - sizeof(word), sizeof(word));
		if (word_needs_escape(word))
			return NULL;
		memcpy(p + tail - sizeof(word), &word, sizeof(word));
		return p + tail;
	}
	if (s.len >= sizeof(uint32_t)) {
		uint32_t first, last;

		memcpy(&first, s.p, sizeof(first));
		memcpy(&last, s.p + s.len - sizeof(last), sizeof(last));
		if (word_needs_escape((uint64_t)first << 32 | last))
			return NULL;
		memcpy(p, &first, sizeof(first));
		memcpy(p + s.len - sizeof(last), &last, sizeof(last));
		return p + s.len;
	}
	return NULL;
}

char *put_json_escaped(char *p, struct sv s)
{
	size_t i = 0;

	while (i < s.len) {
		uint64_t word;
		char *end;

		if (s.len - i < sizeof(word)) {
			end = put_clean_tail(p, s, s.len - i);
			if (end)
				return end;
			while (i < s.len)
				p = put_json_char(p, (unsigned char)s.p[i++]);
			return p;
		}
		memcpy(&word, s.p + i, sizeof(word));
		if (!word_needs_escape(word)) {
			memcpy(p, &word, sizeof(word));
			p += sizeof(word);
			i += sizeof(word);
			continue;
		}
		for (size_t end_of_word = i + sizeof(word); i < end_of_word; i++)
			p = put_json_char(p, (unsigned char)s.p[i]);
	}
	return p;
}
