// SPDX-License-Identifier: Apache-2.0
/* Gauges of requests that are open; and that whoever asks what is open changes nothing. */
#include "collector/open_metrics.h"

#include <stdio.h>

#include "base/utf8.h"
#include "pipeline_fixture.h"

#define OVER_NS (10 * NS_PER_MS)

/* The values of a gauge, added up; *ret_points: how many sets there are. Labels are to be valid UTF-8. */
static double gauge(struct metrics *metrics, const char *name, size_t *ret_points)
{
	struct metric_snapshot *snapshot = metrics_snapshot(metrics);
	double sum = 0;

	*ret_points = 0;
	for (size_t i = 0; i < snapshot->n_families; i++) {
		const struct metric_family *family = &snapshot->families[i];

		if (strcmp(family->desc.name, name) != 0)
			continue;
		for (size_t k = 0; k < family->n_points; k++) {
			const struct metric_point *point = &family->points[k];

			sum += point->value;
			++*ret_points;
			for (size_t a = 0; a < point->n_attrs; a++)
				assert_true(utf8_valid(point->attrs[a].string));
		}
	}
	metric_snapshot_free(snapshot);
	return sum;
}

static struct sock front(struct world *w, uint64_t id)
{
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	return sock;
}

static void what_is_open(void **state)
{
	struct world *w = world_new(1);
	struct open_metrics *open = open_metrics_new(w->metrics);
	struct sock a = front(w, 1), b = front(w, 2);
	size_t n;

	(void)state;
	sock_read(&a, &first, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
	w->feed.now_ns += NS_PER_S;
	sock_read(&b, &second, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
	w->feed.now_ns += NS_PER_S;
	open_metrics_update(open, w->pipeline, w->feed.now_ns, OVER_NS);
	assert_true(gauge(w->metrics, "zerospan.open_requests", &n) == 2);
	assert_int_equal(n, 1);
	assert_int_equal((int)gauge(w->metrics, "zerospan.open_request.age", &n), 2);
	assert_int_equal((int)gauge(w->metrics, "zerospan.open_request.time", &n), 2);
	sock_write(&a, &first, OK2);
	sock_write(&b, &second, OK2);
	open_metrics_update(open, w->pipeline, w->feed.now_ns, OVER_NS);
	assert_true(gauge(w->metrics, "zerospan.open_requests", &n) == 0);
	assert_true(gauge(w->metrics, "zerospan.open_request.age", &n) == 0);
	assert_true(gauge(w->metrics, "zerospan.open_request.time", &n) == 0);
	assert_true(n > 0);
	open_metrics_free(open);
	world_free(w);
}

/* What is younger is none of its business; a longest time at all means that nothing is old enough. */
static void young_ones(void **state)
{
	struct world *w = world_new(1);
	struct open_metrics *open = open_metrics_new(w->metrics);
	struct sock a = front(w, 1);
	size_t n;

	(void)state;
	sock_read(&a, &first, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
	open_metrics_update(open, w->pipeline, w->feed.now_ns + OVER_NS / 2, OVER_NS);
	open_metrics_update(open, w->pipeline, w->feed.now_ns + NS_PER_S, UINT64_MAX);
	gauge(w->metrics, "zerospan.open_requests", &n);
	assert_int_equal(n, 0);
	open_metrics_free(open);
	world_free(w);
}

/* A path is cut where the room for it ends: not in the middle of a character. */
static void long_paths(void **state)
{
	struct world *w = world_new(1);
	struct open_metrics *open = open_metrics_new(w->metrics);
	struct sock a = front(w, 1);
	char path[160], text[300];
	size_t n;

	(void)state;
	for (size_t len = 110; len < 150; len++) {
		memset(path, 'g', len);
		path[len] = '\0';
		snprintf(text, sizeof(text), "GET /%s-\xff HTTP/1.1\r\nHost: x\r\n\r\n", path);
		sock_read(&a, &first, text);
		open_metrics_update(open, w->pipeline, w->feed.now_ns + NS_PER_S, OVER_NS);
		assert_true(gauge(w->metrics, "zerospan.open_requests", &n) == 1);
		sock_write(&a, &first, OK2);
	}
	open_metrics_free(open);
	world_free(w);
}

/* A service that has ended is forgotten, and stays so. */
static void a_service_that_ends(void **state)
{
	struct world *w = world_new(1);
	struct open_metrics *open = open_metrics_new(w->metrics);
	struct sock a = front(w, 1);
	uint64_t now_ns;
	size_t n;

	(void)state;
	sock_read(&a, &first, "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
	now_ns = w->feed.now_ns + NS_PER_S;
	open_metrics_update(open, w->pipeline, now_ns, OVER_NS);
	gauge(w->metrics, "zerospan.open_requests", &n);
	assert_int_equal(n, 1);
	pipeline_process_end(w->pipeline, first.pid, now_ns);
	pipeline_tick(w->pipeline, now_ns + 6 * NS_PER_S);
	open_metrics_update(open, w->pipeline, now_ns + 6 * NS_PER_S, OVER_NS);
	gauge(w->metrics, "zerospan.open_requests", &n);
	assert_int_equal(n, 0);
	open_metrics_free(open);
	world_free(w);
}

static void ignore(void *ctx, const struct span *span)
{
	(void)ctx;
	(void)span;
}

/* The names of the last two spans, when there was room for one route more. */
static void last_names(bool asked, char ret_names[2][64])
{
	struct world *w = world_new(1);
	struct sock a = front(w, 1), slow = front(w, 2);
	char text[100];

	for (int i = 0; i < 99; i++) {
		snprintf(text, sizeof(text), "GET /r%c%c HTTP/1.1\r\nHost: x\r\n\r\n", 'a' + i / 10,
		    'a' + i % 10);
		sock_read(&a, &first, text);
		sock_write(&a, &first, OK2);
	}
	sock_read(&slow, &second, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
	if (asked)
		pipeline_each_open(
		    w->pipeline, w->feed.now_ns + 1000, w->feed.now_ns + 1000, ignore, NULL);
	sock_read(&a, &first, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
	sock_write(&a, &first, OK2);
	sock_write(&slow, &second, OK2);
	world_end(w);
	for (size_t i = 0; i < 2; i++) {
		struct sv name = w->kept.traces[w->kept.n - 2 + i]->spans[0]->name;

		snprintf(ret_names[i], 64, "%.*s", SV_ARG(name));
	}
	world_free(w);
}

static void asking_changes_no_name(void **state)
{
	char asked[2][64], not_asked[2][64];

	(void)state;
	last_names(true, asked);
	last_names(false, not_asked);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(asked[i], not_asked[i]);
}

/* The thread of the last event is forgotten for one that is looked at; then its call ends by itself. */
static void a_thread_that_is_forgotten(void **state)
{
	struct world *w = world_new(1);
	struct actor client = {.pid = 10, .tid = 500};
	struct sock call = sock_tcp(&w->feed, 1, ZSP_ROLE_CONNECTED, 1, 50001, 9, 80);
	struct sock other = sock_tcp(&w->feed, 2, ZSP_ROLE_CONNECTED, 1, 50002, 9, 80);
	struct thread_wait wait = {.pid = 10, .tid = 9999, .kind = ZSP_WAIT_LOCK, .asked = true};

	(void)state;
	sock_announce(&call);
	sock_announce(&other);
	sock_write(&call, &client, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	for (uint32_t i = 0; i < 1023; i++) {
		struct actor busy = {.pid = 10, .tid = 1000 + i};

		sock_write(&other, &busy, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
		sock_read(&other, &busy, OK2);
	}
	sock_read(&call, &client, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
	wait.since_ns = w->feed.now_ns - 2;
	wait.time_ns = w->feed.now_ns;
	pipeline_wait(w->pipeline, &wait);
	world_end(w);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_open),
	    cmocka_unit_test(young_ones),
	    cmocka_unit_test(long_paths),
	    cmocka_unit_test(a_service_that_ends),
	    cmocka_unit_test(asking_changes_no_name),
	    cmocka_unit_test(a_thread_that_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
