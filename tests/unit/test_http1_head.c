// SPDX-License-Identifier: Apache-2.0
/* Tests of the head parser (proto/http1.h); what heads say of bodies: test_http1_body.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "http1_head_fixture.h"

static long parse_at_edge(enum http1_kind kind, struct sv in)
{
	struct edge edge = edge_copy(in.p, in.len);
	long n = http1_parse_head(kind, sv_from(edge.p, in.len), &head);

	edge_free(&edge);
	return n;
}

static void assert_sv(struct sv actual, const char *expected)
{
	struct sv want = sv_cstr(expected);

	if (!sv_eq(actual, want))
		fail_msg("'%.*s' instead of '%s'", SV_ARG(actual), expected);
}

static struct sv value_of(const char *name)
{
	struct sv value = SV("(none)");

	http1_field_find(&head, sv_cstr(name), &value);
	return value;
}

/* --- start lines -------------------------------------------------------------------------------*/

static void test_request_line_forms(void **state)
{
	static const struct {
		struct sv line;
		const char *method, *target;
		int minor;
	} rows[] = {
	    {SV("GET / HTTP/1.1"), "GET", "/", 1},
	    {SV("get / HTTP/1.0"), "get", "/", 0},
	    {SV("FOO / HTTP/1.1"), "FOO", "/", 1},
	    {SV("M-SEARCH * HTTP/1.1"), "M-SEARCH", "*", 1},
	    {SV("!#$%&'*+-.^_`|~9aZ /x HTTP/1.1"), "!#$%&'*+-.^_`|~9aZ", "/x", 1},
	    {SV("GET  \t/\v\fHTTP/1.1"), "GET", "/", 1},
	    {SV("GET\r/\rHTTP/1.1"), "GET", "/", 1},
	    {SV("GET / HTTP/1.1 \t"), "GET", "/", 1},
	    {SV("GET /caf\xc3\xa9?x=\xff HTTP/1.1"), "GET", "/caf\xc3\xa9?x=\xff", 1},
	    {SV("CONNECT h:443 HTTP/1.1"), "CONNECT", "h:443", 1},
	    {SV("GET http://a/b HTTP/1.9"), "GET", "http://a/b", 9},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%.*s\r\n\r\n", SV_ARG(rows[i].line));
		parse_ok(HTTP1_REQUEST, sv_cstr(text));
		assert_int_equal(head.kind, HTTP1_REQUEST);
		assert_sv(head.method, rows[i].method);
		assert_sv(head.target, rows[i].target);
		assert_int_equal(head.version_major, 1);
		assert_int_equal(head.version_minor, rows[i].minor);
		assert_false(head.malformed);
	}
}

static void test_status_line_forms(void **state)
{
	static const struct {
		struct sv line;
		int status, minor;
	} rows[] = {
	    {SV("HTTP/1.1 200 OK"), 200, 1},
	    {SV("HTTP/1.0 404 Not Found"), 404, 0},
	    {SV("HTTP/1.1 200"), 200, 1},
	    {SV("HTTP/1.1 200 "), 200, 1},
	    {SV("HTTP/1.1  999\t\xc3\xa9\x01"), 999, 1},
	    {SV("HTTP/1.1 100 Continue"), 100, 1},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%.*s\r\n\r\n", SV_ARG(rows[i].line));
		parse_ok(HTTP1_RESPONSE, sv_cstr(text));
		assert_int_equal(head.kind, HTTP1_RESPONSE);
		assert_int_equal(head.status, rows[i].status);
		assert_int_equal(head.version_minor, rows[i].minor);
		assert_int_equal(head.method.len, 0);
	}
}

