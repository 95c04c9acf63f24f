// SPDX-License-Identifier: Apache-2.0
/* Lines of observed processes: which request they are about. */
#include "log_scene.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
