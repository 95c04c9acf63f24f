// SPDX-License-Identifier: Apache-2.0
/* What the pipeline remembers of databases and processes, and when it forgets it. */
#include <errno.h>

#include "export/exporters.h"
#include "pipeline_fixture.h"
#include "proto/route_pattern.h"

/* --- databases ----------------------------------------------------------------------------------------- */

static void statement_on(struct world *w, uint64_t db)
{
	feed_execution(&w->feed, &first, &(struct execution){.sql = "SELECT a FROM t", .db = db});
}

/* db.namespace of the first span of a trace that was kept, "" when it has none. */
static struct sv namespace_of(const struct world *w, size_t trace)
{
	const struct attr *attr = span_attr(w->kept.traces[trace]->spans[0], "db.namespace");

	return attr ? attr->string : SV("");
}

static void database_is_asked_for_once(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	for (int i = 0; i < 5; i++) {
		statement_on(w, 5);
		statement_on(w, 6);
		statement_on(w, 0); /* unknown: nothing to ask for */
	}
	assert_int_equal(w->asked, 2);
	process(w, 10, "shop", 2); /* another program: its handles are others */
	statement_on(w, 5);
	assert_int_equal(w->asked, 3);
	world_end(w);
	assert_true(sv_eq(namespace_of(w, 0), SV("/srv/10-5.db")));
	assert_true(sv_eq(namespace_of(w, 1), SV("/srv/10-6.db")));
	assert_null(span_attr(w->kept.traces[2]->spans[0], "db.namespace"));
	world_free(w);
}

/* A handle whose path cannot be told costs one look-up, not one per statement. */
static void database_that_cannot_be_told(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	w->answer = -EFAULT;
	for (int i = 0; i < 100; i++)
		statement_on(w, 5);
	world_end(w);
	assert_null(span_attr(w->kept.traces[0]->spans[0], "db.namespace"));
	assert_int_equal(w->asked, 1);
	world_free(w);
}

/* It may have been asked for while the handle was being opened. */
static void database_that_can_be_told_later(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	w->answer = -ENOENT;
	statement_on(w, 5);
	w->answer = 0;
	statement_on(w, 5);
	assert_int_equal(w->asked, 1);
	w->feed.now_ns += DATABASES_WAIT_NS;
	statement_on(w, 5);
	statement_on(w, 5);
	assert_int_equal(w->asked, 2);
	world_end(w);
	assert_true(sv_eq(namespace_of(w, 1), SV("")));
	assert_true(sv_eq(namespace_of(w, 2), SV("/srv/10-5.db")));
	assert_true(sv_eq(namespace_of(w, 3), SV("/srv/10-5.db")));
	world_free(w);
}

/* Asked for soon, and each time later: 1, 10 and 100 ms, and each second from then on; of each handle by itself. */
static void database_that_is_asked_for_again(void **state)
{
	static const struct {
		uint64_t after_ms;
		int asked;
	} steps[] = {
	    {0, 1}, {1, 2}, {9, 2}, {1, 3}, {99, 3}, {1, 4}, {999, 4}, {1, 5}, {999, 5}, {1, 6}};
	struct world *w = world_new(1);

	(void)state;
	w->answer = -ENOENT;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		w->feed.now_ns += steps[i].after_ms * NS_PER_MS;
		/* Each event takes FEED_STEP_NS by itself. */
		statement_on(w, 5);
		assert_int_equal(w->asked, steps[i].asked);
	}
	statement_on(w, 6);
	assert_int_equal(w->asked, 7);
	w->feed.now_ns += DATABASES_WAIT_NS;
	w->answer = 0;
	statement_on(w, 5);
	assert_int_equal(w->asked, 7);
	statement_on(w, 6);
	assert_int_equal(w->asked, 8);
	world_free(w);
}

