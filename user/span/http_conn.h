/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP connection: its two streams and the queue in which requests wait for their answers. Internal to
 * the two files that make exchanges: http_pairing.c (messages) and exchange.c (the connection's events).
 */
#ifndef ZS_SPAN_HTTP_CONN_H
#define ZS_SPAN_HTTP_CONN_H

#include "base/buf.h"
#include "base/pool.h"
#include "proto/secret.h"
#include "span/exchange.h"

struct exchanges {
	const struct exchange_listener *listener;
	void *ctx;
	struct exchange_stats stats;
	struct buf scratch; /* the texts of the head being read */
	struct pool pool;   /* of struct exchange */
	struct payloads payloads;
	struct hidden *hidden; /* of the piece that is fed; NULL: nobody asks */
	size_t passed;         /* bytes of its payload that the streams have taken */
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
	    *receiving;     /* whose request is received; NULL when it was answered meanwhile */
	bool stray;         /* the response in progress answers nothing we saw */
	bool stray_interim; /* and is a 1xx */
	bool given_up;
	bool
	    unsure; /* what is outstanding is not known: nothing is paired until an answer begins */
	bool pipelined; /* a request was sent before the one ahead of it was answered, ever */
	uint64_t
	    tunnel_at; /* the requests' offset behind CONNECT, until that is answered; 0: none is */
	bool request_last, response_last; /* the message in progress says "Connection: close" */
	bool request_lost;         /* the request stream got out of step inside a message, ever */
	uint64_t piece_offset;     /* the stream's offset where the piece being fed begins */
	const struct piece *now;   /* the piece being fed, NULL while closing */
	struct secret_head *heads; /* of request and response; NULL: nobody asks what to hide */
	uint32_t losses;           /* of sync inside a message, as told by the streams' end() */
	uint32_t counted_losses;   /* of both streams, as added to the statistics */
	uint64_t last_response_ns; /* end of the last response piece */
};

/* What the streams of a connection call; ctx is the struct http_conn. */
extern const struct http1_handler http_request_handler, http_response_handler;

/* The same, which also tell what to hide. */
extern const struct http1_handler http_hiding_request_handler, http_hiding_response_handler;

/* Hide len bytes of the payload of the piece that is fed, from at on, behind this letter; see struct hidden. */
void http_hide(struct http_conn *http, size_t at, size_t len, char with);

/* The exchange that the next answer belongs to, or NULL. */
struct exchange *http_oldest(const struct http_conn *http);

/* End an exchange, tell the listener, free it. */
void exchange_finish(
    struct http_conn *http, struct exchange *exchange, enum exchange_error error, uint64_t end_ns);

/*
 * Bytes passed unseen that may have held a whole request or answer, or the end of one. What is open ends
 * here; the next answer may belong to a request that was never seen, so it is a stray, and pairing goes
 * on with the request after it; where requests are pipelined any number may be to be answered, so it
 * does not go on. A gap is better than a wrong pair.
 */
void http_lose_pairing(struct http_conn *http);

#endif
