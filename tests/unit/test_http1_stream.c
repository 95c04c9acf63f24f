// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of one direction of an HTTP/1 connection. A row is an input and the calls it must lead to:
 * B begin, H(...) head, D<n> body bytes (neighbours added up), then E and a letter for how the
 * message ended: nothing complete, c closed, r reset, l lost, m malformed. Every row is fed whole,
 * byte by byte, and in two pieces cut at every offset; the calls must be the same each time, and
 * each piece ends at an unmapped page.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/http1.h"
#include "support.h"

struct recorder {
	struct buf log;
	uint64_t body;       /* not yet in the log */
	const char *answers; /* per final response: 'H' to HEAD, 'C' to CONNECT, else other */
	size_t captured;     /* body bytes that came with data */
	bool open;
	struct http1_stream *stop; /* turn this stream into a tunnel ... */
	char stop_at;              /* ... in this callback: B, H, D or E */
};

static void stop_if(struct recorder *r, char callback)
{
	if (r->stop && r->stop_at == callback)
		http1_stream_tunnel(r->stop);
}

static void flush_body(struct recorder *r)
{
	if (r->body)
		buf_printf(&r->log, "D%llu ", (unsigned long long)r->body);
	r->body = 0;
}

static void on_begin(void *ctx)
{
	struct recorder *r = ctx;

	assert_false(r->open);
	r->open = true;
	buf_append_cstr(&r->log, "B ");
	stop_if(r, 'B');
}

static enum http1_answers on_head(void *ctx, const struct http1_head *head, size_t head_bytes)
{
	struct recorder *r = ctx;

	assert_true(r->open);
	assert_true(head_bytes > 0);
	if (head->kind == HTTP1_REQUEST)
		buf_printf(&r->log, "H(%.*s %.*s,%d.%d) ", SV_ARG(head->method),
		    SV_ARG(head->target), head->version_major, head->version_minor);
	else
		buf_printf(&r->log, "H(%d,%d.%d) ", head->status, head->version_major,
		    head->version_minor);
	if (r->stop && r->stop_at == 'H') {
		http1_stream_tunnel(r->stop);
		return HTTP1_ANSWERS_OTHER;
	}
	if (head->kind == HTTP1_REQUEST || head->status < 200 || !r->answers || !*r->answers)
		return HTTP1_ANSWERS_OTHER;
	switch (*r->answers++) {
	case 'H':
		return HTTP1_ANSWERS_HEAD;
	case 'C':
		return HTTP1_ANSWERS_CONNECT;
	default:
		return HTTP1_ANSWERS_OTHER;
	}
}

static void on_body(void *ctx, struct sv data, uint64_t n)
{
	struct recorder *r = ctx;

	assert_true(r->open);
	assert_true(n > 0);
	assert_true(data.len == n || data.len == 0);
	r->body += n;
	r->captured += data.len;
	if (r->body > 1)
		stop_if(r, 'D');
}

static void on_end(void *ctx, enum http1_end how)
{
	static const char letters[] = "? crlm";
	struct recorder *r = ctx;

	assert_true(r->open);
	r->open = false;
	flush_body(r);
	buf_printf(&r->log, how == HTTP1_END_COMPLETE ? "E " : "E%c ", letters[how]);
	stop_if(r, 'E');
}

static const struct http1_handler handler = {on_begin, on_head, on_body, on_end};

struct row {
	const char *name;
	enum http1_kind kind;
	const char *answers;
	struct sv in;
	char close; /* 'f' FIN at the end, 'r' RST, 0 none */
	const char *calls;
	enum http1_state state;
};

static void feed_edge(struct http1_stream *s, struct sv piece)
{
	struct edge edge = edge_copy(piece.p, piece.len);

	http1_stream_feed(s, sv_from(edge.p, edge.len));
	edge_free(&edge);
}

