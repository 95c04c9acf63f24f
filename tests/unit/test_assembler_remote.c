// SPDX-License-Identifier: Apache-2.0
/*
 * Parents in another process: by the two ends of a connection, and by header. Processes 10 ("shop") and
 * 20 ("inventory") are observed; a client that is not observed talks to port 8000.
 */
#include <stdio.h>

#include "trace_fixture.h"

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void expect_hex(
    const struct span *span, const char *trace, const char *id, const char *parent)
{
	char hex[33];

	trace_id_hex(&span->trace_id, hex);
	if (trace)
		assert_string_equal(hex, trace);
	span_id_hex(&span->span_id, hex);
	if (id)
		assert_string_equal(hex, id);
	span_id_hex(&span->parent_id, hex);
	if (parent)
		assert_string_equal(hex, parent);
}

/* --- by socket ------------------------------------------------------------------------------------- */

static const char pair_drawing[] = "C GET /a\n S GET /a socket\n";

static void pair_client_first(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct inner inner = inner_open(stage, 2);
	const struct span *span;

	(void)state;
	sock_write(&inner.client, &client, GET("/a"));
	sock_read(&inner.server, &server, GET("/a"));
	sock_write(&inner.server, &server, OK2);
	sock_read(&inner.client, &client, OK2);
	stage_settle(stage);
	stage_expect(stage, pair_drawing);
	stage_check(stage);
	span = stage_find(stage, SPAN_KIND_SERVER, "GET /a");
	assert_int_equal(span->flags,
	    SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM | SPAN_FLAG_REMOTE_KNOWN |
		SPAN_FLAG_PARENT_IS_REMOTE);
	span = stage_find(stage, SPAN_KIND_CLIENT, "GET /a");
	assert_int_equal(
	    span->flags, SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM | SPAN_FLAG_REMOTE_KNOWN);
	stage_free(stage);
}

/* The record of a write comes when the call returns: the other end may have read by then. */
static void pair_server_first(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct inner inner = inner_open(stage, 2);

	(void)state;
	sock_read(&inner.server, &server, GET("/a"));
	feed_sql(&stage->feed, &server, "SELECT a FROM t");
	sock_move_cut(
	    &inner.client, &client, ZSP_OUT, sv_cstr(GET("/a")), sizeof(GET("/a")) - 1, NS_PER_MS);
	sock_write(&inner.server, &server, OK2);
	sock_read(&inner.client, &client, OK2);
	stage_settle(stage);
	stage_expect(stage, "C GET /a\n S GET /a socket\n  C SELECT t thread\n");
	stage_check(stage);
	assert_int_equal(stage->n_traces, 1);
	stage_free(stage);
}

/* The server is even done with it. */
static void pair_server_ended_first(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct inner inner = inner_open(stage, 2);

	(void)state;
	sock_read(&inner.server, &server, GET("/a"));
	sock_write(&inner.server, &server, OK2);
	sock_move_cut(
	    &inner.client, &client, ZSP_OUT, sv_cstr(GET("/a")), sizeof(GET("/a")) - 1, NS_PER_MS);
	sock_read(&inner.client, &client, OK2);
	stage_settle(stage);
	stage_expect(stage, pair_drawing);
	stage_check(stage);
	assert_int_equal(stage->n_traces, 1);
	assert_int_equal(stage_stats(stage).by_basis[PARENT_BASIS_SOCKET], 1);
	stage_free(stage);
}

static void pair_is_not_awaited_for_ever(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct inner inner = inner_open(stage, 2);

	(void)state;
	sock_read(&inner.server, &server, GET("/a"));
	sock_write(&inner.server, &server, OK2);
	stage->feed.now_ns += 50 * NS_PER_MS;
	assembler_tick(stage->assembler, stage->feed.now_ns);
	assert_int_equal(stage->n_traces, 0);
	stage->feed.now_ns += 51 * NS_PER_MS;
	assembler_tick(stage->assembler, stage->feed.now_ns);
	assert_int_equal(stage->n_traces, 1);
	sock_write(&inner.client, &client, GET("/a"));
	sock_read(&inner.client, &client, OK2);
	stage_settle(stage);
	stage_expect(stage, "S GET /a\nC GET /a\n");
	stage_free(stage);
}

