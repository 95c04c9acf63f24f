// SPDX-License-Identifier: Apache-2.0
/*
 * The tables of the semantic conventions for HTTP spans (v1.44.0), row by row: each case names its row and what an
 * exchange gives by it. What needs more than one exchange to tell is in test_http_span.c (methods, status codes) and
 * test_http_span_url.c; the fields of proxies as bytes in test_forwarded.c; metrics in test_operation.c.
 */
#include "http_span_fixture.h"
#include "proto/route_pattern.h"

enum {
	LINES_MAX = 8,
};

/* An exchange; what is not given is as make_exchange() has it: a GET of /a, shop.example:8080, 200. */
struct given {
	enum span_kind kind;
	enum zsp_family family;
	const char *method, *target, *host; /* host "-": no field */
	const char *forwarded_client, *forwarded_host, *forwarded_scheme;
	const char *user_agent, *known_methods, *pattern;
	enum exchange_error error;
	int status; /* -1: none */
	uint64_t request_bytes, response_bytes;
	enum http1_flaw request_flaw, response_flaw;
	bool unmatched_unset, http10, partial;
};

struct row {
	const char *says; /* the row of the table */
	struct given given;
	const char *name; /* of the span; NULL: not looked at */
	const char *lines[LINES_MAX];
};

/* --- name -------------------------------------------------------------------------------------------- */

static const struct row name_rows[] = {
    {"N1 {method} {target} with a route", {.target = "/users/42"}, "GET /users/{id}",
	{"http.route='/users/{id}'"}},
    {"N1 {method} alone without one", {.target = "/users/42", .unmatched_unset = true}, "GET",
	{"!http.route", "url.path='/users/42'"}},
    {"N1 never the path, nor the query", {.target = "/users/42?q=1"}, "GET /users/{id}", {0}},
    {"N1 client", {.kind = CLIENT, .target = "/users/42"}, "GET /users/{id}", {"!http.route"}},
    {"N2 _OTHER is HTTP in the name", {.method = "FOO", .target = "/x"}, "HTTP /x",
	{"http.request.method='_OTHER'", "http.request.method_original='FOO'"}},
    {"N2 without a route", {.method = "FOO", .unmatched_unset = true}, "HTTP", {0}},
    {"N3 configured patterns are routing information",
	{.target = "/users/42", .pattern = "/users/{name}", .unmatched_unset = true},
	"GET /users/{name}", {"http.route='/users/{name}'"}},
    {"N3 what none matches has no route",
	{.target = "/users/42", .pattern = "/users", .unmatched_unset = true}, "GET",
	{"!http.route"}},
    {"N3 the deviation: it is inferred unless told not to",
	{.target = "/users/42", .pattern = "/users"}, "GET /users/{id}", {0}},
};

/* --- method ------------------------------------------------------------------------------------------ */

static const struct row method_rows[] = {
    {"known, exact", {.method = "PATCH"}, "PATCH /a",
	{"http.request.method='PATCH'", "!http.request.method_original"}},
    {"case-sensitive, not made canonical", {.method = "get"}, "HTTP /a",
	{"http.request.method='_OTHER'", "http.request.method_original='get'"}},
    {"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS adds",
	{.method = "PROPFIND", .known_methods = "GET,PROPFIND"}, "PROPFIND /a",
	{"http.request.method='PROPFIND'", "!http.request.method_original"}},
    {"... and replaces all", {.method = "POST", .known_methods = "GET,PROPFIND"}, "HTTP /a",
	{"http.request.method='_OTHER'", "http.request.method_original='POST'"}},
    {"... and is case-sensitive", {.method = "GET", .known_methods = "get"}, "HTTP /a",
	{"http.request.method='_OTHER'", "http.request.method_original='GET'"}},
    {"... and may name the odd", {.method = "get", .known_methods = "get"}, "get /a",
	{"http.request.method='get'"}},
};

/* --- server ------------------------------------------------------------------------------------------ */

