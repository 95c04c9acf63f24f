// SPDX-License-Identifier: Apache-2.0
/*
 * Traces assembled from raw events, drawn, and compared: the checkout, parents by thread, publication.
 * Processes 10 ("shop") and 20 ("inventory") are observed; a client that is not observed talks to port
 * 8000. Parents across processes: test_assembler_remote.c.
 */
#include <stdio.h>

#include "trace_fixture.h"

/* --- the checkout ---------------------------------------------------------------------------------- */

static const char checkout[] = "S POST /checkout\n"
			       " C INSERT orders thread\n"
			       " C POST /inventory/deduct thread\n"
			       "  S POST /inventory/deduct socket\n"
			       "   C SELECT inventory thread\n"
			       "   C UPDATE inventory thread\n"
			       " C UPDATE orders thread\n";

static void checkout_begin(
    struct stage *stage, struct sock *outer, struct inner *inner, const struct actor *actor)
{
	sock_read(outer, actor, POST("/checkout"));
	feed_sql(&stage->feed, actor, "INSERT INTO orders(item) VALUES('smartphone')");
	sock_write(&inner->client, actor, POST("/inventory/deduct"));
}

static void checkout_deduct(struct stage *stage, struct inner *inner, const struct actor *actor)
{
	sock_read(&inner->server, actor, POST("/inventory/deduct"));
	feed_sql(&stage->feed, actor, "SELECT quantity FROM inventory WHERE item='smartphone'");
	feed_sql(&stage->feed, actor, "UPDATE inventory SET quantity=quantity-1");
	sock_write(&inner->server, actor, OK2);
}

static void checkout_end(
    struct stage *stage, struct sock *outer, struct inner *inner, const struct actor *actor)
{
	sock_read(&inner->client, actor, OK2);
	feed_sql(&stage->feed, actor, "UPDATE orders SET status='COMPLETED'");
	sock_write(outer, actor, OK2);
}

static void expect_one_trace_of_seven(const struct stage *stage)
{
	assert_int_equal(stage->n_traces, 1);
	assert_int_equal(stage->traces[0]->n_spans, 7);
	stage_check(stage);
}

