// SPDX-License-Identifier: Apache-2.0
/* Requests and answers by hand; see http.h. */
#include "http.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void must(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	exit(1);
}

int http_listen(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&address, size) && !listen(fd, 128) &&
		!getsockname(fd, (struct sockaddr *)&address, &size),
	    "listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* Each write is a segment of its own. */
static int without_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int http_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	must(fd >= 0, "accept");
	return without_delay(fd);
}

int http_connect(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)), "connect");
	return without_delay(fd);
}

/* Up to the end of a message that ends in these bytes. The bytes read, 0 at the end of the stream. */
static size_t read_message(int fd, char *text, size_t room, const char *end)
{
	size_t have = 0, end_len = strlen(end);
	ssize_t n;

	for (;;) {
		n = read(fd, text + have, room - have);
		if (n <= 0)
			return 0;
		have += (size_t)n;
		if (have >= end_len && memcmp(text + have - end_len, end, end_len) == 0)
			return have;
		must(have < room, "a message that is too long");
	}
}

static bool parse(char *text, struct request *ret_request)
{
	struct request request = {0};
	char *step, *rest, *target;

	strtok_r(text, " ", &rest);
	target = strtok_r(NULL, " ", &rest);
	if (!target || sscanf(target, "%31[^?]", request.path) != 1)
		return false;
	strtok_r(target, "?", &rest);
	while ((step = strtok_r(NULL, "&", &rest))) {
		struct request_step *next = &request.steps[request.n_steps];

		if (request.n_steps == REQUEST_STEPS ||
		    sscanf(step, "%15[^=]=%u", next->name, &next->value) != 2)
			return false;
		request.n_steps++;
	}
	*ret_request = request;
	return true;
}

bool http_read_request(int fd, struct request *ret_request)
{
	char text[REQUEST_BYTES + 1];
	size_t n = read_message(fd, text, REQUEST_BYTES, "\r\n\r\n");

	if (n == 0)
		return false;
	text[n] = '\0';
	must(parse(text, ret_request), "a request");
	return true;
}

void http_answer(int fd)
{
	send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL); /* the client may be gone */
}

void http_ask(int fd, const char *target)
{
	char text[REQUEST_BYTES];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", target);

	must(send(fd, text, (size_t)n, MSG_NOSIGNAL) == n, "send");
}

void http_read_answer(int fd)
{
	char text[REQUEST_BYTES];

	must(read_message(fd, text, sizeof(text), "\r\n\r\nok") > 0, "an answer");
}
