// SPDX-License-Identifier: Apache-2.0
/*
 * Pairing of requests and responses; see exchange.h.
 *
 *	        request bytes ──► request stream ──► begin/head/end ──► queue tail
 *	conn ─┤                                                          │ │ │
 *	        response bytes ─► response stream ─► begin/head/end ──► queue head ──► ended
 *
 * A server reads requests and writes responses, a client the reverse; that is the only difference.
 */
#include "span/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct exchanges {
	const struct exchange_listener *listener;
	void *ctx;
	struct exchange_stats stats;
	struct buf scratch; /* the texts of the head being read */
};

/* What a connection carries as conn->protocol. */
struct http_conn {
	struct exchanges *all;
	struct conn *conn;
	enum span_kind kind; /* INVALID until the first start of a message tells */
	struct http1_stream request, response;
	struct list queue; /* exchanges that await the end of their response, oldest first */
	size_t queued;
	struct exchange
	    *receiving; /* whose request is being received; may have been answered: NULL then */
	bool stray;     /* the response in progress answers nothing we saw */
	bool given_up;
	bool
	    unsure; /* what is outstanding is not known: nothing is paired until an answer has begun */
	bool request_lost;         /* the request stream got out of step inside a message, ever */
	uint64_t piece_offset;     /* the stream's offset where the piece being fed begins */
	const struct piece *now;   /* the piece being fed, NULL while closing */
	uint32_t losses;           /* of sync inside a message, as told by the streams' end() */
	uint32_t counted_losses;   /* of both streams, as added to the statistics */
	uint64_t last_response_ns; /* end of the last response piece */
};

const char *exchange_error_name(enum exchange_error error)
{
	static const char *const names[] = {
	    [EXCHANGE_OK] = NULL,
	    [EXCHANGE_CONNECTION_CLOSED] = "connection_closed",
	    [EXCHANGE_CONNECTION_RESET] = "connection_reset",
	    [EXCHANGE_INCOMPLETE_RESPONSE] = "incomplete_response",
	    [EXCHANGE_MALFORMED] = "malformed_message",
	};

	return names[error];
}

/* --- life of an exchange --------------------------------------------------------------------- */

static struct exchange *http_oldest(const struct http_conn *http)
{
	return list_empty(&http->queue) ? NULL
					: container_of(http->queue.next, struct exchange, link);
}

static void exchange_finish(
    struct http_conn *http, struct exchange *exchange, enum exchange_error error, uint64_t end_ns)
{
	exchange->error = error;
	exchange->end_ns = end_ns > exchange->start_ns ? end_ns : exchange->start_ns;
	if (http->receiving == exchange)
		http->receiving = NULL;
	list_remove(&exchange->link);
	http->queued--;
	http->all->stats.open--;
	http->all->listener->ended(http->all->ctx, exchange);
	free(exchange->text);
	free(exchange);
}

/* What is open ends here, as far as it was seen: which answer belongs to which request is unknown.
 */
static void http_abandon_queue(struct http_conn *http)
{
	struct exchange *exchange;

	while ((exchange = http_oldest(http))) {
		exchange->partial = true;
		exchange_finish(http, exchange, EXCHANGE_OK, http->last_response_ns);
	}
}

/*
 * Bytes passed unseen that may have held a whole request or answer, or the end of one. What is open ends
 * here; the next answer may belong to a request that was never seen, so it is a stray, and pairing goes
 * on with the request after it. A gap is better than a wrong pair.
 */
static void http_lose_pairing(struct http_conn *http)
{
	http_abandon_queue(http);
	http->unsure = true;
}

/* Nothing more can be known of this connection: follow it no longer. */
static void http_give_up(struct http_conn *http)
{
	http->all->stats.given_up++;
	http->given_up = true;
	http_abandon_queue(http);
	http1_stream_tunnel(&http->request);
	http1_stream_tunnel(&http->response);
}

/* --- requests -------------------------------------------------------------------------------- */

static void request_begin(void *ctx)
{
	struct http_conn *http = ctx;
	struct exchange *oldest = http_oldest(http), *exchange = NULL;

	if (http->given_up)
		return;
	if (oldest && oldest->lingering)
		exchange_finish(http, oldest, EXCHANGE_OK, http->last_response_ns);
	/* A request behind another, unanswered one, and a stream that has hidden something. */
	if (http_oldest(http) && (http->request_lost || http->response.losses))
		http_lose_pairing(http);
	if (http->queued < EXCHANGE_MAX_PIPELINE && http->all->stats.open < EXCHANGE_MAX)
		exchange = calloc(1, sizeof(*exchange));
	if (!exchange) {
		http_give_up(http);
		return;
	}
	exchange->kind = http->kind;
	exchange->conn = http->conn;
	exchange->position =
	    http->now->position + (uint32_t)(http->request.message_offset - http->piece_offset);
	exchange->pid = http->now->pid;
	exchange->tid = http->now->tid;
	exchange->slice = http->now->slice;
	exchange->start_ns = http->now->start_ns;
	list_add_tail(&http->queue, &exchange->link);
	http->queued++;
	http->all->stats.open++;
	http->receiving = exchange;
	http1_stream_expect_start(&http->response);
	http->all->listener->began(http->all->ctx, exchange);
}

