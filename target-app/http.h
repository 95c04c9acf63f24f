// SPDX-License-Identifier: Apache-2.0
/*
 * The server side of HTTP/1.x for the models that own their sockets: a strict parser of request
 * heads (RFC 9112), a connection's input buffer, and the formatter of answers. No sockets, no
 * logging.
 */
#ifndef SHOP_HTTP_H
#define SHOP_HTTP_H

#include "shop.h"

#define HTTP_METHOD_MAX 20
#define HTTP_PATH_MAX   1024
#define HTTP_HEAD_MAX   16384 /* bytes of request line and header fields */

#define HTTP_CONTINUE_TEXT "HTTP/1.1 100 Continue\r\n\r\n"

struct http_request {
	char method[HTTP_METHOD_MAX + 1];
	char path[HTTP_PATH_MAX + 1]; /* without the query */
	bool keep_alive;
	bool expects_continue;
	int refusal; /* status to refuse the request with and then close, 0 = acceptable */
	size_t head_len;
	size_t body_len; /* 0 if refused */
};

/*
 * Parses the request head at `data`. Returns its length (> 0) and fills *ret_request, 0 if it is
 * not complete yet, -EBADMSG if it is malformed, -E2BIG if it exceeds HTTP_HEAD_MAX. `len` may
 * include later bytes.
 */
int http_parse(const char *data, size_t len, struct http_request *ret_request);

/* The text sent with a status, "" for an unknown one. */
const char *http_reason(int status);

/* Received bytes of one connection, from the start of the oldest unanswered request. */
struct http_input {
	char *data;
	size_t len;
	size_t size;
	bool continued; /* "100 Continue" was asked for in the current request */
};

enum http_progress {
	HTTP_INCOMPLETE = 1,    /* read more */
	HTTP_SEND_CONTINUE = 2, /* send HTTP_CONTINUE_TEXT, then read more */
	HTTP_COMPLETE = 3,      /* *ret_request is filled; its body starts at data + head_len */
};

/* Looks for a whole request. An http_progress, or a failure of http_parse(). */
int http_input_next(struct http_input *input, struct http_request *ret_request);

/* Space to receive into; never more than one head and one body need. NULL if full or out of memory.
 */
char *http_input_room(struct http_input *input, size_t *ret_room);

/* Removes the request at the front. */
void http_input_drop(struct http_input *input, const struct http_request *request);
void http_input_release(struct http_input *input);

/*
 * The answer as bytes to send, owned by the caller; NULL when out of memory. For HEAD requests
 * without the body.
 */
char *http_format_answer(const struct shop_request *request, bool keep_alive, size_t *ret_len);

#endif