static const struct row server_rows[] = {
    {"url.path has no query", {.target = "/a/b?c=d"}, NULL, {"url.path='/a/b'"}},
    {"url.path of OPTIONS *", {.method = "OPTIONS", .target = "*"}, NULL, {"url.path='*'"}},
    {"url.path repaired", {.target = "/\xff"}, NULL, {"url.path='/\xef\xbf\xbd'"}},
    {"url.scheme of the connection", {0}, NULL, {"url.scheme='http'"}},
    {"url.scheme as forwarded", {.forwarded_scheme = "https"}, NULL, {"url.scheme='https'"}},
    {"url.scheme as forwarded before the target's",
	{.forwarded_scheme = "http", .target = "https://h/"}, NULL, {"url.scheme='http'"}},
    {"url.query iff present", {.target = "/a"}, NULL, {"!url.query"}},
    {"url.query without ?", {.target = "/a?b?c"}, NULL, {"url.query='b?c'"}},
    {"url.query redacted, by keys with case", {.target = "/a?sig=x&SIG=y"}, NULL,
	{"url.query='sig=REDACTED&SIG=y'"}},
    {"url.query repaired", {.target = "/a?\xff"}, NULL, {"url.query='\xef\xbf\xbd'"}},
    {"http.response.status_code iff sent", {.status = -1, .error = EXCHANGE_CONNECTION_CLOSED},
	NULL, {"!http.response.status_code", "error.type='connection_closed'"}},
    {"http.response.status_code", {.status = 204}, NULL, {"http.response.status_code=204"}},
    {"http.route", {0}, NULL, {"http.route='/a'"}},
    {"network.protocol.name only if not http", {0}, NULL, {"!network.protocol.name"}},
    {"network.protocol.version", {0}, NULL, {"network.protocol.version='1.1'"}},
    {"network.protocol.version", {.http10 = true}, NULL, {"network.protocol.version='1.0'"}},
    {"server.address of Host", {.host = "h.example:81"}, NULL,
	{"server.address='h.example'", "server.port=81"}},
    {"server.address, IPv6 without brackets", {.host = "[2001:db8::1]:81"}, NULL,
	{"server.address='2001:db8::1'", "server.port=81"}},
    {"server.port only with a port", {.host = "h.example"}, NULL,
	{"server.address='h.example'", "!server.port"}},
    {"server.port only with a port", {.host = "h.example:"}, NULL,
	{"server.address='h.example'", "!server.port"}},
    {"server.address of no Host", {.host = "-"}, NULL, {"!server.address", "!server.port"}},
    {"server.address of an empty Host", {.host = ""}, NULL, {"!server.address", "!server.port"}},
    {"server.address as forwarded before Host",
	{.host = "10.0.0.1:8000", .forwarded_host = "www.example.com"}, NULL,
	{"server.address='www.example.com'", "!server.port"}},
    {"server.address as forwarded, with a port", {.forwarded_host = "[2001:db8::1]:8443"}, NULL,
	{"server.address='2001:db8::1'", "server.port=8443"}},
    {"server.address as forwarded before the target's",
	{.target = "http://t.example/", .forwarded_host = "f.example"}, NULL,
	{"server.address='f.example'"}},
    {"server.address as forwarded, but without a host",
	{.host = "h.example", .forwarded_host = ":80"}, NULL, {"server.address='h.example'"}},
    {"client.address is the peer", {0}, NULL, {"client.address='192.0.2.7'", "!client.port"}},
    {"client.address as forwarded; the peer stays", {.forwarded_client = "203.0.113.9"}, NULL,
	{"client.address='203.0.113.9'", "network.peer.address='192.0.2.7'",
	    "network.peer.port=4711"}},
    {"client.address as forwarded to a Unix socket",
	{.family = ZSP_FAMILY_UNIX, .forwarded_client = "203.0.113.9"}, NULL,
	{"client.address='203.0.113.9'", "network.transport='unix'", "!network.peer"}},
    {"network.peer.* of IPv6", {.family = ZSP_FAMILY_IPV6}, NULL,
	{"network.peer.address='2001:db8::9'", "network.peer.port=4711"}},
    {"network.transport is told of Unix sockets, whose path is not known",
	{.family = ZSP_FAMILY_UNIX}, NULL,
	{"network.transport='unix'", "!network.peer", "!client.address"}},
    {"network.transport is not told of TCP", {0}, NULL, {"!network.transport", "!network.type"}},
    {"user_agent.original", {.user_agent = "curl/8.0"}, NULL, {"user_agent.original='curl/8.0'"}},
    {"user_agent.original repaired", {.user_agent = "\x80"}, NULL,
	{"user_agent.original='\xef\xbf\xbd'"}},
    {"http.*.body.size", {.request_bytes = 5, .response_bytes = 1ULL << 40}, NULL,
	{"http.request.body.size=5", "http.response.body.size=1099511627776"}},
    {"http.*.body.size of none", {0}, NULL, {"!http.request.body", "!http.response.body"}},
    {"http.*.body.size of what was missed",
	{.request_bytes = 5, .response_bytes = 7, .partial = true}, NULL,
	{"!http.request.body", "!http.response.body", "zerospan.capture='partial'"}},
    {"beyond the tables: flaws of none", {0}, NULL, {"!zerospan.http"}},
    {"flaws of the request", {.request_flaw = HTTP1_FLAW_LENGTH}, NULL,
	{"zerospan.http.request.flaw='ambiguous_length'", "!zerospan.http.response"}},
    {"flaws of the answer", {.response_flaw = HTTP1_FLAW_FIELD}, NULL,
	{"zerospan.http.response.flaw='malformed_field'", "!zerospan.http.request"}},
};

