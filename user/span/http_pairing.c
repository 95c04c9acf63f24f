// SPDX-License-Identifier: Apache-2.0
/*
 * Pairing of requests and responses; see http_conn.h.
 *
 *	        request bytes ──► request stream ──► begin/head/end ──► queue tail
 *	conn ─┤                                                          │ │ │
 *	        response bytes ─► response stream ─► begin/head/end ──► queue head ──► ended
 *
 * A server reads requests and writes responses, a client the reverse; that is the only difference.
 */
#include "span/http_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/url.h"

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

struct exchange *http_oldest(const struct http_conn *http)
{
	return list_empty(&http->queue) ? NULL
					: container_of(http->queue.next, struct exchange, link);
}

void exchange_finish(
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
	payload_free(exchange->payload);
	free(exchange->text);
	pool_give(&http->all->pool, exchange);
}

/* What is open ends here, as far as it was seen: which answer belongs to which request is unknown. An
 * answer in progress belongs to none that comes. */
static void http_abandon_queue(struct http_conn *http)
{
	struct exchange *exchange;

	http->stray |= http->response.in_message;
	while ((exchange = http_oldest(http))) {
		exchange->partial = true;
		exchange_finish(http, exchange, EXCHANGE_OK, http->last_response_ns);
	}
}

void http_lose_pairing(struct http_conn *http)
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

/* No message follows one that says so (RFC 9112 section 9.3): what comes behind it is none, whatever it looks like. */
static bool says_close(const struct http1_head *head)
{
	return http1_known_has_token(head, HTTP1_NAME_CONNECTION, SV("close"));
}

/* The last answer is complete. A request that is still being received goes on to its end. */
static void http_end_messages(struct http_conn *http)
{
	http1_stream_tunnel(&http->response);
	if (http->request.in_message)
		http->request_last = true;
	else
		http1_stream_tunnel(&http->request);
}

/* CONNECT was refused: what follows it is HTTP. Those who were in a hurry have sent bytes for the tunnel, which are none. */
static void http_leave_tunnel(struct http_conn *http)
{
	uint32_t losses = http->request.losses;

	if (http->tunnel_at && !http->request_last)
		http1_stream_leave_tunnel(&http->request, http->tunnel_at);
	http->losses += http->request.losses - losses;
	http->tunnel_at = 0;
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
		exchange = pool_take(&http->all->pool);
	if (!exchange) {
		http_give_up(http);
		return;
	}
	memset(exchange, 0, offsetof(struct exchange, room));
	exchange->kind = http->kind;
	exchange->conn = http->conn;
	exchange->position =
	    http->now->position + (uint32_t)(http->request.message_offset - http->piece_offset);
	exchange->pid = http->now->pid;
	exchange->tid = http->now->tid;
	exchange->slice = http->now->slice;
	exchange->start_ns = http->now->start_ns;
	exchange->taken_ns =
	    http->kind == SPAN_KIND_SERVER ? http->now->end_ns : exchange->start_ns;
	list_add_tail(&http->queue, &exchange->link);
	http->queued++;
	http->all->stats.open++;
	http->receiving = exchange;
	if (http->stray) /* what it answers may have been HEAD */
		http1_stream_body_optional(&http->response);
	http1_stream_expect_start(&http->response);
	http->all->listener->began(http->all->ctx, exchange);
}

/* The incoming trace context, by the rules of W3C Trace Context for exactly one traceparent field. */
static void exchange_take_context(
    struct exchange *exchange, const struct http1_head *head, struct buf *state)
{
	struct sv values[HTTP1_MAX_FIELDS], value;
	size_t n = 0;

	if (http1_known_find(head, HTTP1_NAME_TRACEPARENT, &value) != 1 ||
	    http1_known_dropped(head, HTTP1_NAME_TRACEPARENT) ||
	    traceparent_parse(value, &exchange->context))
		return;
	exchange->has_context = true;
	for (size_t i = 0; i < head->n_fields; i++)
		if (head->fields[i].known == HTTP1_NAME_TRACESTATE)
			values[n++] = head->fields[i].value;
	if (n && !http1_known_dropped(head, HTTP1_NAME_TRACESTATE))
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
	size_t state_len, host_len, user_agent_len;
	char *at;

