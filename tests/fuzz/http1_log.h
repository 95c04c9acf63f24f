/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of one direction of an HTTP/1 connection as bytes that can be compared: begin and where, the head,
 * body bytes (neighbours added up), end and how. Checks their order on the way.
 */
#ifndef ZS_TESTS_HTTP1_LOG_H
#define ZS_TESTS_HTTP1_LOG_H

#include "fuzz.h"
#include "proto/http1.h"

struct http1_log {
	struct http1_stream stream;
	struct buf calls;
	uint64_t body;    /* not yet in calls */
	uint32_t hash;    /* of what was captured of all bodies (FNV-1a) */
	uint64_t bodies;  /* all body bytes, ever */
	uint32_t answers; /* two bits for each final response: what it answers */
	bool open, headed;
};

static inline void http1_log_begin(void *ctx)
{
	struct http1_log *log = ctx;

	REQUIRE(!log->open);
	log->open = true;
	log->headed = false;
	buf_printf(&log->calls, "B%llu ", (unsigned long long)log->stream.message_offset);
}

static inline enum http1_answers http1_log_head(
    void *ctx, const struct http1_head *head, size_t head_bytes)
{
	struct http1_log *log = ctx;
	enum http1_answers answers = HTTP1_ANSWERS_OTHER;

	REQUIRE(log->open && !log->headed && head_bytes > 0);
	log->headed = true;
	buf_printf(&log->calls, "H%zu %d.%d %d ", head_bytes, head->version_major,
	    head->version_minor, head->status);
	buf_append_sv(&log->calls, head->method);
	buf_append_char(&log->calls, ' ');
	buf_append_sv(&log->calls, head->target);
	for (size_t i = 0; i < head->n_fields; i++) {
		buf_append_char(&log->calls, '\n');
		buf_append_sv(&log->calls, head->fields[i].name);
		buf_append_char(&log->calls, ':');
		buf_append_sv(&log->calls, head->fields[i].value);
	}
	buf_append_char(&log->calls, '\n');
	if (head->kind == HTTP1_RESPONSE && head->status >= 200) {
		answers = log->answers & 3;
		answers = answers > HTTP1_ANSWERS_CONNECT ? HTTP1_ANSWERS_OTHER : answers;
		log->answers >>= 2;
	}
	return answers;
}

static inline void http1_log_body(void *ctx, struct sv data, uint64_t n)
{
	struct http1_log *log = ctx;

	REQUIRE(log->open && log->headed && n > 0 && (data.len == n || data.len == 0));
	log->body += n;
	log->bodies += n;
	for (size_t i = 0; i < data.len; i++)
		log->hash = (log->hash ^ (uint8_t)data.p[i]) * 16777619u;
}

static inline void http1_log_end(void *ctx, enum http1_end how)
{
	struct http1_log *log = ctx;

	REQUIRE(log->open && (log->headed || how != HTTP1_END_COMPLETE));
	log->open = false;
	buf_printf(&log->calls, "D%llu %08x E%d\n", (unsigned long long)log->body, log->hash, how);
	log->body = 0;
}

static const struct http1_handler http1_log_handler = {
    .begin = http1_log_begin,
    .head = http1_log_head,
    .body = http1_log_body,
    .end = http1_log_end,
};

static inline void http1_log_init(
    struct http1_log *log, enum http1_kind kind, bool known_start, uint32_t answers)
{
	memset(log, 0, sizeof(*log));
	log->answers = answers;
	http1_stream_init(&log->stream, kind, known_start, &http1_log_handler, log);
}

static inline void http1_log_release(struct http1_log *log)
{
	http1_stream_release(&log->stream);
	buf_release(&log->calls);
}

/* Feed a piece that ends where its memory ends. */
static inline void http1_log_feed(struct http1_log *log, struct sv piece)
{
	struct sv copy = fuzz_copy(piece.p, piece.len);

	http1_stream_feed(&log->stream, copy);
	fuzz_free(copy);
}

#endif