static void test_malformed_start_lines(void **state)
{
	static const struct sv requests[] = {SV("get / http/1.1"), SV("GET /"),
	    SV("GET / HTTP/2.0"), SV("GET / HTTP/1.x"), SV("GET / HTTP/1.11"),
	    SV("GET / HTTP/1.1 x"), SV("GET / HTTP/0.9"), SV("GET /a b HTTP/1.1"),
	    SV("GET HTTP/1.1"), SV(" GET / HTTP/1.1"), SV("G(T / HTTP/1.1"), SV("/ GET HTTP/1.1"),
	    SV("GET /\001 HTTP/1.1"), SV("GET /\177 HTTP/1.1"), SV("HTTP/1.1 200 OK"),
	    SV("\026\003\001\002"), SV("GET"), SV("GET /\0 HTTP/1.1"), SV("\x80 / HTTP/1.1")};
	static const struct sv responses[] = {SV("http/1.1 200 OK"), SV("HTTP/1.1 20 OK"),
	    SV("HTTP/1.1 2000 OK"), SV("HTTP/1.1 099 x"), SV("HTTP/1.1 2x0 OK"), SV("HTTP/1.1"),
	    SV("HTTP/1.1200 OK"), SV("HTTP/2.0 200 OK"), SV("HTTP/1.1 200OK"), SV("GET / HTTP/1.1"),
	    SV(" HTTP/1.1 200 OK"), SV("HTTP/1. 200 OK"), SV("\026\003\003")};
	char text[256];

	(void)state;
	for (int kind = HTTP1_REQUEST; kind <= HTTP1_RESPONSE; kind++) {
		const struct sv *rows = kind == HTTP1_REQUEST ? requests : responses;
		size_t n = kind == HTTP1_REQUEST ? sizeof(requests) : sizeof(responses);

		for (size_t i = 0; i < n / sizeof(rows[0]); i++) {
			memcpy(text, rows[i].p, rows[i].len);
			memcpy(text + rows[i].len, "\r\nA: b\r\n\r\n", 10);
			if (parse_at_edge(kind, sv_from(text, rows[i].len + 10)) != -EBADMSG)
				fail_msg("accepted: %.*s", SV_ARG(rows[i]));
		}
	}
}

static void test_malformed_before_the_line_ends(void **state)
{
	(void)state;
	assert_int_equal(parse_at_edge(HTTP1_REQUEST, SV("\026\003\001")), -EBADMSG);
	assert_int_equal(parse_at_edge(HTTP1_REQUEST, SV("GET\001")), -EBADMSG);
	assert_int_equal(parse_at_edge(HTTP1_REQUEST, SV("GET /\0")), -EBADMSG);
	assert_int_equal(parse_at_edge(HTTP1_RESPONSE, SV("HTTP/2")), -EBADMSG);
	assert_int_equal(parse_at_edge(HTTP1_RESPONSE, SV("HTTP/1.1 2x")), -EBADMSG);
	assert_int_equal(parse_at_edge(HTTP1_RESPONSE, SV("G")), -EBADMSG);
}

/* --- fields ------------------------------------------------------------------------------------*/

static void test_fields_as_sent(void **state)
{
	(void)state;
	parse_ok(HTTP1_REQUEST,
	    SV("GET / HTTP/1.1\r\nHost: a\r\nEmpty:\r\nX:  \t b c \t \r\nx:d\r\n\r\n"));
	assert_int_equal(head.n_fields, 4);
	assert_sv(head.fields[0].name, "Host");
	assert_sv(value_of("hOsT"), "a");
	assert_sv(value_of("empty"), "");
	assert_sv(value_of("x"), "b c");
	assert_int_equal(http1_field_find(&head, SV("X"), &head.fields[9].value), 2);
	assert_int_equal(http1_field_find(&head, SV("Y"), &head.fields[9].value), 0);
	assert_int_equal(http1_field_find(&head, SV("Hos"), &head.fields[9].value), 0);
	assert_false(head.malformed);
}

static void test_line_feeds_alone_and_mixed(void **state)
{
	(void)state;
	parse_ok(HTTP1_REQUEST, SV("\r\n\n\r\nGET / HTTP/1.1\nHost: a\r\nB: c\n\r\n"));
	assert_sv(value_of("host"), "a");
	assert_sv(value_of("b"), "c");
	assert_int_equal(http1_parse_head(HTTP1_REQUEST, SV("GET / HTTP/1.1\n\nrest"), &head), 16);
	assert_int_equal(head.n_fields, 0);
}

