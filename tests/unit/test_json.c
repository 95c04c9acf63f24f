// SPDX-License-Identifier: Apache-2.0
/* The JSON reader and values at paths (proto/json.h), and forms (proto/form.h). */
#include <stdio.h>

#include "proto/form.h"
#include "proto/json.h"
#include "support.h"

/* One letter per token; texts of strings, keys and numbers behind theirs. */
static void spell(struct sv text, bool whole, struct buf *out)
{
	static const char letters[] = "-{[SNtfnK}].?!";
	struct json_reader reader;
	struct json_token token;

	json_reader_init(&reader, text, whole);
	do {
		token = json_next(&reader);
		buf_append_char(out, letters[token.kind]);
		if (token.text.len) {
			buf_append_sv(out, token.text);
			buf_append_char(out, ' ');
		}
	} while (token.kind != JSON_END && token.kind != JSON_CUT && token.kind != JSON_BAD);
	assert_int_equal(json_next(&reader).kind, token.kind);
}

static void tokens(void **state)
{
	static const struct {
		const char *text, *spelled;
	} rows[] = {
	    {"{}", "{}."},
	    {" [ ] ", "[]."},
	    {"{\"a\":1,\"b\":[true,false,null]}", "{Ka N1 Kb [tfn]}."},
	    {"\"\\\"x\\u0041\"", "S\\\"x\\u0041 ."},
	    {"-0.5e+10", "N-0.5e+10 ."},
	    {"0", "N0 ."},
	    {"[1, -2 ,3.0]", "[N1 N-2 N3.0 ]."},
	    {"{\"\":\"\"}", "{KS}."},
	    {"1 rest", "N1 ."},
	    {"", "?"},
	    {"  ", "?"},
	    {"{", "{?"},
	    {"{\"a\"", "{Ka ?"},
	    {"{\"a\":", "{Ka ?"},
	    {"{\"a\":1,", "{Ka N1 ?"},
	    {"[\"abc", "[?"},
	    {"[\"abc\\", "[?"},
	    {"tru", "?"},
	    {"-", "?"},
	    {"1.", "?"},
	    {"1e", "?"},
	    {"01", "!"},
	    {"+1", "!"},
	    {".5", "!"},
	    {"1.x", "!"},
	    {"True", "!"},
	    {"{a:1}", "{!"},
	    {"{\"a\" 1}", "{Ka !"},
	    {"{\"a\":1 \"b\"}", "{Ka N1 !"},
	    {"{,}", "{!"},
	    {"[1,]", "[N1 !"},
	    {"[1}", "[N1 !"},
	    {"{\"a\":1,}", "{Ka N1 !"},
	    {"\"a\nb\"", "!"},
	    {"'a'", "!"},
	    {"<html>", "!"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].text, strlen(rows[i].text));
		struct buf spelled;

		buf_init(&spelled);
		spell(sv_from(edge.p, edge.len), true, &spelled);
		assert_string_equal(spelled.data, rows[i].spelled);
		buf_release(&spelled);
		edge_free(&edge);
	}
}

/* A number at the end may go on, where the text is only the beginning of one. */
static void cut_texts(void **state)
{
	static const char text[] = "{\"a\": 12, \"b\": [\"x\", {\"c\": true}], \"d\": -1.5e3}";

	(void)state;
	for (size_t n = 0; n < strlen(text); n++) {
		struct edge edge = edge_copy(text, n);
		struct buf spelled;

		buf_init(&spelled);
		spell(sv_from(edge.p, n), false, &spelled);
		assert_int_equal(spelled.data[spelled.len - 1], '?');
		assert_null(strstr(spelled.data, "N1 "));
		buf_release(&spelled);
		edge_free(&edge);
	}
}

