// SPDX-License-Identifier: Apache-2.0
/*
 * What the pool and the event loop do alike with a client's connection: accepting it, receiving
 * into its input, and turning a request or a refusal into bytes to send.
 */
#ifndef SHOP_CONNECTION_H
#define SHOP_CONNECTION_H

#include "http.h"

/* Accepts a client on a non-blocking listener. The non-blocking socket, or a negative errno. */
int connection_accept(int listen_fd);

/* Receives once without blocking. Bytes, 0 at the end, -EAGAIN, -ENOBUFS (input full) or another
 * errno. */
int connection_receive(int fd, struct http_input *input);

/*
 * Fills `request` with a refusal: `err` is a failure of http_input_next(), or 0 for head->refusal.
 * The head is given a method and path where it has none.
 */
void connection_refuse(struct shop_request *request, struct http_request *head, int err);

/* Prepares the business request of a complete HTTP request. */
void connection_begin(
    struct shop_request *request, const struct http_request *head, const struct http_input *input);

/* Logs a finished request and formats its answer, see http_format_answer(). */
char *connection_answer(
    const struct shop_request *request, bool keep_alive, uint64_t start_ns, size_t *ret_len);

#endif
