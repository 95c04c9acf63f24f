// SPDX-License-Identifier: Apache-2.0
/* Lines of observed processes through the whole pipeline: how they go out. */
#include "log_scene.h"

static void long_requests_do_not_hold_lines_for_ever(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock sock = server(s, 1);

	(void)state;
	sock_read(&sock, &first, GET("/long"));
	feed_line(feed, &first, "early\n");
	pipeline_tick(s->w->pipeline, feed->now_ns += 11 * NS_PER_S);
	feed_line(feed, &first, "late\n");
	sock_write(&sock, &first, OK2);
	scene_end(s);
	expect_of(s, "early", "GET /long");
	expect_of(s, "late", "GET /long");
	assert_int_equal(s->of_loose.n, 1);
	assert_true(sv_eq(s->of_loose.records[0]->body, SV("early")));
	assert_int_equal(s->w->kept.traces[0]->logs->n_records, 1);
	scene_free(s);
}

/* One request that says very much: so many wait, the rest is told at once, of no request, and counted. */
static void waiting_lines_are_bounded(void **state)
{
	struct world *w = world_empty(1, NULL);
	struct pipeline_options options = {
	    .metrics = w->metrics, .logs = {.per_second = RATE_MAX, .burst = RATE_MAX}};
	struct pipeline_stats stats;
	struct sock sock;

	(void)state;
	pipeline_free(w->pipeline, 0);
	rng_seed(&options.rng, 1);
	w->pipeline = pipeline_new(&options);
	process(w, 10, "shop", 1);
	sock = sock_tcp(&w->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40001);
	sock_announce(&sock);
	sock_read(&sock, &first, GET("/a"));
	for (int i = 0; i < 65536 + 3; i++)
		feed_line(&w->feed, &first, "x\n");
	sock_write(&sock, &first, OK2);
	pipeline_end(w->pipeline, w->feed.now_ns);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.assembler.logs_unheld, 3);
	assert_int_equal(stats.logs.records[0], 65536 + 3);
	assert_int_equal(stats.logs.of_requests, 65536);
	world_free(w);
}

static void binary_is_repaired(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	feed_write(&s->w->feed, &first, ZSP_STDOUT, SV("a\0b\xff\xc3\xa9\n"));
	scene_end(s);
	assert_int_equal(s->of_all.n, 1);
	assert_true(sv_eq(s->of_all.records[0]->body,
	    SV("a\xef\xbf\xbd"
	       "b\xef\xbf\xbd\xc3\xa9")));
	assert_false(s->of_all.records[0]->binary);
	scene_free(s);
}

static void missing_bytes_are_told(void **state)
{
	struct scene *s = scene_new();
	struct pipeline_stats stats;
	const struct log_record *record;

	(void)state;
	feed_write_cut(&s->w->feed, &first, ZSP_STDOUT, SV("begin"), 1006, '\n');
	stats = scene_end(s);
	record = record_of(s, "begin");
	assert_int_equal(record->n_attrs, 3);
	assert_string_equal(record->attrs[2].key, "zerospan.log.missing_bytes");
	assert_int_equal(record->attrs[2].integer, 1000);
	assert_int_equal(stats.logs.truncated, 1);
	scene_free(s);
}

static double metric(struct world *w, const char *name, const char *label)
{
	struct metric_snapshot *snapshot = metrics_snapshot(w->metrics);
	double value = -1;

	for (size_t i = 0; i < snapshot->n_families; i++)
		for (size_t k = 0; k < snapshot->families[i].n_points; k++) {
			const struct metric_point *point = &snapshot->families[i].points[k];

			if (strcmp(snapshot->families[i].desc.name, name) == 0 && point->n_attrs &&
			    sv_eq(point->attrs[0].string, sv_cstr(label)))
				value = point->value;
		}
	metric_snapshot_free(snapshot);
	return value;
}

static void beyond_the_rate(void **state)
{
	struct scene *s = scene_limited(NULL, 5);
	struct pipeline_stats stats;
	const struct actor stranger = {99, 1, 0};

	(void)state;
	for (int i = 0; i < 12; i++)
		feed_line(&s->w->feed, &first, "ERROR: again\n");
	feed_line(&s->w->feed, &stranger, "of nobody known\n");
	stats = scene_end(s);
	assert_int_equal(s->of_all.n, 5);
	assert_int_equal(stats.logs.limited, 7);
	assert_int_equal(stats.logs.unknown, 1);
	assert_int_equal((int)metric(s->w, "zerospan.logs.records", "error"), 5);
	assert_int_equal((int)metric(s->w, "zerospan.logs.records", "info"), 0);
	assert_int_equal((int)metric(s->w, "zerospan.logs.dropped", "rate_limit"), 7);
	assert_int_equal((int)metric(s->w, "zerospan.logs.dropped", "process_unknown"), 1);
	scene_free(s);
}

/* --trace-id: nothing but that trace and its lines. */
static void only_one_trace(void **state)
{
	struct scene *s = scene_new();
	struct sock one = server(s, 1), other = server(s, 2);
	char wanted[33];

	(void)state;
	for (int round = 0; round < 2; round++) {
		sock_read(&one, &first, GET("/one"));
		feed_line(&s->w->feed, &first, "of one\n");
		sock_write(&one, &first, OK2);
		sock_read(&other, &second, GET("/other"));
		feed_line(&s->w->feed, &second, "of the other\n");
		sock_write(&other, &second, OK2);
		feed_line(&s->w->feed, &(const struct actor){10, 103, 0}, "of none\n");
		scene_end(s);
		if (round)
			break;
		assert_int_equal(s->w->kept.n, 2);
		trace_id_hex(&span_of(s, "GET /other", SPAN_KIND_SERVER)->trace_id, wanted);
		wanted[8] = '\0';
		scene_free(s);
		s = scene_limited(wanted, 1000); /* the same seed: the same ids */
		one = server(s, 1);
		other = server(s, 2);
	}
	assert_int_equal(s->w->kept.n, 1);
	assert_int_equal(s->of_all.n, 1);
	expect_of(s, "of the other", "GET /other");
	scene_free(s);
}

/* Not asked for: a recording that has lines is replayed without them. */
static void off(void **state)
{
	struct world *w = world_new(1);
	struct pipeline_stats stats;

	(void)state;
	feed_line(&w->feed, &first, "secret\n");
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.events, 1);
	assert_int_equal(stats.logs.records[0], 0);
	assert_int_equal((int)metric(w, "zerospan.logs.records", "info"), -1);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(long_requests_do_not_hold_lines_for_ever),
	    cmocka_unit_test(waiting_lines_are_bounded),
	    cmocka_unit_test(binary_is_repaired),
	    cmocka_unit_test(missing_bytes_are_told),
	    cmocka_unit_test(beyond_the_rate),
	    cmocka_unit_test(only_one_trace),
	    cmocka_unit_test(off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