/* A replay asks when the recording has the answer, whatever the recorder's patience was. */
static void database_that_is_told_now(void **state)
{
	const struct database_handle handle = {.pid = 10, .db = 5}, unknown = {.pid = 10, .db = 6};
	struct world *w = world_new(1);

	(void)state;
	w->answer = -ENOENT;
	statement_on(w, 5);
	w->answer = 0;
	pipeline_database_told(w->pipeline, &unknown);
	statement_on(w, 5);
	assert_int_equal(w->asked, 1);
	pipeline_database_told(w->pipeline, &handle);
	statement_on(w, 5);
	assert_int_equal(w->asked, 2);
	pipeline_database_told(w->pipeline, &handle); /* it stands */
	statement_on(w, 5);
	assert_int_equal(w->asked, 2);
	world_end(w);
	assert_true(sv_eq(namespace_of(w, 2), SV("/srv/10-5.db")));
	world_free(w);
}

/* Closed, and another opened: malloc gives the same address again. */
static void database_at_the_address_of_another(void **state)
{
	const struct execution on_another = {.sql = "SELECT a FROM t", .db = 5, .closes = 1};
	struct world *w = world_new(1);

	(void)state;
	statement_on(w, 5);
	feed_execution(&w->feed, &first, &on_another);
	feed_execution(&w->feed, &first, &on_another);
	statement_on(w, 5); /* ended before the closing, told after it */
	assert_int_equal(w->asked, 2);
	world_end(w);
	assert_true(sv_eq(namespace_of(w, 0), SV("/srv/10-5.db")));
	assert_true(sv_eq(namespace_of(w, 1), SV("/srv/10-5-later.db")));
	assert_true(sv_eq(namespace_of(w, 2), SV("/srv/10-5-later.db")));
	assert_true(sv_eq(namespace_of(w, 3), SV("/srv/10-5.db")));
	world_free(w);
}

/* The last statements of a process may be read after its end: what was known stands. */
static void database_of_a_process_that_is_gone(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	statement_on(w, 5);
	w->answer = -ESRCH;
	w->feed.now_ns += 2 * DATABASES_WAIT_MAX_NS;
	statement_on(w, 5);
	statement_on(w, 6);
	assert_int_equal(w->asked, 2);
	world_end(w);
	assert_true(sv_eq(namespace_of(w, 1), SV("/srv/10-5.db")));
	assert_true(sv_eq(namespace_of(w, 2), SV("")));
	world_free(w);
}

/* More handles than are remembered: some are asked for again, none gets another's path. */
static void many_databases(void **state)
{
	struct world *w = world_new(1);
	char path[32];

	(void)state;
	for (uint64_t db = 1; db <= 4200; db++)
		statement_on(w, db);
	assert_int_equal(w->asked, 4200);
	statement_on(w, 4200);
	assert_int_equal(w->asked, 4200);
	statement_on(w, 1);
	assert_int_equal(w->asked, 4201);
	world_end(w);
	assert_int_equal(w->kept.n, 4202);
	for (size_t i = 0; i < 4200; i++) {
		snprintf(path, sizeof(path), "/srv/10-%zu.db", i + 1);
		assert_true(sv_eq(
		    span_attr(w->kept.traces[i]->spans[0], "db.namespace")->string, sv_cstr(path)));
	}
	world_free(w);
}

/* --- processes ----------------------------------------------------------------------------------------- */

static void process_is_forgotten_after_its_end(void **state)
{
	struct world *w = world_new(1);
	struct pipeline_stats stats;
	uint64_t count;

	(void)state;
	checkout(w, 1);
	pipeline_process_end(w->pipeline, 10, w->feed.now_ns);
	checkout(w, 10); /* what its sockets still have to say */
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.assembler.dropped, 0);
	assert_true(metric_points(w, &count) > 0);
	assert_int_equal(count, 14);
	w->feed.now_ns += 10 * NS_PER_S;
	pipeline_tick(w->pipeline, w->feed.now_ns);
	assert_int_equal(metric_points(w, &count), 0);
	checkout(w, 20);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.assembler.dropped, 7);
	world_end(w);
	assert_int_equal(w->kept.n, 2);
	world_free(w);
}

/* What a process that ended has left open ends too, at a time that there was. */
static void last_tick_is_no_time(void **state)
{
	struct world *w = world_new(1);
	struct sock sock = sock_tcp(&w->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40001);

	(void)state;
	sock_announce(&sock);
	sock_read(&sock, &first, POST("/a"));
	pipeline_process_end(w->pipeline, 10, w->feed.now_ns);
	pipeline_tick(w->pipeline, UINT64_MAX);
	world_end(w);
	for (size_t i = 0; i < w->kept.n; i++)
		assert_true(w->kept.traces[i]->spans[0]->end_ns <= w->feed.now_ns);
	world_free(w);
}

