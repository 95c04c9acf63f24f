/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline with one sink, fed with raw events. A sink keeps what it is given; it has a thread of its
 * own, so a test reads it after pipeline and sink are closed (world_end).
 */
#ifndef ZS_TESTS_PIPELINE_FIXTURE_H
#define ZS_TESTS_PIPELINE_FIXTURE_H

#include <stdio.h>

#include "event_fixture.h"
#include "journal/journal.h"
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
};

static inline size_t keep_deliver(
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

static inline void keep_free(void *driver)
{
	(void)driver;
}

static const struct sink_driver keep = {.name = "keep", .deliver = keep_deliver, .free = keep_free};
static const struct sink_options keep_options = {
    .max_queue_items = 100000, .max_batch_items = 1000, .flush_timeout_ns = 10 * NS_PER_S};

static inline void take(void *ctx, const struct event *event)
{
	struct world *w = ctx;

	pipeline_event(w->pipeline, event);
	pipeline_tick(w->pipeline, event->h->time_ns);
}

static inline int database_path(
    void *ctx, const struct database_handle *handle, char *ret_path, size_t len)
{
	struct world *w = ctx;

	w->asked++;
	if (w->answer == 0)
		snprintf(ret_path, len, "/srv/%u-%llu%s.db", handle->pid,
		    (unsigned long long)handle->db, handle->closes ? "-later" : "");
	return w->answer;
}

static inline void process(struct world *w, uint32_t pid, const char *name, uint64_t start)
{
	assert_int_equal(pipeline_process(w->pipeline,
			     &(struct service_facts){
				 .pid = pid, .name = name, .exe = "/bin/x", .start_id = start}),
	    0);
}

/* Without a process and a sink: all that is looked at are metrics. What the fixture has itself is set in the options. */
static inline struct world *world_without_sink(uint64_t seed, struct pipeline_options options)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	feed_init(&w->feed, take, w);
	w->metrics = metrics_new();
	rng_seed(&options.rng, seed);
	options.metrics = w->metrics;
	options.database_path = database_path;
	options.ctx = w;
	w->pipeline = pipeline_new(&options);
	assert_non_null(w->pipeline);
	return w;
}

/* Without a process. */
static inline struct world *world_with(uint64_t seed, struct pipeline_options options)
{
	struct world *w = world_without_sink(seed, options);

	w->sink = sink_new(&keep, &w->kept, &keep_options);
	assert_non_null(w->sink);
	assert_int_equal(pipeline_add_sink(w->pipeline, w->sink), 0);
	return w;
}

/* slow_us: as in the options. journal: may be NULL. */
static inline struct world *world_slow(uint64_t seed, uint32_t slow_us, struct journal *journal)
{
	return world_with(seed, (struct pipeline_options){.journal = journal, .slow_us = slow_us});
}

/* The same; nothing is slow. */
static inline struct world *world_empty(uint64_t seed, struct journal *journal)
{
	return world_slow(seed, 0, journal);
}

static inline struct world *world_new(uint64_t seed)
{
	struct world *w = world_empty(seed, NULL);

	process(w, 10, "shop", 1);
	return w;
}

/* End the pipeline and wait until the sink has everything. */
static inline void world_end(struct world *w)
{
	pipeline_free(w->pipeline, w->feed.now_ns);
	sink_free(w->sink);
	w->pipeline = NULL;
}

static inline void world_free(struct world *w)
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
static inline void checkout(struct world *w, uint64_t id)
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

/* Points of all instruments, and the sum of the counts of durations: that is one for each span. */
static inline size_t metric_points(struct world *w, uint64_t *ret_count)
{
	struct metric_snapshot *snapshot = metrics_snapshot(w->metrics);
	size_t points = 0;

	*ret_count = 0;
	for (size_t i = 0; i < snapshot->n_families; i++)
		for (size_t k = 0; k < snapshot->families[i].n_points; k++, points++)
			if (strstr(snapshot->families[i].desc.name, ".duration"))
				*ret_count += snapshot->families[i].points[k].count;
	metric_snapshot_free(snapshot);
	return points;
}

#endif
