// SPDX-License-Identifier: Apache-2.0
/* Configuration files and environment: what is taken, and how what is wrong is named. */
#include "base/pairs.h"
#include "config/document.h"
#include "config_fixture.h"
#include "proto/route_pattern.h"

/* --- routes ------------------------------------------------------------------------------------------ */

static void routes(void **state)
{
	struct config config;

	(void)state;
	took("routes: []", "0 routes, other paths are inferred");
	took("routes: [/]", "1 route, other paths are inferred");
	took("---\nroutes:\n- /a # a comment\n- \"/b\"\n- '/c'\n...\n",
	    "3 routes, other paths are inferred");
	took("routes: {patterns: [/a], unmatched: infer}", "1 route, other paths are inferred");
	took("{\"routes\": {\"unmatched\": \"unset\", \"patterns\": [\"/a\", \"/b/*\"]}}",
	    "2 routes, other paths have none");
	took("routes: {}", "0 routes, other paths are inferred");
	take(&config, "routes: {unmatched: unset}", "0 routes, other paths have none");
	assert_null(config.naming.patterns);
	assert_true(config.naming.unmatched_unset);
	config_release(&config);
	take(&config, "routes: [/, '/users/{id}', /caf\xc3\xa9]",
	    "3 routes, other paths are inferred");
	assert_false(config.naming.unmatched_unset);
	assert_true(
	    sv_eq(route_patterns_match(config.naming.patterns, SV("/users/x")), SV("/users/{id}")));
	config_release(&config);
}

static void resource(void **state)
{
	struct config config;
	struct sv value;

	(void)state;
	took("resource: {}", "0 routes, other paths are inferred");
	take(&config,
	    "resource:\n  service.name: shop\n  deployment.environment.name: \"a \\\"b\\\"\"\n"
	    "  count: 007\n",
	    "0 routes, other paths are inferred, service.name=shop, "
	    "deployment.environment.name=a \"b\", count=007");
	assert_true(pairs_find(buf_sv(&config.resource), SV("service.name"), &value));
	assert_true(sv_eq(value, SV("shop")));
	config_release(&config);
}

static void logs(void **state)
{
	struct config config;

	(void)state;
	take(&config, "routes: []", "0 routes, other paths are inferred");
	assert_false(config.logs.wanted);
	assert_int_equal(config.logs.rate, 1000); /* for --logs */
	config_release(&config);
	took("logs: on",
	    "0 routes, other paths are inferred, lines of stdout and stderr: 1000/s and process, 1000 at once");
	took("logs: off", "0 routes, other paths are inferred");
	take(&config, "logs: {rate: 50}",
	    "0 routes, other paths are inferred, lines of stdout and stderr: 50/s and process, 50 at once");
	assert_true(config.logs.wanted);
	config_release(&config);
	took("logs: {burst: 7, rate: 1000000}",
	    "0 routes, other paths are inferred, lines of stdout and stderr: 1000000/s and process, 7 at once");
}

static void wrong_logs(void **state)
{
	(void)state;
	refuse("logs: yes", ":1: logs: bad value \"yes\", allowed: on, off");
	refuse(
	    "logs: [on]", ":1: logs: expected on, off, or a mapping with the keys rate and burst");
	refuse("logs:\n  rate: 0", ":2: logs.rate: \"0\" is no number from 1 to 1000000");
	refuse(
	    "logs:\n  rate: 1000001", ":2: logs.rate: \"1000001\" is no number from 1 to 1000000");
	refuse("logs:\n  rate: 99999999999999999999",
	    ":2: logs.rate: \"99999999999999999999\" is no number from 1 to 1000000");
	refuse("logs:\n  burst: 1.5", ":2: logs.burst: \"1.5\" is no number from 1 to 1000000");
	refuse("logs:\n  burst: -1", ":2: logs.burst: \"-1\" is no number from 1 to 1000000");
	refuse("logs: {rte: 1}", ":1: logs: unknown key \"rte\", allowed: rate, burst");
}