/* A process that runs another program is another service; the first one's series end with it. */
static void series_of_a_replaced_service_end(void **state)
{
	struct world *w = world_new(1);
	uint64_t count;

	(void)state;
	checkout(w, 1);
	process(w, 10, "other", 2);
	checkout(w, 10);
	pipeline_process_end(w->pipeline, 10, w->feed.now_ns);
	w->feed.now_ns += 10 * NS_PER_S;
	pipeline_tick(w->pipeline, w->feed.now_ns);
	assert_int_equal(metric_points(w, &count), 0);
	world_free(w);
}

/* Who reads metrics gets what a process counted that ended before, and what it counted as another program. */
static void series_stay_until_they_are_read(void **state)
{
	struct world *w = world_new(1);
	int reader = metrics_add_reader(w->metrics, METRIC_READER_PERIODIC, 3600 * NS_PER_S);
	uint64_t count;

	(void)state;
	checkout(w, 1);
	process(w, 10, "other", 2);
	checkout(w, 10);
	pipeline_process_end(w->pipeline, 10, w->feed.now_ns);
	w->feed.now_ns += 10 * NS_PER_S;
	pipeline_tick(w->pipeline, w->feed.now_ns);
	assert_true(metric_points(w, &count) > 0);
	assert_int_equal(count, 14);
	metrics_reader_had(w->metrics, reader, clock_monotonic_ns());
	assert_int_equal(metric_points(w, &count), 0);
	world_free(w);
}

/* The same program again in the same process (exec): one series each, which begins anew. */
static void series_of_the_same_service_again(void **state)
{
	struct world *w = world_new(1);
	uint64_t count;
	size_t points;

	(void)state;
	assert_true(metrics_add_reader(w->metrics, METRIC_READER_PERIODIC, 3600 * NS_PER_S) >= 0);
	checkout(w, 1);
	points = metric_points(w, &count);
	process(w, 10, "shop", 1);
	checkout(w, 10);
	assert_int_equal(metric_points(w, &count), points);
	assert_int_equal(count, 7);
	world_free(w);
}

/* No line of the exposition has the name and the labels of another. */
static void expect_once_each(struct world *w)
{
	struct metric_snapshot *snapshot = metrics_snapshot(w->metrics);
	struct buf text;

	buf_init(&text);
	encode_prometheus_text(&text, snapshot);
	for (const char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1) {
		size_t len = (size_t)(end - line);
		const char *value = memrchr(line, ' ', len);

		if (*line == '#')
			continue;
		len = (size_t)(value + 1 - line);
		if (memmem(end, strlen(end), line - 1, len + 1)) /* with the line's begin */
			fail_msg("twice: %.*s", (int)len, line);
	}
	buf_release(&text);
	metric_snapshot_free(snapshot);
}

/* Of a checkout: the sizes of its spans, its request, the call between its parts and its four statements with their times. */
#define MISSED (7 + 2 + 3 + 4 * 3)

/* It runs its program again while its trace is not complete yet: no series of before comes back, and what they miss is counted. */
static void series_of_a_trace_that_is_late(void **state)
{
	struct world *w = world_with(1, (struct pipeline_options){.span_metrics = true});
	struct metrics_stats stats;

	(void)state;
	process(w, 10, "shop", 1);
	checkout(w, 1);
	process(w, 10, "shop", 1);
	pipeline_tick(w->pipeline, w->feed.now_ns + NS_PER_S);
	metrics_stats(w->metrics, &stats);
	assert_int_equal(stats.late_records, MISSED);
	assert_int_equal(stats.lost_records, 0);
	w->feed.now_ns += 2 * NS_PER_S;
	checkout(w, 10);
	pipeline_tick(w->pipeline, w->feed.now_ns + NS_PER_S);
	expect_once_each(w);
	metrics_stats(w->metrics, &stats);
	assert_int_equal(stats.late_records, MISSED);
	world_free(w);
}

