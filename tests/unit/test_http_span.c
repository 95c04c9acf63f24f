// SPDX-License-Identifier: Apache-2.0
/* Exchanges as spans by the tables of the semantic conventions: names, methods, outcomes. */
#include "http_span_fixture.h"

/* --- everything a plain request has ----------------------------------------------------------------- */

static void server_span(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/users/42?q=1&x=");

	(void)state;
	exchange.user_agent = SV("curl/8.0");
	expect_span(&exchange,
	    "GET /users/{id}\n"
	    "http.request.method='GET'\n"
	    "url.scheme='http'\n"
	    "http.route='/users/{id}'\n"
	    "http.response.status_code=200\n"
	    "network.protocol.version='1.1'\n"
	    "url.path='/users/42'\n"
	    "url.query='q=1&x='\n"
	    "user_agent.original='curl/8.0'\n"
	    "server.address='shop.example'\n"
	    "server.port=8080\n"
	    "client.address='192.0.2.7'\n"
	    "network.peer.address='192.0.2.7'\n"
	    "network.peer.port=4711\n");
}

static void client_span(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(CLIENT, &conn, "POST", "/users/42?q=1");

	(void)state;
	exchange.user_agent = SV("curl/8.0");
	exchange.version_minor = 0;
	expect_span(&exchange,
	    "POST /users/{id}\n"
	    "http.request.method='POST'\n"
	    "server.address='shop.example'\n"
	    "server.port=8080\n"
	    "http.response.status_code=200\n"
	    "network.protocol.version='1.0'\n"
	    "url.full='http://shop.example:8080/users/42?q=1'\n"
	    "network.peer.address='192.0.2.7'\n"
	    "network.peer.port=4711\n");
}

static void basis(void **state)
{
	static const struct {
		enum parent_basis basis;
		const char *line;
	} rows[] = {
	    {PARENT_BASIS_HEADER, "zerospan.parent.basis='header'\n"},
	    {PARENT_BASIS_SOCKET, "zerospan.parent.basis='socket'\n"},
	    {PARENT_BASIS_THREAD, "zerospan.parent.basis='thread'\n"},
	};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/");

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct made made = make(&exchange, rows[i].basis);

		assert_non_null(strstr(made.text.data, rows[i].line));
		made_free(&made);
	}
	expect_line(&exchange, "!zerospan.parent.basis");
	expect_line(&exchange, "!zerospan.capture");
	exchange.partial = true;
	expect_line(&exchange, "zerospan.capture='partial'");
}

static void body_sizes(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/");

	(void)state;
	expect_line(&exchange, "!http.request.body.size");
	expect_line(&exchange, "!http.response.body.size");
	exchange.request_body_bytes = 1;
	exchange.response_body_bytes = UINT64_C(5000000000);
	expect_line(&exchange, "http.request.body.size=1");
	expect_line(&exchange, "http.response.body.size=5000000000");
	exchange.kind = CLIENT;
	expect_line(&exchange, "http.response.body.size=5000000000");
	exchange.partial = true; /* more may have passed */
	expect_line(&exchange, "!http.request.body.size");
	expect_line(&exchange, "!http.response.body.size");
}

/* --- method and name -------------------------------------------------------------------------------- */

static void methods(void **state)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT",
	    "OPTIONS", "TRACE", "PATCH", "QUERY"};
	static const char *const unknown[] = {"FOO", "get", "Get", "GETT", "GE", "PROPFIND"};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct exchange exchange = make_exchange(SERVER, &conn, known[i], "/");

		snprintf(line, sizeof(line), "http.request.method='%s'", known[i]);
		expect_line(&exchange, line);
		expect_line(&exchange, "!http.request.method_original");
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct exchange exchange = make_exchange(CLIENT, &conn, unknown[i], "/x");

		expect_line(&exchange, "http.request.method='_OTHER'");
		snprintf(line, sizeof(line), "http.request.method_original='%s'", unknown[i]);
		expect_line(&exchange, line);
		expect_name(&exchange, "HTTP /x");
	}
}

static void names_hold_no_query(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/a/b?secret=1");

	(void)state;
	expect_name(&exchange, "GET /a/b");
	exchange.kind = CLIENT;
	expect_name(&exchange, "GET /a/b");
	exchange.target = SV("/a?b=/c/d");
	expect_name(&exchange, "GET /a");
}

static void asterisk(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "OPTIONS", "*");

	(void)state;
	expect_line(&exchange, "url.path='*'");
	expect_name(&exchange, "OPTIONS *");
}

/* A tunnel has an authority and no path, so no route either. */
static void tunnel(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "CONNECT", "h.example:443");

	(void)state;
	expect_line(&exchange, "server.address='h.example'");
	expect_line(&exchange, "server.port=443");
	expect_line(&exchange, "!url.path");
	exchange.kind = CLIENT;
	expect_line(&exchange, "server.address='h.example'");
	expect_line(&exchange, "server.port=443");
}

/* No path, no route: the name is the method alone. */
static void connect_has_no_route(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "CONNECT", "h.example:443");

	(void)state;
	expect_line(&exchange, "!http.route");
	expect_name(&exchange, "CONNECT");
	exchange.kind = CLIENT;
	expect_line(&exchange, "!http.route");
	expect_name(&exchange, "CONNECT");
}

