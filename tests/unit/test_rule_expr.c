// SPDX-License-Identifier: Apache-2.0
/* Expressions of rules (rule/expr.h): what they give, and what is refused; names of secrets (proto/secret.h), guises (rule/guise.h). */
#include <errno.h>
#include <math.h>

#include "proto/secret.h"
#include "rule/expr.h"
#include "rule/guise.h"
#include "support.h"

static const char *state_name(size_t state)
{
	static const char *const names[] = {"cpu", "sleep"};

	return state < 2 ? names[state] : NULL;
}

static struct sv last_name(const struct rule_source *source)
{
	for (size_t i = source->path.n; i-- > 0;)
		if (source->path.steps[i].key.p)
			return source->path.steps[i].key;
	return source->name;
}

/* What the sources of the tests are: by the last name. */
static struct rule_value value_of(const struct rule_source *source)
{
	static const struct {
		const char *name;
		struct rule_value value;
	} rows[] = {
	    {"two", {.type = RULE_INT, .integer = 2}},
	    {"half", {.type = RULE_REAL, .real = 0.5}},
	    {"huge", {.type = RULE_INT, .integer = INT64_MAX}},
	    {"text", {.type = RULE_TEXT, .text = {"abc", 3}}},
	    {"digits", {.type = RULE_TEXT, .text = {"2", 1}}},
	    {"yes", {.type = RULE_BOOL, .boolean = true}},
	};
	struct sv key = last_name(source);

	if (source->root == RULE_QUERY)
		return (struct rule_value){.type = RULE_TEXT, .untyped = true, .text = key};
	if (source->root == RULE_STATUS)
		return (struct rule_value){.type = RULE_INT, .integer = 404};
	if (source->root == RULE_DURATION)
		return (struct rule_value){.type = RULE_REAL, .real = 0.75};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sv_eq(key, sv_cstr(rows[i].name)))
			return rows[i].value;
	return (struct rule_value){.type = RULE_NONE};
}

/* The value as text; "null": none. */
static void eval(const char *text, struct buf *out)
{
	struct rule_sources sources = {0};
	struct rule_value values[RULE_MAX_SOURCES], value;
	struct rule_expr *expr = NULL;
	struct edge edge = edge_copy(text, strlen(text));
	struct buf why;

	buf_init(&why);
	if (rule_expr_compile(sv_from(edge.p, edge.len), &sources, state_name, &expr, &why))
		fail_msg("'%s' %s", text, why.data);
	for (size_t i = 0; i < sources.n; i++)
		values[i] = value_of(&sources.sources[i]);
	value = rule_expr_eval(expr, values);
	if (value.type == RULE_NONE)
		buf_append_cstr(out, "null");
	rule_value_append(out, &value);
	rule_expr_free(expr);
	buf_release(&why);
	edge_free(&edge);
}

static const struct {
	const char *text, *gives;
} expressions[] = {
    {"1", "1"},
    {"1.50", "1.5"},
    {" 1 + 2 * 3 ", "7"},
    {"(1 + 2) * 3", "9"},
    {"10 - 4 - 3", "3"},
    {"8 / 2 / 2", "2"},
    {"7 / 2", "3.5"},
    {"-2 * -3", "6"},
    {"- - 1", "1"},
    {"0.1 + 0.2", "0.30000000000000004"},
    {"500ms", "0.5"},
    {"2s + 30ms", "2.03"},
    {"1m", "60"},
    {"'a\"b'", "a\"b"},
    {"\"a'b\"", "a'b"},
    {"true", "true"},
    {"null", "null"},
    /* sources */
    {"request.two * request.half", "1"},
    {"request.two + 1", "3"},
    {"request.a.b[3][\"c-d\"].two", "2"},
    {"response.text", "abc"},
    {"request_header[\"x-tenant\"]", "null"},
    {"query.three", "three"},
    {"query[\"12\"] + 1", "13"},
    {"query[\"1.5\"] * 2", "3"},
    {"query[\"12\"] == 12", "true"},
    {"query[\"12\"] == \"12\"", "true"},
    {"query.abc == 12", "false"},
    {"query.abc < 12", "null"},
    {"request.digits + 1", "null"},
    {"request.digits == 2", "false"},
    {"status", "404"},
    {"status >= 400 and status < 500", "true"},
    {"duration > 500ms", "true"},
    {"time.sleep", "null"},
    /* what does not fit */
    {"request.none", "null"},
    {"request.none + 1", "null"},
    {"request.text + 1", "null"},
    {"request.yes + 1", "null"},
    {"1 / 0", "null"},
    {"1 / (request.two - 2)", "null"},
    {"-request.text", "null"},
    {"request.none < 1", "null"},
    {"request.huge + 1", "9.223372036854776e+18"},
    {"request.huge * request.huge * request.huge", "7.846377169233351e+56"},
    {"-request.huge - 2", "-9.223372036854776e+18"},
    /* equality is total */
    {"request.none == null", "true"},
    {"request.two == null", "false"},
    {"request.two != null", "true"},
    {"request.none == 1", "false"},
    {"request.none != 1", "true"},
    {"request.none == request.nothing", "true"},
    {"1 == 1.0", "true"},
    {"request.yes == true", "true"},
    {"request.yes == 1", "false"},
    {"request.text == 'abc'", "true"},
    {"request.text == 'abd'", "false"},
    /* three truths */
    {"not (1 == 2)", "true"},
    {"not request.none", "null"},
    {"not request.text", "null"},
    {"1 == 2 and request.none < 1", "false"},
    {"request.none < 1 and 1 == 2", "false"},
    {"1 == 1 and request.none < 1", "null"},
    {"1 == 1 or request.none < 1", "true"},
    {"request.none < 1 or 1 == 1", "true"},
    {"1 == 2 or request.none < 1", "null"},
    {"1 == 1 or 1 == 1 and 1 == 2", "true"},
    {"not 1 == 2 and 2 == 2", "true"},
    {"request.yes and request.two == 2", "true"},
};