static void wrong_resource(void **state)
{
	struct buf text;

	(void)state;
	refuse("resource: shop", ":1: resource: expected a mapping (key: value)");
	refuse("resource: [a]", ":1: resource: expected a mapping (key: value)");
	refuse("resource:\n  a: [b]", ":2: resource: expected a text");
	refuse("resource:\n  a: {b: c}", ":2: resource: expected a text");
	refuse("resource:\n  a: b\n  c: d\n  a: b", ":4: resource: key \"a\" stands twice");
	refuse("resource:\n  [a]: b", ":2: resource: a key must be a word");
	refuse("resource:\n  service.name:\n", ":2: resource: \"service.name\" must have a value");
	refuse("resource:\n  '': b", ":2: resource: a key must have a name");
	refuse("resource:\n  \"a\\0\": b", ":2: resource: a key must have a name");
	refuse("resource:\n  a: \"b\\0\"", ":2: resource: \"a\" must have a value");
	refuse("resource:\n  process.pid: 1",
	    ":2: resource: \"process.pid\" is found out by zerospan itself");
	refuse("resource:\n  service.instance.id: 1",
	    ":2: resource: \"service.instance.id\" is found out by zerospan itself");
	refuse("resource:\n  telemetry.sdk.name: x",
	    ":2: resource: \"telemetry.sdk.name\" is found out by zerospan itself");
	buf_init(&text);
	buf_printf(&text, "resource:\n  a: %0*d\n", CONFIG_RESOURCE_MAX_BYTES - 3, 1);
	took(text.data, NULL);
	buf_append_cstr(&text, "  b: 1\n");
	refuse(text.data, ":3: resource: more than 4096 bytes of attributes");
	buf_release(&text);
}

static void nothing_is_fine(void **state)
{
	(void)state;
	took("", "0 routes, other paths are inferred");
	took("# only this\n", "0 routes, other paths are inferred");
	took("---\n...\n", "0 routes, other paths are inferred");
}

/* File, line, key, what is allowed. */
static void wrong_values(void **state)
{
	(void)state;
	refuse("\n\nroutes:\n - /a\n - users/{id}\n",
	    ":5: routes: \"users/{id}\" must begin with '/'");
	refuse("routes:\n patterns:\n  - /a\n  - /a*\n",
	    ":4: routes.patterns: \"/a*\" may have '*' only as a whole segment, the last one");
	refuse("routes: ['/a/{id}', '/a/{x}']",
	    ":1: routes: \"/a/{x}\" matches the same paths as \"/a/{id}\"");
	refuse("routes: ['']", ":1: routes: \"\" must begin with '/'");
	refuse("routes: [\"/a\\0b\"]",
	    ":1: routes: \"/a\" may have no blank, control character, '?' or '#'");
	refuse("routes: /a",
	    ":1: routes: expected a list of patterns, or a mapping with the keys "
	    "patterns and unmatched");
	refuse("routes:",
	    ":1: routes: expected a list of patterns, or a mapping with the keys "
	    "patterns and unmatched");
	refuse("routes:\n  unmatched: path",
	    ":2: routes.unmatched: bad value \"path\", allowed: infer, unset");
	refuse("routes: {unmatched: [unset]}", ":1: routes.unmatched: expected a text");
	refuse("routes:\n  patterns: /a",
	    ":2: routes.patterns: expected a list of patterns, such as [/, \"/users/{id}\"]");
	refuse("routes: [[/a]]", ":1: routes: expected a text");
	refuse("routes: [{/a: b}]", ":1: routes: expected a text");
	refuse("routes: &all [/a, *all]", ":1: routes: expected a text"); /* a list in itself */
}

static void wrong_keys(void **state)
{
	(void)state;
	refuse("rotues: [/]",
	    ":1: unknown key \"rotues\", allowed: routes, resource, logs, sampling, redaction, rules");
	refuse("routes: [/]\nrule: []\n",
	    ":2: unknown key \"rule\", allowed: routes, resource, logs, sampling, redaction, rules");
	refuse("Routes: [/]",
	    ":1: unknown key \"Routes\", allowed: routes, resource, logs, sampling, redaction, rules");
	refuse("routes:\n  patern: [/]",
	    ":2: routes: unknown key \"patern\", allowed: patterns, unmatched");
	refuse("routes: []\nroutes: []", ":2: key \"routes\" stands twice");
	refuse("routes:\n  patterns: []\n  patterns: [/]",
	    ":3: routes: key \"patterns\" stands twice");
	refuse("? [a]\n: b", ":1: a key must be a word");
	refuse("[/a]", ":1: expected a mapping (key: value)");
	refuse("/a", ":1: expected a mapping (key: value)");
}

/* --- files ------------------------------------------------------------------------------------------- */