static void checkout_thread_per_connection(void **state)
{
	const struct actor first = {10, 101, 0}, second = {10, 102, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct inner inner = inner_open(stage, 2);
	struct assembler_stats stats;

	(void)state;
	checkout_begin(stage, &outer, &inner, &first);
	checkout_deduct(stage, &inner, &second);
	checkout_end(stage, &outer, &inner, &first);
	stage_settle(stage);
	stage_expect(stage, checkout);
	expect_one_trace_of_seven(stage);
	stats = stage_stats(stage);
	assert_int_equal(stats.spans, 7);
	assert_int_equal(stats.by_basis[PARENT_BASIS_NONE], 1);
	assert_int_equal(stats.by_basis[PARENT_BASIS_SOCKET], 1);
	assert_int_equal(stats.by_basis[PARENT_BASIS_THREAD], 5);
	assert_int_equal(stats.ambiguous, 0);
	assert_int_equal(stats.open, 0);
	assert_int_equal(stage->ended, 7);
	stage_free(stage);
}

static void checkout_in_two_processes(void **state)
{
	const struct actor shop = {10, 101, 0}, inventory = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct inner inner = inner_open(stage, 2);

	(void)state;
	checkout_begin(stage, &outer, &inner, &shop);
	checkout_deduct(stage, &inner, &inventory);
	checkout_end(stage, &outer, &inner, &shop);
	stage_settle(stage);
	stage_expect(stage, checkout);
	expect_one_trace_of_seven(stage);
	assert_string_equal(
	    stage_find(stage, SPAN_KIND_CLIENT, "SELECT inventory")->service->name, "inventory");
	stage_free(stage);
}

/* One thread; it goes back to its event loop between the steps. */
static void checkout_event_loop(void **state)
{
	struct actor loop = {10, 101, 1};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct inner inner = inner_open(stage, 2);

	(void)state;
	checkout_begin(stage, &outer, &inner, &loop);
	loop.slice++;
	checkout_deduct(stage, &inner, &loop);
	loop.slice++;
	checkout_end(stage, &outer, &inner, &loop);
	stage_settle(stage);
	stage_expect(stage, checkout);
	expect_one_trace_of_seven(stage);
	stage_free(stage);
}

/*
 * Two requests in the same loop, each waiting for its call while the other goes on. What the loop does while the other one waits might be
 * the other's, by a timer: it is nobody's. What is told stays right.
 */
static void checkout_event_loop_interleaved(void **state)
{
	struct actor loop = {10, 101, 1};
	struct stage *stage = stage_new(1);
	struct sock outer[2] = {front(stage, 1), front(stage, 2)};
	struct inner inner[2] = {inner_open(stage, 4), inner_open(stage, 6)};

	(void)state;
	for (int i = 0; i < 2; i++, loop.slice++)
		checkout_begin(stage, &outer[i], &inner[i], &loop);
	for (int i = 0; i < 2; i++, loop.slice++)
		checkout_deduct(stage, &inner[i], &loop);
	for (int i = 0; i < 2; i++, loop.slice++)
		checkout_end(stage, &outer[i], &inner[i], &loop);
	stage_settle(stage);
	stage_expect(stage,
	    "C INSERT orders\n"
	    "C SELECT inventory\nC UPDATE inventory\n"
	    "C SELECT inventory\nC UPDATE inventory\n"
	    "C UPDATE orders\n"
	    "S POST /checkout\n"
	    " C INSERT orders thread\n"
	    " C POST /inventory/deduct thread\n"
	    "  S POST /inventory/deduct socket\n"
	    "C POST /inventory/deduct\n"
	    " S POST /inventory/deduct socket\n"
	    "S POST /checkout\n"
	    " C UPDATE orders thread\n");
	stage_check(stage);
	assert_int_equal(stage_stats(stage).ambiguous, 7);
	stage_free(stage);
}

/* --- by thread ------------------------------------------------------------------------------------- */

/* Nobody can tell for which of two requests the thread works. */
static void two_open_requests(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock first = front(stage, 1), second = front(stage, 2);

	(void)state;
	sock_read(&first, &actor, GET("/first"));
	sock_read(&second, &actor, GET("/second"));
	feed_sql(&stage->feed, &actor, "SELECT a FROM unsure");
	sock_write(&first, &actor, OK2);
	feed_sql(&stage->feed, &actor, "SELECT a FROM sure");
	sock_write(&second, &actor, OK2);
	feed_sql(&stage->feed, &actor, "SELECT a FROM idle");
	stage_settle(stage);
	stage_expect(stage,
	    "C SELECT unsure\n"
	    "S GET /first\n"
	    "S GET /second\n C SELECT sure thread\n"
	    "C SELECT idle\n");
	assert_int_equal(stage_stats(stage).ambiguous, 1);
	stage_check(stage);
	stage_free(stage);
}

/* A call in flight parks its request when the thread has been back in its loop: it gets no more calls, and may
 * still be the one that makes the next. */
static void parked_while_a_call_is_in_flight(void **state)
{
	struct actor loop = {10, 101, 1};
	struct stage *stage = stage_new(1);
	struct sock first = front(stage, 1), second = front(stage, 2);
	struct sock out = sock_tcp(&stage->feed, 3, ZSP_ROLE_CONNECTED, 1, 50000, 9, 80);

	(void)state;
	sock_announce(&out);
	sock_read(&first, &loop, GET("/first"));
	sock_write(&out, &loop, GET("/out"));
	feed_sql(&stage->feed, &loop, "SELECT a FROM t1"); /* same slice: the first's */
	loop.slice++;
	feed_sql(&stage->feed, &loop, "SELECT a FROM t2"); /* all are parked: nobody's */
	sock_read(&second, &loop, GET("/second"));
	feed_sql(&stage->feed, &loop, "SELECT a FROM t3"); /* the second's, or the first goes on */
	loop.slice++;
	sock_read(&out, &loop, OK2);
	feed_sql(&stage->feed, &loop, "SELECT a FROM t4"); /* either's */
	sock_write(&second, &loop, OK2);
	feed_sql(&stage->feed, &loop, "SELECT a FROM t5"); /* the first's */
	sock_write(&first, &loop, OK2);
	stage_settle(stage);
	stage_expect(stage,
	    "C SELECT t2\n"
	    "C SELECT t3\n"
	    "C SELECT t4\n"
	    "S GET /second\n"
	    "S GET /first\n C GET /out thread\n C SELECT t1 thread\n C SELECT t5 thread\n");
	assert_int_equal(stage_stats(stage).ambiguous, 2);
	stage_free(stage);
}

/* A statement that was running when the request came in is not its child. */
static void statement_older_than_the_request(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	uint64_t before = stage->feed.now_ns;

	(void)state;
	sock_read(&outer, &actor, GET("/a"));
	feed_execution(&stage->feed, &actor,
	    &(struct execution){.sql = "SELECT a FROM before", .start_ns = before, .result = 100});
	feed_sql(&stage->feed, &actor, "SELECT a FROM within");
	sock_write(&outer, &actor, OK2);
	stage_settle(stage);
	stage_expect(stage, "C SELECT before\nS GET /a\n C SELECT within thread\n");
	stage_free(stage);
}

/* While a request waits to be read, what the thread does is not for it. */
static void statement_before_the_request_is_read(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);

	(void)state;
	feed_sql(&stage->feed, &actor, "SELECT a FROM before");
	sock_move_cut(&outer, &actor, ZSP_IN, sv_cstr(GET("/a")), sizeof(GET("/a")) - 1, NS_PER_S);
	feed_execution(&stage->feed, &actor,
	    &(struct execution){.sql = "SELECT a FROM meanwhile",
		.start_ns = stage->feed.now_ns - NS_PER_S / 2,
		.result = 100});
	feed_sql(&stage->feed, &actor, "SELECT a FROM within");
	sock_write(&outer, &actor, OK2);
	stage_settle(stage);
	stage_expect(
	    stage, "C SELECT before\nC SELECT meanwhile\nS GET /a\n C SELECT within thread\n");
	stage_free(stage);
}

