// SPDX-License-Identifier: Apache-2.0
/* Lines of observed processes through the whole pipeline: which request they are about, and how they go out. */
#include "log_fixture.h"
#include "pipeline_fixture.h"

/* What a sink of log records was given; read after sink_free(). */
struct kept_logs {
	struct log_record *records[KEPT_MAX];
	struct log_batch *batches[KEPT_MAX];
	size_t n, n_batches;
};

static size_t keep_logs(
    void *driver, struct sink *sink, struct log_batch *const *batches, size_t n, size_t *ret_failed)
{
	struct kept_logs *kept = driver;
	size_t before = kept->n;

	(void)sink;
	*ret_failed = 0;
	for (size_t i = 0; i < n; i++) {
		kept->batches[kept->n_batches++] = log_batch_ref(batches[i]);
		for (size_t k = 0; k < batches[i]->n_records; k++)
			kept->records[kept->n++] = batches[i]->records[k];
	}
	return kept->n - before;
}

static const struct sink_driver keep_logs_driver = {
    .name = "keep", .deliver_logs = keep_logs, .free = keep_free};

struct scene {
	struct world *w;
	struct sink *all, *loose;
	struct kept_logs of_all, of_loose;
};

static struct scene *scene_limited(const char *only_trace, uint32_t per_second)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct pipeline_options options = {
	    .only_trace = only_trace, .logs = {.per_second = per_second, .burst = per_second}};

	assert_non_null(s);
	s->w = world_empty(1, NULL);
	pipeline_free(s->w->pipeline, 0);
	options.metrics = s->w->metrics;
	rng_seed(&options.rng, 1);
	s->w->pipeline = pipeline_new(&options);
	assert_non_null(s->w->pipeline);
	assert_int_equal(pipeline_add_sink(s->w->pipeline, s->w->sink), 0);
	s->all = sink_new(&keep_logs_driver, &s->of_all, &keep_options);
	s->loose = sink_new(&keep_logs_driver, &s->of_loose, &keep_options);
	assert_int_equal(pipeline_add_log_sink(s->w->pipeline, s->all, false), 0);
	assert_int_equal(pipeline_add_log_sink(s->w->pipeline, s->loose, true), 0);
	process(s->w, 10, "shop", 1);
	return s;
}

static struct scene *scene_new(void)
{
	return scene_limited(NULL, 1000);
}

/* End the pipeline and the sinks: what they have can be read. */
static struct pipeline_stats scene_end(struct scene *s)
{
	struct pipeline_stats stats;

	pipeline_end(s->w->pipeline, s->w->feed.now_ns);
	pipeline_stats(s->w->pipeline, &stats);
	world_end(s->w);
	sink_free(s->all);
	sink_free(s->loose);
	return stats;
}

static void scene_free(struct scene *s)
{
	for (size_t i = 0; i < s->of_all.n_batches; i++)
		log_batch_unref(s->of_all.batches[i]);
	for (size_t i = 0; i < s->of_loose.n_batches; i++)
		log_batch_unref(s->of_loose.batches[i]);
	world_free(s->w);
	free(s);
}

static const struct log_record *record_of(const struct scene *s, const char *body)
{
	for (size_t i = 0; i < s->of_all.n; i++)
		if (sv_eq(s->of_all.records[i]->body, sv_cstr(body)))
			return s->of_all.records[i];
	fail_msg("no record '%s'", body);
	return NULL;
}

static const struct span *span_of(const struct scene *s, const char *name, enum span_kind kind)
{
	for (size_t i = 0; i < s->w->kept.n; i++)
		for (size_t k = 0; k < s->w->kept.traces[i]->n_spans; k++) {
			const struct span *span = s->w->kept.traces[i]->spans[k];

			if (sv_eq(span->name, sv_cstr(name)) && span->kind == kind)
				return span;
		}
	fail_msg("no span '%s'", name);
	return NULL;
}

static void expect_of(const struct scene *s, const char *body, const char *name)
{
	const struct log_record *record = record_of(s, body);
	const struct span *span = span_of(s, name, SPAN_KIND_SERVER);

	if (!span_id_eq(&record->span_id, &span->span_id))
		fail_msg("'%s' is not of '%s'", body, name);
	assert_true(trace_id_eq(&record->trace_id, &span->trace_id));
	assert_int_equal(record->flags & 1, 1);
}