static void pair_over_unix_sockets(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct sock here = sock_unix(&stage->feed, 5, ZSP_ROLE_CONNECTED, 6);
	struct sock there = sock_unix(&stage->feed, 6, ZSP_ROLE_ACCEPTED, 5);

	(void)state;
	sock_announce(&here);
	sock_announce(&there);
	for (int i = 0; i < 2; i++) {
		sock_write(&here, &client, GET("/a"));
		sock_read(&there, &server, GET("/a"));
		sock_write(&there, &server, OK2);
		sock_read(&here, &client, OK2);
	}
	stage_settle(stage);
	stage_expect(stage, "C GET /a\n S GET /a socket\nC GET /a\n S GET /a socket\n");
	stage_check(stage);
	stage_free(stage);
}

static void unix_socket_with_unknown_peer(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct sock here = sock_unix(&stage->feed, 5, ZSP_ROLE_CONNECTED, 0);
	struct sock there = sock_unix(&stage->feed, 6, ZSP_ROLE_ACCEPTED, 0);

	(void)state;
	sock_announce(&here);
	sock_announce(&there);
	sock_write(&here, &client, GET("/a"));
	sock_read(&there, &server, GET("/a"));
	sock_write(&there, &server, OK2);
	sock_read(&here, &client, OK2);
	stage_settle(stage);
	stage_expect(stage, "S GET /a\nC GET /a\n");
	stage_free(stage);
}

/*
 * Unix sockets count their bytes from first sight. When the two ends of an old connection are met at
 * different requests, equal positions mean different requests.
 */
static void unix_sockets_met_at_different_requests(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct sock here = sock_unix(&stage->feed, 5, ZSP_ROLE_UNKNOWN, 6);
	struct sock there = sock_unix(&stage->feed, 6, ZSP_ROLE_UNKNOWN, 5);
	const struct span *parent;

	(void)state;
	sock_announce(&here);
	sock_write(&here, &client, GET("/1"));
	sock_read(&here, &client, OK2);
	sock_announce(&there);
	sock_write(&here, &client, GET("/2"));
	sock_read(&there, &server, GET("/2"));
	sock_write(&there, &server, OK2);
	sock_read(&here, &client, OK2);
	stage_settle(stage);
	for (size_t i = 0, n = stage_spans(stage); i < n; i++) {
		const struct span *span = stage_span_at(stage, i);

		if (span->kind != SPAN_KIND_SERVER)
			continue;
		parent = stage_parent(stage, span);
		if (parent &&
		    !sv_eq(span_attr(parent, "url.full")->string, SV("http://localhost:8000/2")))
			fail_msg("the child of another request");
	}
	stage_free(stage);
}

/* Requests that share one write and one read. */
static void pair_of_pipelined_requests(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct inner inner = inner_open(stage, 2);

	(void)state;
	sock_write(&inner.client, &client, GET("/a") GET("/b") GET("/c"));
	sock_read(&inner.server, &server, GET("/a") GET("/b") GET("/c"));
	sock_write(&inner.server, &server, OK2 OK2 OK2);
	sock_read(&inner.client, &client, OK2 OK2 OK2);
	stage_finish(stage);
	for (size_t i = 0, n = stage_spans(stage); i < n; i++) {
		const struct span *span = stage_span_at(stage, i);
		const struct span *parent = stage_parent(stage, span);

		if (span->kind == SPAN_KIND_SERVER && parent && !sv_eq(span->name, parent->name))
			fail_msg("'%.*s' is the child of '%.*s'", SV_ARG(span->name),
			    SV_ARG(parent->name));
	}
	stage_free(stage);
}

