// SPDX-License-Identifier: Apache-2.0
/* HTTP exchanges as spans (semantic conventions v1.44.0, HTTP spans); see http_span.h. */
#include "span/http_span.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "proto/route.h"
#include "proto/url.h"
#include "span/route_table.h"
#include "span/semconv.h"

/* What name, attributes and status are made from. */
struct http_facts {
	const struct exchange *exchange;
	struct url_target target;
	struct url_authority authority; /* of the target if it has one, else of Host */
	struct sv method;               /* static; "_OTHER" for unknown ones */
	const char *scheme;
	char peer[ENDPOINT_TEXT];
	/* Where the request went: the authority, else for clients the peer. Empty and 0 when unknown. */
	struct sv server;
	int server_port;
};

/* RFC 9110 section 9, RFC 5789 PATCH, and QUERY. Case-sensitive. */
static struct sv known_method(struct sv method)
{
	static const struct sv known[] = {SV("GET"), SV("POST"), SV("PUT"), SV("DELETE"),
	    SV("HEAD"), SV("OPTIONS"), SV("PATCH"), SV("CONNECT"), SV("TRACE"), SV("QUERY")};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (sv_eq(method, known[i]))
			return known[i];
	return SV("_OTHER");
}

static void facts_take(struct http_facts *facts, const struct exchange *exchange)
{
	bool connect = sv_eq(exchange->method, SV("CONNECT"));
	bool client = exchange->kind == SPAN_KIND_CLIENT;

	*facts = (struct http_facts){.exchange = exchange, .scheme = "http"};
	facts->method = known_method(exchange->method);
	facts->target = url_target_parse(exchange->target, connect);
	facts->authority = url_authority_parse(
	    facts->target.authority.len ? facts->target.authority : exchange->host);
	if (sv_eq_nocase(facts->target.scheme, SV("https")))
		facts->scheme = "https";
	endpoint_text(&exchange->conn->remote, facts->peer);
	facts->server = facts->authority.host;
	if (client && facts->server.len == 0 && exchange->conn->remote.family != ZSP_FAMILY_UNIX)
		facts->server = sv_cstr(facts->peer);
	facts->server_port = facts->authority.port;
	if (client && facts->server_port == 0)
		facts->server_port = exchange->conn->remote.port;
}

static void add_method(struct span_builder *b, const struct http_facts *facts)
{
	span_builder_static(b, semconv_http_request_method, facts->method);
	if (!sv_eq(facts->method, facts->exchange->method))
		span_builder_string(
		    b, semconv_http_request_method_original, facts->exchange->method);
}

static void add_server_address(struct span_builder *b, const struct http_facts *facts)
{
	if (facts->server.len == 0)
		return;
	span_builder_string(b, semconv_server_address, facts->server);
	if (facts->server_port)
		span_builder_int(b, semconv_server_port, facts->server_port);
}

static void add_peer(struct span_builder *b, const struct http_facts *facts)
{
	const struct conn *conn = facts->exchange->conn;
	size_t at = b->text.len;

	if (conn->remote.family == ZSP_FAMILY_UNIX) {
		span_builder_static(b, semconv_network_transport, SV("unix"));
		return;
	}
	buf_append_cstr(&b->text, facts->peer);
	if (facts->exchange->kind == SPAN_KIND_SERVER)
		span_builder_text(b, semconv_client_address, at);
	span_builder_text(b, semconv_network_peer_address, at);
	span_builder_int(b, semconv_network_peer_port, conn->remote.port);
}

static void add_url_server(struct span_builder *b, const struct http_facts *facts)
{
	size_t at;

	span_builder_static(b, semconv_url_scheme, sv_cstr(facts->scheme));
	span_builder_string(b, semconv_url_path, facts->target.path);
	if (!facts->target.has_query || facts->target.query.len == 0)
		return;
	at = b->text.len;
	url_query_append_redacted(&b->text, facts->target.query);
	span_builder_text(b, semconv_url_query, at);
}

/* Port of the URL: as the program wrote it; where it wrote no host, the peer's, unless it is the scheme's own. */
static int url_port(const struct http_facts *facts)
{
	int usual = strcmp(facts->scheme, "https") == 0 ? 443 : 80;

	if (facts->authority.host.len)
		return facts->authority.port;
	return facts->server_port == usual ? 0 : facts->server_port;
}