/* The incoming trace context, by the rules of W3C Trace Context for exactly one traceparent field. */
static void exchange_take_context(
    struct exchange *exchange, const struct http1_head *head, struct buf *state)
{
	struct sv values[HTTP1_MAX_FIELDS], value;
	size_t n = 0;

	if (http1_field_find(head, SV("traceparent"), &value) != 1 ||
	    traceparent_parse(value, &exchange->context))
		return;
	exchange->has_context = true;
	for (size_t i = 0; i < head->n_fields; i++)
		if (sv_eq_nocase(head->fields[i].name, SV("tracestate")))
			values[n++] = head->fields[i].value;
	if (n)
		tracestate_parse(values, n, state);
}

static struct sv take(char **at, size_t len)
{
	struct sv taken = {.p = *at, .len = len};

	*at += len;
	return taken;
}

/* Keep the head's texts, which live until the head's call returns only. */
static int exchange_take_head(
    struct exchange *exchange, const struct http1_head *head, struct buf *scratch)
{
	struct sv host = {0}, user_agent = {0};
	size_t state_len, host_len;
	char *at;

	http1_field_find(head, SV("host"), &host);
	http1_field_find(head, SV("user-agent"), &user_agent);
	buf_clear(scratch);
	exchange_take_context(exchange, head, scratch);
	state_len = scratch->len;
	buf_append_sv(scratch, head->method);
	buf_append_sv(scratch, head->target);
	host_len = scratch->len;
	http1_append_unfolded(scratch, host);
	host_len = scratch->len - host_len;
	http1_append_unfolded(scratch, user_agent);
	at = scratch->failed ? NULL : malloc(scratch->len);
	if (!at)
		return -ENOMEM;
	memcpy(at, scratch->data, scratch->len);
	exchange->text = at;
	exchange->trace_state = take(&at, state_len);
	exchange->method = take(&at, head->method.len);
	exchange->target = take(&at, head->target.len);
	exchange->host = take(&at, host_len);
	exchange->user_agent = take(&at, (size_t)(exchange->text + scratch->len - at));
	exchange->version_minor = head->version_minor;
	exchange->expects_continue = head->version_minor > 0 &&
	    http1_field_has_token(head, SV("expect"), SV("100-continue"));
	exchange->has_head = true;
	return 0;
}

static enum http1_answers request_head(void *ctx, const struct http1_head *head, size_t head_bytes)
{
	struct http_conn *http = ctx;
	struct exchange *exchange = http->receiving;

	(void)head_bytes;
	if (exchange && exchange_take_head(exchange, head, &http->all->scratch) == 0) {
		http->all->stats.requests++;
		http->all->listener->headed(http->all->ctx, exchange);
	}
	return HTTP1_ANSWERS_OTHER;
}

static void request_body(void *ctx, struct sv data, uint64_t n)
{
	struct http_conn *http = ctx;

	(void)data;
	if (http->receiving)
		http->receiving->request_body_bytes += n;
}

static bool is_loss(enum http1_end how)
{
	return how == HTTP1_END_LOST || how == HTTP1_END_MALFORMED;
}

static void request_end(void *ctx, enum http1_end how)
{
	struct http_conn *http = ctx;
	struct exchange *exchange = http->receiving;

	http->receiving = NULL;
	if (is_loss(how)) {
		http->losses++;
		http->request_lost = true;
	}
	if (!exchange)
		return;
	if (!exchange->has_head) { /* never became a request; if it is answered, we cannot know */
		exchange_finish(http, exchange, EXCHANGE_MALFORMED, exchange->start_ns);
		if (is_loss(how))
			http_lose_pairing(http);
	} else if (how == HTTP1_END_LOST) {
		exchange->partial = true;
	} else if (http->unsure && how == HTTP1_END_COMPLETE) {
		http_abandon_queue(http);
	}
}

/* --- responses ------------------------------------------------------------------------------- */

static void response_begin(void *ctx)
{
	struct http_conn *http = ctx;
	struct exchange *oldest = http_oldest(http);

	/* A lingering exchange was answered already; this is the answer to the one after it. */
	if (oldest && oldest->lingering && http->queued > 1) {
		exchange_finish(http, oldest, EXCHANGE_OK, http->last_response_ns);
		oldest = http_oldest(http);
	}
	if (http->unsure) {
		http_abandon_queue(http);
		http->unsure = false;
		oldest = NULL;
	}
	http->stray = !oldest || !oldest->has_head || oldest->lingering;
	if (http->stray)
		http->all->stats.strays++;
}

