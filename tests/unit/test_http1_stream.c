// SPDX-License-Identifier: Apache-2.0
/*
 * One direction of an HTTP/1 connection, in any pieces. A row is an input and the calls it must lead
 * to, in the words of the fixture. Every row is fed whole, byte by byte, and in two pieces cut at
 * every offset; the calls must be the same each time.
 */
#include "http1_stream_fixture.h"

struct row {
	const char *name;
	enum http1_kind kind;
	const char *answers;
	struct sv in;
	char close; /* 'f' FIN at the end, 'r' RST, 0 none */
	const char *calls;
	enum http1_state state;
};

/* Feed the row in pieces: bytes before cut, bytes behind it; by single bytes when cut is beyond. */
static void run_row(const struct row *row, size_t cut)
{
	struct recorder r = {.answers = row->answers};
	struct http1_stream s;
	const char *calls;

	http1_stream_init(&s, row->kind, true, &handler, &r);
	if (cut > row->in.len) {
		for (size_t i = 0; i < row->in.len; i++)
			feed_edge(&s, sv_from(row->in.p + i, 1));
	} else {
		feed_edge(&s, sv_from(row->in.p, cut));
		feed_edge(&s, sv_skip(row->in, cut));
	}
	if (row->close)
		http1_stream_close(&s, row->close == 'r');
	calls = recorder_calls(&r);
	if (strcmp(calls, row->calls) != 0)
		fail_msg("%s cut at %zu: '%s' instead of '%s'", row->name, cut, calls, row->calls);
	if (s.state != row->state)
		fail_msg("%s cut at %zu: ends in state %d", row->name, cut, s.state);
	assert_int_equal(s.in_message, r.open);
	http1_stream_release(&s);
	buf_release(&r.log);
}

static void run_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t cut = 0; cut <= rows[i].in.len + 1; cut++)
			run_row(&rows[i], cut);
}

#define REQ    HTTP1_REQUEST, ""
#define RSP    HTTP1_RESPONSE
#define START  HTTP1_STATE_START
#define LOST   HTTP1_STATE_LOST
#define TUNNEL HTTP1_STATE_TUNNEL

