/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages from event to trace put together for tests, the traces they publish, and a drawing of
 * these: one line per span, children below their parent and further to the right, in the order of
 * their beginning. "S" is a server's span, "C" a client's; then name, basis of the parent, and
 * "<absent" when the parent was not published.
 */
#ifndef ZS_TESTS_TRACE_FIXTURE_H
#define ZS_TESTS_TRACE_FIXTURE_H

#include "event_fixture.h"
#include "trace/assembler.h"

enum {
	TRACES_MAX = 32768,
	STAGE_SLOW_MS = 10, /* spans that last longer are slow */
};

struct stage {
	struct feed feed;
	struct service_table *services;
	struct assembler *assembler;
	struct exchanges *exchanges;
	struct conn_table *conns;
	struct trace *traces[TRACES_MAX]; /* as published */
	size_t n_traces;
	size_t ended; /* spans handed to the metrics */
	int database_asked;
};

static inline void stage_span(void *ctx, struct span *span, const struct exchange *exchange)
{
	(void)exchange;
	struct stage *stage = ctx;

	assert_false(span_id_is_zero(&span->span_id));
	assert_false(trace_id_is_zero(&span->trace_id));
	assert_true(span->end_ns >= span->start_ns);
	stage->ended++;
}

static inline void stage_trace(void *ctx, struct trace *trace)
{
	struct stage *stage = ctx;

	assert_true(trace->n_spans > 0);
	assert_true(stage->n_traces < TRACES_MAX);
	stage->traces[stage->n_traces++] = trace_ref(trace);
}

static inline struct sv stage_database(void *ctx, uint32_t pid, uint64_t db, uint32_t db_closes)
{
	struct stage *stage = ctx;

	(void)pid;
	(void)db_closes;
	stage->database_asked++;
	return db ? SV("/srv/shop.db") : (struct sv){0};
}

static inline void stage_event(void *ctx, const struct event *event)
{
	struct stage *stage = ctx;

	if (event->h->kind == ZSP_KIND_STATEMENT)
		assembler_statement(stage->assembler, event->statement);
	else
		conn_table_event(stage->conns, event);
	assembler_tick(stage->assembler, event->h->time_ns);
}

static inline void stage_service(struct stage *stage, uint32_t pid, const char *name)
{
	const struct service_facts facts = {
	    .pid = pid, .name = name, .exe = "/usr/bin/shop", .start_id = pid};

	assert_int_equal(service_table_put(stage->services, &facts), 0);
}

/* Processes 10 and 20 are observed. */
static inline struct stage *stage_new(uint64_t seed)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct assembler_options options = {
	    .span = stage_span, .trace = stage_trace, .database = stage_database, .ctx = stage};

	assert_non_null(stage);
	feed_init(&stage->feed, stage_event, stage);
	stage->services = service_table_new();
	stage_service(stage, 10, "shop");
	stage_service(stage, 20, "inventory");
	rng_seed(&options.rng, seed);
	options.services = stage->services;
	options.slow_ns = STAGE_SLOW_MS * NS_PER_MS;
	stage->assembler = assembler_new(&options);
	assembler_keep_neighbours(stage->assembler);
	stage->exchanges = exchanges_new(&assembler_listener, stage->assembler);
	stage->conns = conn_table_new(&exchange_conn_handler, stage->exchanges);
	assert_non_null(stage->conns);
	return stage;
}

/* Publish what is complete and has lingered. */
static inline void stage_settle(struct stage *stage)
{
	stage->feed.now_ns += NS_PER_S;
	assembler_tick(stage->assembler, stage->feed.now_ns);
}

/* Close everything; the traces stay. Checks that no node is left. */
static inline void stage_finish(struct stage *stage)
{
	struct assembler_stats stats;
	size_t complete = 0;

	conn_table_free(stage->conns, stage->feed.now_ns);
	stage->conns = NULL;
	exchanges_free(stage->exchanges);
	stage->exchanges = NULL;
	stage_settle(stage);
	assembler_stats(stage->assembler, &stats);
	assert_int_equal(stats.open, 0);
	for (size_t i = 0; i < stage->n_traces; i++)
		complete += !stage->traces[i]->more;
	assert_int_equal(stats.traces, complete);
}

static inline void stage_free(struct stage *stage)
{
	if (stage->conns)
		stage_finish(stage);
	assembler_free(stage->assembler);
	service_table_free(stage->services);
	for (size_t i = 0; i < stage->n_traces; i++)
		trace_unref(stage->traces[i]);
	free(stage);
}

static inline struct assembler_stats stage_stats(const struct stage *stage)
{
	struct assembler_stats stats;

	assembler_stats(stage->assembler, &stats);
	return stats;
}

/* --- connections of the usual places ---------------------------------------------------------- */

#define GET(path)          "GET " path " HTTP/1.1\r\nHost: localhost:8000\r\n\r\n"
#define POST(path)         "POST " path " HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 2\r\n\r\n{}"
#define WITH(path, fields) "GET " path " HTTP/1.1\r\nHost: localhost:8000\r\n" fields "\r\n"
#define OK2                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

