// SPDX-License-Identifier: Apache-2.0
/* The numbers that come of rules, through the whole pipeline: of each kind of metric and from each source, to the last digit. */
#include <stdio.h>

#include "rule_fixture.h"

/* --- kinds of metrics ---------------------------------------------------------------------------- */

/* What falls as well as rises, below zero, too; a counter takes nothing that is negative. */
static void up_down_counters(void **state)
{
	struct fixture f;

	(void)state;
	start(&f,
	    "rules:\n"
	    "  - match: POST /stock\n"
	    "    metrics:\n"
	    "      - {up_down_counter: stock, unit: piece, description: What is there., value: request.by,\n"
	    "         labels: {item: request.item}}\n"
	    "      - {up_down_counter: gone, value: -request.by, when: request.by < 0}\n"
	    "      - {counter: added, value: request.by}\n");
	ask(&f, "POST /stock HTTP/1.1", "{\"item\": \"a\", \"by\": 5}", 200, "");
	ask(&f, "POST /stock HTTP/1.1", "{\"item\": \"a\", \"by\": -7.5}", 200, "");
	ask(&f, "POST /stock HTTP/1.1", "{\"item\": \"b\", \"by\": -1}", 200, "");
	ask(&f, "POST /stock HTTP/1.1", "{\"item\": \"b\", \"by\": 1}", 200, "");
	ask(&f, "POST /stock HTTP/1.1", "{\"item\": \"b\", \"by\": \"1\"}", 200, "");
	expect_points(&f, "stock", "item=a:-2.5 item=b:0 ");
	expect_points(&f, "gone", ":8.5 ");
	expect_points(&f, "added", ":6 ");
	expect_points(&f, "zerospan.rule.unfit",
	    "zerospan.rule=POST /stock,zerospan.rule.output=added:3 "
	    "zerospan.rule=POST /stock,zerospan.rule.output=stock:1 "
	    "zerospan.rule=POST /stock,zerospan.rule.output=gone:1 ");
	expect_exposition(&f, "stock",
	    "# TYPE stock gauge\n"
	    "# HELP stock What is there.\n"
	    "stock{,item=\"a\"} -2.5\n"
	    "stock{,item=\"b\"} 0\n");
	stop(&f);
}

static const struct metric_point *only_point(
    const struct metric_snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->n_families; i++) {
		if (strcmp(snapshot->families[i].desc.name, name) != 0)
			continue;
		assert_int_equal(snapshot->families[i].n_points, 1);
		return &snapshot->families[i].points[0];
	}
	fail_msg("there is no %s", name);
	return NULL;
}

/* A value that is a bound is in the bucket that ends there; what is negative, or no number, is in none. */
static void histograms(void **state)
{
	static const char *const values[] = {"0.5", "1", "1.25", "10", "10.5", "1e3", "-1", "null"};
	static const uint64_t buckets[] = {2, 2, 2};
	struct metric_snapshot *snapshot;
	const struct metric_point *point;
	struct fixture f;
	char body[64];

	(void)state;
	start(&f,
	    "rules:\n"
	    "  - match: POST /order\n"
	    "    metrics:\n"
	    "      - histogram: order_value\n"
	    "        unit: USD\n"
	    "        description: Of one order.\n"
	    "        value: request.price\n"
	    "        bounds: [1, 10]\n"
	    "        labels: {kind: request.kind}\n");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(body, sizeof(body), "{\"kind\": \"a\", \"price\": %s}", values[i]);
		ask(&f, "POST /order HTTP/1.1", body, 200, "");
	}
	snapshot = metrics_snapshot(f.world->metrics);
	point = only_point(snapshot, "order_value");
	assert_int_equal(point->count, 6);
	assert_true(point->value == 1023.25);
	assert_true(point->min == 0.5 && point->max == 1000);
	assert_memory_equal(point->buckets, buckets, sizeof(buckets));
	metric_snapshot_free(snapshot);
	expect_exposition(&f, "order_value",
	    "# TYPE order_value histogram\n"
	    "# HELP order_value Of one order.\n"
	    "order_value_bucket{,kind=\"a\",le=\"1.0\"} 2\n"
	    "order_value_bucket{,kind=\"a\",le=\"10.0\"} 4\n"
	    "order_value_bucket{,kind=\"a\",le=\"+Inf\"} 6\n"
	    "order_value_sum{,kind=\"a\"} 1023.25\n"
	    "order_value_count{,kind=\"a\"} 6\n");
	expect_points(&f, "zerospan.rule.unfit",
	    "zerospan.rule=POST /order,zerospan.rule.output=order_value:2 ");
	stop(&f);
}