static void depth_is_bounded(void **state)
{
	struct buf text, spelled;

	(void)state;
	buf_init(&text);
	buf_init(&spelled);
	for (int i = 0; i <= JSON_MAX_DEPTH; i++)
		buf_append_char(&text, '[');
	spell(buf_sv(&text), true, &spelled);
	assert_int_equal(spelled.len, JSON_MAX_DEPTH + 1);
	assert_int_equal(spelled.data[spelled.len - 1], '!');
	buf_release(&spelled);
	buf_release(&text);
}

static void strings(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
	    {"", ""},
	    {"plain", "plain"},
	    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
	    {"\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac"},
	    {"\\ud83d\\ude00!", "\xf0\x9f\x98\x80!"},
	    {"\\ud83d", "\xef\xbf\xbd"},
	    {"\\ude00x", "\xef\xbf\xbdx"},
	    {"\\ud83d\\u0041",
		"\xef\xbf\xbd"
		"A"},
	    {"\\x", "\\x"},
	    {"\\u12", "\\u12"},
	    {"\\", "\\"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].text, strlen(rows[i].text));
		struct buf says;

		buf_init(&says);
		json_append_string(&says, sv_from(edge.p, edge.len));
		assert_string_equal(says.data ? says.data : "", rows[i].says);
		buf_release(&says);
		edge_free(&edge);
	}
}

/* "a.b", "a.0": digits are an item. */
static struct json_path path_of(const char *text)
{
	struct json_path path = {0};
	struct sv rest = sv_cstr(text);

	while (rest.len) {
		struct sv step = sv_from(rest.p, sv_find(rest, '.'));

		if (step.p[0] >= '0' && step.p[0] <= '9')
			path.steps[path.n++] =
			    (struct json_step){.index = (size_t)(step.p[0] - '0')};
		else
			path.steps[path.n++] = (struct json_step){.key = step};
		rest = sv_skip(rest, step.len + 1);
	}
	return path;
}

static void expect_at_path(const char *text, bool whole, const struct json_path *path,
    const char *path_text, enum json_kind kind, const char *value)
{
	struct edge edge = edge_copy(text, strlen(text));
	struct json_token token;

	json_find(sv_from(edge.p, edge.len), whole, &path, 1, &token);
	if (token.kind != kind || !sv_eq(token.text, sv_cstr(value)))
		fail_msg("%s of %s: %d '%.*s'", path_text, text, token.kind, SV_ARG(token.text));
	edge_free(&edge);
}

static void expect_at(
    const char *text, bool whole, const char *path_text, enum json_kind kind, const char *value)
{
	struct json_path path = path_of(path_text);

	expect_at_path(text, whole, &path, path_text, kind, value);
}

/* Two steps, whatever is in the second. */
static void expect_at_steps(
    const char *text, const char *first, const char *second, enum json_kind kind, const char *value)
{
	const struct json_path path = {
	    .n = 2, .steps = {{.key = sv_cstr(first)}, {.key = sv_cstr(second)}}};

	expect_at_path(text, true, &path, second, kind, value);
}

static void values_at_paths(void **state)
{
	static const char text[] =
	    "{\"a\":{\"b\":1,\"c\":[10,{\"d\":\"x\"},30]},\"b\":2,\"e\":null,"
	    "\"f\\u0067\":true,\"h\":{},\"b\":\"last\"}";

	(void)state;
	expect_at(text, true, "a.b", JSON_NUMBER, "1");
	expect_at(text, true, "a.c.0", JSON_NUMBER, "10");
	expect_at(text, true, "a.c.1.d", JSON_STRING, "x");
	expect_at(text, true, "a.c.2", JSON_NUMBER, "30");
	expect_at(text, true, "a.c.3", JSON_NONE, "");
	expect_at(text, true, "a.c", JSON_ARRAY, "");
	expect_at(text, true, "b", JSON_STRING, "last");
	expect_at(text, true, "e", JSON_NULL, "");
	expect_at(text, true, "fg", JSON_TRUE, "");
	expect_at(text, true, "h", JSON_OBJECT, "");
	expect_at(text, true, "a.b.c", JSON_NONE, "");
	expect_at(text, true, "z", JSON_NONE, "");
	expect_at("[[1,2],[3]]", true, "1.0", JSON_NUMBER, "3");
	expect_at("[[1,2],[3]]", true, "0.1", JSON_NUMBER, "2");
	expect_at("{\"a\":1,\"b\":\"cut he", false, "a", JSON_NUMBER, "1");
	expect_at("{\"a\":1,\"b\":\"cut he", false, "b", JSON_NONE, "");
	expect_at("{\"a\":12", false, "a", JSON_NONE, "");
	expect_at("{\"a\":12 ", false, "a", JSON_NUMBER, "12");
	expect_at("no json", true, "a", JSON_NONE, "");
}

