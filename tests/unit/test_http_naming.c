// SPDX-License-Identifier: Apache-2.0
/* The list of known methods (OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS). */
#include <errno.h>
#include <stdio.h>

#include "proto/http_naming.h"
#include "support.h"

/* The list gives these, joined by blanks. */
static void expect_methods(const char *list, const char *names)
{
	struct edge edge = edge_copy(list, strlen(list));
	struct http_methods methods;
	struct buf why, got;

	buf_init(&why);
	buf_init(&got);
	if (http_methods_parse(sv_from(edge.p, edge.len), &methods, &why))
		fail_msg("'%s' is refused: %s", list, why.data);
	for (size_t i = 0; i < methods.n; i++)
		buf_printf(&got, "%s%.*s", i ? " " : "", SV_ARG(methods.names[i]));
	assert_string_equal(got.data, names);
	buf_release(&got);
	buf_release(&why);
	edge_free(&edge);
}

static void refuse(const char *list, int expected, const char *words)
{
	struct http_methods methods = {.n = 77};
	struct buf why;

	buf_init(&why);
	assert_int_equal(http_methods_parse(sv_cstr(list), &methods, &why), expected);
	assert_string_equal(why.data, words);
	assert_int_equal(methods.n, 77);
	buf_release(&why);
}

static void lists(void **state)
{
	(void)state;
	expect_methods("GET", "GET");
	expect_methods("GET,POST", "GET POST");
	expect_methods(" GET ,\tPROPFIND,,", "GET PROPFIND");
	expect_methods("get,M-SEARCH,X!#$%&'*+.^_`|~1", "get M-SEARCH X!#$%&'*+.^_`|~1");
	refuse("", -EINVAL, "names no method");
	refuse(" , ,", -EINVAL, "names no method");
	refuse("GET,PO ST", -EINVAL, "\"PO ST\" is no HTTP method");
	refuse("GET;POST", -EINVAL, "\"GET;POST\" is no HTTP method");
	refuse("A234567890123456789012345678901234567890123456789012345678901234X", -E2BIG,
	    "\"A234567890123456789012345678901234567890123456789012345678901234X\" is longer than 64 "
	    "bytes");
	refuse("G\xc3\x89T", -EINVAL, "\"G\xc3\x89T\" is no HTTP method");
}

static void bound(void **state)
{
	char list[HTTP_METHODS_MAX * 4 + 8] = "";

	(void)state;
	for (int i = 0; i < HTTP_METHODS_MAX; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "M%d,", i);
	{
		struct http_methods methods;
		struct buf why;

		buf_init(&why);
		assert_int_equal(http_methods_parse(sv_cstr(list), &methods, &why), 0);
		assert_int_equal(methods.n, HTTP_METHODS_MAX);
		buf_release(&why);
	}
	strcat(list, "M");
	refuse(list, -E2BIG, "too many methods: at most 64");
}

static void canonical(void **state)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT",
	    "OPTIONS", "TRACE", "PATCH", "QUERY"};
	static const char *const unknown[] = {"get", "Get", "FOO", "", "GETS", "_OTHER"};

	(void)state;
	assert_int_equal(http_methods_default.n, sizeof(known) / sizeof(known[0]));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_true(sv_eq(http_methods_canonical(&http_methods_default, sv_cstr(known[i])),
		    sv_cstr(known[i])));
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_true(
		    sv_eq(http_methods_canonical(&http_methods_default, sv_cstr(unknown[i])),
			SV("_OTHER")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lists),
	    cmocka_unit_test(bound),
	    cmocka_unit_test(canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
