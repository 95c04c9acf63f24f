/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values that rules reckon with, and what may be done with them: a total arithmetic, in which what does not fit gives no value,
 * never an error. Knows nothing of where values come from.
 */
#ifndef ZS_RULE_VALUE_H
#define ZS_RULE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sv.h"

enum rule_type {
	RULE_NONE = 0, /* there is no value */
	RULE_BOOL,
	RULE_INT,
	RULE_REAL, /* finite */
	RULE_TEXT,
};

struct rule_value {
	enum rule_type type;
	/* TEXT of a header, a query or a form, where everything is text: where a number is wanted it is the number that it spells. */
	bool untyped;
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct sv text; /* borrowed */
	};
};

/* + - * / of numbers. NONE when one of them is none, for a division by 0 and for results that no double holds. Integers stay
 * integers, but in divisions and where 64 bits are too few. */
enum rule_arithmetic {
	RULE_ADD,
	RULE_SUBTRACT,
	RULE_MULTIPLY,
	RULE_DIVIDE
};

struct rule_value rule_reckon(
    enum rule_arithmetic how, const struct rule_value *a, const struct rule_value *b);

/* -1, 0, 1: how numbers compare. False when one of them is none. */
bool rule_compare(const struct rule_value *a, const struct rule_value *b, int *ret_order);

/* Are they the same? Of different types they are not; NONE is NONE. */
bool rule_same(const struct rule_value *a, const struct rule_value *b);

/* The number that the value is. False: it is none. */
bool rule_number(const struct rule_value *value, double *ret_number);

/* A number as JSON and this program's configuration write it (RFC 8259 section 6); NONE when text is none, or not finite. */
struct rule_value rule_number_parse(struct sv text);

/* Append the value as text: as people write it, and the shortest that reads back the same. NONE: nothing. */
void rule_value_append(struct buf *out, const struct rule_value *value);

#endif