static void test_bad_fields_are_left_out(void **state)
{
	static const struct sv lines[] = {SV("Name : v"), SV("Name\t: v"), SV("no colon"),
	    SV(": v"), SV("Name: a\0b"), SV("N(me: v"), SV("N\x80me: v"), SV("\rName: v"),
	    SV("Name\r: v")};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		size_t n = 0;

		memcpy(text, "GET / HTTP/1.1\r\nA: 1\r\n", n = 22);
		memcpy(text + n, lines[i].p, lines[i].len);
		n += lines[i].len;
		memcpy(text + n, "\r\nB: 2\r\n\r\n", 10);
		parse_ok(HTTP1_REQUEST, sv_from(text, n + 10));
		assert_true(head.malformed);
		assert_int_equal(head.n_fields, 2);
		assert_sv(value_of("a"), "1");
		assert_sv(value_of("b"), "2");
	}
}

static void test_bare_cr_in_a_value_is_flagged(void **state)
{
	struct buf out;

	(void)state;
	parse_ok(HTTP1_REQUEST, SV("GET / HTTP/1.1\r\nA: b\rc\r\r\n\r\n"));
	assert_true(head.malformed);
	assert_int_equal(head.n_fields, 1);
	buf_init(&out);
	http1_append_unfolded(&out, value_of("a"));
	assert_sv(buf_sv(&out), "b c ");
	buf_release(&out);
}

static void test_folded_values(void **state)
{
	static const struct {
		struct sv lines;
		const char *value, *unfolded;
	} rows[] = {
	    {SV("A: b\r\n c"), "b\r\n c", "b c"},
	    {SV("A: b \r\n\t  c \r\n d"), "b \r\n\t  c \r\n d", "b c d"},
	    {SV("A:\r\n b"), "b", "b"},
	    {SV("A: b\r\n "), "b", "b"},
	    {SV("A: \r\n \t\r\n b  x"), "b  x", "b  x"},
	    {SV("A: b\n c"), "b\n c", "b c"},
	};
	char text[256];
	struct buf out;

	(void)state;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%.*s\r\nZ: z\r\n\r\n",
		    SV_ARG(rows[i].lines));
		parse_ok(HTTP1_REQUEST, sv_cstr(text));
		assert_int_equal(head.n_fields, 2);
		assert_sv(value_of("a"), rows[i].value);
		assert_sv(value_of("z"), "z");
		buf_clear(&out);
		http1_append_unfolded(&out, value_of("a"));
		assert_sv(buf_sv(&out), rows[i].unfolded);
		assert_false(head.malformed);
	}
	buf_release(&out);
}

static void test_folds_without_a_field(void **state)
{
	(void)state;
	parse_ok(HTTP1_REQUEST, SV("GET / HTTP/1.1\r\n X: y\r\n\tZ: z\r\nA: b\r\n\r\n"));
	assert_int_equal(head.n_fields, 1);
	assert_true(head.malformed);
	parse_ok(HTTP1_REQUEST, SV("GET / HTTP/1.1\r\nX : y\r\n traceparent: z\r\nA: b\r\n\r\n"));
	assert_int_equal(head.n_fields, 1);
	parse_ok(HTTP1_REQUEST, SV("GET / HTTP/1.1\r\nA: b\r\n c\0\r\nD: e\r\n\r\n"));
	assert_int_equal(head.n_fields, 1);
	assert_sv(value_of("d"), "e");
}

