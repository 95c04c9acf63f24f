/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One observed connection and a listener that writes down every exchange as it ends, and checks that it
 * is told of each in order: began, headed, moved, ended.
 */
#ifndef ZS_TESTS_EXCHANGE_FIXTURE_H
#define ZS_TESTS_EXCHANGE_FIXTURE_H

#include <stdio.h>

#include "event_fixture.h"
#include "span/exchange.h"

static const struct actor worker = {.pid = 10, .tid = 11};

#define OK2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OK0 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

struct record {
	char text[192]; /* "GET /1 200 0+5 partial traced error=..." */
	int number;     /* of path "/<number>..."; -1 none */
	int status;
	bool partial;
	enum exchange_error error;
	uint64_t start_ns, taken_ns, end_ns;
	uint32_t position, tid, slice;
	enum span_kind kind;
};

enum {
	RECORDS_MAX = 264,
};

struct world {
	struct feed feed;
	struct exchanges *exchanges;
	struct conn_table *conns;
	uint32_t tid; /* of the last piece */
	size_t began, headed, ended, headless, moved;
	struct record records[RECORDS_MAX];
	size_t n_records;
	struct exchange_stats stats; /* at the end */
};

static inline void on_began(void *ctx, struct exchange *exchange)
{
	struct world *w = ctx;

	assert_null(exchange->owner);
	assert_false(exchange->has_head);
	assert_true(exchange->kind == SPAN_KIND_SERVER || exchange->kind == SPAN_KIND_CLIENT);
	exchange->owner = w;
	w->began++;
}

static inline void on_headed(void *ctx, struct exchange *exchange)
{
	struct world *w = ctx;

	assert_ptr_equal(exchange->owner, w);
	assert_true(exchange->has_head);
	w->headed++;
}

/* " <whose>-flaw=length", or nothing. */
static inline void append_flaw(char *text, size_t size, const char *whose, enum http1_flaw flaw)
{
	size_t len = strlen(text);

	if (flaw != HTTP1_FLAW_NONE)
		snprintf(text + len, size - len, " %s-flaw=%s", whose,
		    flaw == HTTP1_FLAW_LENGTH ? "length" : "field");
}

/* Told with every piece, before what it brings about. */
static inline void on_piece(void *ctx, struct exchange *exchange, const struct piece *piece)
{
	struct world *w = ctx;

	assert_true(!exchange || exchange->owner == w);
	w->tid = piece->tid;
}

static inline void on_moved(void *ctx, struct exchange *exchange)
{
	struct world *w = ctx;

	assert_ptr_equal(exchange->owner, w);
	assert_int_equal(exchange->kind, SPAN_KIND_SERVER);
	assert_int_equal(exchange->tid, w->tid);
	w->moved++;
}

static inline void on_ended(void *ctx, struct exchange *exchange)
{
	struct world *w = ctx;
	const char *error = exchange_error_name(exchange->error);
	struct record *r = &w->records[w->n_records];
	char target[64];

	assert_ptr_equal(exchange->owner, w);
	assert_true(exchange->end_ns >= exchange->start_ns);
	w->ended++;
	if (!exchange->has_head) {
		w->headless++;
		return;
	}
	assert_true(w->n_records < RECORDS_MAX);
	w->n_records++;
	*r = (struct record){
	    .status = exchange->status,
	    .partial = exchange->partial,
	    .error = exchange->error,
	    .start_ns = exchange->start_ns,
	    .taken_ns = exchange->taken_ns,
	    .end_ns = exchange->end_ns,
	    .position = exchange->position,
	    .tid = exchange->tid,
	    .slice = exchange->slice,
	    .kind = exchange->kind,
	};
	if (exchange->target.len < sizeof(target))
		snprintf(target, sizeof(target), "%.*s", SV_ARG(exchange->target));
	else
		snprintf(
		    target, sizeof(target), "%.8s...%zu", exchange->target.p, exchange->target.len);
	if (sscanf(target, "/%d", &r->number) != 1)
		r->number = -1;
	snprintf(r->text, sizeof(r->text), "%.*s %s %d %llu+%llu%s%s%s%s", SV_ARG(exchange->method),
	    target, exchange->status, (unsigned long long)exchange->request_body_bytes,
	    (unsigned long long)exchange->response_body_bytes, exchange->partial ? " partial" : "",
	    exchange->has_context ? " traced" : "", error ? " error=" : "", error ? error : "");
	append_flaw(r->text, sizeof(r->text), "q", exchange->request_flaw);
	append_flaw(r->text, sizeof(r->text), "s", exchange->response_flaw);
}

static const struct exchange_listener listener = {
    on_piece, on_began, on_headed, on_moved, on_ended};

static inline void take(void *ctx, const struct event *event)
{
	struct world *w = ctx;

	conn_table_event(w->conns, event);
}

static inline void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	feed_init(&w->feed, take, w);
	w->exchanges = exchanges_new(&listener, w);
	w->conns = conn_table_new(&exchange_conn_handler, w->exchanges);
	assert_non_null(w->conns);
}

/* Closes what is open; checks that the books balance. */
/* A connection that the process has accepted, or made. */
static inline struct sock world_conn(struct world *w, enum zsp_role role)
{
	bool accepted = role == ZSP_ROLE_ACCEPTED;
	struct sock sock =
	    sock_tcp(&w->feed, 77, role, 1, accepted ? 8000 : 40000, 1, accepted ? 40000 : 8000);

	sock_announce(&sock);
	return sock;
}

static inline void world_end(struct world *w)
{
	conn_table_free(w->conns, w->feed.now_ns);
	exchanges_stats(w->exchanges, &w->stats);
	assert_int_equal(w->began, w->ended);
	assert_int_equal(w->stats.open, 0);
	assert_int_equal(w->stats.requests, w->headed);
	assert_int_equal(w->headed, w->n_records);
	exchanges_free(w->exchanges);
}

static inline void expect_records(const struct world *w, const char *what, const char *expect)
{
	struct buf all;

	buf_init(&all);
	for (size_t i = 0; i < w->n_records; i++)
		buf_printf(&all, "%s%s", i ? "; " : "", w->records[i].text);
	buf_append_cstr(&all, "");
	if (strcmp(all.data ? all.data : "", expect) != 0)
		fail_msg("%s: '%s' instead of '%s'", what, all.data ? all.data : "", expect);
	buf_release(&all);
}

#endif