/* --- status ----------------------------------------------------------------------------------------- */

static void status_of_answers(void **state)
{
	static const struct {
		int status;
		bool server_error, client_error;
	} rows[] = {{101, false, false}, {200, false, false}, {304, false, false},
	    {399, false, false}, {400, false, true}, {404, false, true}, {499, false, true},
	    {500, true, true}, {503, true, true}, {599, true, true}, {999, true, true}};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int client = 0; client < 2; client++) {
			struct exchange exchange =
			    make_exchange(client ? CLIENT : SERVER, &conn, "GET", "/");
			bool error = client ? rows[i].client_error : rows[i].server_error;
			struct made made;

			exchange.status = rows[i].status;
			made = make(&exchange, PARENT_BASIS_NONE);
			assert_int_equal(
			    made.span->status, error ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
			made_free(&made);
			snprintf(
			    line, sizeof(line), "http.response.status_code=%d", exchange.status);
			expect_line(&exchange, line);
			snprintf(line, sizeof(line), "error.type='%d'", exchange.status);
			expect_line(&exchange, error ? line : "!error.type");
		}
	}
}

static void status_of_failures(void **state)
{
	static const enum exchange_error errors[] = {EXCHANGE_CONNECTION_CLOSED,
	    EXCHANGE_CONNECTION_RESET, EXCHANGE_INCOMPLETE_RESPONSE, EXCHANGE_MALFORMED};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	char line[64];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (int client = 0; client < 2; client++) {
			struct exchange exchange =
			    make_exchange(client ? CLIENT : SERVER, &conn, "GET", "/");
			struct made made;

			exchange.error = errors[i];
			exchange.status = 0;
			snprintf(
			    line, sizeof(line), "error.type='%s'", exchange_error_name(errors[i]));
			expect_line(&exchange, line);
			expect_line(&exchange, "!http.response.status_code");
			exchange.status = 201; /* cut after the head: both */
			expect_line(&exchange, line);
			expect_line(&exchange, "http.response.status_code=201");
			made = make(&exchange, PARENT_BASIS_NONE);
			assert_int_equal(made.span->status, SPAN_STATUS_ERROR);
			made_free(&made);
		}
	}
}

/* What was not seen is no error. */
static void unknown_outcome(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(CLIENT, &conn, "GET", "/");
	struct made made;

	(void)state;
	exchange.status = 0;
	exchange.partial = true;
	expect_line(&exchange, "!http.response.status_code");
	expect_line(&exchange, "!error.type");
	made = make(&exchange, PARENT_BASIS_NONE);
	assert_int_equal(made.span->status, SPAN_STATUS_UNSET);
	made_free(&made);
}

static void trace_state(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/");
	struct made made;

	(void)state;
	exchange.trace_state = SV("a=1,b=2");
	made = make(&exchange, PARENT_BASIS_HEADER);
	assert_true(sv_eq(made.span->trace_state, SV("a=1,b=2")));
	made_free(&made);
}

/* When nobody reads the spans they have the attributes of their metric, and no others. */
static void brief(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/users/42?q=1");
	struct made whole = make(&exchange, PARENT_BASIS_NONE), made;

	(void)state;
	metrics_only = true;
	made = make(&exchange, PARENT_BASIS_NONE);
	metrics_only = false;
	assert_true(whole.span->n_attrs > whole.span->n_metric_attrs);
	assert_int_equal(made.span->n_metric_attrs, whole.span->n_metric_attrs);
	assert_int_equal(made.span->n_attrs, made.span->n_metric_attrs);
	assert_true(sv_eq(made.span->name, whole.span->name));
	made_free(&made);
	made_free(&whole);
}

/* One attribute more than any exchange makes would abort: the fullest of them. */
static void everything_at_once(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "FOO", "http://a:1/b?c=d");
	struct made made;

	(void)state;
	exchange.user_agent = SV("x");
	exchange.status = 500;
	exchange.partial = true;
	exchange.request_flaw = exchange.response_flaw = HTTP1_FLAW_LENGTH;
	exchange.taken_ns = 150;
	made = make(&exchange, PARENT_BASIS_HEADER);
	assert_true(made.span->n_attrs < SPAN_BUILDER_MAX_ATTRS);
	assert_int_equal(made.span->dropped_attrs, 0);
	for (size_t i = 0; i < made.span->n_attrs; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(made.span->attrs[i].key, made.span->attrs[k].key);
	made_free(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(server_span),
	    cmocka_unit_test(client_span),
	    cmocka_unit_test(basis),
	    cmocka_unit_test(body_sizes),
	    cmocka_unit_test(methods),
	    cmocka_unit_test(names_hold_no_query),
	    cmocka_unit_test(asterisk),
	    cmocka_unit_test(tunnel),
	    cmocka_unit_test(connect_has_no_route),
	    cmocka_unit_test(status_of_answers),
	    cmocka_unit_test(status_of_failures),
	    cmocka_unit_test(unknown_outcome),
	    cmocka_unit_test(trace_state),
	    cmocka_unit_test(brief),
	    cmocka_unit_test(everything_at_once),
	};

	return cmocka_run_group_tests(tests, http_span_setup, http_span_teardown);
}