/* Feed the row in pieces: bytes before cut, bytes behind it; by single bytes when cut is beyond. */
static void run_row(const struct row *row, size_t cut)
{
	struct recorder r = {.answers = row->answers};
	struct http1_stream s;

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
	flush_body(&r);
	while (r.log.len && r.log.data[r.log.len - 1] == ' ')
		r.log.data[--r.log.len] = '\0';
	if (strcmp(r.log.data ? r.log.data : "", row->calls) != 0)
		fail_msg("%s cut at %zu: '%s' instead of '%s'", row->name, cut,
		    r.log.data ? r.log.data : "", row->calls);
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

/* --- steps that are no plain input -------------------------------------------------------------*/

struct fixture {
	struct recorder r;
	struct http1_stream s;
};

static void fixture_init(struct fixture *f, enum http1_kind kind, bool known_start)
{
	f->r = (struct recorder){0};
	http1_stream_init(&f->s, kind, known_start, &handler, &f->r);
}

static void fixture_feed(struct fixture *f, const char *text)
{
	feed_edge(&f->s, sv_cstr(text));
}

/* The calls since the last check. */
static void check_calls(struct fixture *f, const char *expected)
{
	flush_body(&f->r);
	while (f->r.log.len && f->r.log.data[f->r.log.len - 1] == ' ')
		f->r.log.data[--f->r.log.len] = '\0';
	assert_string_equal(f->r.log.data ? f->r.log.data : "", expected);
	buf_clear(&f->r.log);
}

static void fixture_release(struct fixture *f)
{
	http1_stream_release(&f->s);
	buf_release(&f->r.log);
}

static void test_begin_comes_with_the_first_byte(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "\r\n");
	check_calls(&f, "");
	fixture_feed(&f, "\r\nG");
	check_calls(&f, "B");
	fixture_feed(&f, "ET / HTTP/1.1\r\n\r");
	check_calls(&f, "");
	fixture_feed(&f, "\nP");
	check_calls(&f, "H(GET /,1.1) E");
	fixture_feed(&f, "O");
	check_calls(&f, "B");
	fixture_release(&f);
}

static void test_a_whole_head_needs_no_memory(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n");
	assert_null(f.s.held.data);
	fixture_release(&f);
}

static void test_gap_inside_known_lengths(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_RESPONSE, true);
	fixture_feed(&f, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nab");
	http1_stream_gap(&f.s, 0);
	http1_stream_gap(&f.s, 997);
	fixture_feed(&f, "c");
	check_calls(&f, "B H(200,1.1) D1000 E");
	assert_int_equal(f.r.captured, 3);
	assert_int_equal(f.s.losses, 0);

	fixture_feed(&f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n");
	http1_stream_gap(&f.s, 100);
	fixture_feed(&f, "\r\n0\r\n\r\n");
	check_calls(&f, "B H(200,1.1) D100 E");

	fixture_feed(&f, "HTTP/1.1 200 OK\r\n\r\n");
	http1_stream_gap(&f.s, 1ULL << 40);
	http1_stream_close(&f.s, false);
	check_calls(&f, "B H(200,1.1) D1099511627776 E");
	assert_int_equal(f.s.losses, 0);
	fixture_release(&f);
}

static void test_gap_beyond_a_length_completes_then_loses(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_RESPONSE, true);
	fixture_feed(&f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	http1_stream_gap(&f.s, 15);
	check_calls(&f, "B H(200,1.1) D10 E");
	assert_int_equal(f.s.state, HTTP1_STATE_LOST);
	assert_int_equal(f.s.losses, 1);
	assert_int_equal(f.s.lost_bytes, 5);
	fixture_feed(&f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	check_calls(&f, "B H(200,1.1) E");
	fixture_release(&f);
}

static void test_gap_elsewhere_loses(void **state)
{
	static const struct {
		const char *before, *calls;
	} rows[] = {
	    {"", ""},
	    {"POST / HTTP/1.1\r\nHost", "B El"},
	    {"P", ""},
	    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "B H(POST /,1.1) El"},
	    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"B H(POST /,1.1) D5 El"},
	    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde",
		"B H(POST /,1.1) D5 El"},
	    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "B H(POST /,1.1) El"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		fixture_init(&f, HTTP1_REQUEST, true);
		fixture_feed(&f, rows[i].before);
		http1_stream_gap(&f.s, 20);
		check_calls(&f, rows[i].calls);
		assert_int_equal(f.s.state, HTTP1_STATE_LOST);
		assert_int_equal(f.s.losses, 1);
		fixture_feed(&f, "GET /again HTTP/1.1\r\n\r\n");
		check_calls(&f, "B H(GET /again,1.1) E");
		fixture_release(&f);
	}
}