/* --- client ------------------------------------------------------------------------------------------ */

static const struct row client_rows[] = {
    {"server.address and .port of Host", {.kind = CLIENT}, NULL,
	{"server.address='shop.example'", "server.port=8080",
	    "url.full='http://shop.example:8080/a'"}},
    {"... of the target before Host",
	{.kind = CLIENT, .target = "http://t.example:81/b", .host = "h.example"}, NULL,
	{"server.address='t.example'", "server.port=81", "url.full='http://t.example:81/b'"}},
    {"server.port by scheme, whatever the peer's (a proxy's, say)",
	{.kind = CLIENT, .target = "http://t.example/b"}, NULL,
	{"server.port=80", "network.peer.port=4711", "url.full='http://t.example/b'"}},
    {"server.port by scheme", {.kind = CLIENT, .target = "https://t.example/b"}, NULL,
	{"server.port=443", "url.full='https://t.example/b'"}},
    {"server.port by scheme, of Host", {.kind = CLIENT, .host = "h.example"}, NULL,
	{"server.port=80", "url.full='http://h.example/a'"}},
    {"server.* of the peer where nothing else is said", {.kind = CLIENT, .host = "-"}, NULL,
	{"server.address='192.0.2.7'", "server.port=4711", "url.full='http://192.0.2.7:4711/a'"}},
    {"server.* of CONNECT",
	{.kind = CLIENT, .method = "CONNECT", .target = "t.example:443", .host = "h.example"},
	"CONNECT", {"server.address='t.example'", "server.port=443", "!http.route"}},
    {"server.* of CONNECT without a port",
	{.kind = CLIENT, .method = "CONNECT", .target = "t.example"}, NULL,
	{"server.address='t.example'", "!server.port"}},
    {"url.full without credentials",
	{.kind = CLIENT, .target = "https://user:s3cr3t@t.example/b?sig=s3cr3t&q=1"}, NULL,
	{"url.full='https://REDACTED:REDACTED@t.example/b?sig=REDACTED&q=1'"}},
    {"url.full of IPv6", {.kind = CLIENT, .host = "[::1]:81"}, NULL,
	{"url.full='http://[::1]:81/a'", "server.address='::1'"}},
    {"url.full repaired", {.kind = CLIENT, .host = "h", .target = "/\xff"}, NULL,
	{"url.full='http://h/\xef\xbf\xbd'"}},
    {"fields of proxies are those of servers", {.kind = CLIENT, .user_agent = "x"}, NULL,
	{"!client.address", "!url.scheme", "!url.path", "!user_agent"}},
    {"error.type", {.kind = CLIENT, .status = 404}, NULL, {"error.type='404'"}},
    {"http.request.resend_count is not seen", {.kind = CLIENT}, NULL, {"!http.request.resend"}},
    {"network.peer.* and .protocol.version", {.kind = CLIENT}, NULL,
	{"network.peer.address='192.0.2.7'", "network.peer.port=4711",
	    "network.protocol.version='1.1'"}},
    {"sizes", {.kind = CLIENT, .request_bytes = 3, .response_bytes = 4}, NULL,
	{"http.request.body.size=3", "http.response.body.size=4"}},
    {"Unix socket", {.kind = CLIENT, .family = ZSP_FAMILY_UNIX, .host = "localhost"}, NULL,
	{"network.transport='unix'", "server.address='localhost'", "server.port=80",
	    "url.full='http://localhost/a'"}},
    {"Unix socket, no Host", {.kind = CLIENT, .family = ZSP_FAMILY_UNIX, .host = "-"}, NULL,
	{"!server.address", "!server.port", "!url.full"}},
};

