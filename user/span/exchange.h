/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 exchanges: requests and responses of a connection paired in order (specs: RFC 9112
 * section 9.3), on either side. An exchange opens with the first byte of its request and ends with
 * the last byte of its response. Who its parent is, is decided one storey up, by the listener.
 */
#ifndef ZS_SPAN_EXCHANGE_H
#define ZS_SPAN_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "conn/conn.h"
#include "proto/forwarded.h"
#include "proto/http1.h"
#include "proto/trace_context.h"
#include "rule/payload.h"
#include "span/span.h"

/* Requests of one connection that wait for their answers; more is no HTTP client (specs/http1.md).
 */
#define EXCHANGE_MAX_PIPELINE 256
/* Exchanges open at once over all connections. */
#define EXCHANGE_MAX 65536

/* Most heads' texts (method, target, Host, User-Agent, tracestate) fit into so many bytes. */
#define EXCHANGE_ROOM 256

enum exchange_error {
	EXCHANGE_OK = 0,
	EXCHANGE_CONNECTION_CLOSED = 1,   /* no answer before the connection ended */
	EXCHANGE_CONNECTION_RESET = 2,    /* RST or a socket error */
	EXCHANGE_INCOMPLETE_RESPONSE = 3, /* the answer was cut short */
	EXCHANGE_MALFORMED = 4,           /* the answer is no HTTP */
};

/* Value of error.type, NULL for EXCHANGE_OK. */
const char *exchange_error_name(enum exchange_error error);

struct exchange {
	struct list link;    /* in the connection's queue */
	enum span_kind kind; /* SPAN_KIND_SERVER or SPAN_KIND_CLIENT */
	const struct conn *conn;
	uint32_t position; /* stream position of the request's first byte */
	uint32_t pid,
	    tid; /* process, and the thread that last read (server) or first wrote (client) it */
	uint32_t slice; /* that thread's slice then */
	uint64_t
	    start_ns; /* first byte of the request: written (client), or in the kernel (server) */
	uint64_t
	    taken_ns; /* >= start_ns: the process had its first byte; before, it waited to be read (server) */
	uint64_t end_ns; /* last byte of the response; set when it ends */

	/* From the request's head; all views point into text, or into room when they fit there. */
	bool has_head;
	char *text; /* NULL: in room */
	struct sv method, target, host, user_agent;
	struct forwarded forwarded; /* servers only */
	struct sv trace_state;      /* normalised, only with a valid context */
	bool has_context;
	struct trace_context context; /* from a valid traceparent */
	int version_minor;            /* HTTP/1.x of the request */

	int status;                                  /* final status code, 0: none */
	enum http1_flaw request_flaw, response_flaw; /* of the heads, interim answers' included */
	uint64_t request_body_bytes, response_body_bytes;
	enum exchange_error error;
	bool partial; /* bytes were missed: end and sizes are as far as seen */

	/* Private to the pairing. */
	bool expects_continue; /* the body may never come: Expect: 100-continue, no 100 seen yet */
	bool interim;          /* the response in progress is 1xx */
	bool lingering; /* response out of step: ends with the next request or the connection */

	struct payload
	    *payload; /* what its rules are to know of it; owned, NULL: no rule is for it */
	void *owner;  /* the listener's own; NULL at begin */

	char room[EXCHANGE_ROOM]; /* last: not cleared for each request */
};

/* Told in stream order. ended is the last call; exchanges without a head are no requests and make
 * no span. */
struct exchange_listener {
	/* A thread has moved bytes of a conversation; exchange is the open one that they go on with, or NULL. What they bring about is told next. */
	void (*piece)(void *ctx, struct exchange *exchange, const struct piece *piece);
	void (*began)(void *ctx, struct exchange *exchange);
	void (*headed)(void *ctx, struct exchange *exchange);
	/* Another thread went on reading the request (server): exchange->tid is the new one. */
	void (*moved)(void *ctx, struct exchange *exchange);
	void (*ended)(void *ctx, struct exchange *exchange);
};

struct exchange_stats {
	uint64_t open;     /* now */
	uint64_t requests; /* heads seen, ever */
	uint64_t losses;   /* times a stream got out of step */
	uint64_t
	    given_up; /* connections abandoned: pipeline too long, too many exchanges, no memory */
	uint64_t strays;         /* responses without a request */
	uint64_t refused_bodies; /* that rules wanted and that were cut: too many at once */
};

/*
 * The payload of a connection's record as a recording may hold it: without bodies, and without what may be a secret in a head. There a
 * letter stands in the place of each byte, elsewhere 0, with which no message begins.
 */
struct hidden {
	bool known; /* it was told what to hide; else all is */
	char payload[ZSP_CAPTURE_MAX + ZSP_TAIL_MAX];
};

struct exchanges;

struct exchanges *exchanges_new(
    const struct exchange_listener *listener, void *ctx); /* NULL: no memory */
void exchanges_free(struct exchanges *exchanges); /* after the connection table; NULL is fine */

/* The handler to make the connection table with; its ctx is the struct exchanges. */
extern const struct conn_handler exchange_conn_handler;

/* Requests that begin from now on are for these rules; takes a reference. NULL: none. */
void exchanges_set_rules(struct exchanges *exchanges, struct rules *rules);

/* From now on, for connections that open: hide what is to be hidden of each piece in this copy of its payload. Borrowed. */
void exchanges_hide(struct exchanges *exchanges, struct hidden *hidden);

void exchanges_stats(const struct exchanges *exchanges, struct exchange_stats *ret_stats);

#endif
