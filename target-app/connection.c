// SPDX-License-Identifier: Apache-2.0
/*
 * The common handling of client connections.
 */
#include "connection.h"

#include "log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

int connection_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int connection_receive(int fd, struct http_input *input)
{
	size_t room = 0;
	char *at = http_input_room(input, &room);
	ssize_t n;

	if (!at)
		return -ENOBUFS;
	do {
		n = recv(fd, at, room, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	input->len += (size_t)n;
	return (int)n;
}

void connection_refuse(struct shop_request *request, struct http_request *head, int err)
{
	int status = err == 0 ? head->refusal : err == -E2BIG ? 431 : 400;

	if (err) {
		memset(head, 0, sizeof(*head));
		memcpy(head->method, "-", 2);
		memcpy(head->path, "-", 2);
	}
	shop_request_init(request, head->method, head->path, NULL, 0);
	if (status == 413)
		shop_refuse(request, status, "The body is larger than %d bytes", SHOP_BODY_MAX);
	else
		shop_refuse(request, status, "%s", http_reason(status));
}

void connection_begin(
    struct shop_request *request, const struct http_request *head, const struct http_input *input)
{
	shop_request_init(
	    request, head->method, head->path, input->data + head->head_len, head->body_len);
}

char *connection_answer(
    const struct shop_request *request, bool keep_alive, uint64_t start_ns, size_t *ret_len)
{
	log_request(request->method, request->path, request->status, log_clock_ns() - start_ns);
	return http_format_answer(request, keep_alive, ret_len);
}