static enum http1_answers request_kind(struct sv method)
{
	if (sv_eq(method, SV("HEAD")))
		return HTTP1_ANSWERS_HEAD;
	return sv_eq(method, SV("CONNECT")) ? HTTP1_ANSWERS_CONNECT : HTTP1_ANSWERS_OTHER;
}

static enum http1_answers response_head(void *ctx, const struct http1_head *head, size_t head_bytes)
{
	struct http_conn *http = ctx;
	struct exchange *exchange = http_oldest(http);
	enum http1_answers answers;

	(void)head_bytes;
	if (http->stray || !exchange)
		return HTTP1_ANSWERS_OTHER;
	answers = request_kind(exchange->method);
	exchange->interim = head->status >= 100 && head->status < 200 && head->status != 101;
	if (head->status == 100)
		exchange->expects_continue = false;
	if (!exchange->interim)
		exchange->status = head->status;
	/* A final answer instead of 100: the next request may come where the body was due. */
	if (!exchange->interim && exchange->expects_continue && exchange == http->receiving)
		http1_stream_body_optional(&http->request);
	if (http1_response_body(head, answers).framing == HTTP1_BODY_TUNNEL)
		http1_stream_tunnel(&http->request);
	return answers;
}

static void response_body(void *ctx, struct sv data, uint64_t n)
{
	struct http_conn *http = ctx;
	struct exchange *exchange = http_oldest(http);

	(void)data;
	if (!http->stray && exchange)
		exchange->response_body_bytes += n;
}

static void response_end(void *ctx, enum http1_end how)
{
	static const enum exchange_error errors[] = {
	    [HTTP1_END_COMPLETE] = EXCHANGE_OK,
	    [HTTP1_END_CLOSED] = EXCHANGE_INCOMPLETE_RESPONSE,
	    [HTTP1_END_RESET] = EXCHANGE_CONNECTION_RESET,
	    [HTTP1_END_LOST] = EXCHANGE_OK,
	    [HTTP1_END_MALFORMED] = EXCHANGE_MALFORMED,
	};
	struct http_conn *http = ctx;
	struct exchange *exchange = http_oldest(http);

	if (is_loss(how))
		http->losses++;
	if (http->stray || !exchange)
		return;
	if (exchange->interim && how == HTTP1_END_COMPLETE)
		return;
	if (how == HTTP1_END_LOST && !http->given_up) {
		exchange->partial = true;
		exchange->lingering = true;
		if (http->queued > 1) /* the answers behind it may be hidden too */
			http_lose_pairing(http);
		return;
	}
	exchange_finish(http, exchange, errors[how], http->last_response_ns);
}

/* --- the connection's events ----------------------------------------------------------------- */

static const struct http1_handler request_handler = {
    .begin = request_begin,
    .head = request_head,
    .body = request_body,
    .end = request_end,
};

static const struct http1_handler response_handler = {
    .begin = response_begin,
    .head = response_head,
    .body = response_body,
    .end = response_end,
};

static void on_open(void *ctx, struct conn *conn)
{
	struct http_conn *http = calloc(1, sizeof(*http));
	bool known = conn->role != ZSP_ROLE_UNKNOWN;

	if (!http)
		return;
	http->all = ctx;
	http->conn = conn;
	list_init(&http->queue);
	if (conn->role == ZSP_ROLE_ACCEPTED)
		http->kind = SPAN_KIND_SERVER;
	else if (conn->role == ZSP_ROLE_CONNECTED)
		http->kind = SPAN_KIND_CLIENT;
	http1_stream_init(&http->request, HTTP1_REQUEST, known, &request_handler, http);
	http1_stream_init(&http->response, HTTP1_RESPONSE, known, &response_handler, http);
	conn->protocol = http;
}

/* Shorter beginnings than this ("GET / HT") are too weak to tell by. */
enum {
	START_MIN = 8
};

/* A connection that was there before us: the first message start tells which side the process is. */
static enum span_kind kind_from_start(const struct piece *piece)
{
	bool in = piece->direction == ZSP_IN;

	if (piece->data.len < START_MIN)
		return SPAN_KIND_INVALID;
	if (http1_plausible_start(HTTP1_RESPONSE, piece->data))
		return in ? SPAN_KIND_CLIENT : SPAN_KIND_SERVER;
	if (http1_plausible_start(HTTP1_REQUEST, piece->data))
		return in ? SPAN_KIND_SERVER : SPAN_KIND_CLIENT;
	return SPAN_KIND_INVALID;
}

static bool carries_requests(const struct http_conn *http, enum zsp_direction direction)
{
	return (http->kind == SPAN_KIND_SERVER) == (direction == ZSP_IN);
}

