// SPDX-License-Identifier: Apache-2.0
/* Tests of guessed routes (proto/route.h). */
#include "base/utf8.h"
#include "proto/route.h"
#include "support.h"

static void check(struct sv path, const char *expected)
{
	struct edge edge = edge_copy(path.p, path.len);
	struct buf out;

	buf_init(&out);
	route_infer(&out, sv_from(edge.p, edge.len));
	assert_string_equal(out.data, expected);
	buf_release(&out);
	edge_free(&edge);
}

static void test_segments(void **state)
{
	static const struct {
		const char *path, *route;
	} rows[] = {
	    {"", "/"},
	    {"/", "/"},
	    {"*", "*"},
	    {"/checkout", "/checkout"},
	    {"/inventory/deduct/", "/inventory/deduct/"},
	    {"//a", "//a"},
	    {"/users/42", "/users/{id}"},
	    {"/users/42/orders/7", "/users/{id}/orders/{id}"},
	    {"/0", "/{id}"},
	    {"/v1/x2", "/v1/x2"},
	    {"/4f2", "/4f2"},
	    {"/o/123e4567-e89b-12d3-a456-426614174000", "/o/{id}"},
	    {"/o/123E4567-E89B-12D3-A456-426614174000/x", "/o/{id}/x"},
	    {"/o/123e4567e89b12d3a456426614174000", "/o/{id}"},
	    {"/deadbeefdeadbeef", "/{id}"},
	    {"/deadbeefdeadbee", "/deadbeefdeadbee"},
	    {"/DEADBEEF00112233", "/{id}"},
	    {"/dGhpcyBpcyBhIHRva2Vu", "/{id}"},
	    {"/eyJhbGciOi_J-IUzI1NiJ9==", "/{id}"},
	    {"/dGhpcyBpcyBhIHRva2V", "/dGhpcyBpcyBhIHRva2V"},
	    {"/a-long-but-readable-name", "/a-long-but-readable-name"},
	    {"/u/bob@example.org", "/u/{id}"},
	    {"/u/bob%40example.org/x", "/u/{id}/x"},
	    {"/@bob", "/@bob"},
	    {"/bob@home", "/bob@home"},
	    {"/1.5", "/1.5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(sv_cstr(rows[i].path), rows[i].route);
}

static void test_odd_bytes_are_repaired(void **state)
{
	(void)state;
	check(SV("/caf\xc3\xa9/\xff"), "/caf\xc3\xa9/\xef\xbf\xbd");
}

static void test_long_paths_end_in_a_wildcard(void **state)
{
	char path[8192];
	struct buf out;

	(void)state;
	for (size_t len = 200; len < sizeof(path); len += len < 300 ? 1 : 97) {
		for (int shape = 0; shape < 4; shape++) {
			size_t segment = shape == 0 ? len : shape == 1 ? 2 : shape == 2 ? 9 : 61;

			for (size_t i = 0; i < len; i++)
				path[i] = (char)(i % segment == 0 ? '/'
					: shape == 2              ? '\xff'
								  : 'z');
			buf_init(&out);
			buf_append_cstr(&out, "kept");
			route_infer(&out, sv_from(path, len));
			assert_true(out.len - 4 <= ROUTE_MAX_BYTES);
			assert_true(utf8_valid(buf_sv(&out)));
			if (shape != 2 && len <= ROUTE_MAX_BYTES)
				assert_int_equal(out.len - 4, len);
			else if (len > ROUTE_MAX_BYTES)
				assert_string_equal(out.data + out.len - 2, "/*");
			buf_release(&out);
		}
	}
}

/* One segment without a slash, longer than a route may be: what fits of it is not the path. */
static void test_a_long_segment_is_not_cut(void **state)
{
	char segment[ROUTE_MAX_BYTES + 50], whole[ROUTE_MAX_BYTES + 1] = "";

	(void)state;
	memset(segment, '.', sizeof(segment));
	check(sv_from(segment, sizeof(segment)), "*");
	check(sv_from(segment, ROUTE_MAX_BYTES + 1), "*");
	memset(whole, '.', ROUTE_MAX_BYTES);
	check(sv_from(segment, ROUTE_MAX_BYTES), whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_segments),
	    cmocka_unit_test(test_odd_bytes_are_repaired),
	    cmocka_unit_test(test_long_paths_end_in_a_wildcard),
	    cmocka_unit_test(test_a_long_segment_is_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
