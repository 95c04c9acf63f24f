// SPDX-License-Identifier: Apache-2.0
/* Tests of request targets, authorities and query redaction (proto/url.h). */
#include "proto/url.h"
#include "support.h"

static void assert_sv(struct sv actual, const char *expected)
{
	struct sv want = sv_cstr(expected);

	if (!sv_eq(actual, want))
		fail_msg("'%.*s' instead of '%s'", SV_ARG(actual), expected);
}

static void test_targets(void **state)
{
	static const struct {
		const char *target;
		bool connect;
		const char *scheme, *authority, *path, *query; /* query NULL: none */
	} rows[] = {
	    {"/where?q=now", false, "", "", "/where", "q=now"},
	    {"/", false, "", "", "/", NULL},
	    {"/a?", false, "", "", "/a", ""},
	    {"/a?b?c", false, "", "", "/a", "b?c"},
	    {"/a#f?b", false, "", "", "/a#f", "b"},
	    {"/http://x", false, "", "", "/http://x", NULL},
	    {"http://www.example.org:81/pub?x", false, "http", "www.example.org:81", "/pub", "x"},
	    {"http://www.example.org", false, "http", "www.example.org", "/", NULL},
	    {"HTTP://h?x", false, "HTTP", "h", "/", "x"},
	    {"http://user:p@ss@h/", false, "http", "h", "/", NULL},
	    {"http://@h/", false, "http", "h", "/", NULL},
	    {"https://[::1]:8/", false, "https", "[::1]:8", "/", NULL},
	    {"http:///p", false, "http", "", "/p", NULL},
	    {"1http://h/", false, "", "", "1http://h/", NULL},
	    {"mailto:x", false, "", "", "mailto:x", NULL},
	    {"www.example.com:80", true, "", "www.example.com:80", "", NULL},
	    {"u:p@h:80", true, "", "h:80", "", NULL},
	    {"*", false, "", "", "*", NULL},
	    {"", false, "", "", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].target, strlen(rows[i].target));
		struct url_target t = url_target_parse(sv_from(edge.p, edge.len), rows[i].connect);

		assert_sv(t.scheme, rows[i].scheme);
		assert_sv(t.authority, rows[i].authority);
		assert_sv(t.path, rows[i].path);
		assert_int_equal(t.has_query, rows[i].query != NULL);
		assert_int_equal(
		    t.has_userinfo, !rows[i].connect && strchr(rows[i].target, '@') != NULL);
		assert_sv(t.query, rows[i].query ? rows[i].query : "");
		edge_free(&edge);
	}
}

static void test_authorities(void **state)
{
	static const struct {
		const char *authority, *host;
		int port;
	} rows[] = {
	    {"host", "host", 0},
	    {"host:8080", "host", 8080},
	    {" h:1\t", "h", 1},
	    {"h:", "h", 0},
	    {"", "", 0},
	    {":80", "", 80},
	    {"[::1]:8080", "::1", 8080},
	    {"[::1]", "::1", 0},
	    {"[::1]:", "::1", 0},
	    {"[::1]x", "[::1]x", 0},
	    {"[::1", "[::1", 0},
	    {"[", "[", 0},
	    {"::1", "::1", 0},
	    {"a:b", "a:b", 0},
	    {"h:65535", "h", 65535},
	    {"h:65536", "h", 0},
	    {"h:0", "h", 0},
	    {"h:99999999999999999999", "h", 0},
	    {"h:80x", "h:80x", 0},
	    {"h:+80", "h:+80", 0},
	    {"[]:1", "", 1},
	    {"u:p@h:80", "h", 80},
	    {"u:p@x@[::1]:80", "::1", 80},
	    {"u:p@", "", 0},
	    {" u:p @h ", "h", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].authority, strlen(rows[i].authority));
		struct url_authority a = url_authority_parse(sv_from(edge.p, edge.len));

		assert_sv(a.host, rows[i].host);
		assert_int_equal(a.port, rows[i].port);
		edge_free(&edge);
	}
}

static void test_query_redaction(void **state)
{
	static const struct {
		const char *query, *out;
	} rows[] = {
	    {"q=now", "q=now"},
	    {"", ""},
	    {"sig=abc", "sig=REDACTED"},
	    {"a=1&sig=x=y&b=2", "a=1&sig=REDACTED&b=2"},
	    {"X-Amz-Signature=s&X-Amz-Credential=c&X-Amz-Security-Token=t&X-Goog-Signature=g&sig=",
		"X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED&"
		"X-Goog-Signature=REDACTED&sig=REDACTED"},
	    {"SIG=abc&x-amz-signature=s", "SIG=abc&x-amz-signature=s"},
	    {"signature=a&asig=b&sig2=c&si=d", "signature=a&asig=b&sig2=c&si=d"},
	    {"sig&x", "sig&x"},
	    {"X%2DAmz-Signature=s&%73ig=x&s%69%67=y",
		"X%2DAmz-Signature=REDACTED&%73ig=REDACTED&s%69%67=REDACTED"},
	    {"si%=1&si%6=1&si%6g=1", "si%=1&si%6=1&si%6g=1"},
	    {"&&sig=1&", "&&sig=REDACTED&"},
	    {"a=\xff&sig=\xff&\xc3\xa9=1", "a=\xef\xbf\xbd&sig=REDACTED&\xc3\xa9=1"},
	};
	struct buf out;

	(void)state;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].query, strlen(rows[i].query));

		buf_clear(&out);
		url_query_append_redacted(&out, sv_from(edge.p, edge.len));
		assert_sv(buf_sv(&out), rows[i].out);
		edge_free(&edge);
	}
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_authorities),
	    cmocka_unit_test(test_query_redaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