/* The pid is another process' before the first is forgotten: the second stays, the first goes. */
static void pid_is_reused_at_once(void **state)
{
	struct world *w = world_new(1);
	struct pipeline_stats stats;
	uint64_t count;
	size_t points;

	(void)state;
	checkout(w, 1);
	points = metric_points(w, &count);
	pipeline_process_end(w->pipeline, 10, w->feed.now_ns);
	process(w, 10, "second", 2);
	checkout(w, 10);
	w->feed.now_ns += 10 * NS_PER_S;
	pipeline_tick(w->pipeline, w->feed.now_ns);
	checkout(w, 20);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.assembler.dropped, 0);
	assert_int_equal(metric_points(w, &count), points);
	assert_int_equal(count, 14);
	world_free(w);
}

static void end_of_an_unknown_process(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	pipeline_process_end(w->pipeline, 99, w->feed.now_ns);
	pipeline_process_end(w->pipeline, 10, w->feed.now_ns);
	pipeline_process_end(w->pipeline, 10, w->feed.now_ns); /* twice */
	pipeline_tick(w->pipeline, w->feed.now_ns + 10 * NS_PER_S);
	world_free(w);
}

/* --- routes -------------------------------------------------------------------------------------------- */

static void get_user(struct world *w, uint64_t id)
{
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	sock_read(&sock, &first, "GET /users/42 HTTP/1.1\r\nHost: h\r\n\r\n");
	sock_write(&sock, &first, OK2);
	sock_close(&sock);
}

/* The file is read again, and the patterns that paths were named by are gone: nothing of them is left. */
static void routes_of_another_file(void **state)
{
	static const char *const texts[] = {"/users/{name}", "/users/{somebody}", NULL, "/*"};
	static const char *const names[] = {
	    "GET /users/{name}", "GET /users/{somebody}", "GET /users/{id}", "GET /*"};
	struct http_naming naming = http_naming_default;
	struct world *w = world_with(1, (struct pipeline_options){.naming = &naming});
	struct route_patterns *patterns = NULL;
	struct buf why;

	(void)state;
	buf_init(&why);
	process(w, 10, "shop", 1);
	for (uint64_t i = 0; i < 4; i++) {
		pipeline_naming_changes(w->pipeline);
		route_patterns_free(patterns);
		naming.patterns = patterns = texts[i] ? route_patterns_new() : NULL;
		if (patterns)
			assert_int_equal(route_patterns_add(patterns, sv_cstr(texts[i]), &why), 0);
		get_user(w, 1 + 2 * i);
		get_user(w, 2 + 2 * i); /* now it is remembered */
	}
	world_end(w);
	assert_int_equal(w->kept.n, 8);
	for (size_t i = 0; i < 8; i++)
		if (!sv_eq(w->kept.traces[i]->spans[0]->name, sv_cstr(names[i / 2])))
			fail_msg("%zu is '%.*s'", i, SV_ARG(w->kept.traces[i]->spans[0]->name));
	world_free(w);
	route_patterns_free(patterns);
	buf_release(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(database_is_asked_for_once),
	    cmocka_unit_test(database_that_cannot_be_told),
	    cmocka_unit_test(database_that_can_be_told_later),
	    cmocka_unit_test(database_that_is_asked_for_again),
	    cmocka_unit_test(database_that_is_told_now),
	    cmocka_unit_test(database_at_the_address_of_another),
	    cmocka_unit_test(database_of_a_process_that_is_gone),
	    cmocka_unit_test(many_databases),
	    cmocka_unit_test(process_is_forgotten_after_its_end),
	    cmocka_unit_test(last_tick_is_no_time),
	    cmocka_unit_test(series_of_a_replaced_service_end),
	    cmocka_unit_test(series_stay_until_they_are_read),
	    cmocka_unit_test(series_of_the_same_service_again),
	    cmocka_unit_test(series_of_a_trace_that_is_late),
	    cmocka_unit_test(pid_is_reused_at_once),
	    cmocka_unit_test(end_of_an_unknown_process),
	    cmocka_unit_test(routes_of_another_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
