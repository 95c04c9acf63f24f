// SPDX-License-Identifier: Apache-2.0
/* What the fields of a head say of connection and body, and the size lines of chunks (proto/http1.h). */
#include <errno.h>
#include <stdio.h>

#include "http1_head_fixture.h"

static void test_token_lists(void **state)
{
	(void)state;
	parse_ok(HTTP1_REQUEST,
	    SV("GET / HTTP/1.1\r\nConnection: a, ,Upgrade\r\nconnection:\r\n\tKeep-Alive ,b\r\n\r\n"));
	assert_true(http1_known_has_token(&head, HTTP1_NAME_CONNECTION, SV("upgrade")));
	assert_true(http1_known_has_token(&head, HTTP1_NAME_CONNECTION, SV("keep-alive")));
	assert_true(http1_known_has_token(&head, HTTP1_NAME_CONNECTION, SV("b")));
	assert_false(http1_known_has_token(&head, HTTP1_NAME_CONNECTION, SV("up")));
	assert_false(http1_known_has_token(&head, HTTP1_NAME_CONNECTION, SV("close")));
	assert_false(http1_known_has_token(&head, HTTP1_NAME_EXPECT, SV("upgrade")));
}

static void test_persistence(void **state)
{
	static const struct {
		const char *text;
		bool keeps;
	} rows[] = {
	    {"GET / HTTP/1.1\r\n\r\n", true},
	    {"GET / HTTP/1.0\r\n\r\n", false},
	    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
	    {"GET / HTTP/1.1\r\nConnection: x, CLOSE\r\n\r\n", false},
	    {"GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false},
	    {"GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse_ok(HTTP1_REQUEST, sv_cstr(rows[i].text));
		assert_int_equal(http1_keeps_alive(&head), rows[i].keeps);
	}
}

struct body_row {
	const char *fields;
	enum http1_framing request, response;
	uint64_t length;
	bool ambiguous;
};

/* Fields that frame the same for version 1.1 whether the message asks or answers, unless said. */
static const struct body_row body_rows[] = {
    {"", HTTP1_BODY_NONE, HTTP1_BODY_UNTIL_CLOSE, 0, false},
    {"Content-Length: 0\r\n", HTTP1_BODY_LENGTH, HTTP1_BODY_LENGTH, 0, false},
    {"content-length:\t42 \r\n", HTTP1_BODY_LENGTH, HTTP1_BODY_LENGTH, 42, false},
    {"Content-Length:\r\n 42\r\n", HTTP1_BODY_LENGTH, HTTP1_BODY_LENGTH, 42, false},
    {"Content-Length: 5, 5\r\n", HTTP1_BODY_LENGTH, HTTP1_BODY_LENGTH, 5, false},
    {"Content-Length: 5\r\nContent-Length: 5\r\n", HTTP1_BODY_LENGTH, HTTP1_BODY_LENGTH, 5, false},
    {"Content-Length: 9223372036854775807\r\n", HTTP1_BODY_LENGTH, HTTP1_BODY_LENGTH, INT64_MAX,
	false},
    {"Content-Length: 9223372036854775808\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: 18446744073709551616\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: 5, 6\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: 5\r\nContent-Length: 6\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0,
	false},
    {"Content-Length: +5\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: -5\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: 0x5\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: 5 5\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: 5\r\n 5\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: 5,\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length:\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length : 5\r\n", HTTP1_BODY_NONE, HTTP1_BODY_UNTIL_CLOSE, 0, false},
    {"Transfer-Encoding: chunked\r\n", HTTP1_BODY_CHUNKED, HTTP1_BODY_CHUNKED, 0, false},
    {"transfer-encoding: Chunked\r\n", HTTP1_BODY_CHUNKED, HTTP1_BODY_CHUNKED, 0, false},
    {"Transfer-Encoding: gzip, chunked\r\n", HTTP1_BODY_CHUNKED, HTTP1_BODY_CHUNKED, 0, false},
    {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked,\r\n", HTTP1_BODY_CHUNKED,
	HTTP1_BODY_CHUNKED, 0, false},
    {"Transfer-Encoding: chunked, gzip\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNTIL_CLOSE, 0, false},
    {"Transfer-Encoding: identity\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNTIL_CLOSE, 0, false},
    {"Transfer-Encoding: \vchunked\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNTIL_CLOSE, 0, false},
    {"Transfer-Encoding: \"chunked\"\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNTIL_CLOSE, 0, false},
    {"Transfer-Encoding:\r\n chunked\r\n", HTTP1_BODY_CHUNKED, HTTP1_BODY_CHUNKED, 0, false},
    {"Transfer-Encoding: gzip,\n\tchunked\n", HTTP1_BODY_CHUNKED, HTTP1_BODY_CHUNKED, 0, false},
    {"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", HTTP1_BODY_LENGTH, HTTP1_BODY_LENGTH,
	5, false},
    {"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", HTTP1_BODY_LENGTH,
	HTTP1_BODY_LENGTH, 5, false},
    {"X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", HTTP1_BODY_LENGTH,
	HTTP1_BODY_LENGTH, 5, false},
    {"X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", HTTP1_BODY_CHUNKED,
	HTTP1_BODY_CHUNKED, 0, true},
    {"Transfer-Encoding: xchunked\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNTIL_CLOSE, 0, false},
    {"Transfer-Encoding:\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNTIL_CLOSE, 0, false},
    {"Transfer-Encoding: chunked, chunked\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Transfer-Encoding: chunked;a=b\r\n", HTTP1_BODY_UNKNOWN, HTTP1_BODY_UNKNOWN, 0, false},
    {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", HTTP1_BODY_CHUNKED, HTTP1_BODY_CHUNKED,
	0, true},
    {"Transfer-Encoding: chunked\r\nContent-Length: x\r\n", HTTP1_BODY_CHUNKED, HTTP1_BODY_CHUNKED,
	0, true},
};

static void assert_body(struct http1_body body, enum http1_framing framing,
    const struct body_row *row, const char *what)
{
	if (body.framing != framing ||
	    (http1_head_flaw(&head) == HTTP1_FLAW_LENGTH) != row->ambiguous ||
	    (framing == HTTP1_BODY_LENGTH && body.length != row->length))
		fail_msg("%s with %s: framing %d length %llu", what, row->fields, body.framing,
		    (unsigned long long)body.length);
}

static void test_body_length(void **state)
{
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(body_rows) / sizeof(body_rows[0]); i++) {
		const struct body_row *row = &body_rows[i];

		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n", row->fields);
		parse_ok(HTTP1_REQUEST, sv_cstr(text));
		assert_body(http1_request_body(&head), row->request, row, "request");
		snprintf(text, sizeof(text), "HTTP/1.1 205 x\r\n%s\r\n", row->fields);
		parse_ok(HTTP1_RESPONSE, sv_cstr(text));
		assert_body(http1_response_body(&head, HTTP1_ANSWERS_OTHER), row->response, row,
		    "response");
	}
}

/* The worst one counts. */
static void test_flaws(void **state)
{
	static const struct {
		const char *head;
		enum http1_flaw flaw;
	} rows[] = {
	    {"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", HTTP1_FLAW_NONE},
	    {"GET / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n", HTTP1_FLAW_NONE},
	    {"GET / HTTP/1.1\r\nA : b\r\n\r\n", HTTP1_FLAW_FIELD},
	    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP1_FLAW_LENGTH},
	    {"POST / HTTP/1.1\r\nA : b\r\nTransfer-Encoding: x\r\nContent-Length: 1\r\n\r\n",
		HTTP1_FLAW_LENGTH},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse_ok(HTTP1_REQUEST, sv_cstr(rows[i].head));
		assert_int_equal(http1_head_flaw(&head), rows[i].flaw);
	}
}

static void test_body_by_status(void **state)
{
	static const struct {
		int status;
		enum http1_framing other, to_head, to_connect;
	} rows[] = {
	    {100, HTTP1_BODY_NONE, HTTP1_BODY_NONE, HTTP1_BODY_NONE},
	    {101, HTTP1_BODY_TUNNEL, HTTP1_BODY_TUNNEL, HTTP1_BODY_TUNNEL},
	    {103, HTTP1_BODY_NONE, HTTP1_BODY_NONE, HTTP1_BODY_NONE},
	    {200, HTTP1_BODY_LENGTH, HTTP1_BODY_NONE, HTTP1_BODY_TUNNEL},
	    {204, HTTP1_BODY_NONE, HTTP1_BODY_NONE, HTTP1_BODY_TUNNEL},
	    {205, HTTP1_BODY_LENGTH, HTTP1_BODY_NONE, HTTP1_BODY_TUNNEL},
	    {304, HTTP1_BODY_NONE, HTTP1_BODY_NONE, HTTP1_BODY_NONE},
	    {407, HTTP1_BODY_LENGTH, HTTP1_BODY_NONE, HTTP1_BODY_LENGTH},
	    {500, HTTP1_BODY_LENGTH, HTTP1_BODY_NONE, HTTP1_BODY_LENGTH},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "HTTP/1.1 %d x\r\nContent-Length: 3\r\n\r\n",
		    rows[i].status);
		parse_ok(HTTP1_RESPONSE, sv_cstr(text));
		assert_int_equal(
		    http1_response_body(&head, HTTP1_ANSWERS_OTHER).framing, rows[i].other);
		assert_int_equal(
		    http1_response_body(&head, HTTP1_ANSWERS_HEAD).framing, rows[i].to_head);
		assert_int_equal(
		    http1_response_body(&head, HTTP1_ANSWERS_CONNECT).framing, rows[i].to_connect);
	}
}

static void test_chunk_sizes(void **state)
{
	static const struct {
		struct sv line;
		int err;
		uint64_t size;
	} rows[] = {
	    {SV("0"), 0, 0},
	    {SV("00000"), 0, 0},
	    {SV("aF"), 0, 0xaf},
	    {SV("5 \t;x"), 0, 5},
	    {SV("5;x=\"a;b\\\"\""), 0, 5},
	    {SV("5 "), 0, 5},
	    {SV("00000000000000000000000005"), 0, 5},
	    {SV("7fffffffffffffff"), 0, INT64_MAX},
	    {SV("8000000000000000"), -EBADMSG, 0},
	    {SV("10000000000000005"), -EBADMSG, 0},
	    {SV(""), -EBADMSG, 0},
	    {SV(";x"), -EBADMSG, 0},
	    {SV(" 5"), -EBADMSG, 0},
	    {SV("0x5"), -EBADMSG, 0},
	    {SV("-5"), -EBADMSG, 0},
	    {SV("5 5"), -EBADMSG, 0},
	    {SV("g"), -EBADMSG, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].line.p, rows[i].line.len);
		uint64_t size = 0;

		assert_int_equal(
		    http1_parse_chunk_size(sv_from(edge.p, edge.len), &size), rows[i].err);
		assert_int_equal(size, rows[i].size);
		edge_free(&edge);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_token_lists),
	    cmocka_unit_test(test_persistence),
	    cmocka_unit_test(test_body_length),
	    cmocka_unit_test(test_flaws),
	    cmocka_unit_test(test_body_by_status),
	    cmocka_unit_test(test_chunk_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
