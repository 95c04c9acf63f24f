// SPDX-License-Identifier: Apache-2.0
/* What reverse proxies say, from the fields' bytes to the span (RFC 7239; X-Forwarded-*). */
#include "pipeline_fixture.h"
#include "proto/forwarded.h"
#include "support.h"

static void parameters(void **state)
{
	static const struct {
		const char *field, *name, *value; /* value NULL: none */
	} rows[] = {
	    {"for=192.0.2.43", "for", "192.0.2.43"},
	    {"For=192.0.2.43", "for", "192.0.2.43"},
	    {"for=192.0.2.43, for=198.51.100.17", "for", "192.0.2.43"},
	    {"for=192.0.2.60;proto=http;by=203.0.113.43", "proto", "http"},
	    {"for=192.0.2.60; proto=http ;by=203.0.113.43", "proto", "http"},
	    {"for=\"[2001:db8:cafe::17]:4711\"", "for", "[2001:db8:cafe::17]:4711"},
	    {"for=[2001:db8::1];host=a:80", "host",
		"a:80"},                             /* not quoted as it must be; often seen */
	    {"for=a,proto=https", "proto", "https"}, /* of the next proxy */
	    {"host=\"a;b,c\";for=x", "host", "a;b,c"},
	    {"host=\"a\\\"b\\\\\";for=x", "host", "a\"b\\"},
	    {"host=\"for=y\";for=x", "for", "x"},
	    {"host=;host=b", "host", "b"},
	    {"host=\"\", host=\"b\"", "host", "b"},
	    {"for = x", "for", NULL},
	    {"for", "for", NULL},
	    {"=x", "for", NULL},
	    {"", "for", NULL},
	    {" ,;, ", "for", NULL},
	    {"forx=1;xfor=2", "for", NULL},
	    {"for=\"x", "for", NULL},
	    {"for=\"x\\", "for", NULL},
	    {"host=\"unterminated;for=x", "for", NULL},
	    {"for=x;\r\n host=y", "host", "y"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].field, strlen(rows[i].field));
		struct buf out;
		bool found;

		buf_init(&out);
		buf_append_cstr(&out, "before");
		found = forwarded_parameter(sv_from(edge.p, edge.len), sv_cstr(rows[i].name), &out);
		if (found != (rows[i].value != NULL) ||
		    strcmp(out.data + 6, found ? rows[i].value : "") != 0)
			fail_msg("'%s' gives '%s'", rows[i].field, out.data + 6);
		buf_release(&out);
		edge_free(&edge);
	}
}

static void nodes(void **state)
{
	static const struct {
		const char *node, *address; /* NULL: none */
	} rows[] = {
	    {"192.0.2.43", "192.0.2.43"},
	    {"192.0.2.43:47011", "192.0.2.43"},
	    {"192.0.2.43:_port", "192.0.2.43"},
	    {"[2001:db8:cafe::17]:4711", "2001:db8:cafe::17"},
	    {"[2001:DB8:CAFE:0::17]", "2001:db8:cafe::17"},
	    {"2001:db8::1", "2001:db8::1"},
	    {"::1", "::1"},
	    {"unknown", NULL},
	    {"_hidden", NULL},
	    {"_SEVKISEK:80", NULL},
	    {"shop.example", NULL},
	    {"192.0.2.430", NULL},
	    {"192.0.2.43;x", NULL},
	    {"[::1", NULL},
	    {"[::1]x", NULL},
	    {"[192.0.2.1]", "192.0.2.1"},
	    {"[]", NULL},
	    {"[", NULL},
	    {":", NULL},
	    {":80", NULL},
	    {"", NULL},
	    {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
	    {"\xff", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].node, strlen(rows[i].node));
		struct buf out;
		bool found;

		buf_init(&out);
		buf_append_cstr(&out, "");
		found = forwarded_node(sv_from(edge.p, edge.len), &out);
		if (found != (rows[i].address != NULL) ||
		    (found ? strcmp(out.data, rows[i].address) : (int)out.len))
			fail_msg("'%s' gives '%s'", rows[i].node, out.len ? out.data : "");
		buf_release(&out);
		edge_free(&edge);
	}
}

