// SPDX-License-Identifier: Apache-2.0
/*
 * All stages composed, from events to a sink: what only the composition does. A sink keeps what it is
 * given; it has a thread of its own, so a test reads it after pipeline and sink are closed.
 */
#include <errno.h>
#include <stdio.h>

#include "event_fixture.h"
#include "pipeline.h"

#define POST(path) "POST " path " HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 2\r\n\r\n{}"
#define OK2        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

enum {
	KEPT_MAX = 8192,
};

/* What a sink was given; read after sink_free(). */
struct kept {
	struct trace *traces[KEPT_MAX];
	size_t n;
};

struct world {
	struct feed feed;
	struct metrics *metrics;
	struct pipeline *pipeline;
	struct sink *sink;
	struct kept kept;
	int asked, answer; /* of database_path */
	int generation;    /* of the database behind every handle; in its path when not 0 */
};

static size_t keep_deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	struct kept *kept = driver;
	size_t spans = 0;

	(void)sink;
	*ret_failed = 0;
	for (size_t i = 0; i < n; i++) {
		assert_true(kept->n < KEPT_MAX);
		kept->traces[kept->n++] = trace_ref(traces[i]);
		spans += traces[i]->n_spans;
	}
	return spans;
}

static void keep_free(void *driver)
{
	(void)driver;
}

static const struct sink_driver keep = {.name = "keep", .deliver = keep_deliver, .free = keep_free};
static const struct sink_options keep_options = {
    .max_queue_spans = 100000, .max_batch_spans = 1000, .flush_timeout_ns = 10 * NS_PER_S};

static void take(void *ctx, const struct event *event)
{
	struct world *w = ctx;

	pipeline_event(w->pipeline, event);
	pipeline_tick(w->pipeline, event->h->time_ns);
}

static int database_path(void *ctx, uint32_t pid, uint64_t db, char *ret_path, size_t len)
{
	struct world *w = ctx;

	w->asked++;
	if (w->answer == 0 && w->generation)
		snprintf(ret_path, len, "/srv/later-%d.db", w->generation);
	else if (w->answer == 0)
		snprintf(ret_path, len, "/srv/%u-%llu.db", pid, (unsigned long long)db);
	return w->answer;
}

static void process(struct world *w, uint32_t pid, const char *name, uint64_t start)
{
	assert_int_equal(pipeline_process(w->pipeline,
			     &(struct service_facts){
				 .pid = pid, .name = name, .exe = "/bin/x", .start_id = start}),
	    0);
}

static struct world *world_new(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct pipeline_options options = {.database_path = database_path, .ctx = w};

	assert_non_null(w);
	feed_init(&w->feed, take, w);
	w->metrics = metrics_new();
	rng_seed(&options.rng, seed);
	options.metrics = w->metrics;
	w->pipeline = pipeline_new(&options);
	assert_non_null(w->pipeline);
	w->sink = sink_new(&keep, &w->kept, &keep_options);
	assert_non_null(w->sink);
	assert_int_equal(pipeline_add_sink(w->pipeline, w->sink), 0);
	process(w, 10, "shop", 1);
	return w;
}

/* End the pipeline and wait until the sink has everything. */
static void world_end(struct world *w)
{
	pipeline_free(w->pipeline, w->feed.now_ns);
	sink_free(w->sink);
	w->pipeline = NULL;
}

static void world_free(struct world *w)
{
	if (w->pipeline)
		world_end(w);
	for (size_t i = 0; i < w->kept.n; i++)
		trace_unref(w->kept.traces[i]);
	metrics_free(w->metrics);
	free(w);
}

static const struct actor first = {10, 101, 0}, second = {10, 102, 0};

