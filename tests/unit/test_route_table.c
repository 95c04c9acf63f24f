// SPDX-License-Identifier: Apache-2.0
/* The bounded sets of routes per service. */
#include <stdio.h>

#include "proto/route_pattern.h"
#include "span/route_table.h"
#include "span_fixture.h"

static struct route_table *table;
static struct service *shop, *other;

static void expect_route(const struct service *service, const char *path, const char *route)
{
	struct sv got = route_table_route(table, service, sv_cstr(path));

	if (!sv_eq(got, sv_cstr(route)))
		fail_msg("'%s' is '%.*s' instead of '%s'", path, SV_ARG(got), route);
}

static void infers(void **state)
{
	(void)state;
	expect_route(shop, "/", "/");
	expect_route(shop, "", "/");
	expect_route(shop, "/users/42", "/users/{id}");
	expect_route(shop, "/users/43", "/users/{id}");
	expect_route(shop, "/users/list", "/users/list");
}

static void same_route_same_text(void **state)
{
	struct sv first = route_table_route(table, shop, SV("/a/1"));
	struct sv again = route_table_route(table, shop, SV("/a/2"));

	(void)state;
	assert_ptr_equal(first.p, again.p);
	assert_ptr_not_equal(first.p, route_table_route(table, other, SV("/a/1")).p);
}

static void fill(const struct service *service)
{
	char path[32];

	for (int i = 0; i < ROUTE_TABLE_MAX; i++) {
		snprintf(path, sizeof(path), "/route-%c%c", 'a' + i / 26, 'a' + i % 26);
		expect_route(service, path, path);
	}
}

static void bound_per_service(void **state)
{
	(void)state;
	fill(shop);
	expect_route(shop, "/one-more", "/*");
	expect_route(shop, "/route-aa", "/route-aa"); /* known ones stay */
	expect_route(other, "/one-more", "/one-more");
}

static void forgetting(void **state)
{
	(void)state;
	fill(shop);
	expect_route(other, "/kept", "/kept");
	route_table_forget(table, shop);
	expect_route(shop, "/one-more", "/one-more");
	expect_route(other, "/kept", "/kept");
	route_table_forget(table, shop);
	route_table_forget(table, shop); /* nothing is left to forget */
	fill(shop);
	route_table_forget(table, NULL); /* of all */
	fill(other);
	expect_route(shop, "/one-more", "/one-more");
}

/* 100 000 paths from a scanner: ROUTE_TABLE_MAX routes and the one for the rest, each a text of its own. */
static void scanner(void **state)
{
	const char *texts[ROUTE_TABLE_MAX + 1];
	size_t n = 0;
	char path[64];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct sv route;
		size_t k = 0;

		snprintf(path, sizeof(path), "/x%dq/\xff\xfe/%d", i, i);
		route = route_table_route(table, shop, sv_cstr(path));
		assert_true(route.len > 0);
		while (k < n && texts[k] != route.p)
			k++;
		assert_true(k < ROUTE_TABLE_MAX + 1);
		if (k == n)
			texts[n++] = route.p;
	}
	assert_int_equal(n, ROUTE_TABLE_MAX + 1);
	expect_route(shop, "/x999999q", "/*");
}

/* --- configured routes ------------------------------------------------------------------------------ */

/* The table anew, with these patterns. */
static void configure(struct http_naming *naming, struct route_patterns *patterns, bool unset)
{
	static const char *const texts[] = {"/", "/users/{name}", "/static/*"};
	struct buf why;

	buf_init(&why);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(route_patterns_add(patterns, sv_cstr(texts[i]), &why), 0);
	buf_release(&why);
	*naming = (struct http_naming){&http_methods_default, patterns, unset};
	route_table_free(table);
	table = route_table_new(naming);
	assert_non_null(table);
}

static void patterns_come_first(void **state)
{
	struct route_patterns *patterns = route_patterns_new();
	struct http_naming naming;

	(void)state;
	configure(&naming, patterns, false);
	for (int i = 0; i < 3; i++) { /* also when it was asked for before */
		expect_route(shop, "/", "/");
		expect_route(shop, "/users/list", "/users/{name}");
		expect_route(other, "/users/42", "/users/{name}");
		expect_route(shop, "/static/a/b", "/static/*");
		expect_route(shop, "/orders/42", "/orders/{id}");
	}
	fill(other);
	expect_route(other, "/orders/42", "/*"); /* inferred ones are bounded, patterns stay */
	expect_route(other, "/users/42", "/users/{name}");
	route_table_forget(table, other);
	expect_route(other, "/users/42", "/users/{name}");
	route_table_free(table);
	table = NULL;
	route_patterns_free(patterns);
}

static void unmatched_without_route(void **state)
{
	struct route_patterns *patterns = route_patterns_new();
	struct http_naming naming;

	(void)state;
	configure(&naming, patterns, true);
	for (int i = 0; i < 3; i++) {
		expect_route(shop, "/users/list", "/users/{name}");
		expect_route(shop, "/orders/42", "");
		expect_route(shop, "*", "");
	}
	naming.patterns = NULL; /* none at all: no route has any request */
	route_table_forget(table, shop);
	expect_route(shop, "/users/list", "");
	route_table_free(table);
	table = NULL;
	route_patterns_free(patterns);
}

static int setup(void **state)
{
	(void)state;
	table = route_table_new(&http_naming_default);
	shop = fixture_service("shop", 10);
	other = fixture_service("other", 11);
	return table ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	route_table_free(table);
	route_table_free(NULL);
	service_unref(shop);
	service_unref(other);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(infers, setup, teardown),
	    cmocka_unit_test_setup_teardown(same_route_same_text, setup, teardown),
	    cmocka_unit_test_setup_teardown(bound_per_service, setup, teardown),
	    cmocka_unit_test_setup_teardown(forgetting, setup, teardown),
	    cmocka_unit_test_setup_teardown(scanner, setup, teardown),
	    cmocka_unit_test_setup_teardown(patterns_come_first, setup, teardown),
	    cmocka_unit_test_setup_teardown(unmatched_without_route, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