/*
 * The absolute URL without credentials (userinfo never gets into the authority's host), or none when
 * nothing is known of where the request went: a URL has a host.
 */
static void add_url_client(struct span_builder *b, const struct http_facts *facts)
{
	size_t at = b->text.len;
	bool ipv6 = sv_find(facts->server, ':') != facts->server.len;
	int port = url_port(facts);

	if (facts->server.len == 0)
		return;
	buf_append_cstr(&b->text, facts->scheme);
	buf_append_cstr(&b->text, ipv6 ? "://[" : "://");
	utf8_append_repaired(&b->text, facts->server);
	if (ipv6)
		buf_append_char(&b->text, ']');
	if (port)
		buf_printf(&b->text, ":%d", port);
	if (!sv_eq(facts->target.path, SV("*"))) /* RFC 9110 section 7.1: it stands for no path */
		utf8_append_repaired(&b->text, facts->target.path);
	if (facts->target.has_query) {
		buf_append_char(&b->text, '?');
		url_query_append_redacted(&b->text, facts->target.query);
	}
	span_builder_text(b, semconv_url_full, at);
}

/* Is this outcome an error of the side that observed it, and which? NULL: no error. */
static const char *error_type(const struct exchange *exchange, char text[16])
{
	int bad_from = exchange->kind == SPAN_KIND_SERVER ? 500 : 400;

	if (exchange->error != EXCHANGE_OK)
		return exchange_error_name(exchange->error);
	if (exchange->status < bad_from)
		return NULL;
	snprintf(text, 16, "%d", exchange->status);
	return text;
}

static void add_outcome(struct span_builder *b, const struct http_facts *facts, const char *error)
{
	const struct exchange *exchange = facts->exchange;

	if (exchange->status)
		span_builder_int(b, semconv_http_response_status_code, exchange->status);
	if (error)
		span_builder_string(b, semconv_error_type, sv_cstr(error));
	if (exchange->version_minor == 0)
		span_builder_static(b, semconv_network_protocol_version, SV("1.0"));
	else
		span_builder_static(b, semconv_network_protocol_version, SV("1.1"));
	if (exchange->partial)
		span_builder_static(b, semconv_zerospan_capture, SV("partial"));
}

/* A known method, a blank and a route. */
#define NAME_MAX_BYTES (16 + 1 + ROUTE_MAX_BYTES)

/* "{method} {route}" for servers and, beyond the convention but by the same rule, clients; see
 * README. */
static struct sv span_name(
    char name[NAME_MAX_BYTES], const struct http_facts *facts, struct sv route)
{
	struct sv method = sv_eq(facts->method, SV("_OTHER")) ? SV("HTTP") : facts->method;

	memcpy(name, method.p, method.len);
	if (route.len == 0)
		return sv_from(name, method.len);
	name[method.len] = ' ';
	memcpy(name + method.len + 1, route.p, route.len);
	return sv_from(name, method.len + 1 + route.len);
}

struct span *http_span_build(struct span_builder *b, struct route_table *routes,
    const struct exchange *exchange, struct service *service)
{
	struct http_facts facts;
	struct sv route = {0}; /* a CONNECT has no path, so no route either */
	char status_text[16];
	const char *error = error_type(exchange, status_text);
	char name[NAME_MAX_BYTES];
	struct span *span;

	facts_take(&facts, exchange);
	if (facts.target.path.len)
		route = route_table_route(routes, service, facts.target.path);
	add_method(b, &facts);
	if (exchange->kind == SPAN_KIND_SERVER) {
		add_url_server(b, &facts);
		span_builder_string(b, semconv_http_route, route);
		span_builder_string(b, semconv_user_agent_original, exchange->user_agent);
	} else {
		add_url_client(b, &facts);
	}
	add_server_address(b, &facts);
	add_peer(b, &facts);
	add_outcome(b, &facts, error);
	span =
	    span_builder_finish(b, service, span_name(name, &facts, route), exchange->trace_state);
	if (!span)
		return NULL;
	span->kind = exchange->kind;
	span->status = error ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET;
	span->start_ns = exchange->start_ns;
	span->end_ns = exchange->end_ns;
	return span;
}