/* The checkout of a server with one thread per connection, which calls itself. */
static void checkout(struct world *w, uint64_t id)
{
	struct sock outer =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));
	struct sock client, server;

	sock_tcp_pair(&w->feed, id + 1, (uint16_t)(50000 + id), &client, &server);
	sock_announce(&outer);
	sock_announce(&client);
	sock_announce(&server);
	sock_read(&outer, &first, POST("/checkout"));
	feed_sql(&w->feed, &first, "INSERT INTO orders(item) VALUES('smartphone')");
	sock_write(&client, &first, POST("/inventory/deduct"));
	sock_read(&server, &second, POST("/inventory/deduct"));
	feed_sql(&w->feed, &second, "SELECT quantity FROM inventory WHERE item='smartphone'");
	feed_sql(&w->feed, &second, "UPDATE inventory SET quantity=quantity-1");
	sock_write(&server, &second, OK2);
	sock_read(&client, &first, OK2);
	feed_sql(&w->feed, &first, "UPDATE orders SET status='COMPLETED'");
	sock_write(&outer, &first, OK2);
	sock_close(&client);
	sock_close(&server);
	sock_close(&outer);
}

/* Points of all instruments, and the sum of their counts. */
static size_t metric_points(struct world *w, uint64_t *ret_count)
{
	struct metric_snapshot *snapshot = metrics_snapshot(w->metrics);
	size_t points = 0;

	*ret_count = 0;
	for (size_t i = 0; i < snapshot->n_families; i++)
		for (size_t k = 0; k < snapshot->families[i].n_points; k++, points++)
			*ret_count += snapshot->families[i].points[k].count;
	metric_snapshot_free(snapshot);
	return points;
}

/* Ids of the traces that came, and of their spans, in order. */
static void kept_ids(const struct world *w, struct buf *out)
{
	char hex[33];

	for (size_t i = 0; i < w->kept.n; i++)
		for (size_t k = 0; k < w->kept.traces[i]->n_spans; k++) {
			const struct span *span = w->kept.traces[i]->spans[k];

			trace_id_hex(&span->trace_id, hex);
			buf_printf(out, "%s ", hex);
			span_id_hex(&span->span_id, hex);
			buf_printf(out, "%s ", hex);
			span_id_hex(&span->parent_id, hex);
			buf_printf(out, "%s %.*s %llu\n", hex, SV_ARG(span->name),
			    (unsigned long long)(span->end_ns - span->start_ns));
		}
}

/* --- the composition --------------------------------------------------------------------------------- */

static void checkout_to_the_sink(void **state)
{
	static const char *const names[] = {"POST /checkout", "INSERT orders",
	    "POST /inventory/deduct", "POST /inventory/deduct", "SELECT inventory",
	    "UPDATE inventory", "UPDATE orders"};
	static const int parents[] = {-1, 0, 0, 2, 3, 3, 0};
	struct world *w = world_new(1);
	struct pipeline_stats stats;
	const struct trace *trace;
	uint64_t count;

	(void)state;
	checkout(w, 1);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.conns.opened, 3);
	assert_int_equal(stats.conns.open, 0);
	assert_int_equal(stats.exchanges.requests, 3);
	assert_int_equal(stats.assembler.spans, 7);
	assert_int_equal(stats.events, 3 + 6 + 4 + 6);
	metric_points(w, &count);
	assert_int_equal(count, 7);
	world_end(w);
	assert_int_equal(w->kept.n, 1);
	trace = w->kept.traces[0];
	assert_int_equal(trace->n_spans, 7);
	for (size_t i = 0; i < 7; i++) {
		const struct span *match = NULL;

		/* Spans are in the order of their beginning, but for the merged group's. */
		for (size_t k = 0; k < 7; k++)
			if (sv_eq(trace->spans[k]->name, sv_cstr(names[i])) &&
			    (i != 3 || trace->spans[k]->kind == SPAN_KIND_SERVER) &&
			    (i != 2 || trace->spans[k]->kind == SPAN_KIND_CLIENT))
				match = trace->spans[k];
		if (!match)
			fail_msg("'%s' is missing", names[i]);
		assert_true(trace_id_eq(&match->trace_id, &trace->spans[0]->trace_id));
		if (parents[i] < 0)
			assert_true(span_id_is_zero(&match->parent_id));
		else
			assert_false(span_id_is_zero(&match->parent_id));
	}
	world_free(w);
}

