// SPDX-License-Identifier: Apache-2.0
/* Targets, addresses, secrets and odd bytes in the spans of exchanges. */
#include "http_span_fixture.h"

/* --- targets and addresses -------------------------------------------------------------------------- */

static void absolute_form(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange =
	    make_exchange(SERVER, &conn, "GET", "http://www.example.org:81/pub?x");

	(void)state;
	expect_line(&exchange, "server.address='www.example.org'");
	expect_line(&exchange, "server.port=81");
	expect_line(&exchange, "url.path='/pub'");
	expect_line(&exchange, "url.query='x'");
	expect_line(&exchange, "url.scheme='http'");
	exchange.target = SV("https://www.example.org");
	expect_line(&exchange, "url.path='/'");
	expect_line(&exchange, "url.scheme='https'");
	expect_line(&exchange, "!server.port");
	exchange.kind = CLIENT;
	expect_line(&exchange, "url.full='https://www.example.org/'");
}

static void no_host(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/a");

	(void)state;
	exchange.host = (struct sv){0};
	expect_line(&exchange, "!server.address");
	expect_line(&exchange, "!server.port");
	exchange.kind = CLIENT;
	expect_line(&exchange, "server.address='192.0.2.7'");
	expect_line(&exchange, "server.port=4711");
	expect_line(&exchange, "!url.full='http:///");
}

/* Where it was sent says more than a URL without port and host would. */
static void no_host_url(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(CLIENT, &conn, "GET", "/a");

	(void)state;
	exchange.host = (struct sv){0};
	expect_line(&exchange, "url.full='http://192.0.2.7:4711/a'");
	conn.remote.port = 80;
	expect_line(&exchange, "url.full='http://192.0.2.7/a'");
	expect_line(&exchange, "server.port=80");
	exchange.host = SV(":81"); /* a port without a host */
	expect_line(&exchange, "url.full='http://192.0.2.7:81/a'");
	conn = make_conn(ZSP_FAMILY_IPV6);
	exchange.host = (struct sv){0};
	expect_line(&exchange, "url.full='http://[2001:db8::9]:4711/a'");
}

static void client_port_by_default(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(CLIENT, &conn, "GET", "/a");

	(void)state;
	conn.remote.port = 80;
	exchange.host = SV("shop.example");
	expect_line(&exchange, "server.port=80");
	expect_line(&exchange, "url.full='http://shop.example/a'");
}

static void ipv6_hosts(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV6);
	struct exchange exchange = make_exchange(CLIENT, &conn, "GET", "/a");

	(void)state;
	exchange.host = SV("[2001:db8::9]:8080");
	expect_line(&exchange, "server.address='2001:db8::9'");
	expect_line(&exchange, "server.port=8080");
	expect_line(&exchange, "url.full='http://[2001:db8::9]:8080/a'");
	expect_line(&exchange, "network.peer.address='2001:db8::9'");
	exchange.host = SV("[::1]");
	expect_line(&exchange, "url.full='http://[::1]/a'");
	exchange.host = (struct sv){0};
	expect_line(&exchange, "server.address='2001:db8::9'");
	exchange.kind = SERVER;
	exchange.host = SV("[::1]:80");
	expect_line(&exchange, "server.address='::1'");
	expect_line(&exchange, "client.address='2001:db8::9'");
}

static void unix_sockets(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_UNIX);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/a");

	(void)state;
	expect_line(&exchange, "network.transport='unix'");
	expect_line(&exchange, "!network.peer");
	expect_line(&exchange, "!client.address");
	exchange.kind = CLIENT;
	exchange.host = SV("localhost");
	expect_line(&exchange, "network.transport='unix'");
	expect_line(&exchange, "server.address='localhost'");
	expect_line(&exchange, "server.port=80"); /* of the URL; the socket has none */
	expect_line(&exchange, "url.full='http://localhost/a'");
}