static void test_late_attach_joins_at_a_piece_that_starts_a_message(void **state)
{
	static const char *const no[] = {"rest of a body GET / HTTP/1.1\r\n\r\n", "G",
	    "GET / HTTP/1.1", "FOO / HTTP/1.1\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n", "GET /\r\n",
	    "GET / HTTP/1.1 x\r\n", "HTTP/1.1 200 OK\r\n\r\n"};
	struct fixture f;
	size_t bytes = 0;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, false);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		fixture_feed(&f, no[i]);
		bytes += strlen(no[i]);
		check_calls(&f, "");
		assert_int_equal(f.s.state, HTTP1_STATE_LOST);
	}
	http1_stream_gap(&f.s, 7);
	assert_int_equal(f.s.lost_bytes, bytes + 7);
	assert_int_equal(f.s.losses, 0);
	fixture_feed(&f, "GET / HTTP/1.1\r\nHos");
	check_calls(&f, "B");
	fixture_feed(&f, "t: a\r\n\r\n");
	check_calls(&f, "H(GET /,1.1) E");
	fixture_release(&f);
}

static void test_lost_inside_a_piece_stays_lost_to_its_end(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "\001\r\nGET / HTTP/1.1\r\n\r\n");
	check_calls(&f, "");
	assert_int_equal(f.s.losses, 1);
	assert_int_equal(f.s.lost_bytes, 21);
	fixture_feed(&f, "GET / HTTP/1.1\r\n\r\n");
	check_calls(&f, "B H(GET /,1.1) E");
	fixture_release(&f);
}

static void test_tunnel_told_by_the_other_direction(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "CONNECT h:1 HTTP/1.1\r\n\r\n");
	http1_stream_tunnel(&f.s);
	fixture_feed(&f, "GET / HTTP/1.1\r\n\r\n");
	http1_stream_gap(&f.s, 5);
	http1_stream_close(&f.s, true);
	check_calls(&f, "B H(CONNECT h:1,1.1) E");
	assert_int_equal(f.s.losses, 0);
	fixture_release(&f);

	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "GET / HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nab");
	http1_stream_tunnel(&f.s);
	check_calls(&f, "B H(GET /,1.1) D2 El");
	fixture_release(&f);
}

/* Whichever callback gives up, the calls stay bracketed and nothing follows. */
static void test_tunnel_from_within_a_callback(void **state)
{
	static const char text[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "2\r\nab\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
	static const struct {
		char stop_at;
		const char *calls;
	} rows[] = {
	    {'B', "B El"},
	    {'H', "B H(POST /,1.1) El"},
	    {'D', "B H(POST /,1.1) D2 El"},
	    {'E', "B H(POST /,1.1) D2 E"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 2; step < 2 * sizeof(text); step++) {
			struct sv rest = sv_cstr(text);
			struct fixture f;

			fixture_init(&f, HTTP1_REQUEST, true);
			f.r.stop = &f.s;
			f.r.stop_at = rows[i].stop_at;
			for (; rest.len; rest = sv_skip(rest, step))
				feed_edge(&f.s, sv_from(rest.p, rest.len < step ? rest.len : step));
			http1_stream_gap(&f.s, 3);
			http1_stream_close(&f.s, true);
			check_calls(&f, rows[i].calls);
			assert_int_equal(f.s.state, HTTP1_STATE_TUNNEL);
			assert_int_equal(f.s.losses, rows[i].stop_at != 'E');
			fixture_release(&f);
		}
	}
}

static void test_tunnel_from_within_other_paths(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	f.r.stop = &f.s;
	f.r.stop_at = 'B';
	fixture_feed(&f, "get / http/1.1\r\n\r\n");
	check_calls(&f, "B El");
	assert_int_equal(f.s.state, HTTP1_STATE_TUNNEL);
	fixture_release(&f);

	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
	f.r.stop = &f.s;
	f.r.stop_at = 'D';
	http1_stream_gap(&f.s, 20);
	check_calls(&f, "B H(POST /,1.1) D5 El");
	assert_int_equal(f.s.state, HTTP1_STATE_TUNNEL);
	fixture_release(&f);
}

static void test_a_body_that_was_refused_may_never_come(void **state)
{
	static const char post[] =
	    "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n";
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, post);
	http1_stream_body_optional(&f.s);
	fixture_feed(&f, "GET /next HTTP/1.1\r\n\r\n");
	check_calls(&f, "B H(POST /,1.1) E B H(GET /next,1.1) E");

	/* the body comes all the same */
	fixture_feed(&f, post);
	http1_stream_body_optional(&f.s);
	fixture_feed(&f, "012345678");
	fixture_feed(&f, "GET /x HTTP/1.1\r\n\r\n01");
	check_calls(&f, "B H(POST /,1.1) D30 E");

	/* nobody has refused it: a body may look like a request */
	fixture_feed(&f, post);
	fixture_feed(&f, "GET /body HTTP/1.1\r\n\r\n01234567");
	check_calls(&f, "B H(POST /,1.1) D30 E");
	http1_stream_body_optional(&f.s);
	assert_false(f.s.body_optional);
	fixture_release(&f);
}