static void histograms_by_default(void **state)
{
	static const uint64_t buckets[16] = {[0] = 1, [3] = 1, [14] = 1, [15] = 1};
	static const char *const values[] = {"0", "11", "10000", "10001"};
	struct metric_snapshot *snapshot;
	struct fixture f;
	char body[64];

	(void)state;
	start(&f, "rules: [{match: POST /a, metrics: [{histogram: h, value: request.v}]}]\n");
	for (size_t i = 0; i < 4; i++) {
		snprintf(body, sizeof(body), "{\"v\": %s}", values[i]);
		ask(&f, "POST /a HTTP/1.1", body, 200, "");
	}
	snapshot = metrics_snapshot(f.world->metrics);
	assert_memory_equal(only_point(snapshot, "h")->buckets, buckets, sizeof(buckets));
	metric_snapshot_free(snapshot);
	stop(&f);
}

/* --- sources that are no payload ----------------------------------------------------------------- */

static void passes(struct fixture *f, struct zsp_waits *waits, enum zsp_wait wait, uint64_t ms)
{
	f->world->feed.now_ns += ms * NS_PER_MS;
	waits->ns[wait] += ms * NS_PER_MS;
	waits->switches++;
}

/* A request of 50 ms, of which its thread slept 30, waited 12 for a lock, and was on the CPU 8. */
static void times(void **state)
{
	struct zsp_waits waits = {0};
	struct actor actor = first;
	struct fixture f;
	struct sock sock;

	(void)state;
	start(&f,
	    "rules:\n"
	    "  - match: GET /slow\n"
	    "    attributes:\n"
	    "      x.duration: duration\n"
	    "      x.sleep: time.sleep\n"
	    "      x.lock: time.lock\n"
	    "      x.cpu: time.cpu\n"
	    "      x.disk: time.disk\n"
	    "      x.waits: time.sleep + time.lock > 40ms and time.sleep < 31ms\n"
	    "    metrics:\n"
	    "      - {counter: slept_seconds, value: time.sleep}\n"
	    "      - {counter: slow, when: duration >= 50ms}\n"
	    "      - {counter: slower, when: duration > 50ms}\n");
	f.world->feed.waits = &waits;
	sock = sock_tcp(&f.world->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40001);
	sock_announce(&sock);
	sock_read(&sock, &actor, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
	passes(&f, &waits, ZSP_WAIT_SLEEP, 30);
	passes(&f, &waits, ZSP_WAIT_LOCK, 12);
	f.world->feed.now_ns += 8 * NS_PER_MS - FEED_STEP_NS;
	sock_write(&sock, &actor, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	sock_close(&sock);
	expect_points(&f, "slept_seconds", ":0.029999999999999999 ");
	expect_points(&f, "slow", ":1 ");
	expect_points(&f, "slower", "");
	world_end(f.world);
	expect_attributes(
	    &f, 0, "x.duration=0.05 x.sleep=0.03 x.lock=0.012 x.cpu=0.008 x.disk=0 x.waits=true ");
	stop(&f);
}

/* error is what error.type says: of servers from 500 on, and of what broke off. */
static void errors(void **state)
{
	struct fixture f;
	struct sock sock;

	(void)state;
	start(&f,
	    "rules:\n"
	    "  - match: GET /a\n"
	    "    attributes: {x.failed: error != null}\n"
	    "    metrics:\n"
	    "      - {counter: failures, when: error != null, labels: {why: error}}\n"
	    "      - {counter: whys, labels: {why: error}}\n");
	ask(&f, "GET /a HTTP/1.1", "", 200, "");
	ask(&f, "GET /a HTTP/1.1", "", 404, "");
	ask(&f, "GET /a HTTP/1.1", "", 503, "");
	sock = sock_tcp(&f.world->feed, 9, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40009);
	sock_announce(&sock);
	sock_read(&sock, &first, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	sock_close(&sock);
	expect_points(&f, "failures", "why=503:1 why=connection_closed:1 ");
	expect_points(&f, "whys", "why=503:1 why=connection_closed:1 ");
	expect_points(
	    &f, "zerospan.rule.unfit", "zerospan.rule=GET /a,zerospan.rule.output=whys:2 ");
	world_end(f.world);
	expect_attributes(&f, 1, "x.failed=false ");
	expect_attributes(&f, 2, "x.failed=true ");
	stop(&f);
}

static void rows_of_statements(void **state)
{
	struct fixture f;

	(void)state;
	start(&f,
	    "rules:\n"
	    "  - match: SQL SELECT t\n"
	    "    metrics:\n"
	    "      - {counter: rows_read, value: rows, labels: {what: sql.summary}}\n"
	    "      - {counter: many, when: rows > 2}\n"
	    "      - {counter: read_seconds, value: duration, when: rows > 2}\n"
	    "      - {counter: broken, when: error != null, labels: {why: error}}\n");
	feed_execution(
	    &f.world->feed, &first, &(struct execution){.sql = "SELECT a FROM t", .rows = 2});
	feed_execution(&f.world->feed, &first,
	    &(struct execution){.sql = "SELECT b FROM t",
		.rows = 5,
		.start_ns = f.world->feed.now_ns,
		.end_ns = f.world->feed.now_ns + FEED_STEP_NS});
	feed_execution(&f.world->feed, &first,
	    &(struct execution){.sql = "SELECT c FROM t", .result = 5}); /* SQLITE_BUSY */
	feed_execution(
	    &f.world->feed, &first, &(struct execution){.sql = "SELECT a FROM u", .rows = 9});
	expect_points(&f, "rows_read", "what=SELECT t:7 ");
	expect_points(&f, "many", ":1 ");
	expect_points(&f, "broken", "why=5:1 ");
	expect_points(&f, "read_seconds", ":1.0000000000000001e-05 ");
	stop(&f);
}

/* A call from one observed thread to another is one request of each side; what others answer is of the client's only. */
static void clients(void **state)
{
	struct sock client, server, outward;
	struct actor caller = first, worker = second;
	struct fixture f;

	(void)state;
	start(&f,
	    "rules:\n"
	    "  - match: POST /deduct\n"
	    "    kind: client\n"
	    "    attributes: {x.left: response.left}\n"
	    "    metrics:\n"
	    "      - {counter: calls, labels: {item: request.item, status: status}}\n"
	    "      - {up_down_counter: left, value: response.left}\n"
	    "  - match: POST /deduct\n"
	    "    metrics: [{counter: answers, value: request.n}]\n");
	sock_tcp_pair(&f.world->feed, 1, 50001, &client, &server);
	sock_announce(&client);
	sock_announce(&server);
	sock_write(&client, &caller,
	    "POST /deduct HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\n{\"item\":\"x\",\"n\":2}");
	sock_read(&server, &worker,
	    "POST /deduct HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\n{\"item\":\"x\",\"n\":2}");
	sock_write(&server, &worker, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"left\":-3}");
	sock_read(&client, &caller, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"left\":-3}");
	outward = sock_tcp(&f.world->feed, 5, ZSP_ROLE_CONNECTED, 1, 50005, 9, 80);
	sock_announce(&outward);
	sock_write(&outward, &caller,
	    "POST /deduct HTTP/1.1\r\nHost: b\r\nContent-Length: 18\r\n\r\n{\"item\":\"x\",\"n\":4}");
	sock_read(&outward, &caller, "HTTP/1.1 409 No\r\nContent-Length: 10\r\n\r\n{\"left\":7}");
	sock_close(&client);
	sock_close(&server);
	sock_close(&outward);
	expect_points(&f, "calls", "item=x,status=200:1 item=x,status=409:1 ");
	expect_points(&f, "left", ":4 ");
	expect_points(&f, "answers", ":2 ");
	expect_points(&f, "zerospan.rule.unfit", "");
	world_end(f.world);
	for (size_t i = 0; i < f.world->kept.n; i++)
		for (size_t j = 0; j < f.world->kept.traces[i]->n_spans; j++) {
			const struct span *span = f.world->kept.traces[i]->spans[j];

			assert_int_equal(
			    span_attr(span, "x.left") != NULL, span->kind == SPAN_KIND_CLIENT);
		}
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(up_down_counters),
	    cmocka_unit_test(histograms),
	    cmocka_unit_test(histograms_by_default),
	    cmocka_unit_test(times),
	    cmocka_unit_test(errors),
	    cmocka_unit_test(rows_of_statements),
	    cmocka_unit_test(clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