/* A request with these fields; the server's span has client.address, server.address[:port] and url.scheme so. */
static void fields_to_the_span(void **state)
{
	static const struct {
		const char *fields, *client, *server, *scheme;
	} rows[] = {
	    {"", "127.0.0.9", "h", "http"},
	    {"Forwarded: for=\"[2001:db8::7]:_x\";host=\"www.example.com:8443\";proto=HTTPS\r\n",
		"2001:db8::7", "www.example.com", "https"},
	    {"Forwarded: for=192.0.2.1\r\nForwarded: for=192.0.2.2;proto=https\r\n", "192.0.2.1",
		"h", "https"},
	    {"X-Forwarded-For: 192.0.2.1, 198.51.100.2\r\nX-Forwarded-Host: a.example, b.example\r\n"
	     "X-Forwarded-Proto: https, http\r\n",
		"192.0.2.1", "a.example", "https"},
	    {"x-forwarded-for:192.0.2.1:1234\r\nX-FORWARDED-HOST:[::1]:80\r\n", "192.0.2.1", "::1",
		"http"},
	    /* Forwarded comes first; what it does not tell, the older fields may. */
	    {"X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\n",
		"192.0.2.1", "h", "https"},
	    /* Hidden is hidden, and what is no address is not taken for one. */
	    {"Forwarded: for=_secret\r\nX-Forwarded-For: 192.0.2.9\r\n", "127.0.0.9", "h", "http"},
	    {"Forwarded: for=unknown, for=192.0.2.9\r\n", "127.0.0.9", "h", "http"},
	    {"X-Forwarded-For: unknown\r\n", "127.0.0.9", "h", "http"},
	    {"X-Forwarded-For: <script>\r\n", "127.0.0.9", "h", "http"},
	    {"X-Forwarded-For: , 192.0.2.1\r\n", "127.0.0.9", "h", "http"},
	    /* Labels of metrics: nobody may invent schemes. */
	    {"X-Forwarded-Proto: gopher\r\n", "127.0.0.9", "h", "http"},
	    {"X-Forwarded-Host: a b\r\n", "127.0.0.9", "h", "http"},
	    {"X-Forwarded-Host: \r\n", "127.0.0.9", "h", "http"},
	    {"X-Forwarded-For: 192.0.2.1,\r\n 192.0.2.2\r\n", "192.0.2.1", "h", "http"},
	    /* Fields that only look like them. */
	    {"X-Forwarded-Foo: 192.0.2.1\r\nForwardee: for=192.0.2.1\r\nX-Forwarded-Prota: https\r\n",
		"127.0.0.9", "h", "http"},
	};
	static const char *const keys[] = {"client.address", "server.address", "url.scheme"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const values[] = {rows[i].client, rows[i].server, rows[i].scheme};
		struct world *w = world_new(1);
		struct sock sock = sock_tcp(&w->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40000);
		char head[512];

		snprintf(head, sizeof(head),
		    "GET /a HTTP/1.1\r\nHost: h\r\n%sUser-Agent: curl\r\n\r\n", rows[i].fields);
		sock_announce(&sock);
		sock_read(&sock, &first, head);
		sock_write(&sock, &first, OK2);
		world_end(w);
		assert_int_equal(w->kept.n, 1);
		for (size_t k = 0; k < 3; k++) {
			const struct attr *attr = span_attr(w->kept.traces[0]->spans[0], keys[k]);

			if (!attr || !sv_eq(attr->string, sv_cstr(values[k])))
				fail_msg("%s: %s is '%.*s'", rows[i].fields, keys[k],
				    attr ? (int)attr->string.len : 0, attr ? attr->string.p : "");
		}
		assert_true(
		    sv_eq(span_attr(w->kept.traces[0]->spans[0], "user_agent.original")->string,
			SV("curl")));
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parameters),
	    cmocka_unit_test(nodes),
	    cmocka_unit_test(fields_to_the_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