	http1_known_find(head, HTTP1_NAME_HOST, &host);
	http1_known_find(head, HTTP1_NAME_USER_AGENT, &user_agent);
	buf_clear(scratch);
	exchange_take_context(exchange, head, scratch);
	state_len = scratch->len;
	buf_append_sv(scratch, head->method);
	buf_append_sv(scratch, head->target);
	host_len = scratch->len;
	http1_append_unfolded(scratch, host);
	host_len = scratch->len - host_len;
	user_agent_len = scratch->len;
	http1_append_unfolded(scratch, user_agent);
	user_agent_len = scratch->len - user_agent_len;
	if ((head->known & FORWARDED_FIELDS) && exchange->kind == SPAN_KIND_SERVER)
		forwarded_take(head, scratch, &exchange->forwarded);
	if (scratch->failed)
		return -ENOMEM;
	if (scratch->len > sizeof(exchange->room)) {
		exchange->text = malloc(scratch->len);
		if (!exchange->text)
			return -ENOMEM;
	}
	at = exchange->text ? exchange->text : exchange->room;
	memcpy(at, scratch->data, scratch->len);
	exchange->trace_state = take(&at, state_len);
	exchange->method = take(&at, head->method.len);
	exchange->target = take(&at, head->target.len);
	exchange->host = take(&at, host_len);
	exchange->user_agent = take(&at, user_agent_len);
	exchange->forwarded.client = take(&at, exchange->forwarded.client.len);
	exchange->forwarded.host = take(&at, exchange->forwarded.host.len);
	exchange->version_minor = head->version_minor;
	exchange->request_flaw = http1_head_flaw(head);
	exchange->expects_continue = head->version_minor > 0 &&
	    http1_known_has_token(head, HTTP1_NAME_EXPECT, SV("100-continue"));
	exchange->has_head = true;
	return 0;
}

static void exchange_take_payload(
    struct http_conn *http, struct exchange *exchange, const struct http1_head *head)
{
	bool connect = sv_eq(exchange->method, SV("CONNECT"));

	if (!http->all->payloads.rules)
		return;
	exchange->payload = payload_new(&http->all->payloads,
	    exchange->kind == SPAN_KIND_CLIENT ? RULE_CLIENT : RULE_SERVER, exchange->method,
	    url_target_parse(exchange->target, connect).path);
	if (exchange->payload)
		payload_head(exchange->payload, head);
}

static enum http1_answers request_head(void *ctx, const struct http1_head *head, size_t head_bytes)
{
	struct http_conn *http = ctx;
	struct exchange *exchange = http->receiving;

	http->request_last |= says_close(head);
	if (sv_eq(head->method, SV("CONNECT")))
		http->tunnel_at = http->request.message_offset + head_bytes;
	if (exchange && exchange_take_head(exchange, head, &http->all->scratch) == 0) {
		http->all->stats.requests++;
		exchange_take_payload(http, exchange, head);
		http->all->listener->headed(http->all->ctx, exchange);
	}
	return HTTP1_ANSWERS_OTHER;
}

static void request_body(void *ctx, struct sv data, uint64_t n)
{
	struct http_conn *http = ctx;

	if (http->tunnel_at)
		http->tunnel_at += n;
	if (!http->receiving)
		return;
	http->receiving->request_body_bytes += n;
	if (http->receiving->payload)
		payload_body(http->receiving->payload, HTTP1_REQUEST, data, n);
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
	if (how == HTTP1_END_COMPLETE && (http->request_last || http->tunnel_at))
		http1_stream_tunnel(&http->request);
	if (is_loss(how)) {
		http->losses++;
		http->request_lost = true;
	}
	if (!exchange)
		return;
	if (exchange->payload && how == HTTP1_END_COMPLETE)
		payload_end(exchange->payload, HTTP1_REQUEST);
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
		http->unsure = http->pipelined;
		oldest = NULL;
	}
	http->stray = !oldest || !oldest->has_head || oldest->lingering;
	http->all->stats.strays += http->stray;
	http->pipelined |= !http->stray && http->queued > 1;
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
	enum http1_flaw flaw;

	(void)head_bytes;
	http->stray_interim = head->status / 100 == 1;
	if (http->stray || !exchange) {
		if (http1_response_opens_tunnel(head, HTTP1_ANSWERS_OTHER))
			http1_stream_tunnel(&http->request);
		else if (head->status >= 300) /* to CONNECT, if there was one */
			http_leave_tunnel(http);
		return HTTP1_ANSWERS_OTHER;
	}
	answers = request_kind(exchange->method);
	flaw = http1_head_flaw(head);
	if (exchange->response_flaw < flaw)
		exchange->response_flaw = flaw;
	if (exchange->payload)
		payload_head(exchange->payload, head);
	exchange->interim = head->status >= 100 && head->status < 200 && head->status != 101;
	if (head->status == 100)
		exchange->expects_continue = false;
	if (!exchange->interim)
		exchange->status = head->status;
	http->response_last = !exchange->interim && says_close(head);
	/* A final answer instead of 100: the next request may come where the body was due. */
	if (!exchange->interim && exchange->expects_continue && exchange == http->receiving)
		http1_stream_body_optional(&http->request);
	if (http1_response_opens_tunnel(head, answers))
		http1_stream_tunnel(&http->request);
	else if (!exchange->interim && answers == HTTP1_ANSWERS_CONNECT)
		http_leave_tunnel(http);
	return answers;
}

