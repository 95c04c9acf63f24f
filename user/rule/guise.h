/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a value leaves that is not to be read. Nothing of a payload leaves without a rule that names it; this is about what rules name.
 */
#ifndef ZS_RULE_GUISE_H
#define ZS_RULE_GUISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sv.h"

enum rule_guise {
	RULE_PLAIN = 0,
	RULE_HASHED = 1, /* 32 hexadecimal digits, the same for the same value and key */
	RULE_MASKED =
	    2, /* the last four characters behind asterisks; of less than nine, asterisks only */
};

#define RULE_HASH_KEY_BYTES 16

/* Append value in this guise; key: RULE_HASH_KEY_BYTES, for HASHED. The hash is SipHash-2-4 with 128 bits (Aumasson, Bernstein 2012). */
void rule_guise_append(struct buf *out, enum rule_guise guise, const uint8_t *key, struct sv value);

#endif