static void other_threads_are_nobodys(void **state)
{
	const struct actor actor = {10, 101, 0}, other = {10, 102, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);

	(void)state;
	sock_read(&outer, &actor, GET("/a"));
	feed_sql(&stage->feed, &other, "SELECT a FROM t");
	sock_write(&outer, &other, OK2);
	feed_sql(&stage->feed, &actor, "SELECT a FROM afterwards");
	stage_settle(stage);
	stage_expect(stage, "C SELECT t\nS GET /a\nC SELECT afterwards\n");
	stage_free(stage);
}

/* An acceptor reads the head, a worker the body: the worker serves. */
static void request_moves_to_another_thread(void **state)
{
	const struct actor acceptor = {10, 101, 0}, pool = {10, 102, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);

	(void)state;
	sock_read(&outer, &acceptor, "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
	sock_read(&outer, &pool, "{}");
	feed_sql(&stage->feed, &acceptor, "SELECT a FROM acceptor");
	feed_sql(&stage->feed, &pool, "SELECT a FROM worker");
	sock_write(&outer, &pool, OK2);
	stage_settle(stage);
	stage_expect(stage, "C SELECT acceptor\nS POST /a\n C SELECT worker thread\n");
	stage_free(stage);
}

/* The answer goes out while a call for it is still in flight. */
static void request_ends_before_its_call(void **state)
{
	struct actor loop = {10, 101, 1};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct sock out = sock_tcp(&stage->feed, 3, ZSP_ROLE_CONNECTED, 1, 50000, 9, 80);

	(void)state;
	sock_announce(&out);
	sock_read(&outer, &loop, GET("/a"));
	sock_write(&out, &loop, GET("/out"));
	sock_write(&outer, &loop, OK2);
	stage_settle(stage);
	assert_int_equal(stage->n_traces, 0); /* still open */
	sock_read(&outer, &loop, GET("/b"));
	feed_sql(&stage->feed, &loop, "SELECT a FROM t");
	sock_write(&outer, &loop, OK2);
	sock_read(&out, &loop, OK2);
	stage_settle(stage);
	stage_expect(stage, "S GET /b\n C SELECT t thread\nS GET /a\n C GET /out thread\n");
	stage_check(stage);
	stage_free(stage);
}

/* A client that loses patience closes; then its request goes on. */
static void call_is_given_up(void **state)
{
	struct actor actor = {10, 101, 1};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct sock out = sock_tcp(&stage->feed, 3, ZSP_ROLE_CONNECTED, 1, 50000, 9, 80);

	(void)state;
	sock_announce(&out);
	sock_read(&outer, &actor, GET("/a"));
	sock_write(&out, &actor, GET("/out"));
	actor.slice++; /* it waited in poll() */
	sock_close(&out);
	feed_sql(&stage->feed, &actor, "UPDATE orders SET status='FAILED'");
	sock_write(&outer, &actor, OK2);
	stage_settle(stage);
	stage_expect(stage, "S GET /a\n C GET /out thread\n C UPDATE orders thread\n");
	assert_int_equal(
	    stage_find(stage, SPAN_KIND_CLIENT, "GET /out")->status, SPAN_STATUS_ERROR);
	stage_free(stage);
}

/* --- publication ----------------------------------------------------------------------------------- */

static void linger_then_flush(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);

	(void)state;
	sock_read(&outer, &actor, GET("/a"));
	sock_write(&outer, &actor, OK2);
	assert_int_equal(stage_stats(stage).open, 1);
	assembler_tick(stage->assembler, stage->feed.now_ns + 99 * NS_PER_MS);
	assert_int_equal(stage->n_traces, 0);
	assembler_tick(stage->assembler, stage->feed.now_ns + 100 * NS_PER_MS);
	assert_int_equal(stage->n_traces, 1);
	assert_int_equal(stage_stats(stage).open, 0);
	stage_free(stage);
}

