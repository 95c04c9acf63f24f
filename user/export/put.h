/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw text writers of the encoders. Each writes at p without a bound check or a terminator and
 * returns the end, so the caller reserves the worst case once per record (PUT_*_MAX) instead of
 * checking once per byte.
 */
#ifndef ZS_EXPORT_PUT_H
#define ZS_EXPORT_PUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/sv.h"

#define PUT_INT_MAX     20 /* decimal of any 64-bit integer with its sign */
#define PUT_DOUBLE_MAX  32 /* decimal of any double */
#define PUT_JSON_FACTOR 6  /* output bytes per byte of a JSON string: \\u0000 */

static inline char *put_bytes(char *p, const void *bytes, size_t len)
{
	if (len)
		memcpy(p, bytes, len);
	return p + len;
}

/* A string literal, without its NUL. */
#define PUT_LIT(p, literal) put_bytes((p), (literal), sizeof(literal) - 1)

char *put_u64(char *p, uint64_t value);
char *put_i64(char *p, int64_t value);

/* Lower-case hex, 2 * len bytes. */
char *put_hex(char *p, const uint8_t *bytes, size_t len);

#define PUT_BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Base64 with padding (RFC 4648 section 4): PUT_BASE64_LEN(len) bytes. */
char *put_base64(char *p, const uint8_t *bytes, size_t len);

/*
 * The shortest decimal that reads back as the same double; integers without a point up to 15
 * digits; "NaN", "+Inf", "-Inf" as Prometheus spells them.
 */
char *put_double(char *p, double value);

/* The inside of a JSON string (RFC 8259 section 7), without the quotes. s is valid UTF-8. */
char *put_json_escaped(char *p, struct sv s);

#endif