static void expect_of_none(const struct scene *s, const char *body)
{
	const struct log_record *record = record_of(s, body);

	if (!trace_id_is_zero(&record->trace_id) || !span_id_is_zero(&record->span_id))
		fail_msg("'%s' is of a request", body);
}

/* A server's connection of its own. */
static struct sock server(struct scene *s, uint64_t id)
{
	struct sock sock =
	    sock_tcp(&s->w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	return sock;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* --- the shop: each line is of the request that its thread was at --------------------------------------- */

static void lines_of_a_checkout(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock outer = server(s, 1), client, inner;
	struct pipeline_stats stats;
	const struct log_record *record;

	(void)state;
	feed_line(feed, &first, "{\"level\":\"info\",\"msg\":\"listening\"}\n");
	sock_tcp_pair(feed, 2, 50001, &client, &inner);
	sock_announce(&client);
	sock_announce(&inner);
	sock_read(&outer, &first, POST("/checkout"));
	feed_line(feed, &first, "order begins\n");
	sock_write(&client, &first, POST("/inventory/deduct"));
	sock_read(&inner, &second, POST("/inventory/deduct"));
	feed_line(feed, &second, "WARN deduct\n");
	sock_write(&inner, &second, OK2);
	sock_read(&client, &first, OK2);
	feed_write(feed, &first, ZSP_STDERR, SV("order done\n"));
	sock_write(&outer, &first, OK2);
	stats = scene_end(s);
	expect_of_none(s, "{\"level\":\"info\",\"msg\":\"listening\"}");
	expect_of(s, "order begins", "POST /checkout");
	expect_of(s, "order done", "POST /checkout");
	expect_of(s, "WARN deduct", "POST /inventory/deduct");
	assert_int_equal(s->of_all.n, 4);
	/* The tree has three of them, the rest is told apart. */
	assert_int_equal(s->w->kept.n, 1);
	assert_int_equal(s->w->kept.traces[0]->logs->n_records, 3);
	assert_int_equal(s->of_loose.n, 1);
	assert_int_equal(stats.logs.of_requests, 3);
	assert_int_equal(stats.logs.records[3], 1);
	assert_int_equal(stats.logs.records[4], 1);
	assert_int_equal(stats.logs.records[0], 2);
	record = record_of(s, "order done");
	assert_int_equal(record->n_attrs, 2);
	assert_string_equal(record->attrs[0].key, "log.iostream");
	assert_true(sv_eq(record->attrs[0].string, SV("stderr")));
	assert_int_equal(record->attrs[1].integer, 101);
	assert_string_equal(record->service->name, "shop");
	record = record_of(s, "WARN deduct");
	assert_int_equal(record->severity, LOG_SEVERITY_WARN);
	assert_true(sv_eq(record->severity_text, SV("WARN")));
	scene_free(s);
}

/* nginx writes its access log once the answer is out. */
static void line_behind_the_answer(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock sock = server(s, 1);
	const struct actor next = {10, 101, 1};
	struct zsp_waits waits = {0};

	(void)state;
	sock_read(&sock, &first, GET("/a"));
	sock_write(&sock, &first, OK2);
	feed_line(feed, &first, "a is done\n");
	feed_line(feed, &next, "another slice\n");
	sock_read(&sock, &next, GET("/b"));
	feed_line(feed, &next, "b begins\n");
	sock_write(&sock, &next, OK2);
	waits.woken_ns = feed->now_ns + 1;
	feed->waits = &waits;
	feed->now_ns += 10;
	feed_line(feed, &next, "woken for something else\n");
	feed->waits = NULL;
	feed_line(feed, &second, "who is that?\n");
	scene_end(s);
	expect_of(s, "a is done", "GET /a");
	expect_of_none(s, "another slice");
	expect_of(s, "b begins", "GET /b");
	expect_of_none(s, "woken for something else");
	expect_of_none(s, "who is that?");
	scene_free(s);
}

/* In an event loop the line may be about either: two candidates are no candidate. */
static void two_candidates(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock one = server(s, 1), other = server(s, 2);

	(void)state;
	sock_read(&one, &first, GET("/one"));
	feed_line(feed, &first, "of one\n");
	sock_read(&other, &first, GET("/other"));
	feed_line(feed, &first, "of either\n");
	sock_write(&one, &first, OK2);
	feed_line(feed, &first, "of one, answered, or of the other\n");
	scene_end(s);
	expect_of(s, "of one", "GET /one");
	expect_of_none(s, "of either");
	expect_of_none(s, "of one, answered, or of the other");
	scene_free(s);
}

/* But if the thread moves bytes of one before and behind the line, in the same slice, it was at work for that. */
static void between_two_events_of_one(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock one = server(s, 1), other = server(s, 2);
	struct actor loop = {10, 101, 1};

	(void)state;
	sock_read(&one, &loop, GET("/one"));
	loop.slice++;
	sock_read(&other, &loop, GET("/other"));
	feed_line(feed, &loop, "of the other\n");
	sock_write(&other, &loop, OK2);
	sock_read(&other, &loop, GET("/another"));
	feed_line(feed, &loop, "who knows\n");
	loop.slice++; /* it has been back in epoll_wait */
	feed_line(feed, &loop, "later\n");
	sock_write(&other, &loop, OK2);
	sock_read(&other, &loop, GET("/third"));
	feed_line(feed, &loop, "of the third or of one\n");
	sock_write(&one, &loop, OK2);
	sock_write(&other, &loop, OK2);
	sock_read(&one, &loop, GET("/fourth"));
	sock_read(&other, &loop, GET("/fifth"));
	loop.slice++;
	feed_sql(feed, &loop, "SELECT 1"); /* of whom? */
	feed_line(feed, &loop, "behind a statement\n");
	sock_write(&other, &loop, OK2);
	sock_write(&one, &loop, OK2);
	scene_end(s);
	expect_of(s, "of the other", "GET /other");
	expect_of_none(s, "who knows");
	expect_of_none(s, "later");
	expect_of_none(s, "of the third or of one");
	expect_of_none(s, "behind a statement");
	assert_int_equal(s->of_all.n, 5);
	scene_free(s);
}

/* Who answers what another one has read may be at the next one already. */
static void worker_is_given_the_next_one(void **state)
{
	struct scene *s = scene_new();
	struct sock one = server(s, 1), other = server(s, 2);

	(void)state;
	sock_read(&one, &second, GET("/one"));
	sock_read(&other, &second, GET("/other"));
	sock_write(&one, &first, OK2);
	feed_line(&s->w->feed, &first, "the other begins\n");
	sock_write(&other, &first, OK2);
	scene_end(s);
	expect_of_none(s, "the other begins");
	scene_free(s);
}

/* Nothing says of what is said last by a thread that hands requests over. */
static void handed_over_and_never_answered(void **state)
{
	struct scene *s = scene_new();
	struct sock one = server(s, 1), other = server(s, 2);

	(void)state;
	sock_read(&one, &second, GET("/one"));
	sock_write(&one, &first, OK2);
	sock_read(&other, &second, GET("/other"));
	feed_line(&s->w->feed, &second, "of the other, or of a third\n");
	sock_close(&other);
	scene_end(s);
	expect_of_none(s, "of the other, or of a third");
	scene_free(s);
}

/* A line in several writes is of the request that its thread was at from the first to the last. */
static void lines_in_pieces(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock one = server(s, 1), other = server(s, 2);

	(void)state;
	sock_read(&one, &first, GET("/one"));
	feed_line(feed, &first, "of ");
	feed_line(feed, &first, "one\n");
	feed_line(feed, &first, "of one, ");
	sock_write(&one, &first, OK2);
	sock_read(&other, &first, GET("/other"));
	feed_line(feed, &first, "and the other\n");
	sock_read(&one, &first, GET("/third"));
	feed_line(feed, &first, "of either");
	feed->now_ns += NS_PER_MS;
	sock_write(&other, &second, OK2);
	pipeline_tick(s->w->pipeline, feed->now_ns += NS_PER_S);
	sock_write(&one, &first, OK2);
	scene_end(s);
	expect_of(s, "of one", "GET /one");
	expect_of_none(s, "of one, and the other");
	expect_of_none(s, "of either");
	scene_free(s);
}

/* Workers that read a request and hand it over: whose answer the thread writes next tells that it was not at work for its own. */
static void handed_over(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock one = server(s, 1), other = server(s, 2), third = server(s, 3);

	(void)state;
	sock_read(&one, &first, GET("/one"));
	feed_line(feed, &first, "of one, or of the other\n");
	sock_read(&other, &second, GET("/other"));
	sock_write(&other, &first, OK2); /* which the second one has read */
	feed_line(feed, &first, "of the other, answered, or of one\n");
	sock_read(&third, &first, GET("/third"));
	sock_write(&third, &first, OK2);
	sock_read(&other, &second, GET("/again"));
	feed_line(feed, &second, "of who knows\n");
	sock_write(&other, &first, OK2); /* another thread answers */
	sock_write(&one, &second, OK2);
	scene_end(s);
	expect_of_none(s, "of one, or of the other");
	expect_of_none(s, "of the other, answered, or of one");
	expect_of_none(s, "of who knows");
	scene_free(s);
}

/* Without an answer nothing says that it was about another one. */
static void never_answered(void **state)
{
	struct scene *s = scene_new();
	struct sock one = server(s, 1);

	(void)state;
	sock_read(&one, &first, GET("/raise"));
	feed_line(&s->w->feed, &first, "ValueError: no such item\n");
	sock_close(&one);
	scene_end(s);
	expect_of(s, "ValueError: no such item", "GET /raise");
	scene_free(s);
}

/* The thread, or the request, is gone before that is decided. */
static void never_decided(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock one = server(s, 1), other = server(s, 2);

	(void)state;
	sock_read(&one, &first, GET("/one"));
	sock_read(&other, &first, GET("/other"));
	feed_line(feed, &first, "of a request that ends\n");
	sock_write(&other, &second, OK2);
	sock_read(&other, &first, GET("/another"));
	feed_line(feed, &first, "of one that does not\n");
	pipeline_tick(s->w->pipeline, feed->now_ns += 11 * NS_PER_S);
	feed_line(feed, &first, "at the end\n");
	scene_end(s);
	expect_of_none(s, "of a request that ends");
	expect_of_none(s, "of one that does not");
	expect_of_none(s, "at the end");
	scene_free(s);
}

/* What came out of a buffer was written whenever. */
static void buffered_lines_are_of_none(void **state)
{
	struct scene *s = scene_new();
	struct sock sock = server(s, 1);

	(void)state;
	sock_read(&sock, &first, GET("/a"));
	feed_line(&s->w->feed, &first, "INFO old\nINFO new\n");
	feed_line(&s->w->feed, &first, "INFO now\n");
	sock_write(&sock, &first, OK2);
	scene_end(s);
	expect_of_none(s, "INFO old");
	expect_of_none(s, "INFO new");
	expect_of(s, "INFO now", "GET /a");
	scene_free(s);
}

/* A line without its end is the request's as long as the thread has done nothing else. */
static void line_without_end(void **state)
{
	struct scene *s = scene_new();
	struct feed *feed = &s->w->feed;
	struct sock sock = server(s, 1);

	(void)state;
	sock_read(&sock, &first, GET("/a"));
	feed_line(feed, &first, "waiting ...");
	pipeline_tick(s->w->pipeline, feed->now_ns += NS_PER_S);
	feed_line(feed, &first, "going on ...");
	sock_write(&sock, &first, OK2);
	pipeline_tick(s->w->pipeline, feed->now_ns += NS_PER_S);
	scene_end(s);
	expect_of(s, "waiting ...", "GET /a");
	expect_of_none(s, "going on ...");
	scene_free(s);
}

/* --- how they go out ------------------------------------------------------------------------------------ */

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
	    cmocka_unit_test(lines_of_a_checkout),
	    cmocka_unit_test(line_behind_the_answer),
	    cmocka_unit_test(two_candidates),
	    cmocka_unit_test(between_two_events_of_one),
	    cmocka_unit_test(worker_is_given_the_next_one),
	    cmocka_unit_test(handed_over),
	    cmocka_unit_test(handed_over_and_never_answered),
	    cmocka_unit_test(lines_in_pieces),
	    cmocka_unit_test(never_answered),
	    cmocka_unit_test(never_decided),
	    cmocka_unit_test(buffered_lines_are_of_none),
	    cmocka_unit_test(line_without_end),
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