/* The addresses of an IPv6 socket that carries IPv4 are those of its other end. */
static void pair_of_mapped_addresses(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct sock here = sock_tcp(&stage->feed, 5, ZSP_ROLE_CONNECTED, 1, 50000, 1, 8000);
	struct sock there = sock_tcp6(&stage->feed, 6, ZSP_ROLE_ACCEPTED, "::ffff:127.0.0.1", 8000,
	    "::ffff:127.0.0.1", 50000);

	(void)state;
	here.seq[ZSP_OUT - 1] = there.seq[ZSP_IN - 1];
	sock_announce(&here);
	sock_announce(&there);
	sock_write(&here, &client, GET("/a"));
	sock_read(&there, &server, GET("/a"));
	sock_write(&there, &server, OK2);
	sock_read(&here, &client, OK2);
	stage_settle(stage);
	stage_expect(stage, pair_drawing);
	stage_free(stage);
}

/* Three services in a row: groups join groups. */
static void chain_of_three(void **state)
{
	const struct actor a = {10, 101, 0}, b = {20, 201, 0}, c = {10, 102, 0};
	struct stage *stage = stage_new(1);
	struct inner first = inner_open(stage, 2), second = inner_open(stage, 4);

	(void)state;
	/* The records of the two inner ends come before those of the outer ones. */
	sock_read(&second.server, &c, GET("/c"));
	feed_sql(&stage->feed, &c, "SELECT a FROM t");
	sock_read(&first.server, &b, GET("/b"));
	sock_write(&second.client, &b, GET("/c"));
	sock_write(&first.client, &a, GET("/b"));
	sock_write(&second.server, &c, OK2);
	sock_read(&second.client, &b, OK2);
	sock_write(&first.server, &b, OK2);
	sock_read(&first.client, &a, OK2);
	stage_settle(stage);
	stage_expect(stage,
	    "C GET /b\n"
	    " S GET /b socket\n"
	    "  C GET /c thread\n"
	    "   S GET /c socket\n"
	    "    C SELECT t thread\n");
	stage_check(stage);
	assert_int_equal(stage->n_traces, 1);
	stage_free(stage);
}

/* --- by header ------------------------------------------------------------------------------------- */

static const struct span *server_with(struct stage *stage, const char *request)
{
	const struct actor actor = {10, 101, 0};
	struct sock outer = front(stage, 1);

	sock_read(&outer, &actor, request);
	feed_sql(&stage->feed, &actor, "SELECT a FROM t");
	sock_write(&outer, &actor, OK2);
	stage_settle(stage);
	stage_check(stage);
	return stage_find(stage, SPAN_KIND_SERVER, "GET /a");
}

static void header_on_a_server(void **state)
{
	struct stage *stage = stage_new(1);
	const struct span *span = server_with(stage,
	    WITH("/a",
		"traceparent: 00-" TRACE "-" PARENT "-01\r\ntracestate: a=1 , ,b=2\r\n"
		"TraceState: c=3\r\n"));

	(void)state;
	stage_expect(stage, "S GET /a header <absent\n C SELECT t thread\n");
	expect_hex(span, TRACE, NULL, PARENT);
	assert_true(sv_eq(span->trace_state, SV("a=1,b=2,c=3")));
	assert_int_equal(
	    span->flags, SPAN_FLAG_SAMPLED | SPAN_FLAG_REMOTE_KNOWN | SPAN_FLAG_PARENT_IS_REMOTE);
	span = stage_find(stage, SPAN_KIND_CLIENT, "SELECT t");
	expect_hex(span, TRACE, NULL, NULL);
	assert_int_equal(span->flags, SPAN_FLAG_SAMPLED | SPAN_FLAG_REMOTE_KNOWN);
	stage_free(stage);
}