/* A key is what its escapes say, in whatever way it is written; what is none stands for itself. */
static void escaped_keys(void **state)
{
	static const struct {
		const char *written, *says;
	} rows[] = {
	    {"\\u0061bc", "abc"},
	    {"a\\u0062\\u0063", "abc"},
	    {"\\u0061\\u0062\\u0063", "abc"},
	    {"\\/\\\\\\b\\f\\n\\r\\t", "/\\\b\f\n\r\t"},
	    {"caf\\u00E9", "caf\xc3\xa9"},
	    {"\\u20ac", "\xe2\x82\xac"},
	    {"x\\ud83d\\ude00y", "x\xf0\x9f\x98\x80y"},
	    {"\\ud83d", "\xef\xbf\xbd"},
	    {"\\ud83dx", "\xef\xbf\xbdx"},
	    {"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
	    {"\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd"},
	    {"\\x\\u12\\u12g4", "\\x\\u12\\u12g4"},
	};
	static const char *const others[] = {
	    "ab", "abcd", "abd", "b", "\xc3", "caf", "x\xf0\x9f", "\\"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "{\"k\":{\"%s\":7,\"0\":8}}", rows[i].written);
		expect_at_steps(text, "k", rows[i].says, JSON_NUMBER, "7");
		for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
			expect_at_steps(text, "k", others[j], JSON_NONE, "");
	}
	expect_at_steps("{\"k\\u0000\":{\"x\":1}}", "k", "x", JSON_NONE, "");
	expect_at_steps("{\"\\u006b\":{\"x\":1,\"x\":2}}", "k", "x", JSON_NUMBER, "2");
}

/* What led to a value leads to none that only stands at the same depth. */
static void steps_are_not_mixed(void **state)
{
	(void)state;
	expect_at(
	    "{\"a\":{\"b\":{\"c\":1}},\"x\":{\"b\":{\"c\":2}}}", true, "a.b.c", JSON_NUMBER, "1");
	expect_at("{\"a\":{\"b\":{\"c\":1},\"x\":{\"c\":2}}}", true, "a.b.c", JSON_NUMBER, "1");
	expect_at("{\"x\":{\"b\":{\"c\":2}},\"a\":{\"b\":7}}", true, "a.b.c", JSON_NONE, "");
	expect_at("[{\"a\":1},{\"a\":2},[3]]", true, "1.a", JSON_NUMBER, "2");
	expect_at("[{\"a\":1},[{\"a\":2}]]", true, "1.a", JSON_NONE, "");
	expect_at("{\"0\":1}", true, "0", JSON_NONE, "");
	expect_at("[[[[[[[[[[1]]]]]]]],5]]", true, "0.1", JSON_NUMBER, "5");
}