static void response_body(void *ctx, struct sv data, uint64_t n)
{
	struct http_conn *http = ctx;
	struct exchange *exchange = http_oldest(http);

	if (http->stray || !exchange)
		return;
	exchange->response_body_bytes += n;
	if (exchange->payload)
		payload_body(exchange->payload, HTTP1_RESPONSE, data, n);
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
	/* Met late, in the middle of what this answers: who does not pipeline sends the next request now. */
	if (http->stray && how == HTTP1_END_COMPLETE && !http->stray_interim)
		http1_stream_expect_start(&http->request);
	if (http->stray || !exchange)
		return;
	if (exchange->interim && how == HTTP1_END_COMPLETE)
		return;
	if (exchange->payload && how == HTTP1_END_COMPLETE)
		payload_end(exchange->payload, HTTP1_RESPONSE);
	if (how == HTTP1_END_LOST && !http->given_up) {
		exchange->partial = true;
		exchange->lingering = true;
		if (http->queued > 1) /* the answers behind it may be hidden too */
			http_lose_pairing(http);
		return;
	}
	exchange_finish(http, exchange, errors[how], http->last_response_ns);
	if (how == HTTP1_END_COMPLETE && http->response_last)
		http_end_messages(http);
}

/* --- what to hide ------------------------------------------------------------------------------ */

void http_hide(struct http_conn *http, size_t at, size_t len, char with)
{
	if (at <= sizeof(http->all->hidden->payload) &&
	    len <= sizeof(http->all->hidden->payload) - at)
		memset(http->all->hidden->payload + at, with, len);
}

static void hide_in_head(void *ctx, struct sv bytes)
{
	struct http_conn *http = ctx;

	http_hide(http, (size_t)(bytes.p - http->now->data.p), bytes.len, 'x');
}

static void hide_bytes(struct http_conn *http, struct sv bytes)
{
	http_hide(http, (size_t)(bytes.p - http->now->data.p), bytes.len, '\0');
}

/* All but the ends of lines. */
static void hide_lines(struct http_conn *http, struct sv bytes)
{
	while (bytes.len) {
		size_t end = sv_find(bytes, '\n'), n = end;

		if (n && bytes.p[n - 1] == '\r')
			n--;
		hide_bytes(http, sv_from(bytes.p, n));
		bytes = sv_skip(bytes, end + 1);
	}
}

static void hide_part(
    struct http_conn *http, struct secret_head *head, enum http1_part part, struct sv bytes)
{
	http->all->passed += bytes.len;
	if (part == HTTP1_PART_HEAD)
		secret_head_feed(head, bytes, hide_in_head, http);
	else if (part == HTTP1_PART_LINES)
		hide_lines(http, bytes);
	else if (part == HTTP1_PART_CONTENT)
		hide_bytes(http, bytes);
	else if (part == HTTP1_PART_JUNK)
		hide_bytes(http, sv_skip(bytes, 1));
}

static void request_passed(void *ctx, enum http1_part part, struct sv bytes)
{
	struct http_conn *http = ctx;

	hide_part(http, &http->heads[0], part, bytes);
}

static void response_passed(void *ctx, enum http1_part part, struct sv bytes)
{
	struct http_conn *http = ctx;

	hide_part(http, &http->heads[1], part, bytes);
}

static void hiding_request_begin(void *ctx)
{
	struct http_conn *http = ctx;

	http->heads[0] = (struct secret_head){0};
	request_begin(http);
}

static void hiding_response_begin(void *ctx)
{
	struct http_conn *http = ctx;

	http->heads[1] = (struct secret_head){0};
	response_begin(http);
}

const struct http1_handler http_request_handler = {
    .begin = request_begin,
    .head = request_head,
    .body = request_body,
    .end = request_end,
};

const struct http1_handler http_response_handler = {
    .begin = response_begin,
    .head = response_head,
    .body = response_body,
    .end = response_end,
};

const struct http1_handler http_hiding_request_handler = {
    .begin = hiding_request_begin,
    .head = request_head,
    .body = request_body,
    .end = request_end,
    .passed = request_passed,
};

const struct http1_handler http_hiding_response_handler = {
    .begin = hiding_response_begin,
    .head = response_head,
    .body = response_body,
    .end = response_end,
    .passed = response_passed,
};