static void no_yaml(void **state)
{
	static char long_text[DOCUMENT_MAX_BYTES + 2];

	(void)state;
	refuse("routes: [/a\n",
	    ":2: did not find expected ',' or ']' while parsing a flow sequence; "
	    "inside [ ] a text with { } needs quotes");
	refuse("routes: [/, /a/{id}]",
	    ":1: did not find expected ',' or ']' while parsing a flow sequence; "
	    "inside [ ] a text with { } needs quotes");
	refuse("routes: {\n", ":2: did not find expected node content while parsing a flow node");
	refuse("a: 1\n b: 2", ":2: mapping values are not allowed in this context");
	refuse("\troutes: []",
	    ":1: found character that cannot start any token while scanning for "
	    "the next token");
	refuse("routes: [*nowhere]", ":1: found undefined alias");
	refuse("routes: [/\x01]", ": control characters are not allowed (byte 10)");
	refuse("routes: [/\xff]", ": invalid leading UTF-8 octet (byte 10)");
	refuse_bytes("routes: [/\0]", 12, ": control characters are not allowed (byte 10)");
	refuse("routes: []\n---\nroutes: [/]\n", ":2: a second document, only one is allowed");
	memset(long_text, '#', sizeof(long_text));
	refuse_bytes(long_text, sizeof(long_text), ": longer than 1048576 bytes");
}

/* What would keep the parser busy for minutes, or let it recurse to its death. */
static void nested_deeply(void **state)
{
	static char text[100000];
	struct config config;
	struct buf message;

	(void)state;
	memset(text, '[', sizeof(text));
	refuse_bytes(text, sizeof(text), ":1: more than 256 open brackets");
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "- ", 2); /* lists in lists */
	refuse_bytes(text, sizeof(text), ":1: expected a mapping (key: value)");
	buf_init(&message);
	config_init(&config);
	memset(text, '[', DOCUMENT_MAX_BRACKETS);
	write_file(text, DOCUMENT_MAX_BRACKETS);
	assert_int_equal(config_read_file(&config, path, &message), -EINVAL);
	assert_null(strstr(message.data, "brackets"));
	config_release(&config);
	buf_release(&message);
}

static void no_file(void **state)
{
	struct config config;
	struct buf message;

	(void)state;
	buf_init(&message);
	config_init(&config);
	assert_int_equal(config_read_file(&config, "/nowhere/at/all.yaml", &message), -ENOENT);
	assert_string_equal(
	    message.data, "cannot read '/nowhere/at/all.yaml': No such file or directory");
	buf_clear(&message);
	assert_int_equal(config_read_file(&config, "/", &message), -EISDIR);
	assert_string_equal(message.data, "cannot read '/': Is a directory");
	config_release(&config);
	buf_release(&message);
}

/* --- environment ------------------------------------------------------------------------------------- */

static void known_methods(void **state)
{
	struct config config;
	struct buf message;

	(void)state;
	buf_init(&message);
	config_init(&config);
	unsetenv(CONFIG_KNOWN_METHODS);
	assert_int_equal(config_read_environment(&config, &message), 0);
	assert_int_equal(config.naming.methods->n, 10);
	setenv(CONFIG_KNOWN_METHODS, "", 1);
	assert_int_equal(config_read_environment(&config, &message), 0);
	assert_int_equal(config.naming.methods->n, 10);
	setenv(CONFIG_KNOWN_METHODS, "GET,PROPFIND", 1);
	assert_int_equal(config_read_environment(&config, &message), 0);
	assert_int_equal(config.naming.methods->n, 2);
	assert_true(
	    sv_eq(http_methods_canonical(config.naming.methods, SV("PROPFIND")), SV("PROPFIND")));
	assert_true(sv_eq(http_methods_canonical(config.naming.methods, SV("POST")), SV("_OTHER")));
	assert_int_equal(message.len, 0);
	setenv(CONFIG_KNOWN_METHODS, "GET,G T", 1);
	assert_int_equal(config_read_environment(&config, &message), -EINVAL);
	assert_string_equal(message.data,
	    "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: \"G T\" is no HTTP method; expected a list such "
	    "as GET,POST");
	unsetenv(CONFIG_KNOWN_METHODS);
	config_release(&config);
	buf_release(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(routes),
	    cmocka_unit_test(resource),
	    cmocka_unit_test(logs),
	    cmocka_unit_test(wrong_logs),
	    cmocka_unit_test(wrong_resource),
	    cmocka_unit_test(nothing_is_fine),
	    cmocka_unit_test(wrong_values),
	    cmocka_unit_test(wrong_keys),
	    cmocka_unit_test(no_yaml),
	    cmocka_unit_test(nested_deeply),
	    cmocka_unit_test(no_file),
	    cmocka_unit_test(known_methods),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
