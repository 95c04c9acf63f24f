// SPDX-License-Identifier: Apache-2.0
/* The requests under way, as http.server.active_requests. */
#include "collector/active_metrics.h"

#include "pipeline_fixture.h"

static const struct actor other = {20, 201, 0};

static bool is_string(const struct attr *attr, const char *key, const char *value)
{
	return !strcmp(attr->key, key) && attr->type == ATTR_STRING &&
	    sv_eq(attr->string, sv_cstr(value));
}

static const struct metric_family *family_of(const struct metric_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->n_families; i++)
		if (!strcmp(snapshot->families[i].desc.name, "http.server.active_requests"))
			return &snapshot->families[i];
	fail_msg("there is no http.server.active_requests");
	return NULL;
}

/* The value of a set; -1: there is none. */
static int value(struct world *w, uint32_t pid, const char *method, const char *scheme)
{
	struct metric_snapshot *snapshot = metrics_snapshot(w->metrics);
	const struct metric_family *family = family_of(snapshot);
	int found = -1;

	assert_int_equal(family->desc.type, METRIC_UPDOWN);
	assert_string_equal(family->desc.unit, "{request}");
	for (size_t i = 0; i < family->n_points; i++) {
		const struct metric_point *point = &family->points[i];

		if (!point->service || (uint32_t)point->service->pid != pid)
			continue;
		assert_int_equal(point->n_attrs, 2);
		if (!is_string(&point->attrs[0], "http.request.method", method) ||
		    !is_string(&point->attrs[1], "url.scheme", scheme))
			continue;
		assert_int_equal(found, -1);
		found = (int)point->value;
	}
	metric_snapshot_free(snapshot);
	return found;
}

static size_t n_sets(struct world *w)
{
	struct metric_snapshot *snapshot = metrics_snapshot(w->metrics);
	size_t n = family_of(snapshot)->n_points;

	metric_snapshot_free(snapshot);
	return n;
}

static struct sock request(struct world *w, uint64_t id, const struct actor *who, const char *text)
{
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(10000 + id));

	sock_announce(&sock);
	sock_read(&sock, who, text);
	return sock;
}

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

static void groups(void **state)
{
	struct world *w = world_new(1);
	struct active_metrics *active = active_metrics_new(w->metrics);
	struct sock a, b;

	(void)state;
	process(w, 20, "stock", 2);
	a = request(w, 1, &first, GET);
	b = request(w, 2, &second, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	request(w, 3, &first, POST("/a"));
	request(w, 4, &first, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n");
	request(w, 5, &first, "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n");
	request(w, 6, &other, GET);
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 2);
	assert_int_equal(value(w, 10, "POST", "http"), 1);
	assert_int_equal(value(w, 10, "GET", "https"), 1);
	assert_int_equal(value(w, 10, "_OTHER", "http"), 1);
	assert_int_equal(value(w, 20, "GET", "http"), 1);
	assert_int_equal(n_sets(w), 5);
	sock_write(&a, &first, OK2);
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 1);
	sock_close(&b); /* without an answer */
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 0);
	request(w, 7, &first, GET);
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 1);
	assert_int_equal(n_sets(w), 5);
	active_metrics_free(active);
	world_free(w);
}

/* From its head to the last byte of the answer; calls are none. */
static void what_counts(void **state)
{
	struct world *w = world_new(1);
	struct active_metrics *active = active_metrics_new(w->metrics);
	struct sock a, call = sock_tcp(&w->feed, 2, ZSP_ROLE_CONNECTED, 1, 50001, 9, 80);

	(void)state;
	sock_announce(&call);
	sock_write(&call, &second, GET);
	a = request(w, 1, &first, "GET /a HTTP/1.1\r\n");
	active_metrics_update(active, w->pipeline);
	assert_int_equal(n_sets(w), 0);
	sock_read(&a, &first, "Host: x\r\n\r\n");
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 1);
	sock_write(&a, &first, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{");
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 1);
	sock_write(&a, &first, "}");
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 0);
	assert_int_equal(n_sets(w), 1);
	active_metrics_free(active);
	world_free(w);
}

