// SPDX-License-Identifier: Apache-2.0
/* Configured routes: what a pattern may be, which one a path matches, and what that may cost. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/route_pattern.h"
#include "support.h"

static struct route_patterns *patterns;

static int add(const char *pattern, struct buf *why)
{
	struct edge edge = edge_copy(pattern, strlen(pattern));
	int err = route_patterns_add(patterns, sv_from(edge.p, edge.len), why);

	edge_free(&edge); /* the set has its own copy */
	return err;
}

static void take(const char *pattern)
{
	struct buf why;

	buf_init(&why);
	if (add(pattern, &why))
		fail_msg("'%s' %s", pattern, why.data);
	assert_int_equal(why.len, 0);
	buf_release(&why);
}

static void refuse(const char *pattern, int expected, const char *words)
{
	size_t before = route_patterns_count(patterns);
	struct buf why;

	buf_init(&why);
	if (add(pattern, &why) != expected || strcmp(why.data, words) != 0)
		fail_msg("'%s' %s", pattern, why.len ? why.data : "is taken");
	assert_int_equal(route_patterns_count(patterns), before);
	buf_release(&why);
}

static void expect(const char *path, const char *pattern)
{
	struct edge edge = edge_copy(path, strlen(path));
	struct sv got = route_patterns_match(patterns, sv_from(edge.p, edge.len));

	if (!sv_eq(got, sv_cstr(pattern)))
		fail_msg("'%s' is '%.*s' instead of '%s'", path, SV_ARG(got), pattern);
	edge_free(&edge);
}

static void text(void **state)
{
	(void)state;
	expect("/", ""); /* nothing is there yet */
	take("/");
	take("/checkout");
	take("/inventory/deduct");
	take("/with/slash/");
	take("/caf\xc3\xa9");
	expect("/", "/");
	expect("/checkout", "/checkout");
	expect("/inventory/deduct", "/inventory/deduct");
	expect("/with/slash/", "/with/slash/");
	expect("/caf\xc3\xa9", "/caf\xc3\xa9");
	expect("", "");
	expect("*", "");
	expect("checkout", "");
	expect("//", "");
	expect("/Checkout", "");
	expect("/check", "");
	expect("/checkout/", "");
	expect("/checkouts", "");
	expect("/inventory", "");
	expect("/inventory/", "");
	expect("/inventory/deduct/x", "");
	expect("/with/slash", "");
	expect("/%63heckout", "");
}

static void placeholders(void **state)
{
	(void)state;
	take("/users/{id}");
	take("/users/{id}/orders/{order}");
	take("/{a}/x");
	expect("/users/42", "/users/{id}");
	expect("/users/{id}", "/users/{id}");
	expect("/users/\xff", "/users/{id}");
	expect("/users/", ""); /* a placeholder is not empty */
	expect("/users", "");
	expect("/users/42/", "");
	expect("/users/42/orders", "");
	expect("/users/42/orders/7", "/users/{id}/orders/{order}");
	expect("/q/x", "/{a}/x");
	expect("//x", "");
}

static void rest(void **state)
{
	(void)state;
	take("/static/*");
	expect("/static/a", "/static/*");
	expect("/static/a/b/c.js", "/static/*");
	expect("/static/", "/static/*");
	expect("/static", "");
	expect("/statics/a", "");
	take("/*");
	expect("/", "/*");
	expect("/static", "/*");
	expect("/a/b", "/*");
	expect("", "");
	expect("*", "");
}

/* From the left: text, placeholder, "*"; a way that ends nowhere is left again. */
static void precedence(void **state)
{
	(void)state;
	take("/*");
	take("/users/*");
	take("/users/{id}");
	take("/users/me");
	take("/users/me/x");
	take("/users/{id}/y");
	take("/{any}/list");
	take("/a/*");
	take("/{any}/b");
	expect("/users/me", "/users/me");
	expect("/users/you", "/users/{id}");
	expect("/users/you/z", "/users/*");
	expect("/users/me/y", "/users/{id}/y"); /* "me" goes on, but not there */
	expect("/users/me/z", "/users/*");
	expect("/users/list", "/users/{id}");
	expect("/b/list", "/{any}/list");
	expect("/a/b", "/a/*"); /* the first segment decides */
	expect("/c/b", "/{any}/b");
	expect("/c/d", "/*");
}

