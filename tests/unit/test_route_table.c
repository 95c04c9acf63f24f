// SPDX-License-Identifier: Apache-2.0
/* The bounded sets of routes per service. */
#include <stdio.h>

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
}

/* Paths from a scanner: no bytes that are no UTF-8, no growth. */
static void scanner(void **state)
{
	char path[64];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/x%dq/\xff\xfe/%d", i, i);
		assert_true(route_table_route(table, shop, sv_cstr(path)).len > 0);
	}
	expect_route(shop, "/x9999q", "/*");
}

static int setup(void **state)
{
	(void)state;
	table = route_table_new();
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
