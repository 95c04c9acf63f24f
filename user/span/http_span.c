// SPDX-License-Identifier: Apache-2.0
/* HTTP exchanges as spans (semantic conventions v1.44.0, HTTP spans); see http_span.h. */
#include "span/http_span.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "proto/route.h"
#include "proto/route_pattern.h"
#include "proto/url.h"
#include "span/route_table.h"
#include "span/semconv.h"

/* What name, attributes and status are made from. */
struct http_facts {
	const struct exchange *exchange;
	struct url_target target;
	struct url_authority authority; /* of the target if it has one, else of Host */
	struct sv method;               /* canonical, a constant */
	struct sv scheme;               /* "http" or "https", a constant */
	struct sv peer;                 /* the other end's address, empty for Unix sockets */
	/* Where the request went: the authority, else for clients the peer. Empty and 0 when unknown. */
	struct sv server;
	int server_port;
};

/* Where the request was meant to go: what proxies say the client asked for, the target if it has an authority, Host. */
static struct url_authority authority_of(const struct exchange *exchange, struct sv target)
{
	struct url_authority authority;

	if (exchange->forwarded.host.len) {
		authority = url_authority_parse(exchange->forwarded.host);
		if (authority.host.len)
			return authority;
	}
	return url_authority_parse(target.len ? target : exchange->host);
}

static struct sv scheme_of(const struct exchange *exchange, struct sv target)
{
	if (exchange->forwarded.scheme.len)
		return exchange->forwarded.scheme;
	return sv_eq_nocase(target, SV("https")) ? SV("https") : SV("http");
}

struct sv http_span_scheme(const struct exchange *exchange)
{
	bool connect = sv_eq(exchange->method, SV("CONNECT"));

	return scheme_of(exchange, url_target_parse(exchange->target, connect).scheme);
}

/* The scheme's own port. */
static int usual_port(struct sv scheme)
{
	return scheme.len == 5 ? 443 : 80;
}

/* A client's server.port: as it wrote it; without host, where it went; else by the scheme, which a tunnel has none of. */
static int client_port(const struct http_facts *facts, bool connect)
{
	if (facts->authority.port)
		return facts->authority.port;
	if (facts->authority.host.len == 0)
		return facts->exchange->conn->remote.port;
	return connect ? 0 : usual_port(facts->scheme);
}

static void facts_take(
    struct http_facts *facts, const struct http_methods *methods, const struct exchange *exchange)
{
	bool connect = sv_eq(exchange->method, SV("CONNECT"));
	bool client = exchange->kind == SPAN_KIND_CLIENT;

	*facts = (struct http_facts){.exchange = exchange};
	facts->method = http_methods_canonical(methods, exchange->method);
	facts->target = url_target_parse(exchange->target, connect);
	facts->authority = authority_of(exchange, facts->target.authority);
	facts->scheme = scheme_of(exchange, facts->target.scheme);
	facts->peer = sv_cstr(exchange->conn->remote_text);
	facts->server = facts->authority.host;
	if (client && facts->server.len == 0 && exchange->conn->remote.family != ZSP_FAMILY_UNIX)
		facts->server = facts->peer;
	facts->server_port = client ? client_port(facts, connect) : facts->authority.port;
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

	if (facts->exchange->kind == SPAN_KIND_SERVER)
		span_builder_string(b, semconv_client_address,
		    facts->exchange->forwarded.client.len ? facts->exchange->forwarded.client
							  : facts->peer);
	if (conn->remote.family == ZSP_FAMILY_UNIX) {
		span_builder_constant(b, semconv_network_transport, SV("unix"));
		return;
	}
	span_builder_string(b, semconv_network_peer_address, facts->peer);
	span_builder_int(b, semconv_network_peer_port, conn->remote.port);
}

static void add_url_server(struct span_builder *b, const struct http_facts *facts)
{
	size_t at;

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
	if (facts->authority.host.len)
		return facts->authority.port;
	return facts->server_port == usual_port(facts->scheme) ? 0 : facts->server_port;
}

/*
 * The absolute URL, or none when nothing is known of where the request went: a URL has a host. That there
 * were credentials is told, in the convention's words; they never get into the authority.
 */