/* A connection of a client that is not observed, accepted by the shop. */
static inline struct sock front(struct stage *stage, uint64_t id)
{
	struct sock sock =
	    sock_tcp(&stage->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	return sock;
}

/* A connection from observed to observed. */
struct inner {
	struct sock client, server;
};

static inline struct inner inner_open(struct stage *stage, uint64_t id)
{
	struct inner inner;

	sock_tcp_pair(&stage->feed, id, (uint16_t)(50000 + id), &inner.client, &inner.server);
	sock_announce(&inner.client);
	sock_announce(&inner.server);
	return inner;
}

/* --- reading what was published ------------------------------------------------------------------- */

static inline size_t stage_spans(const struct stage *stage)
{
	size_t n = 0;

	for (size_t i = 0; i < stage->n_traces; i++)
		n += stage->traces[i]->n_spans;
	return n;
}

/* The index-th span published. */
static inline const struct span *stage_span_at(const struct stage *stage, size_t index)
{
	for (size_t i = 0; i < stage->n_traces; i++) {
		if (index < stage->traces[i]->n_spans)
			return stage->traces[i]->spans[index];
		index -= stage->traces[i]->n_spans;
	}
	fail_msg("there is no span %zu", index);
	return NULL;
}

/* The first span of this kind and name; fails the test when there is none. */
static inline const struct span *stage_find(
    const struct stage *stage, enum span_kind kind, const char *name)
{
	for (size_t i = 0, n = stage_spans(stage); i < n; i++) {
		const struct span *span = stage_span_at(stage, i);

		if (span->kind == kind && sv_eq(span->name, sv_cstr(name)))
			return span;
	}
	fail_msg("there is no span '%s'", name);
	return NULL;
}

static inline const struct span *stage_parent(const struct stage *stage, const struct span *span)
{
	for (size_t i = 0, n = stage_spans(stage); i < n; i++) {
		const struct span *other = stage_span_at(stage, i);

		if (span_id_eq(&other->span_id, &span->parent_id) &&
		    trace_id_eq(&other->trace_id, &span->trace_id))
			return other;
	}
	return NULL;
}

static inline void stage_draw_span(
    const struct stage *stage, struct buf *out, const struct span *span, size_t depth)
{
	const struct span *parent = stage_parent(stage, span), *next;
	const char *basis = parent_basis_name(span->basis);
	uint64_t after = 0;

	assert_true(depth < 32); /* else parents run in a circle */
	buf_printf(out, "%*s%s %.*s%s%s%s\n", (int)depth, "",
	    span->kind == SPAN_KIND_SERVER ? "S" : "C", SV_ARG(span->name), basis ? " " : "",
	    basis ? basis : "", span_id_is_zero(&span->parent_id) || parent ? "" : " <absent");
	do {
		next = NULL;
		for (size_t i = 0, n = stage_spans(stage); i < n; i++) {
			const struct span *child = stage_span_at(stage, i);

			if (child->start_ns > after &&
			    (!next || child->start_ns < next->start_ns) &&
			    stage_parent(stage, child) == span)
				next = child;
		}
		if (next) {
			after = next->start_ns;
			stage_draw_span(stage, out, next, depth + 1);
		}
	} while (next);
}

/* All spans as trees, in the order of publication of their roots; at most one span begins at a time. */
static inline void stage_expect(const struct stage *stage, const char *expect)
{
	struct buf drawing;
	size_t drawn = 0;

	buf_init(&drawing);
	for (size_t i = 0, n = stage_spans(stage); i < n; i++)
		if (!stage_parent(stage, stage_span_at(stage, i)))
			stage_draw_span(stage, &drawing, stage_span_at(stage, i), 0);
	for (size_t i = 0; i < drawing.len; i++)
		drawn += drawing.data[i] == '\n';
	if (strcmp(drawing.data ? drawing.data : "", expect) != 0)
		fail_msg("published\n%sinstead of\n%s", drawing.data ? drawing.data : "", expect);
	assert_int_equal(drawn, stage_spans(stage));
	buf_release(&drawing);
}

/* What must hold for any input: ids, times, parents before children within a batch, unique ids, and
 * an attribute that agrees with the basis. */
static inline void stage_check(const struct stage *stage)
{
	for (size_t t = 0; t < stage->n_traces; t++) {
		const struct trace *trace = stage->traces[t];

		for (size_t i = 0; i < trace->n_spans; i++) {
			const struct span *span = trace->spans[i];
			const struct attr *basis = span_attr(span, "zerospan.parent.basis");

			assert_false(trace_id_is_zero(&span->trace_id));
			assert_false(span_id_is_zero(&span->span_id));
			assert_true(trace_id_eq(&span->trace_id, &trace->spans[0]->trace_id));
			assert_true(span->end_ns >= span->start_ns);
			assert_int_equal(ledger_sum(&span->ledger), span->end_ns - span->start_ns);
			assert_true(span->name.len > 0);
			assert_true(span->flags & SPAN_FLAG_REMOTE_KNOWN);
			assert_int_equal(
			    span_id_is_zero(&span->parent_id), span->basis == PARENT_BASIS_NONE);
			assert_int_equal(basis != NULL, span->basis != PARENT_BASIS_NONE);
			if (basis)
				assert_true(
				    sv_eq(basis->string, sv_cstr(parent_basis_name(span->basis))));
			for (size_t k = 0; k < trace->n_spans; k++) {
				const struct span *other = trace->spans[k];

				assert_true(k == i || !span_id_eq(&other->span_id, &span->span_id));
				if (span_id_eq(&other->span_id, &span->parent_id))
					assert_true(k < i);
			}
		}
	}
}

#endif
