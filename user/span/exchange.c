// SPDX-License-Identifier: Apache-2.0
/* From the events of connections to the streams that make exchanges; see exchange.h. */
#include "span/exchange.h"

#include <stdlib.h>

#include "span/http_conn.h"

enum {
	EXCHANGE_KEPT = 256, /* ended exchanges whose memory is used again */
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
	if (http->all->hidden)
		http->heads = calloc(2, sizeof(http->heads[0]));
	http1_stream_init(&http->request, HTTP1_REQUEST, known,
	    http->heads ? &http_hiding_request_handler : &http_request_handler, http);
	http1_stream_init(&http->response, HTTP1_RESPONSE, known,
	    http->heads ? &http_hiding_response_handler : &http_response_handler, http);
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

	if (!exchange || http->kind != SPAN_KIND_SERVER || exchange->tid == piece->tid)
		return;
	exchange->pid = piece->pid;
	exchange->tid = piece->tid;
	exchange->slice = piece->slice;
	http->all->listener->moved(http->all->ctx, exchange);
}

/* Nothing is to be answered: all requests are seen, and those that there were have ended. */
static bool is_idle(const struct http_conn *http)
{
	return list_empty(&http->queue) && !http->unsure && http->request.state != HTTP1_STATE_LOST;
}

/*
 * Can what passes out of step on this stream be a message of which we ought to know? Of answers, when one is due. Of requests,
 * unless it belongs to one that is not answered: only who pipelines sends the next one then.
 */
static bool may_hide(const struct http_conn *http, const struct http1_stream *stream)
{
	const struct exchange *oldest = http_oldest(http);

	if (stream == &http->request)
		return !oldest || http->pipelined;
	return stream->losses && oldest && !oldest->lingering;
}

/*
 * Look at the streams after bytes of one, moved, were fed or missed. Out of step between messages, or more bytes
 * while out of step with an answer due, may have hidden whole messages. Inside a message (the streams'
 * end() told us) the pairing stands, and so it does when nothing was to be answered: what the server sent then is no
 * answer, such as a body behind the head that answers HEAD, or more of one than its length says.
 */
static void http_check_sync(struct http_conn *http, const struct http1_stream *moved)
{
	uint32_t losses = http->request.losses + http->response.losses;
	bool hidden = moved->state == HTTP1_STATE_LOST && may_hide(http, moved);

	http->all->stats.losses += losses - http->counted_losses;
	http->counted_losses = losses;
	if (hidden || (losses != http->losses && (moved == &http->request || !is_idle(http))))
		http_lose_pairing(http);
	http->losses = losses;
}

/* The streams tell what they take; what they do not take is not known. */
static void begin_hiding(struct http_conn *http)
{
	if (!http->heads)
		return;
	http->all->hidden->known = true;
	http->all->passed = 0;
}

static void end_hiding(struct http_conn *http)
{
	size_t payload = http->now->data.len + http->now->tail.len;

	if (http->heads && http->all->passed < payload)
		http_hide(http, http->all->passed, payload - http->all->passed, '\0');
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
		http->all->listener->piece(http->all->ctx, http->receiving, piece);
		request_follow_thread(http, piece);
	} else {
		stream = &http->response;
		http->all->listener->piece(http->all->ctx, http_oldest(http), piece);
		http->last_response_ns = piece->end_ns;
	}
	http->piece_offset = stream->offset;
	begin_hiding(http);
	if (piece->data.len)
		http1_stream_feed(stream, piece->data);
	if (piece->bytes > piece->data.len)
		http1_stream_gap_before(
		    stream, piece->bytes - piece->data.len - piece->tail.len, piece->tail);
	end_hiding(http);
	http_check_sync(http, stream);
	http->now = NULL;
}

static void on_gap(void *ctx, struct conn *conn, enum zsp_direction direction, uint32_t bytes)
{
	struct http_conn *http = conn->protocol;
	struct http1_stream *stream;

	(void)ctx;
	if (!http || http->kind == SPAN_KIND_INVALID || http->given_up)
		return;
	stream = carries_requests(http, direction) ? &http->request : &http->response;
	http1_stream_gap(stream, bytes);
	http_check_sync(http, stream);
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
	free(http->heads);
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
	pool_init(&exchanges->pool, sizeof(struct exchange), EXCHANGE_KEPT);
	payloads_init(&exchanges->payloads);
	return exchanges;
}

void exchanges_free(struct exchanges *exchanges)
{
	if (!exchanges)
		return;
	buf_release(&exchanges->scratch);
	pool_release(&exchanges->pool);
	payloads_release(&exchanges->payloads);
	free(exchanges);
}

void exchanges_set_rules(struct exchanges *exchanges, struct rules *rules)
{
	payloads_set_rules(&exchanges->payloads, rules);
}

void exchanges_hide(struct exchanges *exchanges, struct hidden *hidden)
{
	exchanges->hidden = hidden;
}

void exchanges_stats(const struct exchanges *exchanges, struct exchange_stats *ret_stats)
{
	*ret_stats = exchanges->stats;
	ret_stats->refused_bodies = exchanges->payloads.refused;
}