/* --- limits ------------------------------------------------------------------------------------*/

static void append_fill(struct buf *b, char c, size_t n)
{
	while (n--)
		buf_append_char(b, c);
}

/* Calls for a text fed in pieces of step bytes. */
static void check_in_steps(struct sv text, size_t step, const char *calls)
{
	struct fixture f;

	fixture_init(&f, HTTP1_REQUEST, true);
	for (struct sv rest = text; rest.len; rest = sv_skip(rest, step))
		http1_stream_feed(&f.s, sv_from(rest.p, rest.len < step ? rest.len : step));
	assert_true(f.s.held.cap <= 2 * (size_t)HTTP1_MAX_HEAD);
	check_calls(&f, calls);
	fixture_release(&f);
}

static void check_in_any_steps(struct buf *text, const char *calls)
{
	static const size_t steps[] = {1, 7, 1000, 4096, 16384, 65536, SIZE_MAX};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		check_in_steps(buf_sv(text), steps[i], calls);
	buf_release(text);
}

static void test_limits(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_append_cstr(&b, "GET / HTTP/1.1\r\nA: ");
	append_fill(&b, 'a', 70 << 10);
	buf_append_cstr(&b, "\r\n\r\n");
	check_in_any_steps(&b, "B El");

	buf_append_cstr(&b, "GET / HTTP/1.1\r\nA: ");
	append_fill(&b, 'a', HTTP1_MAX_HEAD - b.len - 4);
	buf_append_cstr(&b, "\r\n\r\n");
	check_in_any_steps(&b, "B H(GET /,1.1) E");

	buf_append_cstr(&b, "GET / HTTP/1.1\r\nA: ");
	append_fill(&b, 'a', HTTP1_MAX_HEAD - b.len - 3);
	buf_append_cstr(&b, "\r\n\r\n");
	check_in_any_steps(&b, "B El");

	buf_append_cstr(&b, "GET /");
	append_fill(&b, 'a', HTTP1_MAX_START_LINE);
	buf_append_cstr(&b, " HTTP/1.1\r\n\r\n");
	check_in_any_steps(&b, "B El");

	buf_append_cstr(&b, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	append_fill(&b, 'a', 9000);
	buf_append_cstr(&b, "\r\na\r\n0\r\n\r\n");
	check_in_any_steps(&b, "B H(POST /,1.1) El");

	buf_append_cstr(&b, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	for (int i = 0; i < 20; i++) {
		buf_append_cstr(&b, "T: ");
		append_fill(&b, 'a', 4000);
		buf_append_cstr(&b, "\r\n");
	}
	buf_append_cstr(&b, "\r\n");
	check_in_any_steps(&b, "B H(POST /,1.1) El");
}

static void test_memory_of_a_long_head_is_given_back(void **state)
{
	struct fixture f;
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_append_cstr(&b, "GET / HTTP/1.1\r\nA: ");
	append_fill(&b, 'a', 20000);
	fixture_init(&f, HTTP1_REQUEST, true);
	http1_stream_feed(&f.s, buf_sv(&b));
	assert_true(f.s.held.cap > 20000);
	fixture_feed(&f, "\r\n\r\n");
	check_calls(&f, "B H(GET /,1.1) E");
	assert_null(f.s.held.data);
	fixture_release(&f);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests_in_any_pieces),
	    cmocka_unit_test(test_responses_in_any_pieces),
	    cmocka_unit_test(test_begin_comes_with_the_first_byte),
	    cmocka_unit_test(test_a_whole_head_needs_no_memory),
	    cmocka_unit_test(test_gap_inside_known_lengths),
	    cmocka_unit_test(test_gap_beyond_a_length_completes_then_loses),
	    cmocka_unit_test(test_gap_elsewhere_loses),
	    cmocka_unit_test(test_late_attach_joins_at_a_piece_that_starts_a_message),
	    cmocka_unit_test(test_lost_inside_a_piece_stays_lost_to_its_end),
	    cmocka_unit_test(test_tunnel_told_by_the_other_direction),
	    cmocka_unit_test(test_tunnel_from_within_a_callback),
	    cmocka_unit_test(test_tunnel_from_within_other_paths),
	    cmocka_unit_test(test_a_body_that_was_refused_may_never_come),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_memory_of_a_long_head_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
