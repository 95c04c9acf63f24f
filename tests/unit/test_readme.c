// SPDX-License-Identifier: Apache-2.0
/* What README.md shows of configuration files is right: its YAML is taken, and its expressions compile. */
#include <stdio.h>

#include "rule_fixture.h"

static char *read_readme(void)
{
	return test_data("../../README.md");
}

/* Take what stands up to mark, and the mark, off the front. False: it is not there. */
static bool take_to(struct sv *text, const char *mark, struct sv *ret_before)
{
	const size_t len = strlen(mark);

	for (size_t i = 0; i + len <= text->len; i++) {
		if (memcmp(text->p + i, mark, len) != 0)
			continue;
		*ret_before = sv_from(text->p, i);
		*text = sv_skip(*text, i + len);
		return true;
	}
	return false;
}

static void its_yaml(void **state)
{
	char *readme = read_readme();
	struct sv rest = sv_cstr(readme), block;
	struct buf text;
	size_t n = 0;

	(void)state;
	buf_init(&text);
	while (take_to(&rest, "```yaml\n", &block)) {
		struct config config;

		assert_true(take_to(&rest, "```", &block));
		buf_clear(&text);
		buf_append_sv(&text, block);
		read_config(&config, text.data);
		config_release(&config);
		n++;
	}
	assert_true(n >= 5);
	buf_release(&text);
	free(readme);
}

/* The code in it begins as a value does; names that only look so are none. */
static bool is_expression(struct sv code)
{
	static const char *const others[] = {"error.type", "time"};
	static const char *const roots[] = {"request", "response", "request_header",
	    "response_header", "query", "method", "route", "status", "duration", "error", "time",
	    "sql", "rows", "true", "false", "null"};
	struct sv word = sv_from(code.p, rule_word_length(code));

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (sv_eq(code, sv_cstr(others[i])))
			return false;
	if (sv_eq(code, SV("true false null")) || !code.len)
		return false;
	if (code.p[0] == '"' || (code.p[0] >= '0' && code.p[0] <= '9'))
		return true;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (sv_eq(word, sv_cstr(roots[i])))
			return true;
	return false;
}

/* Of a request or else of a statement. */
static void expect_compiles(struct sv code)
{
	static const char *const matches[] = {"POST /a", "SQL *"};
	struct names *names = names_new();
	struct rules *rules = rules_new(names);
	struct rule_expr *expr = NULL;
	struct buf why;

	buf_init(&why);
	for (size_t i = 0; i < 2 && !expr; i++) {
		struct rule *rule;

		buf_clear(&why);
		assert_int_equal(rules_add(rules, sv_cstr(matches[i]), &rule, &why), 0);
		rule_compile(rule, code, ledger_state_names, &expr, &why);
	}
	if (!expr)
		fail_msg("'%.*s' %s", SV_ARG(code), why.data);
	rule_expr_free(expr);
	buf_release(&why);
	rules_unref(rules);
	names_free(names);
}

/* {value: ..., as: ...} in a file. */
static void expect_attribute(struct sv code)
{
	struct config config;
	struct buf text;

	buf_init(&text);
	buf_printf(&text, "rules: [{match: POST /a, attributes: {x: %.*s}}]\n", SV_ARG(code));
	read_config(&config, text.data);
	config_release(&config);
	buf_release(&text);
}

static void its_expressions(void **state)
{
	char *readme = read_readme();
	struct sv rest = sv_cstr(readme), section, code;
	size_t expressions = 0, attributes = 0;

	(void)state;
	assert_true(take_to(&rest, "\n- **Values**", &section));
	assert_true(take_to(&rest, "\n## ", &section));
	while (take_to(&section, "`", &code)) {
		assert_true(take_to(&section, "`", &code));
		if (sv_starts(code, SV("value: ")))
			code = sv_skip(code, strlen("value: "));
		if (is_expression(code)) {
			expect_compiles(code);
			expressions++;
		} else if (sv_starts(code, SV("{value: "))) {
			expect_attribute(code);
			attributes++;
		}
	}
	assert_true(expressions >= 24);
	assert_true(attributes >= 1);
	free(readme);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(its_yaml),
	    cmocka_unit_test(its_expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
