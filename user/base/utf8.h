/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 repair. Paths, headers and SQL come from the wire and may hold any byte, while protobuf
 * strings and JSON must be valid UTF-8: every maximal ill-formed part becomes one U+FFFD (Unicode
 * 15, table 3-7 and section 3.9 "best practice for using U+FFFD").
 */
#ifndef ZS_BASE_UTF8_H
#define ZS_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/sv.h"

/* Length in bytes of the longest valid prefix of s. */
size_t utf8_valid_prefix(struct sv s);

static inline bool utf8_valid(struct sv s)
{
	return utf8_valid_prefix(s) == s.len;
}

/* Append s to out with every ill-formed part replaced by U+FFFD. */
void utf8_append_repaired(struct buf *out, struct sv s);

#endif