/* More than what other questions about open requests look at. */
static void thousands(void **state)
{
	struct world *w = world_new(1);
	struct active_metrics *active = active_metrics_new(w->metrics);

	(void)state;
	for (uint64_t i = 0; i < ASSEMBLER_OPEN_MAX + 2000; i++)
		request(w, 1 + i, &first, GET);
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), ASSEMBLER_OPEN_MAX + 2000);
	active_metrics_free(active);
	world_free(w);
}

/* A service that has ended is forgotten, and stays so. */
static void a_service_that_ends(void **state)
{
	struct world *w = world_new(1);
	struct active_metrics *active = active_metrics_new(w->metrics);
	uint64_t later_ns;

	(void)state;
	request(w, 1, &first, GET);
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 1);
	later_ns = w->feed.now_ns + 6 * NS_PER_S;
	pipeline_process_end(w->pipeline, first.pid, w->feed.now_ns);
	pipeline_tick(w->pipeline, later_ns);
	active_metrics_update(active, w->pipeline);
	assert_int_equal(n_sets(w), 0);
	active_metrics_free(active);
	world_free(w);
}

/* Another program under the same pid: what is open is counted as its own, and nothing is left of the one before. */
static void a_service_that_is_replaced(void **state)
{
	struct world *w = world_new(1);
	struct active_metrics *active = active_metrics_new(w->metrics);

	(void)state;
	request(w, 1, &first, GET);
	active_metrics_update(active, w->pipeline);
	process(w, 10, "other", 2);
	active_metrics_update(active, w->pipeline);
	assert_int_equal(value(w, 10, "GET", "http"), 1);
	assert_int_equal(n_sets(w), 1);
	active_metrics_free(active);
	world_free(w);
}

/* The value of the set of those that have none of their own. */
static int overflow(struct world *w)
{
	struct metric_snapshot *snapshot = metrics_snapshot(w->metrics);
	const struct metric_family *family = family_of(snapshot);
	int found = -1;

	for (size_t i = 0; i < family->n_points; i++) {
		const struct metric_point *point = &family->points[i];

		if (point->n_attrs != 1)
			continue;
		assert_string_equal(point->attrs[0].key, "otel.metric.overflow");
		assert_true(point->attrs[0].boolean);
		assert_int_equal(found, -1);
		found = (int)point->value;
	}
	metric_snapshot_free(snapshot);
	return found;
}

static void more_than_there_is_room_for(void **state)
{
	struct world *w = world_new(1);
	struct active_metrics *active = active_metrics_new(w->metrics);
	struct sock last = {0};
	struct actor who = {0};

	(void)state;
	for (uint32_t i = 0; i < ACTIVE_METRICS_ROWS + 3; i++) {
		who = (struct actor){.pid = 1000 + i, .tid = 1000 + i};
		process(w, who.pid, "worker", 100 + i);
		last = request(w, 1 + i, &who, GET);
		if (i == ACTIVE_METRICS_ROWS - 1) {
			active_metrics_update(active, w->pipeline);
			assert_int_equal(overflow(w), -1);
		}
	}
	active_metrics_update(active, w->pipeline);
	assert_int_equal(n_sets(w), METRIC_MAX_SETS);
	assert_int_equal(value(w, 1000, "GET", "http"), 1);
	assert_int_equal(overflow(w), 3);
	sock_write(&last, &who, OK2);
	active_metrics_update(active, w->pipeline);
	assert_int_equal(overflow(w), 2);
	active_metrics_free(active);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(groups),
	    cmocka_unit_test(what_counts),
	    cmocka_unit_test(thousands),
	    cmocka_unit_test(a_service_that_ends),
	    cmocka_unit_test(a_service_that_is_replaced),
	    cmocka_unit_test(more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