/* Nothing is known of where it went: no URL is better than one without a host. */
static void unix_socket_without_host(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_UNIX);
	struct exchange exchange = make_exchange(CLIENT, &conn, "GET", "/a");

	(void)state;
	exchange.host = (struct sv){0};
	expect_line(&exchange, "!server.address");
	expect_line(&exchange, "!server.port");
	expect_line(&exchange, "!url.full");
}

/* The asterisk is no path: RFC 9110 section 7.1. */
static void asterisk_url(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(CLIENT, &conn, "OPTIONS", "*");

	(void)state;
	expect_line(&exchange, "url.full='http://shop.example:8080'");
	expect_name(&exchange, "OPTIONS *");
}

/* --- secrets and odd bytes -------------------------------------------------------------------------- */

static void credentials(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange =
	    make_exchange(CLIENT, &conn, "GET", "http://user:pa@ss@h.example:81/a");
	struct made made;

	(void)state;
	expect_line(&exchange, "url.full='http://REDACTED:REDACTED@h.example:81/a'");
	exchange.kind = SERVER;
	made = make(&exchange, PARENT_BASIS_NONE);
	assert_null(strstr(made.text.data, "user:"));
	assert_null(strstr(made.text.data, "pa@ss"));
	made_free(&made);
}

/* A Host field has no user information; one that has is no reason to keep it. */
static void credentials_in_host(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(CLIENT, &conn, "GET", "/a");
	struct made made;

	(void)state;
	exchange.host = SV("user:password@h.example:81");
	made = make(&exchange, PARENT_BASIS_NONE);
	if (strstr(made.text.data, "password"))
		fail_msg("made\n%s", made.text.data);
	made_free(&made);
	expect_line(&exchange, "server.address='h.example'");
	expect_line(&exchange, "url.full='http://h.example:81/a'");
}

static void query_secrets(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET",
	    "/a?x=1&sig=abc&X-Amz-Signature=def&X-Amz-Credential=&SIG=kept&X-Goog-Signature=g&"
	    "X-Amz-Security-Token=t");

	(void)state;
	expect_line(&exchange,
	    "url.query='x=1&sig=REDACTED&X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED&"
	    "SIG=kept&X-Goog-Signature=REDACTED&X-Amz-Security-Token=REDACTED'");
	exchange.kind = CLIENT;
	exchange.target = SV("/a?sig=abc");
	expect_line(&exchange, "url.full='http://shop.example:8080/a?sig=REDACTED'");
}

static void empty_query(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/a?");

	(void)state;
	expect_line(&exchange, "!url.query");
	expect_line(&exchange, "url.path='/a'");
}

static void bytes_that_are_no_utf8(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/\xff/\xc3\xa9?\xfe=1");

	(void)state;
	exchange.host = SV("h\xff");
	exchange.user_agent = SV("a\x80z");
	expect_line(&exchange, "url.path='/\xef\xbf\xbd/\xc3\xa9'");
	expect_line(&exchange, "url.query='\xef\xbf\xbd=1'");
	expect_line(&exchange, "server.address='h\xef\xbf\xbd'");
	expect_line(&exchange, "user_agent.original='a\xef\xbf\xbdz'");
	expect_name(&exchange, "GET /\xef\xbf\xbd/\xc3\xa9");
	exchange.kind = CLIENT;
	expect_line(
	    &exchange, "url.full='http://h\xef\xbf\xbd/\xef\xbf\xbd/\xc3\xa9?\xef\xbf\xbd=1'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(absolute_form),
	    cmocka_unit_test(no_host),
	    cmocka_unit_test(no_host_url),
	    cmocka_unit_test(client_port_by_default),
	    cmocka_unit_test(ipv6_hosts),
	    cmocka_unit_test(unix_sockets),
	    cmocka_unit_test(unix_socket_without_host),
	    cmocka_unit_test(asterisk_url),
	    cmocka_unit_test(credentials),
	    cmocka_unit_test(credentials_in_host),
	    cmocka_unit_test(query_secrets),
	    cmocka_unit_test(empty_query),
	    cmocka_unit_test(bytes_that_are_no_utf8),
	};

	return cmocka_run_group_tests(tests, http_span_setup, http_span_teardown);
}