static void add_url_client(struct span_builder *b, const struct http_facts *facts)
{
	size_t at = b->text.len;
	bool ipv6 = sv_find(facts->server, ':') != facts->server.len;
	int port = url_port(facts);

	if (facts->server.len == 0)
		return;
	buf_append_sv(&b->text, facts->scheme);
	buf_append_sv(&b->text, SV("://"));
	if (facts->target.has_userinfo)
		buf_append_sv(&b->text, SV("REDACTED:REDACTED@"));
	if (ipv6)
		buf_append_char(&b->text, '[');
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

/* What the conventions name for the duration metric of this kind, and a span has as well. */
static void add_metric_attributes(
    struct span_builder *b, const struct http_facts *facts, struct sv route, const char *error)
{
	const struct exchange *exchange = facts->exchange;

	span_builder_constant(b, semconv_http_request_method, facts->method);
	if (exchange->kind == SPAN_KIND_SERVER) {
		span_builder_constant(b, semconv_url_scheme, facts->scheme);
		span_builder_string(b, semconv_http_route, route);
	} else {
		add_server_address(b, facts);
	}
	if (exchange->status)
		span_builder_int(b, semconv_http_response_status_code, exchange->status);
	if (error)
		span_builder_string(b, semconv_error_type, sv_cstr(error));
	span_builder_constant(b, semconv_network_protocol_version,
	    exchange->version_minor == 0 ? SV("1.0") : SV("1.1"));
	span_builder_metric_end(b);
}

/* Bodies as they were on the wire, without framing; of bytes that were missed nothing is known. */
static void add_sizes(struct span_builder *b, const struct exchange *exchange)
{
	if (exchange->partial)
		return;
	if (exchange->request_body_bytes)
		span_builder_int(
		    b, semconv_http_request_body_size, (int64_t)exchange->request_body_bytes);
	if (exchange->response_body_bytes)
		span_builder_int(
		    b, semconv_http_response_body_size, (int64_t)exchange->response_body_bytes);
}

static void add_flaw(struct span_builder *b, const char *key, enum http1_flaw flaw)
{
	static const struct sv names[] = {[HTTP1_FLAW_FIELD] = SV("malformed_field"),
	    [HTTP1_FLAW_LENGTH] = SV("ambiguous_length")};

	if (flaw != HTTP1_FLAW_NONE)
		span_builder_constant(b, key, names[flaw]);
}

/* The other attributes. */
static void add_details(struct span_builder *b, const struct http_facts *facts)
{
	const struct exchange *exchange = facts->exchange;

	if (!sv_eq(facts->method, exchange->method))
		span_builder_string(b, semconv_http_request_method_original, exchange->method);
	if (exchange->kind == SPAN_KIND_SERVER) {
		add_url_server(b, facts);
		span_builder_string(b, semconv_user_agent_original, exchange->user_agent);
		add_server_address(b, facts);
	} else {
		add_url_client(b, facts);
	}
	add_peer(b, facts);
	add_sizes(b, exchange);
	add_flaw(b, semconv_zerospan_http_request_flaw, exchange->request_flaw);
	add_flaw(b, semconv_zerospan_http_response_flaw, exchange->response_flaw);
	if (exchange->partial)
		span_builder_constant(b, semconv_zerospan_capture, SV("partial"));
}

_Static_assert(ROUTE_PATTERN_MAX_BYTES <= ROUTE_MAX_BYTES, "room for either kind of route");

/* "{method} {route}" for servers and, beyond the convention but by the same rule, clients; see
 * README. */
static struct sv span_name(char text[HTTP_SPAN_NAME_MAX], struct sv method, struct sv route)
{
	if (sv_eq(method, SV("_OTHER")))
		method = SV("HTTP");
	if (route.len == 0 || method.len + 1 + route.len > HTTP_SPAN_NAME_MAX)
		return method;
	memcpy(text, method.p, method.len);
	text[method.len] = ' ';
	memcpy(text + method.len + 1, route.p, route.len);
	return sv_from(text, method.len + 1 + route.len);
}

/* A CONNECT has no path, so no route either. */
static struct sv route_of(struct sv path, struct route_table *routes, struct service *service)
{
	return path.len ? route_table_route(routes, service, path) : path;
}

struct sv http_span_name(char text[HTTP_SPAN_NAME_MAX], struct route_table *routes,
    const struct http_methods *methods, const struct exchange *exchange, struct service *service)
{
	struct sv method = http_methods_canonical(methods, exchange->method);
	struct sv path =
	    url_target_parse(exchange->target, sv_eq(exchange->method, SV("CONNECT"))).path;

	return span_name(text, method, route_of(path, routes, service));
}

struct span *http_span_build(struct span_builder *b, struct route_table *routes,
    const struct http_methods *methods, const struct exchange *exchange, struct service *service)
{
	struct http_facts facts;
	struct sv route;
	char status_text[16], name[HTTP_SPAN_NAME_MAX];
	const char *error = error_type(exchange, status_text);
	struct span *span;

	facts_take(&facts, methods, exchange);
	route = route_of(facts.target.path, routes, service);
	add_metric_attributes(b, &facts, route, error);
	if (!b->brief)
		add_details(b, &facts);
	span = span_builder_finish(
	    b, service, span_name(name, facts.method, route), exchange->trace_state);
	if (!span)
		return NULL;
	span->kind = exchange->kind;
	span->status = error ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET;
	span->start_ns = exchange->start_ns;
	span->end_ns = exchange->end_ns;
	span->measured = !exchange->partial;
	span->answered = exchange->status != 0;
	span->request_body_bytes = exchange->request_body_bytes;
	span->response_body_bytes = exchange->response_body_bytes;
	span->cut = exchange->error != EXCHANGE_OK && exchange->conn->cut;
	return span;
}
