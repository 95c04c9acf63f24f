// SPDX-License-Identifier: Apache-2.0
/* Rules at work, through the whole pipeline: attributes and metrics of requests and statements, and what must not come of them. */
#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include "metric/rule_metrics.h"
#include "rule_fixture.h"

#define SHOP                                                \
	"rules:\n"                                          \
	"  - match: POST /checkout\n"                       \
	"    attributes:\n"                                 \
	"      order.item: request.item\n"                  \
	"      order.quantity: request.quantity\n"          \
	"      order.price_per_unit: request.price\n"       \
	"      order.id: response.order_id\n"               \
	"      order.gift: request.gift\n"                  \
	"    metrics:\n"                                    \
	"      - counter: order_checkouts\n"                \
	"        labels: {item: request.item}\n"            \
	"      - counter: order_revenue\n"                  \
	"        unit: USD\n"                               \
	"        value: request.quantity * request.price\n" \
	"        when: status == 200\n"                     \
	"        labels: {item: request.item}\n"            \
	"      - counter: order_errors\n"                   \
	"        when: status >= 400\n"                     \
	"        labels:\n"                                 \
	"          item: request.item\n"                    \
	"          reason: {network: status == 502, rejected: status != 502}\n"

static void the_shop(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SHOP);
	ask(&f, "POST /checkout HTTP/1.1", "{\"item\": \"phone\", \"quantity\": 2, \"price\": 0.1}",
	    200, "{\"order_id\": 7}");
	ask(&f, "POST /checkout HTTP/1.1", "{\"item\": \"phone\", \"quantity\": 1, \"price\": 0.2}",
	    502, "{}");
	ask(&f, "POST /checkout HTTP/1.1",
	    "{\"item\": \"caf\\u00e9\", \"quantity\": 1, \"price\": 3}", 400, "{}");
	ask(&f, "POST /checkout HTTP/1.1", "{\"item\": \"phone\", \"quantity\": 1, \"price\": 0.1}",
	    200, "{\"order_id\": 8}");
	ask(&f, "GET /checkout HTTP/1.1", "{\"item\": \"x\"}", 200, "{}");
	ask(&f, "POST /other HTTP/1.1", "{\"item\": \"x\"}", 200, "{}");
	expect_points(&f, "order_checkouts", "item=phone:3 item=caf\xc3\xa9:1 ");
	expect_points(&f, "order_revenue", "item=phone:0.30000000000000004 ");
	expect_points(
	    &f, "order_errors", "item=phone,reason=network:1 item=caf\xc3\xa9,reason=rejected:1 ");
	expect_points(&f, "zerospan.rule.unfit",
	    "zerospan.rule=POST /checkout,zerospan.rule.output=order.gift:4 "
	    "zerospan.rule=POST /checkout,zerospan.rule.output=order.id:2 ");
	world_end(f.world);
	expect_attributes(
	    &f, 0, "order.item='phone' order.quantity=2 order.price_per_unit=0.1 order.id=7 ");
	expect_attributes(
	    &f, 2, "order.item='caf\xc3\xa9' order.quantity=1 order.price_per_unit=3 ");
	expect_attributes(&f, 4, "");
	stop(&f);
}

/* The body in pieces, chunked, behind interim answers: the same. */
static void bodies_in_pieces(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SHOP);
	exchange(&f,
	    "POST /checkout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\0"
	    "8\r\n{\"item\":\r\n\0"
	    "1c\r\n\"phone\",\"quantity\":2,\"price\"\r\n\0"
	    "4\r\n:10}\r\n0\r\n\r\n\0",
	    "HTTP/1.1 103 Early\r\nx: y\r\n\r\n\0HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"order\0_id\": 9}\0");
	expect_points(&f, "order_revenue", "item=phone:20 ");
	world_end(f.world);
	expect_attributes(
	    &f, 0, "order.item='phone' order.quantity=2 order.price_per_unit=10 order.id=9 ");
	stop(&f);
}