static const struct row request_rows[] = {
    {"one get", REQ, SV("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, "B H(GET /,1.1) E", START},
    {"three in a row", REQ,
	SV("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.0\r\n\r\n"), 0,
	"B H(GET /1,1.1) E B H(GET /2,1.1) E B H(GET /3,1.0) E", START},
    {"expect and body", REQ,
	SV("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"), 0,
	"B H(POST /,1.1) D3 E", START},
    {"chunked with extension and trailers", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"a;b\"\r\nhello\r\n"
	   "A\r\n0123456789\r\n00000\r\ntraceparent: x\r\nT: u\r\n\r\nGET /n HTTP/1.1\r\n\r\n"),
	0, "B H(POST /,1.1) D15 E B H(GET /n,1.1) E", START},
    {"chunked, line feeds alone", REQ,
	SV("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\nGET /n HTTP/1.1\n\n"), 0,
	"B H(POST /,1.1) D3 E B H(GET /n,1.1) E", START},
    {"chunked data that looks like framing", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\r\n0\r\n\r\n0\r\n\r\n"), 0,
	"B H(POST /,1.1) D5 E", START},
    {"length beside chunked", REQ,
	SV("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
	   "0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
	0, "B H(POST /,1.1) D2 E B H(GET /,1.1) E", START},
    {"length twice in a list", REQ,
	SV("POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\nabcdeGET / HTTP/1.1\r\n\r\n"), 0,
	"B H(POST /,1.1) D5 E B H(GET /,1.1) E", START},
    {"length on two lines", REQ,
	SV("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde"), 0,
	"B H(POST /,1.1) D5 E", START},
    {"lengths differ", REQ, SV("POST / HTTP/1.1\r\nContent-Length: 5, 6\r\n\r\nabcde"), 0,
	"B H(POST /,1.1) El", LOST},
    {"length signed", REQ, SV("POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nabcde"), 0,
	"B H(POST /,1.1) El", LOST},
    {"length 2^64", REQ, SV("POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\nab"), 0,
	"B H(POST /,1.1) El", LOST},
    {"coding unknown", REQ, SV("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabcde"), 0,
	"B H(POST /,1.1) El", LOST},
    {"connect", REQ, SV("CONNECT h:443 HTTP/1.1\r\n\r\n"), 0, "B H(CONNECT h:443,1.1) E", START},
    {"absolute form", REQ, SV("GET http://a:81/p?x HTTP/1.1\r\nHost: b\r\n\r\n"), 0,
	"B H(GET http://a:81/p?x,1.1) E", START},
    {"asterisk", REQ, SV("OPTIONS * HTTP/1.1\r\n\r\n"), 0, "B H(OPTIONS *,1.1) E", START},
    {"empty lines before and between", REQ,
	SV("\r\n\r\nGET /1 HTTP/1.1\r\n\r\n\r\n\n\rGET /2 HTTP/1.1\r\n\r\n\r\n"), 0,
	"B H(GET /1,1.1) E B H(GET /2,1.1) E", START},
    {"line feeds alone", REQ, SV("GET / HTTP/1.1\nHost: a\n\n"), 0, "B H(GET /,1.1) E", START},
    {"line ends mixed", REQ, SV("GET / HTTP/1.1\r\nHost: a\n\r\nGET /2 HTTP/1.1\nA: b\r\n\n"), 0,
	"B H(GET /,1.1) E B H(GET /2,1.1) E", START},
    {"folded", REQ, SV("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), 0, "B H(GET /,1.1) E", START},
    {"space before colon", REQ, SV("GET / HTTP/1.1\r\nName : v\r\n\r\n"), 0, "B H(GET /,1.1) E",
	START},
    {"body cut short by fin", REQ,
	SV("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n0123456789"), 'f',
	"B H(POST /,1.1) D10 Ec", LOST},
    {"body cut short by rst", REQ,
	SV("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n0123456789"), 'r',
	"B H(POST /,1.1) D10 Er", LOST},
    {"half-close after a request", REQ, SV("GET / HTTP/1.1\r\n\r\n"), 'f', "B H(GET /,1.1) E",
	LOST},
    {"closed inside the head", REQ, SV("GET / HTTP/1.1\r\nHost: a\r\n"), 'f', "B Ec", LOST},
    {"reset inside the start line", REQ, SV("GET /"), 'r', "B Er", LOST},
    {"closed inside a chunk size", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1"), 'f', "B H(POST /,1.1) Ec",
	LOST},
    {"closed before the last chunk", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"), 'f',
	"B H(POST /,1.1) D1 Ec", LOST},
    {"closed inside the trailer", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"), 'f',
	"B H(POST /,1.1) Ec", LOST},
    {"lower-case version", REQ, SV("get / http/1.1\r\nHost: a\r\n\r\n"), 0, "B Em", LOST},
    {"unknown method", REQ, SV("FOO / HTTP/1.1\r\n\r\n"), 0, "B H(FOO /,1.1) E", START},
    {"http/2 preface", REQ, SV("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\022\004"), 0, "", TUNNEL},
    {"nearly a preface", REQ, SV("PRI * HTTP/1.1\r\n\r\n"), 0, "B H(PRI *,1.1) E", START},
    {"shares letters with the preface", REQ, SV("PROPFIND /dav HTTP/1.1\r\n\r\n"), 0,
	"B H(PROPFIND /dav,1.1) E", START},
    {"preface cut off", REQ, SV("PRI * HT"), 'f', "", LOST},
    {"tls", REQ, SV("\026\003\001\002\0\001\0\001\374"), 0, "", LOST},
    {"nothing", REQ, SV(""), 'f', "", LOST},
    {"only empty lines", REQ, SV("\r\n\r\n"), 'f', "", LOST},
    {"get with a body", REQ,
	SV("GET /1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nGETGET /2 HTTP/1.1\r\n\r\n"), 0,
	"B H(GET /1,1.1) D3 E B H(GET /2,1.1) E", START},
    {"delete with an empty chunked body", REQ,
	SV("DELETE / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
	0, "B H(DELETE /,1.1) E B H(GET /,1.1) E", START},
    {"length zero", REQ, SV("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
	0, "B H(POST /,1.1) E B H(GET /,1.1) E", START},
    {"coding in any case", REQ,
	SV("POST / HTTP/1.1\r\nTRANSFER-ENCODING: gzip, Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), 0,
	"B H(POST /,1.1) D1 E", START},
    {"bad chunk size", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nxyz\r\n0\r\n\r\n"), 0,
	"B H(POST /,1.1) D1 Em", LOST},
    {"chunk size overflows", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"), 0,
	"B H(POST /,1.1) Em", LOST},
    {"chunk longer than said", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"), 0,
	"B H(POST /,1.1) D1 Em", LOST},
    {"bare cr behind a chunk", REQ,
	SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\r\n0\r\n\r\n"), 0,
	"B H(POST /,1.1) D1 Em", LOST},
    {"junk behind a request", REQ, SV("GET / HTTP/1.1\r\n\r\n\001junk"), 0, "B H(GET /,1.1) E",
	LOST},
};

static const struct row response_rows[] = {
    {"length", RSP, "", SV("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 0,
	"B H(200,1.1) D5 E", START},
    {"three in a row", RSP, "",
	SV("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n"
	   "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab"),
	0, "B H(200,1.1) D1 E B H(404,1.1) E B H(200,1.1) D2 E", START},
    {"answer to head", RSP, "H-",
	SV("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
	   "1\r\n\r\na"),
	0, "B H(200,1.1) E B H(200,1.1) D1 E", START},
    {"304 and 204 have none", RSP, "",
	SV("HTTP/1.1 304 x\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 204 x\r\nTransfer-Encoding: "
	   "chunked\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"),
	0, "B H(304,1.1) E B H(204,1.1) E B H(200,1.1) E", START},
    {"100 then 201", RSP, "",
	SV("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"), 0,
	"B H(100,1.1) E B H(201,1.1) E", START},
    {"hints", RSP, "",
	SV("HTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: "
	   "0\r\n\r\n"),
	0, "B H(103,1.1) E B H(103,1.1) E B H(200,1.1) E", START},
    {"chunked, upper case, long zero", RSP, "",
	SV("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n00000\r\n\r\n"),
	0, "B H(200,1.1) D10 E", START},
    {"until close by fin", RSP, "", SV("HTTP/1.0 200 OK\r\n\r\nhello"), 'f', "B H(200,1.0) D5 E",
	LOST},
    {"until close by rst", RSP, "", SV("HTTP/1.0 200 OK\r\n\r\nhello"), 'r', "B H(200,1.0) D5 Er",
	LOST},
    {"until close, nothing sent", RSP, "", SV("HTTP/1.0 200 OK\r\n\r\n"), 'f', "B H(200,1.0) E",
	LOST},
    {"until close holds a status line", RSP, "",
	SV("HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), 'f', "B H(200,1.0) D19 E", LOST},
    {"incomplete", RSP, "", SV("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcd"), 'f',
	"B H(200,1.1) D4 Ec", LOST},
    {"connect accepted", RSP, "C",
	SV("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\026\003\003HTTP/1.1 200 OK\r\n\r\n"), 0,
	"B H(200,1.1) E", TUNNEL},
    {"connect refused", RSP, "C-",
	SV("HTTP/1.1 407 x\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"),
	0, "B H(407,1.1) D2 E B H(200,1.1) E", START},
    {"switching protocols", RSP, "",
	SV("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n\x81\x05HTTP/1.1 200 OK\r\n\r\n"), 0,
	"B H(101,1.1) E", TUNNEL},
    {"upgrade refused", RSP, "",
	SV("HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"),
	0, "B H(200,1.1) E B H(200,1.1) E", START},
    {"line feeds alone", RSP, "", SV("\nHTTP/1.1 200 OK\nContent-Length: 1\n\na"), 0,
	"B H(200,1.1) D1 E", START},
    {"chunked then gzip", RSP, "",
	SV("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), 'f',
	"B H(200,1.1) D5 E", LOST},
    {"identity", RSP, "", SV("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nabc"), 'f',
	"B H(200,1.1) D3 E", LOST},
    {"invalid length", RSP, "", SV("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc"), 'f',
	"B H(200,1.1) El", LOST},
    {"408 on an idle connection", RSP, "",
	SV("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), 'f',
	"B H(408,1.1) E", LOST},
    {"http/2 settings", RSP, "", SV("\0\0\022\004\0\0\0\0\0"), 0, "", LOST},
    {"tls", RSP, "", SV("\026\003\003\0\172"), 0, "", LOST},
    {"not http", RSP, "", SV("HELO there\r\n"), 0, "B Em", LOST},
    {"status out of range", RSP, "", SV("HTTP/1.1 099 x\r\n\r\n"), 0, "B Em", LOST},
};

static void test_requests_in_any_pieces(void **state)
{
	(void)state;
	run_rows(request_rows, sizeof(request_rows) / sizeof(request_rows[0]));
}

static void test_responses_in_any_pieces(void **state)
{
	(void)state;
	run_rows(response_rows, sizeof(response_rows) / sizeof(response_rows[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests_in_any_pieces),
	    cmocka_unit_test(test_responses_in_any_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