static void values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
		struct buf gives;

		buf_init(&gives);
		eval(expressions[i].text, &gives);
		if (strcmp(gives.data, expressions[i].gives) != 0)
			fail_msg("%s gives %s, not %s", expressions[i].text, gives.data,
			    expressions[i].gives);
		buf_release(&gives);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	    {"", "ends where a value must stand"},
	    {"1 +", "ends where a value must stand"},
	    {"* 2", "has \"*\" where a value must stand"},
	    {"1 2", "goes on with \"2\", which nothing joins to it"},
	    {"1 < 2 < 3", "goes on with \"< 3\", which nothing joins to it"},
	    {"(1", "has a \"(\" without its \")\""},
	    {"1)", "goes on with \")\", which nothing joins to it"},
	    {"'abc", "has a quote that is not closed"},
	    {"1.2.3", "has a number that is written otherwise than 12 or 1.5"},
	    {"007", "has a number that is written otherwise than 12 or 1.5"},
	    {"3h", "has a number with a unit other than us, ms, s or m"},
	    {"requests.item",
		"has \"requests\"; there are request, response, request_header, response_header, query, method, route, status, duration, error, time, sql, rows"},
	    {"request", "has request without a field, as in request.item"},
	    {"request.",
		"has a \".\" without a name behind it; other names are written [\"a-key\"]"},
	    {"request[x]", "has a \"[\" behind which neither [0] nor [\"a key\"] is complete"},
	    {"request[\"x]", "has a \"[\" behind which neither [0] nor [\"a key\"] is complete"},
	    {"request.a.b.c.d.e.f.g.h.i", "goes down more than 8 steps"},
	    {"query.a.b", "has query without one name, as in query[\"name\"]"},
	    {"query[0]", "has query without one name, as in query[\"name\"]"},
	    {"request_header",
		"has request_header without one name, as in request_header[\"name\"]"},
	    {"time.slept", "has time.slept; there are cpu, sleep"},
	    {"sql.query", "has sql.query; there are sql.text and sql.summary"},
	    {"method + 1", "reckons with what is no number"},
	    {"'a' < 'b'", "reckons with what is no number"},
	    {"-'a'", "reckons with what is no number"},
	    {"true + 1", "reckons with what is no number"},
	    {"status and true", "joins with and, or, not what is neither true nor false"},
	    {"not 1", "joins with and, or, not what is neither true nor false"},
	    {"status == '200'", "compares values that can never be the same: a text is no number"},
	    {"method == 1", "compares values that can never be the same: a text is no number"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rule_sources sources = {0};
		struct rule_expr *expr = NULL;
		struct edge edge = edge_copy(rows[i].text, strlen(rows[i].text));
		struct buf why;

		buf_init(&why);
		assert_int_equal(
		    rule_expr_compile(sv_from(edge.p, edge.len), &sources, state_name, &expr, &why),
		    -EINVAL);
		if (strcmp(why.data, rows[i].why) != 0)
			fail_msg("'%s' %s", rows[i].text, why.data);
		assert_null(expr);
		buf_release(&why);
		edge_free(&edge);
	}
}

static int compile(struct buf *text)
{
	struct rule_sources sources = {0};
	struct rule_expr *expr = NULL;
	struct buf why;
	int err;

	buf_init(&why);
	err = rule_expr_compile(buf_sv(text), &sources, state_name, &expr, &why);
	assert_int_equal(err != 0, why.len != 0);
	rule_expr_free(expr);
	buf_release(&why);
	return err;
}

/* n times what, then end. */
static int compile_many(const char *what, size_t n, const char *end)
{
	struct buf text;
	int err;

	buf_init(&text);
	for (size_t i = 0; i < n; i++)
		buf_append_cstr(&text, what);
	buf_append_cstr(&text, end);
	err = compile(&text);
	buf_release(&text);
	return err;
}