/* What comes behind a cut is not there; what came before is. */
static void a_cut_body(void **state)
{
	struct fixture f;
	struct sock sock;
	struct actor actor = first;

	(void)state;
	start(&f, SHOP);
	sock = sock_tcp(&f.world->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40001);
	sock_announce(&sock);
	sock_read(&sock, &actor,
	    "POST /checkout HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n{\"item\":\"phone\",\"quantity\":1");
	sock_lose(&sock, ZSP_IN, 32);
	sock_write(&sock, &actor, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	sock_close(&sock);
	expect_points(&f, "order_checkouts", "item=phone:1 ");
	expect_points(&f, "order_revenue", "");
	world_end(f.world);
	expect_attributes(&f, 0, "order.item='phone' ");
	stop(&f);
}

/* Three kinds of compression, whole and cut. */
static void compressed_bodies(void **state)
{
	static const int windows[] = {15 + 16, 15, -15};
	static const char text[] = "{\"item\":\"ph\\u006fne\",\"quantity\":2,\"price\":10}";

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		z_stream z = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = sizeof(text) - 1};
		Bytef packed[256];
		struct fixture f;
		struct sock sock;
		struct buf head;
		size_t n;

		assert_int_equal(
		    deflateInit2(&z, 9, Z_DEFLATED, windows[i], 8, Z_DEFAULT_STRATEGY), Z_OK);
		z.next_out = packed;
		z.avail_out = sizeof(packed);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		n = sizeof(packed) - z.avail_out;
		deflateEnd(&z);
		start(&f, SHOP);
		buf_init(&head);
		buf_printf(&head,
		    "POST /checkout HTTP/1.1\r\nHost: a\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
		    i == 0 ? "gzip" : "Deflate", n);
		buf_append(&head, packed, n);
		sock = sock_tcp(&f.world->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40001);
		sock_announce(&sock);
		sock_move(&sock, &first, ZSP_IN, buf_sv(&head));
		sock_write(&sock, &first, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
		buf_clear(&head);
		buf_printf(&head,
		    "POST /checkout HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}");
		sock_move(&sock, &first, ZSP_IN, buf_sv(&head));
		sock_write(&sock, &first, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
		sock_close(&sock);
		expect_points(&f, "order_revenue", "item=phone:20 ");
		buf_release(&head);
		stop(&f);
	}
}

static void forms_queries_headers(void **state)
{
	struct fixture f;

	(void)state;
	start(&f,
	    "redaction: {hash_key: 000102030405060708090a0b0c0d0e0f}\n"
	    "rules:\n"
	    "  - match: '* /f/{id}'\n"
	    "    attributes:\n"
	    "      x.item: request.item\n"
	    "      x.sum: request.a + query.b\n"
	    "      x.tenant: request_header[\"X-Tenant\"]\n"
	    "      x.type: response_header[\"content-type\"]\n"
	    "      x.method: method\n"
	    "      x.route: route\n"
	    "      x.slow: duration > 1s\n"
	    "      x.user: {value: query.user, as: hash}\n"
	    "      x.card: {value: request.card, as: mask}\n"
	    "      x.order: query.missing\n"
	    "  - match: '* *'\n"
	    "    attributes: {x.method: status, x.status: status}\n");
	exchange(&f,
	    "PUT /f/1?b=2&user= HTTP/1.1\r\nHost: a\r\nx-tenant: a\r\n b\r\n"
	    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 37\r\n\r\n"
	    "item=a%20b&a=40&card=4111111111111111\0",
	    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok\0");
	world_end(f.world);
	expect_attributes(&f, 0,
	    "x.item='a b' x.sum=42 x.tenant='a b' x.type='text/plain' x.method='PUT' x.route='/f/{id}' x.slow=false "
	    "x.user='a3817f04ba25a8e66df67214c7550293' x.card='****1111' x.status=200 ");
	stop(&f);
}

/* Of several answers the last one's headers count, and only those: an early hint's link is not the answer's. */
static void headers_of_the_last_head(void **state)
{
	struct fixture f;

	(void)state;
	start(&f,
	    "rules:\n"
	    "  - match: GET /a\n"
	    "    attributes:\n"
	    "      x.link: response_header.link\n"
	    "      x.kind: response_header[\"Content-Type\"]\n");
	exchange(&f, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n\0",
	    "HTTP/1.1 103 Early\r\nLink: early\r\nContent-Type: no/thing\r\n\r\n\0"
	    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 0\r\n\r\n\0");
	exchange(&f, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n\0",
	    "HTTP/1.1 103 Early\r\nX: y\r\n\r\n\0"
	    "HTTP/1.1 200 OK\r\nLink: late\r\nContent-Length: 0\r\n\r\n\0");
	world_end(f.world);
	expect_attributes(&f, 0, "x.kind='text/plain' ");
	expect_attributes(&f, 1, "x.link='late' ");
	stop(&f);
}

/* Several rules that ask for the same headers, and one for more than anybody else does. */
static void many_headers(void **state)
{
	struct fixture f;
	struct buf text, request;

	(void)state;
	buf_init(&text);
	buf_init(&request);
	buf_append_cstr(&text, "rules:\n");
	for (int i = 0; i < 4; i++) {
		buf_printf(&text, "  - match: GET /a\n    attributes:\n");
		for (int j = 0; j < 12; j++)
			buf_printf(&text, "      x.%d.%d: request_header[\"h%d\"] == \"%d\"\n", i,
			    j, i == 3 ? 20 + j : j, j);
	}
	buf_append_cstr(&request, "GET /a HTTP/1.1\r\nHost: a\r\n");
	for (int j = 0; j < 12; j++)
		buf_printf(&request, "h%d: %d\r\nh%d: %d\r\n", j, j, 20 + j, j);
	buf_append_cstr(&request, "\r\n");
	buf_append_char(&request, '\0');
	start(&f, text.data);
	exchange(&f, request.data, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\0");
	expect_points(&f, "zerospan.rule.unfit", "");
	world_end(f.world);
	assert_non_null(span_attr(f.world->kept.traces[0]->spans[0], "x.3.11"));
	assert_true(span_attr(f.world->kept.traces[0]->spans[0], "x.3.11")->boolean);
	buf_release(&request);
	buf_release(&text);
	stop(&f);
}

static void statements(void **state)
{
	struct fixture f;

	(void)state;
	start(&f,
	    "rules:\n"
	    "  - match: SQL INSERT *\n"
	    "    attributes: {x.sql: sql.summary, x.text: sql.text}\n"
	    "    metrics:\n"
	    "      - {counter: inserts, labels: {what: sql.summary}}\n"
	    "      - {histogram: insert_seconds, value: duration, bounds: [1]}\n");
	checkout(f.world, 1);
	expect_points(&f, "inserts", "what=INSERT orders:1 ");
	world_end(f.world);
	for (size_t i = 0; i < f.world->kept.traces[0]->n_spans; i++) {
		const struct span *span = f.world->kept.traces[0]->spans[i];
		const struct attr *text = span_attr(span, "x.text");

		assert_int_equal(text != NULL, sv_eq(span->name, SV("INSERT orders")));
		if (text)
			assert_true(sv_eq(text->string, SV("INSERT INTO orders(item) VALUES(?)")));
	}
	stop(&f);
}

static void sets_are_bounded(void **state)
{
	struct fixture f;
	char body[64];

	(void)state;
	start(&f,
	    "rules: [{match: POST /a, metrics: [{counter: c, max_sets: 3, labels: {k: request.k}}]}]\n");
	for (int i = 0; i < 10; i++) {
		snprintf(body, sizeof(body), "{\"k\": %d}", i);
		ask(&f, "POST /a HTTP/1.1", body, 200, "");
	}
	expect_points(&f, "c", "k=0:1 k=1:1 k=2:1 otel.metric.overflow:7 ");
	stop(&f);
}

/* Texts are cut where a character ends, and bytes that are no UTF-8 repaired. */
static void texts_are_bounded(void **state)
{
	struct fixture f;
	struct buf body;
	struct metric_snapshot *snapshot;

	(void)state;
	start(&f, "rules: [{match: POST /a, metrics: [{counter: c, labels: {k: request.k}}]}]\n");
	buf_init(&body);
	buf_append_cstr(&body, "{\"k\":\"\xff");
	for (int i = 0; i < 200; i++)
		buf_append_cstr(&body, "\xc3\xa9");
	buf_append_cstr(&body, "\"}");
	ask(&f, "POST /a HTTP/1.1", body.data, 200, "");
	snapshot = metrics_snapshot(f.world->metrics);
	for (size_t i = 0; i < snapshot->n_families; i++) {
		const struct metric_family *family = &snapshot->families[i];

		if (strcmp(family->desc.name, "c"))
			continue;
		assert_int_equal(family->n_points, 1);
		assert_int_equal(family->points[0].attrs[0].string.len, RULE_LABEL_MAX_BYTES - 1);
		assert_true(
		    sv_starts(family->points[0].attrs[0].string, SV("\xef\xbf\xbd\xc3\xa9")));
	}
	metric_snapshot_free(snapshot);
	buf_release(&body);
	stop(&f);
}

static void names_that_are_taken(void **state)
{
	struct fixture f;
	struct config config;
	struct buf message;

	(void)state;
	start(&f, SHOP);
	buf_init(&message);
	read_config(&config,
	    "rules: [{match: POST /a, metrics: [{counter: http_server_request_duration}]}]\n");
	assert_int_equal(pipeline_set_rules(f.world->pipeline, config.rules, &message), -EEXIST);
	assert_string_equal(message.data,
	    "the metric \"http_server_request_duration\" would be mixed up with \"http.server.request.duration\"; choose another name");
	config_release(&config);
	buf_clear(&message);
	read_config(
	    &config, "rules: [{match: POST /a, metrics: [{up_down_counter: order_revenue}]}]\n");
	/* Another configuration's names are other texts: one configuration shares them. */
	assert_int_equal(pipeline_set_rules(f.world->pipeline, config.rules, &message), -EEXIST);
	ask(&f, "POST /checkout HTTP/1.1", "{\"item\": \"phone\"}", 200, "{}");
	expect_points(&f, "order_checkouts", "item=phone:1 ");
	config_release(&config);
	buf_release(&message);
	stop(&f);
}

/* Rules that change while a request is under way: it ends by those it began with. */
static void rules_change(void **state)
{
	struct fixture f;
	struct sock sock;
	struct buf message;

	(void)state;
	buf_init(&message);
	start(&f, SHOP);
	sock = sock_tcp(&f.world->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40001);
	sock_announce(&sock);
	sock_read(&sock, &first,
	    "POST /checkout HTTP/1.1\r\nHost: a\r\nContent-Length: 41\r\n\r\n{\"item\":\"phone\",\"quantity\":1,\"price\":2.5}");
	assert_int_equal(pipeline_set_rules(f.world->pipeline, NULL, &message), 0);
	rules_unref(f.config.rules);
	f.config.rules = NULL;
	sock_write(&sock, &first, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	sock_close(&sock);
	f.socket = 2;
	ask(&f, "POST /checkout HTTP/1.1", "{\"item\": \"phone\"}", 200, "{}");
	expect_points(&f, "order_checkouts", "item=phone:1 ");
	expect_points(&f, "order_revenue", "item=phone:2.5 ");
	buf_release(&message);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_shop),
	    cmocka_unit_test(bodies_in_pieces),
	    cmocka_unit_test(a_cut_body),
	    cmocka_unit_test(compressed_bodies),
	    cmocka_unit_test(forms_queries_headers),
	    cmocka_unit_test(headers_of_the_last_head),
	    cmocka_unit_test(many_headers),
	    cmocka_unit_test(statements),
	    cmocka_unit_test(sets_are_bounded),
	    cmocka_unit_test(texts_are_bounded),
	    cmocka_unit_test(names_that_are_taken),
	    cmocka_unit_test(rules_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