static void test_truncated_at_every_offset(void **state)
{
	static const struct sv texts[] = {
	    SV("\r\nPOST /a?b HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\nContent-Length: 3\r\n\r\n"),
	    SV("GET / HTTP/1.0\nA: b\n\n"),
	    SV("HTTP/1.1 204 No Content\r\nServer: x\r\nSet-Cookie: a=b\r\n\r\n"),
	    SV("HTTP/1.1 200\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		enum http1_kind kind = i < 2 ? HTTP1_REQUEST : HTTP1_RESPONSE;

		for (size_t cut = 0; cut < texts[i].len; cut++)
			if (parse_at_edge(kind, sv_from(texts[i].p, cut)) != 0)
				fail_msg("text %zu cut at %zu", i, cut);
		assert_int_equal(parse_at_edge(kind, texts[i]), texts[i].len);
	}
}

static void append_fill(struct buf *b, char c, size_t n)
{
	while (n--)
		buf_append_char(b, c);
}

static void test_start_line_limit(void **state)
{
	struct buf b;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		buf_init(&b);
		buf_append_cstr(&b, "GET /");
		append_fill(&b, 'a', HTTP1_MAX_START_LINE - 14 + over);
		buf_append_cstr(&b, " HTTP/1.1\n");
		assert_int_equal(
		    parse_at_edge(HTTP1_REQUEST, sv_from(b.data, b.len - 1)), over ? -E2BIG : 0);
		buf_append_cstr(&b, "\n");
		assert_int_equal(
		    parse_at_edge(HTTP1_REQUEST, buf_sv(&b)), over ? -E2BIG : (long)b.len);
		buf_release(&b);
	}
}

static void test_head_limit(void **state)
{
	struct buf b;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		buf_init(&b);
		buf_append_cstr(&b, "\r\n\r\nGET / HTTP/1.1\nA: ");
		append_fill(&b, 'a', HTTP1_MAX_HEAD + 4 - b.len - 2 + over);
		assert_int_equal(parse_at_edge(HTTP1_REQUEST, buf_sv(&b)), 0);
		buf_append_cstr(&b, "\n");
		assert_int_equal(parse_at_edge(HTTP1_REQUEST, buf_sv(&b)), over ? -E2BIG : 0);
		buf_append_cstr(&b, "\n");
		assert_int_equal(
		    parse_at_edge(HTTP1_REQUEST, buf_sv(&b)), over ? -E2BIG : (long)b.len);
		buf_release(&b);
	}
}

/* A head with so many other fields, and behind them so many of a known name; head points into b. */
static void parse_many(struct buf *b, int others, const char *known, int times)
{
	buf_clear(b);
	buf_append_cstr(b, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < others; i++)
		buf_printf(b, "F%d: %d\r\n", i, i);
	for (int i = 0; i < times; i++)
		buf_printf(b, "%s: 7\r\n", known);
	buf_append_cstr(b, "G: h\r\n and more\r\n\r\n");
	parse_ok(HTTP1_REQUEST, buf_sv(b));
}

/* Other fields beyond the limit are dropped, and nothing else is the worse for it. */
static void test_field_limit(void **state)
{
	const int reserved = HTTP1_MAX_FIELDS - HTTP1_MAX_OTHER_FIELDS;
	struct sv value;
	struct buf b;

	(void)state;
	buf_init(&b);
	parse_many(&b, HTTP1_MAX_OTHER_FIELDS - 1, "Content-Length", 0);
	assert_int_equal(head.n_fields, HTTP1_MAX_OTHER_FIELDS);
	assert_int_equal(head.dropped, 0);
	parse_many(&b, 1000, "Content-Length", 1);
	assert_int_equal(head.n_fields, HTTP1_MAX_OTHER_FIELDS + 1);
	assert_int_equal(head.dropped, 1 << HTTP1_NAME_OTHER);
	assert_false(head.malformed);
	assert_int_equal(http1_request_body(&head).framing, HTTP1_BODY_LENGTH);
	assert_int_equal(http1_request_body(&head).length, 7);
	parse_many(&b, HTTP1_MAX_OTHER_FIELDS, "Content-Length", reserved);
	assert_int_equal(head.n_fields, HTTP1_MAX_FIELDS);
	assert_false(http1_known_dropped(&head, HTTP1_NAME_CONTENT_LENGTH));
	parse_many(&b, HTTP1_MAX_OTHER_FIELDS, "Traceparent", reserved + 1);
	assert_int_equal(http1_known_find(&head, HTTP1_NAME_TRACEPARENT, &value), (size_t)reserved);
	assert_true(http1_known_dropped(&head, HTTP1_NAME_TRACEPARENT));
	assert_int_equal(http1_request_body(&head).framing, HTTP1_BODY_NONE);
	buf_release(&b);
}