/* --- status: more codes in test_http_span.c ---------------------------------------------------------- */

#define E "error.type="

static const struct row status_rows[] = {
    {"1xx (101 is the only final one)", {.status = 101}, NULL, {"!" E}},
    {"3xx", {.status = 304}, NULL, {"!" E}},
    {"4xx of a server", {.status = 404}, NULL, {"!" E}},
    {"4xx of a client", {.kind = CLIENT, .status = 404}, NULL, {E "'404'"}},
    {"5xx of a server", {.status = 500}, NULL, {E "'500'"}},
    {"5xx of a client", {.kind = CLIENT, .status = 500}, NULL, {E "'500'"}},
    {"no class at all", {.status = 999}, NULL, {E "'999'"}},
    {"closed", {.status = -1, .error = EXCHANGE_CONNECTION_CLOSED}, NULL,
	{E "'connection_closed'"}},
    {"reset", {.status = -1, .error = EXCHANGE_CONNECTION_RESET}, NULL, {E "'connection_reset'"}},
    {"unparsable", {.status = -1, .error = EXCHANGE_MALFORMED}, NULL, {E "'malformed_message'"}},
    {"cut after the head: both", {.status = 201, .error = EXCHANGE_INCOMPLETE_RESPONSE}, NULL,
	{E "'incomplete_response'", "http.response.status_code=201"}},
};

/* --- the forms of a target (RFC 9112 section 3.2) ---------------------------------------------------- */

static const struct row target_rows[] = {
    {"origin", {.target = "/where?q=now", .host = "www.example.org"}, "GET /where",
	{"url.path='/where'", "url.query='q=now'", "server.address='www.example.org'"}},
    {"absolute, Host ignored", {.target = "http://www.example.org:81/pub?x", .host = "other:1"},
	"GET /pub",
	{"url.path='/pub'", "url.query='x'", "url.scheme='http'",
	    "server.address='www.example.org'", "server.port=81"}},
    {"absolute, empty path", {.target = "http://www.example.org"}, "GET /", {"url.path='/'"}},
    {"absolute, of any method", {.method = "OPTIONS", .target = "http://h.example"}, "OPTIONS /",
	{"url.path='/'"}},
    {"authority", {.method = "CONNECT", .target = "www.example.com:80", .host = "other"}, "CONNECT",
	{"!url.path", "!http.route", "server.address='www.example.com'", "server.port=80"}},
    {"asterisk", {.method = "OPTIONS", .target = "*"}, "OPTIONS *",
	{"url.path='*'", "server.address='shop.example'"}},
    {"a fragment stays", {.target = "/a#b"}, NULL, {"url.path='/a#b'"}},
};

/* --- running them ------------------------------------------------------------------------------------ */

