// SPDX-License-Identifier: Apache-2.0
/*
 * Any text as an expression: it is refused with a reason, or evaluates to a value of the kind that it promises, whatever the
 * values of its sources are: those the first bytes choose.
 */
#include <math.h>

#include "fuzz.h"
#include "rule/expr.h"

static const char *state_name(size_t state)
{
	return state == 0 ? "cpu" : NULL;
}

static struct rule_value choose(struct fuzz_choices *c)
{
	static const double reals[] = {0, -0.0, 1e308, 5e-324, 0.1};
	static const int64_t integers[] = {0, 1, -1, INT64_MAX, INT64_MIN};
	static const char *const texts[] = {"", "1", "-1e400", "abc", "0x1"};
	uint8_t byte = fuzz_byte(c);
	size_t which = byte / 6 % 5;

	switch (byte % 6) {
	case 1:
		return (struct rule_value){.type = RULE_BOOL, .boolean = which & 1};
	case 2:
		return (struct rule_value){.type = RULE_INT, .integer = integers[which]};
	case 3:
		return (struct rule_value){.type = RULE_REAL, .real = reals[which]};
	case 4:
	case 5:
		return (struct rule_value){
		    .type = RULE_TEXT, .untyped = byte % 6 == 5, .text = sv_cstr(texts[which])};
	default:
		return (struct rule_value){.type = RULE_NONE};
	}
}

static void check_value(const struct rule_expr *expr, const struct rule_value *value)
{
	static const enum rule_kind kinds[] = {
	    [RULE_NONE] = RULE_KIND_NULL,
	    [RULE_BOOL] = RULE_KIND_BOOL,
	    [RULE_INT] = RULE_KIND_NUMBER,
	    [RULE_REAL] = RULE_KIND_NUMBER,
	    [RULE_TEXT] = RULE_KIND_TEXT,
	};
	enum rule_kind kind = rule_expr_kind(expr);
	struct buf text;

	REQUIRE(value->type == RULE_NONE || kind == RULE_KIND_ANY || kind == kinds[value->type] ||
	    rule_expr_source(expr) >= 0);
	REQUIRE(value->type != RULE_REAL || isfinite(value->real));
	buf_init(&text);
	rule_value_append(&text, value);
	REQUIRE(value->type == RULE_TEXT || (value->type == RULE_NONE) == (text.len == 0));
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	struct rule_value values[RULE_MAX_SOURCES], value;
	struct rule_sources sources = {0};
	struct rule_expr *expr = NULL;
	struct buf why;
	struct sv in;
	int err;

	for (size_t i = 0; i < RULE_MAX_SOURCES; i++)
		values[i] = i < 4 ? choose(&c) : values[i % 4];
	in = fuzz_copy(c.p, c.left);
	buf_init(&why);
	err = rule_expr_compile(in, &sources, state_name, &expr, &why);
	REQUIRE((err != 0) == (why.len != 0) && (err == 0) == (expr != NULL));
	if (expr) {
		for (size_t i = 0; i < sources.n; i++) {
			enum rule_kind kind = rule_root_kind(sources.sources[i].root);

			/* Facts have the kind that is promised. */
			if (kind == RULE_KIND_NUMBER)
				values[i] = (struct rule_value){.type = RULE_INT, .integer = 7};
			else if (kind == RULE_KIND_TEXT)
				values[i] = (struct rule_value){.type = RULE_TEXT, .text = SV("x")};
		}
		value = rule_expr_eval(expr, values);
		check_value(expr, &value);
	}
	rule_expr_free(expr);
	buf_release(&why);
	fuzz_free(in);
	return 0;
}
