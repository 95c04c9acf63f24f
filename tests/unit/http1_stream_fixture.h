/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of an HTTP/1 connection whose calls are recorded as text: B begin, H(...) head, D<n>
 * body bytes (neighbours added up), then E and a letter for how the message ended: nothing complete,
 * c closed, r reset, l lost, m malformed. Each piece that is fed ends at an unmapped page.
 */
#ifndef ZS_TESTS_HTTP1_STREAM_FIXTURE_H
#define ZS_TESTS_HTTP1_STREAM_FIXTURE_H

#include "proto/http1.h"
#include "support.h"

struct recorder {
	struct buf log;
	uint64_t body;       /* not yet in the log */
	const char *answers; /* per final response: 'H' to HEAD, 'C' to CONNECT, else other */
	size_t captured;     /* body bytes that came with data */
	bool open;
	struct http1_stream *stop; /* turn this stream into a tunnel ... */
	char stop_at;              /* ... in this callback: B, H, D or E */
};

static inline void stop_if(struct recorder *r, char callback)
{
	if (r->stop && r->stop_at == callback)
		http1_stream_tunnel(r->stop);
}

static inline void flush_body(struct recorder *r)
{
	if (r->body)
		buf_printf(&r->log, "D%llu ", (unsigned long long)r->body);
	r->body = 0;
}

static inline void on_begin(void *ctx)
{
	struct recorder *r = ctx;

	assert_false(r->open);
	r->open = true;
	buf_append_cstr(&r->log, "B ");
	stop_if(r, 'B');
}

static inline enum http1_answers on_head(
    void *ctx, const struct http1_head *head, size_t head_bytes)
{
	struct recorder *r = ctx;

	assert_true(r->open);
	assert_true(head_bytes > 0);
	if (head->kind == HTTP1_REQUEST)
		buf_printf(&r->log, "H(%.*s %.*s,%d.%d) ", SV_ARG(head->method),
		    SV_ARG(head->target), head->version_major, head->version_minor);
	else
		buf_printf(&r->log, "H(%d,%d.%d) ", head->status, head->version_major,
		    head->version_minor);
	if (r->stop && r->stop_at == 'H') {
		http1_stream_tunnel(r->stop);
		return HTTP1_ANSWERS_OTHER;
	}
	if (head->kind == HTTP1_REQUEST || head->status < 200 || !r->answers || !*r->answers)
		return HTTP1_ANSWERS_OTHER;
	switch (*r->answers++) {
	case 'H':
		return HTTP1_ANSWERS_HEAD;
	case 'C':
		return HTTP1_ANSWERS_CONNECT;
	default:
		return HTTP1_ANSWERS_OTHER;
	}
}

static inline void on_body(void *ctx, struct sv data, uint64_t n)
{
	struct recorder *r = ctx;

	assert_true(r->open);
	assert_true(n > 0);
	assert_true(data.len == n || data.len == 0);
	r->body += n;
	r->captured += data.len;
	if (r->body > 1)
		stop_if(r, 'D');
}

static inline void on_end(void *ctx, enum http1_end how)
{
	static const char letters[] = "? crlm";
	struct recorder *r = ctx;

	assert_true(r->open);
	r->open = false;
	flush_body(r);
	buf_printf(&r->log, how == HTTP1_END_COMPLETE ? "E " : "E%c ", letters[how]);
	stop_if(r, 'E');
}

static const struct http1_handler handler = {
    .begin = on_begin, .head = on_head, .body = on_body, .end = on_end};

static inline void feed_edge(struct http1_stream *s, struct sv piece)
{
	struct edge edge = edge_copy(piece.p, piece.len);

	http1_stream_feed(s, sv_from(edge.p, edge.len));
	edge_free(&edge);
}

/* The calls so far, up to the last blank; valid until the next one. */
static inline const char *recorder_calls(struct recorder *r)
{
	flush_body(r);
	while (r->log.len && r->log.data[r->log.len - 1] == ' ')
		r->log.data[--r->log.len] = '\0';
	return r->log.data ? r->log.data : "";
}

/* A stream and its recorder, for tests that go step by step. */
struct fixture {
	struct recorder r;
	struct http1_stream s;
};

static inline void fixture_init(struct fixture *f, enum http1_kind kind, bool known_start)
{
	f->r = (struct recorder){0};
	http1_stream_init(&f->s, kind, known_start, &handler, &f->r);
}

static inline void fixture_feed(struct fixture *f, const char *text)
{
	feed_edge(&f->s, sv_cstr(text));
}

/* The calls since the last check. */
static inline void check_calls(struct fixture *f, const char *expected)
{
	assert_string_equal(recorder_calls(&f->r), expected);
	buf_clear(&f->r.log);
}

static inline void fixture_release(struct fixture *f)
{
	http1_stream_release(&f->s);
	buf_release(&f->r.log);
}

#endif