static void traces_go_out_when_time_passes(void **state)
{
	struct world *w = world_new(1);
	struct pipeline_stats stats;

	(void)state;
	checkout(w, 1);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.assembler.traces, 0);
	pipeline_tick(w->pipeline, w->feed.now_ns + NS_PER_S);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.assembler.traces, 1);
	assert_int_equal(stats.assembler.open, 0);
	world_free(w);
}

static void every_sink_gets_every_trace(void **state)
{
	struct world *w = world_new(1);
	struct kept others[PIPELINE_MAX_SINKS] = {0};
	struct sink *sinks[PIPELINE_MAX_SINKS];

	(void)state;
	for (int i = 1; i < PIPELINE_MAX_SINKS; i++) {
		sinks[i] = sink_new(&keep, &others[i], &keep_options);
		assert_int_equal(pipeline_add_sink(w->pipeline, sinks[i]), 0);
	}
	assert_int_equal(pipeline_add_sink(w->pipeline, w->sink), -E2BIG);
	checkout(w, 1);
	checkout(w, 10);
	world_end(w);
	assert_int_equal(w->kept.n, 2);
	for (int i = 1; i < PIPELINE_MAX_SINKS; i++) {
		sink_free(sinks[i]);
		assert_int_equal(others[i].n, 2);
		for (size_t k = 0; k < 2; k++) {
			assert_ptr_equal(others[i].traces[k], w->kept.traces[k]);
			trace_unref(others[i].traces[k]);
		}
	}
	world_free(w);
}

/* Nothing leaks when everything is open; what is open ends, with an error. */
static void free_with_open_exchanges(void **state)
{
	struct world *w = world_new(1);
	struct sock outer = sock_tcp(&w->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40001);
	struct sock half = sock_tcp(&w->feed, 2, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40002);
	struct sock client, server;
	size_t spans = 0;

	(void)state;
	sock_tcp_pair(&w->feed, 4, 50000, &client, &server);
	sock_announce(&outer);
	sock_announce(&half);
	sock_announce(&client);
	sock_announce(&server);
	sock_read(&half, &second, "POST /half HTTP/1.1\r\nConte");
	sock_read(&outer, &first, POST("/a"));
	feed_execution(&w->feed, &first, &(struct execution){.sql = "SELECT a FROM t", .db = 5});
	sock_write(&client, &first, POST("/b"));
	sock_read(&server, &second, POST("/b"));
	pipeline_process_end(w->pipeline, 10, w->feed.now_ns);
	world_end(w);
	for (size_t i = 0; i < w->kept.n; i++)
		spans += w->kept.traces[i]->n_spans;
	assert_int_equal(spans, 4);
	assert_int_equal(w->kept.n, 1);
	world_free(w);
}

static void free_of_a_new_one(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	world_end(w);
	assert_int_equal(w->kept.n, 0);
	pipeline_free(NULL, 1);
	world_free(w);
}

static void same_seed_same_ids(void **state)
{
	struct buf ids[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct world *w = world_new(i < 2 ? 7 : 8);

		for (uint64_t k = 0; k < 20; k++)
			checkout(w, 1 + 10 * k);
		world_end(w);
		buf_init(&ids[i]);
		kept_ids(w, &ids[i]);
		world_free(w);
	}
	assert_string_equal(ids[0].data, ids[1].data);
	assert_string_not_equal(ids[0].data, ids[2].data);
	for (int i = 0; i < 3; i++)
		buf_release(&ids[i]);
}

static void other_events_are_ignored(void **state)
{
	struct world *w = world_new(1);
	struct zsp_proc proc = {.comm = "x"};
	struct pipeline_stats stats;

	(void)state;
	for (enum zsp_kind kind = ZSP_KIND_PROC_FORK; kind <= ZSP_KIND_PROC_MAP; kind++) {
		if (kind == ZSP_KIND_STATEMENT)
			continue;
		proc.h = feed_header(&w->feed, kind, &first, 0);
		feed_record(&w->feed, &proc, sizeof(proc));
	}
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.events, 5);
	world_free(w);
}