static void what_is_no_pattern(void **state)
{
	char line[600];

	(void)state;
	refuse("", -EINVAL, "must begin with '/'");
	refuse("users/{id}", -EINVAL, "must begin with '/'");
	refuse("*", -EINVAL, "must begin with '/'");
	refuse("/a?b", -EINVAL, "may have no blank, control character, '?' or '#'");
	refuse("/a#b", -EINVAL, "may have no blank, control character, '?' or '#'");
	refuse("/a b", -EINVAL, "may have no blank, control character, '?' or '#'");
	refuse("/a\n", -EINVAL, "may have no blank, control character, '?' or '#'");
	refuse("/a/*/b", -EINVAL, "may have '*' only as its last segment");
	refuse("/a*", -EINVAL, "may have '*' only as a whole segment, the last one");
	refuse("/**", -EINVAL, "may have '*' only as a whole segment, the last one");
	refuse("/{id", -EINVAL, "must have a placeholder as a whole segment: /{name}");
	refuse("/id}", -EINVAL, "must have a placeholder as a whole segment: /{name}");
	refuse("/{}", -EINVAL, "must have a placeholder as a whole segment: /{name}");
	refuse("/file-{id}", -EINVAL, "must have a placeholder as a whole segment: /{name}");
	refuse("/{a}{b}", -EINVAL, "must have a placeholder as a whole segment: /{name}");
	memset(line, 'a', sizeof(line));
	line[0] = '/';
	line[ROUTE_PATTERN_MAX_BYTES + 1] = '\0';
	refuse(line, -EINVAL, "is longer than 256 bytes");
	line[ROUTE_PATTERN_MAX_BYTES] = '\0';
	take(line);
	for (int i = 0; i <= ROUTE_PATTERN_MAX_SEGMENTS; i++)
		memcpy(line + (size_t)i * 2, "/b", 3);
	refuse(line, -EINVAL, "has more than 32 segments");
	take(line + 2);
	expect(line + 2, line + 2);
}

static void twice(void **state)
{
	(void)state;
	take("/users/{id}/x");
	take("/users/*");
	take("/");
	refuse("/users/{id}/x", -EEXIST, "matches the same paths as \"/users/{id}/x\"");
	refuse("/users/{name}/x", -EEXIST, "matches the same paths as \"/users/{id}/x\"");
	refuse("/users/*", -EEXIST, "matches the same paths as \"/users/*\"");
	refuse("/", -EEXIST, "matches the same paths as \"/\"");
	take("/users/{name}");
	expect("/users/1", "/users/{name}");
	expect("/users/1/x", "/users/{id}/x");
}

static void as_many_as_there_may_be(void **state)
{
	char path[64];

	(void)state;
	for (int i = 0; i < ROUTE_PATTERNS_MAX; i++) {
		snprintf(path, sizeof(path), "/%d/{id}/x%d", i * 7919 % 1000, i);
		take(path);
	}
	assert_int_equal(route_patterns_count(patterns), ROUTE_PATTERNS_MAX);
	refuse("/more", -E2BIG, "is one too many: at most 1000");
	for (int i = 0; i < ROUTE_PATTERNS_MAX; i++) {
		char pattern[64];

		snprintf(pattern, sizeof(pattern), "/%d/{id}/x%d", i * 7919 % 1000, i);
		snprintf(path, sizeof(path), "/%d/q/x%d", i * 7919 % 1000, i);
		expect(path, pattern);
		snprintf(path, sizeof(path), "/%d/q/y%d", i * 7919 % 1000, i);
		expect(path, "");
	}
}

/* Each level has two ways that look right to the end: every node once, not every combination of ways. */
static void misses_are_cheap(void **state)
{
	char pattern[128], path[128];
	size_t len = 0;

	(void)state;
	for (int depth = 0; depth < 30; depth++) {
		for (int ways = 0; ways < 2; ways++) {
			snprintf(pattern, sizeof(pattern), "%.*s/%s/z", (int)len, path,
			    ways ? "{any}" : "a");
			take(pattern);
		}
		memcpy(path + len, "/a", 2);
		len += 2;
	}
	for (int i = 0; i < 10000; i++) {
		memcpy(path + len, "/y", 3);
		expect(path, "");
	}
}

static int setup(void **state)
{
	(void)state;
	patterns = route_patterns_new();
	return patterns ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	route_patterns_free(patterns);
	route_patterns_free(NULL);
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(text),
	    CASE(placeholders),
	    CASE(rest),
	    CASE(precedence),
	    CASE(what_is_no_pattern),
	    CASE(twice),
	    CASE(as_many_as_there_may_be),
	    CASE(misses_are_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