static void expect_row(const struct exchange *exchange, const struct row *row)
{
	struct made made = make(exchange, PARENT_BASIS_NONE);
	bool error = false;

	if (row->name && !sv_eq(made.span->name, sv_cstr(row->name)))
		fail_msg("%s: the name is '%.*s'", row->says, SV_ARG(made.span->name));
	for (size_t i = 0; i < LINES_MAX && row->lines[i]; i++) {
		bool absent = row->lines[i][0] == '!';
		char wanted[256];

		snprintf(
		    wanted, sizeof(wanted), absent ? "\n%s" : "\n%s\n", row->lines[i] + absent);
		if ((strstr(made.text.data, wanted) != NULL) == absent)
			fail_msg("%s: made\n%swhere expected was %s", row->says, made.text.data,
			    row->lines[i]);
	}
	error = strstr(made.text.data, "\n" E) != NULL;
	assert_int_equal(made.span->status, error ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
	assert_null(strstr(made.text.data, "s3cr3t"));
	for (size_t i = 0; i < made.span->n_attrs; i++) /* nothing of what was renamed */
		assert_true(strncmp(made.span->attrs[i].key, "net.", 4) != 0 &&
		    strcmp(made.span->attrs[i].key, "http.method") != 0 &&
		    strcmp(made.span->attrs[i].key, "http.url") != 0);
	made_free(&made);
}

static struct exchange exchange_of(const struct given *g, struct conn *conn)
{
	struct exchange exchange = make_exchange(g->kind ? g->kind : SERVER, conn,
	    g->method ? g->method : "GET", g->target ? g->target : "/a");

	if (g->host)
		exchange.host = strcmp(g->host, "-") == 0 ? sv_from(NULL, 0) : sv_cstr(g->host);
	exchange.forwarded = (struct forwarded){.client = sv_cstr(g->forwarded_client),
	    .host = sv_cstr(g->forwarded_host),
	    .scheme = sv_cstr(g->forwarded_scheme)};
	exchange.user_agent = sv_cstr(g->user_agent);
	exchange.error = g->error;
	if (g->status)
		exchange.status = g->status < 0 ? 0 : g->status;
	exchange.request_body_bytes = g->request_bytes;
	exchange.response_body_bytes = g->response_bytes;
	exchange.version_minor = !g->http10;
	exchange.partial = g->partial;
	exchange.request_flaw = g->request_flaw;
	exchange.response_flaw = g->response_flaw;
	return exchange;
}

static void run_row(const struct row *row)
{
	const struct given *g = &row->given;
	struct conn conn = make_conn(g->family ? g->family : ZSP_FAMILY_IPV4);
	struct exchange exchange = exchange_of(g, &conn);
	struct http_methods methods = http_methods_default;
	struct route_patterns *patterns = route_patterns_new();
	struct http_naming own = {&methods, patterns, g->unmatched_unset};
	struct buf why;

	buf_init(&why);
	if (g->known_methods)
		assert_int_equal(http_methods_parse(sv_cstr(g->known_methods), &methods, &why), 0);
	if (g->pattern)
		assert_int_equal(route_patterns_add(patterns, sv_cstr(g->pattern), &why), 0);
	naming = &own;
	expect_row(&exchange, row);
	naming = &http_naming_default;
	route_patterns_free(patterns);
	buf_release(&why);
}

#define TABLE(name)                                                                       \
	static void name(void **state)                                                    \
	{                                                                                 \
		(void)state;                                                              \
		for (size_t i = 0; i < sizeof(name##_rows) / sizeof(name##_rows[0]); i++) \
			run_row(&name##_rows[i]);                                         \
	}

TABLE(name)
TABLE(method)
TABLE(server)
TABLE(client)
TABLE(status)
TABLE(target)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(name),
	    cmocka_unit_test(method),
	    cmocka_unit_test(server),
	    cmocka_unit_test(client),
	    cmocka_unit_test(status),
	    cmocka_unit_test(target),
	};

	return cmocka_run_group_tests(tests, http_span_setup, http_span_teardown);
}