/* --- databases ----------------------------------------------------------------------------------------- */

static void statement_on(struct world *w, uint64_t db)
{
	feed_execution(&w->feed, &first, &(struct execution){.sql = "SELECT a FROM t", .db = db});
}

static void database_is_asked_for_once(void **state)
{
	struct world *w = world_new(1);
	const struct attr *namespace;

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
	namespace = span_attr(w->kept.traces[0]->spans[0], "db.namespace");
	assert_true(sv_eq(namespace->string, SV("/srv/10-5.db")));
	namespace = span_attr(w->kept.traces[1]->spans[0], "db.namespace");
	assert_true(sv_eq(namespace->string, SV("/srv/10-6.db")));
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

/* db.namespace of the first span of a trace that was kept, "" when it has none. */
static struct sv namespace_of(const struct world *w, size_t trace)
{
	const struct attr *attr = span_attr(w->kept.traces[trace]->spans[0], "db.namespace");

	return attr ? attr->string : SV("");
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
	w->feed.now_ns += PIPELINE_DATABASE_NS;
	statement_on(w, 5);
	statement_on(w, 5);
	assert_int_equal(w->asked, 2);
	world_end(w);
	assert_true(sv_eq(namespace_of(w, 1), SV("")));
	assert_true(sv_eq(namespace_of(w, 2), SV("/srv/10-5.db")));
	assert_true(sv_eq(namespace_of(w, 3), SV("/srv/10-5.db")));
	world_free(w);
}

/* A handle's address becomes another database's: an answer does not hold for ever. */
static void database_at_the_address_of_another(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	statement_on(w, 5);
	w->generation = 1;
	w->feed.now_ns += PIPELINE_DATABASE_NS;
	pipeline_tick(w->pipeline, w->feed.now_ns); /* time passes without events, too */
	statement_on(w, 5);
	w->answer = -ENOENT;
	w->feed.now_ns += PIPELINE_DATABASE_NS;
	statement_on(w, 5);
	assert_int_equal(w->asked, 3);
	world_end(w);
	assert_true(sv_eq(namespace_of(w, 0), SV("/srv/10-5.db")));
	assert_true(sv_eq(namespace_of(w, 1), SV("/srv/later-1.db")));
	assert_true(sv_eq(namespace_of(w, 2), SV("")));
	world_free(w);
}

/* The last statements of a process may be read after its end. */
static void database_of_a_process_that_is_gone(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	statement_on(w, 5);
	w->answer = -ESRCH;
	w->feed.now_ns += PIPELINE_DATABASE_NS;
	for (int i = 0; i < 10; i++)
		statement_on(w, 5);
	statement_on(w, 6);
	assert_int_equal(w->asked, 3);
	world_end(w);
	assert_true(sv_eq(namespace_of(w, 10), SV("/srv/10-5.db")));
	assert_true(sv_eq(namespace_of(w, 11), SV("")));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(checkout_to_the_sink),
	    cmocka_unit_test(traces_go_out_when_time_passes),
	    cmocka_unit_test(every_sink_gets_every_trace),
	    cmocka_unit_test(free_with_open_exchanges),
	    cmocka_unit_test(free_of_a_new_one),
	    cmocka_unit_test(same_seed_same_ids),
	    cmocka_unit_test(other_events_are_ignored),
	    cmocka_unit_test(database_is_asked_for_once),
	    cmocka_unit_test(database_that_cannot_be_told),
	    cmocka_unit_test(database_that_can_be_told_later),
	    cmocka_unit_test(database_at_the_address_of_another),
	    cmocka_unit_test(database_of_a_process_that_is_gone),
	    cmocka_unit_test(many_databases),
	    cmocka_unit_test(process_is_forgotten_after_its_end),
	    cmocka_unit_test(series_of_a_replaced_service_end),
	    cmocka_unit_test(pid_is_reused_at_once),
	    cmocka_unit_test(end_of_an_unknown_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