static void header_flags(void **state)
{
	static const struct {
		const char *request;
		uint32_t flags;
	} rows[] = {
	    {WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-00\r\n"), 0},
	    {WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-02\r\n"), SPAN_FLAG_RANDOM},
	    {WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-03\r\n"),
		SPAN_FLAG_RANDOM | SPAN_FLAG_SAMPLED},
	    {WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-ff\r\n"),
		SPAN_FLAG_RANDOM | SPAN_FLAG_SAMPLED},
	    {WITH("/a", "TRACEPARENT:\tcc-" TRACE "-" PARENT "-01-what\t\r\n"), SPAN_FLAG_SAMPLED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stage *stage = stage_new(1);
		const struct span *span = server_with(stage, rows[i].request);

		expect_hex(span, TRACE, NULL, PARENT);
		assert_int_equal(span->flags,
		    rows[i].flags | SPAN_FLAG_REMOTE_KNOWN | SPAN_FLAG_PARENT_IS_REMOTE);
		stage_free(stage);
	}
}

/* What is no valid context begins a trace, and its tracestate goes with it. */
static void header_that_restarts(void **state)
{
	static const char *const requests[] = {
	    WITH("/a", "tracestate: a=1\r\n"),
	    WITH("/a", "traceparent: 00-" TRACE "-0000000000000000-01\r\ntracestate: a=1\r\n"),
	    WITH("/a", "traceparent: ff-" TRACE "-" PARENT "-01\r\ntracestate: a=1\r\n"),
	    WITH("/a",
		"traceparent: 00-" TRACE "-" PARENT "-01\r\n"
		"traceparent: 00-" TRACE "-" PARENT "-01\r\ntracestate: a=1\r\n"),
	    WITH("/a", "trace-parent: 00-" TRACE "-" PARENT "-01\r\n"),
	    "GET /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
	    "traceparent: 00-" TRACE "-" PARENT "-01\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct stage *stage = stage_new(1);
		const struct span *span = server_with(stage, requests[i]);
		char hex[33];

		trace_id_hex(&span->trace_id, hex);
		assert_string_not_equal(hex, TRACE);
		assert_true(span_id_is_zero(&span->parent_id));
		assert_int_equal(span->trace_state.len, 0);
		assert_int_equal(
		    span->flags, SPAN_FLAG_SAMPLED | SPAN_FLAG_RANDOM | SPAN_FLAG_REMOTE_KNOWN);
		stage_free(stage);
	}
}

/* A bad tracestate costs itself, not the parent. */
static void header_with_bad_tracestate(void **state)
{
	struct stage *stage = stage_new(1);
	const struct span *span = server_with(stage,
	    WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-01\r\ntracestate: A=1,b=2\r\n"));

	(void)state;
	expect_hex(span, TRACE, NULL, PARENT);
	assert_int_equal(span->trace_state.len, 0);
	stage_free(stage);
}

/* A client with a tracer of its own: the header's ids are its span's. */
static void header_on_a_client(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	const char *request = WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-01\r\n");
	struct stage *stage;

	(void)state;
	for (int server_first = 0; server_first < 2; server_first++) {
		struct inner inner;

		stage = stage_new(1);
		inner = inner_open(stage, 2);
		if (server_first)
			sock_read(&inner.server, &server, request);
		sock_write(&inner.client, &client, request);
		if (!server_first)
			sock_read(&inner.server, &server, request);
		sock_write(&inner.server, &server, OK2);
		sock_read(&inner.client, &client, OK2);
		stage_settle(stage);
		stage_expect(stage, "C GET /a\n S GET /a header\n");
		expect_hex(stage_find(stage, SPAN_KIND_CLIENT, "GET /a"), TRACE, PARENT,
		    "0000000000000000");
		expect_hex(stage_find(stage, SPAN_KIND_SERVER, "GET /a"), TRACE, NULL, PARENT);
		assert_int_equal(stage->n_traces, 1);
		stage_check(stage);
		stage_free(stage);
	}
}

/* A tracer in the process that does not know of the request being served: its trace is its own. */
static void header_on_a_client_in_another_trace(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct sock out = sock_tcp(&stage->feed, 3, ZSP_ROLE_CONNECTED, 1, 50000, 9, 80);

	(void)state;
	sock_announce(&out);
	sock_read(&outer, &actor, GET("/outer"));
	sock_write(&out, &actor, WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-01\r\n"));
	sock_read(&out, &actor, OK2);
	sock_write(&outer, &actor, OK2);
	stage_settle(stage);
	stage_expect(stage, "C GET /a\nS GET /outer\n");
	expect_hex(
	    stage_find(stage, SPAN_KIND_CLIENT, "GET /a"), TRACE, PARENT, "0000000000000000");
	stage_check(stage);
	stage_free(stage);
}

/* A tracer in the process that goes on with the request's own trace. */
static void header_on_a_client_in_the_same_trace(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct sock out = sock_tcp(&stage->feed, 3, ZSP_ROLE_CONNECTED, 1, 50000, 9, 80);

	(void)state;
	sock_announce(&out);
	sock_read(&outer, &actor, WITH("/outer", "traceparent: 00-" TRACE "-" PARENT "-01\r\n"));
	sock_write(&out, &actor, WITH("/a", "traceparent: 00-" TRACE "-1111111111111111-01\r\n"));
	sock_read(&out, &actor, OK2);
	sock_write(&outer, &actor, OK2);
	stage_settle(stage);
	stage_expect(stage, "S GET /outer header <absent\n C GET /a thread\n");
	expect_hex(stage_find(stage, SPAN_KIND_CLIENT, "GET /a"), TRACE, "1111111111111111", NULL);
	stage_check(stage);
	stage_free(stage);
}

/*
 * A process without a tracer that hands the header on as it came (a plain reverse proxy): that id is
 * the span of whoever sent it, never that of the outgoing call.
 */
static void header_handed_on_unchanged(void **state)
{
	const struct actor proxy = {10, 101, 0}, server = {20, 201, 0};
	const char *request = WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-01\r\n");
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct inner inner = inner_open(stage, 2);
	char hex[17];

	(void)state;
	sock_read(&outer, &proxy, request);
	sock_write(&inner.client, &proxy, request);
	sock_read(&inner.server, &server, request);
	sock_write(&inner.server, &server, OK2);
	sock_read(&inner.client, &proxy, OK2);
	sock_write(&outer, &proxy, OK2);
	stage_settle(stage);
	assert_int_equal(stage_spans(stage), 3);
	for (size_t i = 0; i < 3; i++) {
		span_id_hex(&stage_span_at(stage, i)->span_id, hex);
		if (strcmp(hex, PARENT) == 0)
			fail_msg("a span has the id of its own ancestor");
	}
	stage_check(stage);
	stage_free(stage);
}

/* The same header on two calls (a retry): ids stay unique. */
static void header_used_twice(void **state)
{
	const struct actor actor = {10, 101, 0};
	const char *request = WITH("/a", "traceparent: 00-" TRACE "-" PARENT "-01\r\n");
	struct stage *stage = stage_new(1);
	struct sock out = sock_tcp(&stage->feed, 3, ZSP_ROLE_CONNECTED, 1, 50000, 9, 80);

	(void)state;
	sock_announce(&out);
	for (int i = 0; i < 2; i++) {
		sock_write(&out, &actor, request);
		sock_read(&out, &actor, OK2);
	}
	stage_settle(stage);
	assert_int_equal(stage_spans(stage), 2);
	if (span_id_eq(&stage_span_at(stage, 0)->span_id, &stage_span_at(stage, 1)->span_id))
		fail_msg("two spans with one id");
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pair_client_first),
	    cmocka_unit_test(pair_server_first),
	    cmocka_unit_test(pair_server_ended_first),
	    cmocka_unit_test(pair_is_not_awaited_for_ever),
	    cmocka_unit_test(pair_over_unix_sockets),
	    cmocka_unit_test(unix_socket_with_unknown_peer),
	    cmocka_unit_test(unix_sockets_met_at_different_requests),
	    cmocka_unit_test(pair_of_mapped_addresses),
	    cmocka_unit_test(chain_of_three),
	    cmocka_unit_test(header_on_a_server),
	    cmocka_unit_test(header_flags),
	    cmocka_unit_test(header_that_restarts),
	    cmocka_unit_test(header_with_bad_tracestate),
	    cmocka_unit_test(header_on_a_client),
	    cmocka_unit_test(header_on_a_client_in_another_trace),
	    cmocka_unit_test(header_on_a_client_in_the_same_trace),
	    cmocka_unit_test(header_handed_on_unchanged),
	    cmocka_unit_test(header_used_twice),
	    cmocka_unit_test(pair_of_pipelined_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
