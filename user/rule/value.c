// SPDX-License-Identifier: Apache-2.0
/* A total arithmetic; see value.h. */
#include "rule/value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/json.h"

/* Longer ones are no amounts that anyone counts. */
#define NUMBER_MAX_BYTES 64

static struct rule_value none(void)
{
	return (struct rule_value){.type = RULE_NONE};
}

static struct rule_value real_value(double real)
{
	if (!isfinite(real))
		return none();
	return (struct rule_value){.type = RULE_REAL, .real = real};
}

static struct rule_value int_value(int64_t integer)
{
	return (struct rule_value){.type = RULE_INT, .integer = integer};
}

struct rule_value rule_number_parse(struct sv text)
{
	struct json_reader reader;
	char digits[NUMBER_MAX_BYTES + 1], *end;
	long long integer;

	json_reader_init(&reader, text, true);
	if (text.len > NUMBER_MAX_BYTES || json_next(&reader).kind != JSON_NUMBER ||
	    reader.rest.len)
		return none();
	memcpy(digits, text.p, text.len);
	digits[text.len] = '\0';
	if (strpbrk(digits, ".eE"))
		return real_value(strtod(digits, NULL));
	errno = 0;
	integer = strtoll(digits, &end, 10);
	return errno ? real_value(strtod(digits, NULL)) : int_value(integer);
}

/* The value, or the number that an untyped text spells. */
static struct rule_value typed(const struct rule_value *value)
{
	return value->type == RULE_TEXT && value->untyped ? rule_number_parse(value->text) : *value;
}

static double real_of(const struct rule_value *number)
{
	return number->type == RULE_INT ? (double)number->integer : number->real;
}

static bool is_number(const struct rule_value *value)
{
	return value->type == RULE_INT || value->type == RULE_REAL;
}

bool rule_number(const struct rule_value *value, double *ret_number)
{
	struct rule_value number = typed(value);

	if (!is_number(&number))
		return false;
	*ret_number = real_of(&number);
	return true;
}

static bool reckon_integers(enum rule_arithmetic how, int64_t a, int64_t b, int64_t *ret)
{
	switch (how) {
	case RULE_ADD:
		return !__builtin_add_overflow(a, b, ret);
	case RULE_SUBTRACT:
		return !__builtin_sub_overflow(a, b, ret);
	case RULE_MULTIPLY:
		return !__builtin_mul_overflow(a, b, ret);
	default:
		return false;
	}
}

struct rule_value rule_reckon(
    enum rule_arithmetic how, const struct rule_value *left, const struct rule_value *right)
{
	struct rule_value a = typed(left), b = typed(right);
	int64_t integer;

	if (!is_number(&a) || !is_number(&b))
		return none();
	if (a.type == RULE_INT && b.type == RULE_INT &&
	    reckon_integers(how, a.integer, b.integer, &integer))
		return int_value(integer);
	switch (how) {
	case RULE_ADD:
		return real_value(real_of(&a) + real_of(&b));
	case RULE_SUBTRACT:
		return real_value(real_of(&a) - real_of(&b));
	case RULE_MULTIPLY:
		return real_value(real_of(&a) * real_of(&b));
	default:
		return real_of(&b) == 0 ? none() : real_value(real_of(&a) / real_of(&b));
	}
}

bool rule_compare(const struct rule_value *left, const struct rule_value *right, int *ret_order)
{
	struct rule_value a = typed(left), b = typed(right);

	if (!is_number(&a) || !is_number(&b))
		return false;
	if (a.type == RULE_INT && b.type == RULE_INT)
		*ret_order = (a.integer > b.integer) - (a.integer < b.integer);
	else
		*ret_order = (real_of(&a) > real_of(&b)) - (real_of(&a) < real_of(&b));
	return true;
}

bool rule_same(const struct rule_value *a, const struct rule_value *b)
{
	int order;

	if (a->type == RULE_TEXT && b->type == RULE_TEXT)
		return sv_eq(a->text, b->text);
	if (rule_compare(a, b, &order))
		return order == 0;
	if (a->type != b->type || is_number(a))
		return false;
	return a->type == RULE_NONE || a->boolean == b->boolean;
}

static void append_real(struct buf *out, double real)
{
	char text[40];

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, real);
		if (strtod(text, NULL) == real)
			break;
	}
	buf_append_cstr(out, text);
}

void rule_value_append(struct buf *out, const struct rule_value *value)
{
	switch (value->type) {
	case RULE_BOOL:
		buf_append_cstr(out, value->boolean ? "true" : "false");
		break;
	case RULE_INT:
		buf_printf(out, "%" PRId64, value->integer);
		break;
	case RULE_REAL:
		append_real(out, value->real);
		break;
	case RULE_TEXT:
		buf_append_sv(out, value->text);
		break;
	default:
		break;
	}
}