/* More spans than one publication holds: the rest follows, and nothing is lost. */
static void long_trace(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	const struct span *root;

	(void)state;
	sock_read(&outer, &actor, GET("/a"));
	for (int i = 0; i < 3000; i++)
		feed_sql(&stage->feed, &actor, "SELECT a FROM t");
	assert_int_equal(stage->n_traces, 2);
	sock_write(&outer, &actor, OK2);
	stage_settle(stage);
	assert_int_equal(stage->n_traces, 3);
	assert_int_equal(stage_spans(stage), 3001);
	root = stage_find(stage, SPAN_KIND_SERVER, "GET /a");
	for (size_t i = 0; i < 3001; i++) {
		const struct span *span = stage_span_at(stage, i);

		assert_true(trace_id_eq(&span->trace_id, &root->trace_id));
		if (span != root)
			assert_true(span_id_eq(&span->parent_id, &root->span_id));
	}
	stage_check(stage);
	assert_int_equal(stage_stats(stage).dropped, 0);
	stage_free(stage);
}

/* All at once at the end: a group longer than one publication. */
static void long_trace_by_merging(void **state)
{
	const struct actor client = {10, 101, 0}, server = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct inner inner = inner_open(stage, 2);

	(void)state;
	sock_read(&inner.server, &server, GET("/a"));
	for (int i = 0; i < 1000; i++)
		feed_sql(&stage->feed, &server, "SELECT a FROM t");
	sock_write(&inner.client, &client, GET("/a"));
	for (int i = 0; i < 500; i++)
		feed_sql(&stage->feed, &server, "SELECT a FROM t");
	sock_write(&inner.server, &server, OK2);
	sock_read(&inner.client, &client, OK2);
	stage_settle(stage);
	assert_int_equal(stage_spans(stage), 1502);
	for (size_t i = 1; i < 1502; i++)
		assert_true(trace_id_eq(
		    &stage_span_at(stage, i)->trace_id, &stage_span_at(stage, 0)->trace_id));
	stage_check(stage);
	stage_free(stage);
}

/* Requests without head make no span, and no empty trace. */
static void no_head_no_span(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);

	(void)state;
	sock_read(&outer, &actor, "GET /a HTTP/1.1\r\nHo");
	sock_close(&outer);
	stage_finish(stage);
	assert_int_equal(stage->n_traces, 0);
	assert_int_equal(stage->ended, 0);
	stage_free(stage);
}