static void limits(void **state)
{
	struct rule_sources sources = {0};
	struct rule_expr *expr = NULL;
	struct buf text, why;

	(void)state;
	assert_int_equal(compile_many("(", RULE_EXPR_MAX_DEPTH, "1"), -EINVAL);
	assert_int_equal(compile_many("-", RULE_EXPR_MAX_DEPTH - 1, "1"), 0);
	assert_int_equal(compile_many("-", RULE_EXPR_MAX_DEPTH, "1"), -EINVAL);
	assert_int_equal(compile_many("not ", RULE_EXPR_MAX_DEPTH + 1, "true"), -EINVAL);
	assert_int_equal(compile_many("1+", RULE_EXPR_MAX_NODES / 2 - 1, "1"), 0);
	assert_int_equal(compile_many("1+", RULE_EXPR_MAX_NODES / 2, "1"), -EINVAL);
	assert_int_equal(compile_many(" ", RULE_EXPR_MAX_BYTES, "1"), -E2BIG);
	buf_init(&text);
	buf_init(&why);
	for (int i = 0; i <= RULE_MAX_SOURCES; i++) {
		buf_clear(&text);
		buf_printf(&text, "request.f%d", i);
		assert_int_equal(
		    rule_expr_compile(buf_sv(&text), &sources, state_name, &expr, &why),
		    i < RULE_MAX_SOURCES ? 0 : -E2BIG);
		if (i < RULE_MAX_SOURCES)
			rule_expr_free(expr);
		/* The list points into the text: only its length matters here. */
		sources.sources[i < RULE_MAX_SOURCES ? i : 0].path.steps[0].key = SV("x");
		sources.sources[i < RULE_MAX_SOURCES ? i : 0].path.steps[1].index = (size_t)i;
	}
	buf_release(&text);
	buf_release(&why);
}

/* The same source in two expressions is looked up once. */
static void sources_are_shared(void **state)
{
	struct rule_sources sources = {0};
	struct rule_expr *a = NULL, *b = NULL;
	struct buf why;

	(void)state;
	buf_init(&why);
	assert_int_equal(
	    rule_expr_compile(SV("request.a + request.b"), &sources, state_name, &a, &why), 0);
	assert_int_equal(rule_expr_compile(SV("request.a"), &sources, state_name, &b, &why), 0);
	assert_int_equal(sources.n, 2);
	assert_int_equal(rule_expr_source(a), -1);
	assert_int_equal(rule_expr_source(b), 0);
	assert_true(rule_expr_uses(a, 1));
	assert_false(rule_expr_uses(b, 1));
	assert_int_equal(rule_expr_kind(a), RULE_KIND_NUMBER);
	rule_expr_free(a);
	rule_expr_free(b);
	buf_release(&why);
}

static void secrets(void **state)
{
	static const char *const secret[] = {"Authorization", "proxy-authorization", "Cookie",
	    "Set-Cookie", "X-Api-Key", "apiKey", "API_KEY", "password", "user_password",
	    "newPassword", "client.secret", "access_token", "refreshToken", "x-amz-security-token",
	    "cardNumber", "card_number", "cvv", "PIN", "ssn", "session_id", "jwt"};
	static const char *const open[] = {"item", "quantity", "price", "order_id", "pinned",
	    "tokens_used", "passport_country", "author", "authority", "shipping", "span",
	    "secretary", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		if (!secret_is_name(sv_cstr(secret[i])))
			fail_msg("'%s' is no secret", secret[i]);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		if (secret_is_name(sv_cstr(open[i])))
			fail_msg("'%s' is a secret", open[i]);
}

/* The vectors of SipHash-2-4-128's reference: key 00 01 .. 0f, input 00 01 .. */
static void hashes(void **state)
{
	static const char *const expected[] = {"a3817f04ba25a8e66df67214c7550293",
	    "da87c1d86b99af44347659119b22fc45", "8177228da4a45dc7fca38bdef60affe4"};
	uint8_t key[RULE_HASH_KEY_BYTES];
	char in[] = {0, 1, 2};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	buf_init(&out);
	for (size_t n = 0; n < 3; n++) {
		buf_clear(&out);
		rule_guise_append(&out, RULE_HASHED, key, sv_from(in, n));
		assert_string_equal(out.data, expected[n]);
	}
	buf_release(&out);
}

static void masks(void **state)
{
	static const char *const rows[][2] = {
	    {"4111111111111111", "****1111"},
	    {"123456789", "****6789"},
	    {"12345678", "****"},
	    {"", "****"},
	    {"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "****"},
	    {"12345\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "****\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out;

		buf_init(&out);
		rule_guise_append(&out, RULE_MASKED, NULL, sv_cstr(rows[i][0]));
		assert_string_equal(out.data, rows[i][1]);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(sources_are_shared),
	    cmocka_unit_test(secrets),
	    cmocka_unit_test(hashes),
	    cmocka_unit_test(masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