/* The last of several members with one key is the one, whatever it is, and whatever the others were. */
static void the_last_one_wins(void **state)
{
	(void)state;
	expect_at("{\"u\":{\"id\":1},\"u\":null}", true, "u.id", JSON_NONE, "");
	expect_at("{\"u\":{\"id\":1},\"u\":{}}", true, "u.id", JSON_NONE, "");
	expect_at("{\"u\":{\"id\":1},\"u\":[2]}", true, "u.id", JSON_NONE, "");
	expect_at("{\"u\":{\"id\":1},\"\\u0075\":{\"x\":2}}", true, "u.id", JSON_NONE, "");
	expect_at("{\"u\":{\"id\":1},\"u\":{\"id\":2}}", true, "u.id", JSON_NUMBER, "2");
	expect_at("{\"u\":null,\"u\":{\"id\":1}}", true, "u.id", JSON_NUMBER, "1");
	expect_at("{\"u\":{\"id\":1},\"v\":null}", true, "u.id", JSON_NUMBER, "1");
	expect_at("{\"u\":{\"id\":1},\"v\":{\"u\":null}}", true, "u.id", JSON_NUMBER, "1");
	expect_at("{\"u\":{\"id\":{\"x\":1}},\"u\":{\"id\":7}}", true, "u.id.x", JSON_NONE, "");
	expect_at("{\"u\":{\"id\":1},\"u\":{\"i", false, "u.id", JSON_NONE, "");
	expect_at("{\"u\":{\"id\":1},\"u\"", false, "u.id", JSON_NUMBER, "1");
}

/* As many as there can be, each in its place. */
static void many_paths(void **state)
{
	struct json_path paths[JSON_MAX_PATHS] = {0};
	const struct json_path *wanted[JSON_MAX_PATHS];
	struct json_token found[JSON_MAX_PATHS];
	struct buf text;

	(void)state;
	buf_init(&text);
	for (size_t i = 0; i < JSON_MAX_PATHS; i++) {
		paths[i] = (struct json_path){.n = 1, .steps = {{.index = JSON_MAX_PATHS - 1 - i}}};
		wanted[i] = &paths[i];
		buf_printf(&text, "%s%zu", i ? "," : "[", i);
	}
	buf_append_char(&text, ']');
	assert_true(json_find(buf_sv(&text), true, wanted, JSON_MAX_PATHS, found));
	for (size_t i = 0; i < JSON_MAX_PATHS; i++) {
		char number[8];

		snprintf(number, sizeof(number), "%zu", JSON_MAX_PATHS - 1 - i);
		assert_true(sv_eq(found[i].text, sv_cstr(number)));
	}
	assert_true(json_find(buf_sv(&text), true, NULL, 0, NULL));
	buf_release(&text);
}

static void forms(void **state)
{
	static const char text[] =
	    "item=a+b%26c&quantity=3&empty=&flag&a%5B%5D=1&quantity=4&last=ab";
	struct edge edge = edge_copy(text, strlen(text));
	struct sv in = sv_from(edge.p, edge.len), value;
	struct buf says;

	(void)state;
	buf_init(&says);
	assert_true(form_find(in, true, SV("item"), &value));
	form_append(&says, value);
	assert_string_equal(says.data, "a b&c");
	assert_true(form_find(in, true, SV("quantity"), &value));
	assert_true(sv_eq(value, SV("3")));
	assert_true(form_find(in, true, SV("empty"), &value) && value.len == 0);
	assert_true(form_find(in, true, SV("flag"), &value) && value.len == 0);
	assert_true(form_find(in, true, SV("a[]"), &value) && sv_eq(value, SV("1")));
	assert_true(form_find(in, true, SV("last"), &value) && sv_eq(value, SV("ab")));
	assert_false(form_find(in, false, SV("last"), &value));
	assert_false(form_find(in, true, SV("tem"), &value));
	assert_false(form_find(in, true, SV("items"), &value));
	assert_false(form_find(SV(""), true, SV("a"), &value));
	buf_release(&says);
	edge_free(&edge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens),
	    cmocka_unit_test(cut_texts),
	    cmocka_unit_test(depth_is_bounded),
	    cmocka_unit_test(strings),
	    cmocka_unit_test(values_at_paths),
	    cmocka_unit_test(escaped_keys),
	    cmocka_unit_test(steps_are_not_mixed),
	    cmocka_unit_test(the_last_one_wins),
	    cmocka_unit_test(many_paths),
	    cmocka_unit_test(forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