static void unknown_process(void **state)
{
	const struct actor stranger = {99, 901, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);

	(void)state;
	sock_read(&outer, &stranger, GET("/a"));
	feed_sql(&stage->feed, &stranger, "SELECT a FROM t");
	sock_write(&outer, &stranger, OK2);
	stage_finish(stage);
	assert_int_equal(stage->n_traces, 0);
	assert_int_equal(stage_stats(stage).dropped, 2);
	stage_free(stage);
}

/* Everything is open when the program ends. */
static void open_at_the_end(void **state)
{
	const struct actor a = {10, 101, 0}, b = {20, 201, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct inner inner = inner_open(stage, 2);

	(void)state;
	sock_read(&outer, &a, GET("/a"));
	feed_sql(&stage->feed, &a, "SELECT a FROM t");
	sock_write(&inner.client, &a, GET("/b"));
	sock_read(&inner.server, &b, GET("/b"));
	sock_write(&inner.server, &b, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
	stage_finish(stage);
	stage_expect(stage, "S GET /a\n C SELECT t thread\n C GET /b thread\n  S GET /b socket\n");
	stage_check(stage);
	stage_free(stage);
}

/* A client begun by a request that already went away must not leave the books with a hole. */
static void parent_published_before_child(void **state)
{
	const struct actor actor = {10, 101, 0};
	struct stage *stage = stage_new(1);
	struct sock outer = front(stage, 1);
	struct sock out = sock_tcp(&stage->feed, 3, ZSP_ROLE_CONNECTED, 1, 50000, 9, 80);

	(void)state;
	sock_announce(&out);
	sock_read(&outer, &actor, GET("/a"));
	sock_write(&out, &actor, GET("/slow"));
	for (int i = 0; i < 1023; i++)
		feed_sql(&stage->feed, &actor, "SELECT a FROM t");
	sock_write(&outer, &actor, OK2); /* the 1024th: published, while the call is open */
	assert_int_equal(stage->n_traces, 1);
	sock_read(&out, &actor, OK2);
	stage_settle(stage);
	assert_int_equal(stage_spans(stage), 1025);
	assert_non_null(stage_parent(stage, stage_find(stage, SPAN_KIND_CLIENT, "GET /slow")));
	stage_check(stage);
	stage_free(stage);
}

static void same_seed_same_ids(void **state)
{
	struct stage *stages[3];

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		const struct actor a = {10, 101, 0}, b = {20, 201, 0};
		struct sock outer;
		struct inner inner;

		stages[i] = stage_new(i < 2 ? 7 : 8);
		outer = front(stages[i], 1);
		inner = inner_open(stages[i], 2);
		checkout_begin(stages[i], &outer, &inner, &a);
		checkout_deduct(stages[i], &inner, &b);
		checkout_end(stages[i], &outer, &inner, &a);
		stage_finish(stages[i]);
	}
	for (size_t i = 0; i < 7; i++) {
		const struct span *first = stage_span_at(stages[0], i);

		assert_memory_equal(
		    first, stage_span_at(stages[1], i), offsetof(struct span, flags));
		assert_false(span_id_eq(&first->span_id, &stage_span_at(stages[2], i)->span_id));
	}
	for (int i = 0; i < 3; i++)
		stage_free(stages[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(checkout_thread_per_connection),
	    cmocka_unit_test(checkout_in_two_processes),
	    cmocka_unit_test(checkout_event_loop),
	    cmocka_unit_test(checkout_event_loop_interleaved),
	    cmocka_unit_test(two_open_requests),
	    cmocka_unit_test(parked_while_a_call_is_in_flight),
	    cmocka_unit_test(statement_older_than_the_request),
	    cmocka_unit_test(statement_before_the_request_is_read),
	    cmocka_unit_test(other_threads_are_nobodys),
	    cmocka_unit_test(request_moves_to_another_thread),
	    cmocka_unit_test(request_ends_before_its_call),
	    cmocka_unit_test(call_is_given_up),
	    cmocka_unit_test(linger_then_flush),
	    cmocka_unit_test(long_trace),
	    cmocka_unit_test(long_trace_by_merging),
	    cmocka_unit_test(no_head_no_span),
	    cmocka_unit_test(unknown_process),
	    cmocka_unit_test(open_at_the_end),
	    cmocka_unit_test(parent_published_before_child),
	    cmocka_unit_test(same_seed_same_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
