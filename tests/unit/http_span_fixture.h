/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges made by hand, and their spans as text: name, status (E error), and attributes in their
 * order, one per line as key=value; integers stand without quotes.
 */
#ifndef ZS_TESTS_HTTP_SPAN_FIXTURE_H
#define ZS_TESTS_HTTP_SPAN_FIXTURE_H

#include <stdio.h>

#include "span/http_span.h"
#include "span_fixture.h"

#define SERVER SPAN_KIND_SERVER
#define CLIENT SPAN_KIND_CLIENT

struct made {
	struct span *span;
	struct buf text;
};

static struct service *service;
static const struct http_naming *naming = &http_naming_default;
static bool metrics_only; /* nobody reads the spans */

static inline struct conn make_conn(enum zsp_family family)
{
	struct conn conn = {.id = 1};

	conn.local.family = conn.remote.family = family;
	if (family == ZSP_FAMILY_IPV4) {
		memcpy(conn.local.address, (uint8_t[]){127, 0, 0, 1}, 4);
		memcpy(conn.remote.address, (uint8_t[]){192, 0, 2, 7}, 4);
	} else if (family == ZSP_FAMILY_IPV6) {
		conn.local.address[15] = 1;
		memcpy(conn.remote.address, (uint8_t[]){0x20, 1, 0xd, 0xb8}, 4);
		conn.remote.address[15] = 9;
	}
	if (family != ZSP_FAMILY_UNIX) {
		conn.local.port = 8000;
		conn.remote.port = 4711;
	}
	return conn;
}

static inline struct exchange make_exchange(
    enum span_kind kind, const struct conn *conn, const char *method, const char *target)
{
	return (struct exchange){
	    .kind = kind,
	    .conn = conn,
	    .start_ns = 100,
	    .end_ns = 200,
	    .has_head = true,
	    .method = sv_cstr(method),
	    .target = sv_cstr(target),
	    .host = SV("shop.example:8080"),
	    .version_minor = 1,
	    .status = 200,
	};
}

static inline struct made make(const struct exchange *exchange, enum parent_basis basis)
{
	struct conn *conn = (struct conn *)(uintptr_t)exchange->conn;
	struct made made = {0};
	struct span_builder builder;
	struct route_table *routes = route_table_new(naming);

	span_builder_init(&builder);
	builder.brief = metrics_only;
	endpoint_text(&conn->remote, conn->remote_text); /* as the connection table does */
	made.span = http_span_build(&builder, routes, naming->methods, exchange, service);
	assert_non_null(made.span);
	assert_int_equal(made.span->basis, PARENT_BASIS_NONE);
	span_set_basis(made.span, basis);
	assert_int_equal(builder.n_attrs, 0);
	assert_int_equal(builder.text.len, 0);
	route_table_free(routes);
	span_builder_release(&builder);
	assert_int_equal(made.span->kind, exchange->kind);
	assert_int_equal(made.span->basis, basis);
	assert_int_equal(made.span->start_ns, 100);
	assert_int_equal(made.span->end_ns, 200);
	assert_ptr_equal(made.span->service, service);
	buf_printf(&made.text, "%.*s%s\n", SV_ARG(made.span->name),
	    made.span->status == SPAN_STATUS_ERROR ? " E" : "");
	for (size_t i = 0; i < made.span->n_attrs; i++) {
		const struct attr *attr = &made.span->attrs[i];

		if (attr->type == ATTR_INT)
			buf_printf(&made.text, "%s=%lld\n", attr->key, (long long)attr->integer);
		else if (attr->type == ATTR_DOUBLE)
			buf_printf(&made.text, "%s=%g\n", attr->key, attr->real);
		else
			buf_printf(&made.text, "%s='%.*s'\n", attr->key, SV_ARG(attr->string));
	}
	return made;
}

static inline void made_free(struct made *made)
{
	span_free(made->span);
	buf_release(&made->text);
}

static inline void expect_span(const struct exchange *exchange, const char *expect)
{
	struct made made = make(exchange, PARENT_BASIS_NONE);

	if (strcmp(made.text.data, expect) != 0)
		fail_msg("made\n%sinstead of\n%s", made.text.data, expect);
	made_free(&made);
}

/* line stands in the span as a line of its own; with "!" before it, nothing like it does. */
static inline void expect_line(const struct exchange *exchange, const char *line)
{
	struct made made = make(exchange, PARENT_BASIS_NONE);
	bool absent = line[0] == '!';
	char wanted[512];

	snprintf(wanted, sizeof(wanted), absent ? "\n%s" : "\n%s\n", line + absent);
	if ((strstr(made.text.data, wanted) != NULL) == absent)
		fail_msg("made\n%swhere expected was %s", made.text.data, line);
	made_free(&made);
}

static inline void expect_name(const struct exchange *exchange, const char *name)
{
	struct made made = make(exchange, PARENT_BASIS_NONE);

	if (!sv_eq(made.span->name, sv_cstr(name)))
		fail_msg("name is '%.*s' instead of '%s'", SV_ARG(made.span->name), name);
	made_free(&made);
}

static inline int http_span_setup(void **state)
{
	(void)state;
	service = fixture_service("shop", 10);
	return 0;
}

static inline int http_span_teardown(void **state)
{
	(void)state;
	service_unref(service);
	return 0;
}

#endif