/* What frames the body may be among what was dropped: then that is not known. */
static void test_dropped_framing(void **state)
{
	static const char *const names[] = {"content-length", "Transfer-Encoding"};
	struct buf b;

	(void)state;
	buf_init(&b);
	for (size_t i = 0; i < 2; i++) {
		parse_many(&b, HTTP1_MAX_OTHER_FIELDS, names[i],
		    HTTP1_MAX_FIELDS - HTTP1_MAX_OTHER_FIELDS + 1);
		assert_int_equal(http1_request_body(&head).framing, HTTP1_BODY_UNKNOWN);
		assert_int_equal(
		    http1_response_body(&head, HTTP1_ANSWERS_OTHER).framing, HTTP1_BODY_UNKNOWN);
	}
	buf_release(&b);
}

/* --- getting back into step --------------------------------------------------------------------*/

static void test_plausible_starts(void **state)
{
	static const struct sv yes_request[] = {SV("GET / HTTP/1.1\r\n"),
	    SV("POST /a?b HTTP/1.0\n"), SV("OPTIONS * HTTP/1.1\r\n"),
	    SV("CONNECT [::1]:443 HTTP/1.1\r\n"), SV("GET http://h/ HTTP/1.1\r\n"),
	    SV("QUERY /caf\xc3\xa9 HTTP/1.1\r\nA: b")};
	static const struct sv no_request[] = {SV("FOO / HTTP/1.1"), SV("get /"), SV("GET  /"),
	    SV("GET x HTTP/1.1"), SV("GET /\001"), SV("GET / HTTP/2"), SV("GET / http"), SV("GETS"),
	    SV("HTTP/1.1 200 OK"), SV("*x"), SV("GET *x HTTP"), SV(""), SV("GET / HTTP/1.1x"),
	    SV("\r\n")};
	static const struct sv no_response[] = {SV("HTTP/1.1 000"), SV("HTTP/1.1 600"),
	    SV("HTTP/2"), SV("HTTP/1.1  200"), SV("HTTP/1.1 200x"), SV("h"), SV("GET /"), SV("")};
	static const struct sv response = SV("HTTP/1.1 503 Busy\r\n");

	(void)state;
	for (size_t i = 0; i < sizeof(yes_request) / sizeof(yes_request[0]); i++)
		for (size_t cut = 1; cut <= yes_request[i].len; cut++)
			if (!http1_plausible_start(HTTP1_REQUEST, sv_from(yes_request[i].p, cut)))
				fail_msg("refused: %.*s", (int)cut, yes_request[i].p);
	for (size_t cut = 1; cut <= response.len; cut++)
		assert_true(http1_plausible_start(HTTP1_RESPONSE, sv_from(response.p, cut)));
	for (size_t i = 0; i < sizeof(no_request) / sizeof(no_request[0]); i++)
		if (http1_plausible_start(HTTP1_REQUEST, no_request[i]))
			fail_msg("accepted: %.*s", SV_ARG(no_request[i]));
	for (size_t i = 0; i < sizeof(no_response) / sizeof(no_response[0]); i++)
		if (http1_plausible_start(HTTP1_RESPONSE, no_response[i]))
			fail_msg("accepted: %.*s", SV_ARG(no_response[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request_line_forms),
	    cmocka_unit_test(test_status_line_forms),
	    cmocka_unit_test(test_malformed_start_lines),
	    cmocka_unit_test(test_malformed_before_the_line_ends),
	    cmocka_unit_test(test_fields_as_sent),
	    cmocka_unit_test(test_line_feeds_alone_and_mixed),
	    cmocka_unit_test(test_bad_fields_are_left_out),
	    cmocka_unit_test(test_bare_cr_in_a_value_is_flagged),
	    cmocka_unit_test(test_folded_values),
	    cmocka_unit_test(test_folds_without_a_field),
	    cmocka_unit_test(test_truncated_at_every_offset),
	    cmocka_unit_test(test_start_line_limit),
	    cmocka_unit_test(test_head_limit),
	    cmocka_unit_test(test_field_limit),
	    cmocka_unit_test(test_dropped_framing),
	    cmocka_unit_test(test_plausible_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