/* The request being received is served by the thread that reads it now. */
static void request_follow_thread(struct http_conn *http, const struct piece *piece)
{
	struct exchange *exchange = http->receiving;
	uint32_t old_tid;

	if (!exchange || http->kind != SPAN_KIND_SERVER || exchange->tid == piece->tid)
		return;
	old_tid = exchange->tid;
	exchange->pid = piece->pid;
	exchange->tid = piece->tid;
	exchange->slice = piece->slice;
	http->all->listener->moved(http->all->ctx, exchange, old_tid);
}

/*
 * Look at the streams after bytes of one were fed or missed. Out of step between messages, or more bytes
 * while out of step with an answer due, may have hidden whole messages. Inside a message (the streams'
 * end() told us) the pairing stands.
 */
static void http_check_sync(struct http_conn *http)
{
	uint32_t losses = http->request.losses + http->response.losses;
	const struct exchange *oldest = http_oldest(http);
	bool hidden = http->response.state == HTTP1_STATE_LOST && http->response.losses && oldest &&
	    !oldest->lingering;

	http->all->stats.losses += losses - http->counted_losses;
	http->counted_losses = losses;
	if (losses != http->losses || hidden) {
		http->losses = losses;
		http_lose_pairing(http);
	}
}

static void on_piece(void *ctx, struct conn *conn, const struct piece *piece)
{
	struct http_conn *http = conn->protocol;
	struct http1_stream *stream;

	(void)ctx;
	if (!http || http->given_up)
		return;
	if (http->kind == SPAN_KIND_INVALID) {
		http->kind = kind_from_start(piece);
		if (http->kind == SPAN_KIND_INVALID)
			return;
		http1_stream_expect_start(
		    carries_requests(http, piece->direction) ? &http->request : &http->response);
	}
	http->now = piece;
	if (carries_requests(http, piece->direction)) {
		stream = &http->request;
		request_follow_thread(http, piece);
	} else {
		stream = &http->response;
		http->last_response_ns = piece->end_ns;
	}
	http->piece_offset = stream->offset;
	if (piece->data.len)
		http1_stream_feed(stream, piece->data);
	if (piece->bytes > piece->data.len)
		http1_stream_gap(stream, piece->bytes - piece->data.len);
	http_check_sync(http);
	http->now = NULL;
}

static void on_gap(void *ctx, struct conn *conn, enum zsp_direction direction, uint32_t bytes)
{
	struct http_conn *http = conn->protocol;

	(void)ctx;
	if (!http || http->kind == SPAN_KIND_INVALID || http->given_up)
		return;
	http1_stream_gap(
	    carries_requests(http, direction) ? &http->request : &http->response, bytes);
	http_check_sync(http);
}

static void on_end(void *ctx, struct conn *conn, enum zsp_direction direction, uint64_t time_ns)
{
	struct http_conn *http = conn->protocol;

	(void)ctx;
	(void)time_ns;
	if (!http || http->kind == SPAN_KIND_INVALID)
		return;
	http1_stream_close(
	    carries_requests(http, direction) ? &http->request : &http->response, false);
}

static void on_close(void *ctx, struct conn *conn, uint64_t time_ns)
{
	struct http_conn *http = conn->protocol;
	struct exchange *exchange;

	(void)ctx;
	if (!http)
		return;
	http1_stream_close(&http->request, conn->reset);
	http1_stream_close(&http->response, conn->reset);
	while ((exchange = http_oldest(http))) {
		if (exchange->lingering)
			exchange_finish(http, exchange, EXCHANGE_OK, http->last_response_ns);
		else
			exchange_finish(http, exchange,
			    conn->reset ? EXCHANGE_CONNECTION_RESET : EXCHANGE_CONNECTION_CLOSED,
			    time_ns);
	}
	http1_stream_release(&http->request);
	http1_stream_release(&http->response);
	free(http);
	conn->protocol = NULL;
}

const struct conn_handler exchange_conn_handler = {
    .open = on_open,
    .piece = on_piece,
    .gap = on_gap,
    .end = on_end,
    .close = on_close,
};

struct exchanges *exchanges_new(const struct exchange_listener *listener, void *ctx)
{
	struct exchanges *exchanges = calloc(1, sizeof(*exchanges));

	if (!exchanges)
		return NULL;
	exchanges->listener = listener;
	exchanges->ctx = ctx;
	buf_init(&exchanges->scratch);
	return exchanges;
}

void exchanges_free(struct exchanges *exchanges)
{
	if (exchanges)
		buf_release(&exchanges->scratch);
	free(exchanges);
}

void exchanges_stats(const struct exchanges *exchanges, struct exchange_stats *ret_stats)
{
	*ret_stats = exchanges->stats;
}
