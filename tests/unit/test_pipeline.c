// SPDX-License-Identifier: Apache-2.0
/* All stages composed, from events to a sink: what only the composition does. */
#include <errno.h>

#include "pipeline_fixture.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
