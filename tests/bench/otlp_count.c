// SPDX-License-Identifier: Apache-2.0
/*
 * A cheap OTLP/HTTP receiver: counts the spans of each ExportTraceServiceRequest and forgets them.
 *
 * One connection at a time is enough for one exporter; others wait in the queue. Prints the port it listens on, then after
 * every request the number of spans so far. Knows of HTTP no more than a POST with Content-Length, and of protobuf the
 * three levels down to a span (opentelemetry-proto, trace/v1/trace.proto).
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX (64 * 1024 * 1024)

static char buffer[REQUEST_MAX + 1];

/* Next varint of [*at, end); 0 and *at = NULL beyond the end. */
static uint64_t varint(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	for (int shift = 0; *at && *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	*at = NULL;
	return 0;
}

/* Spans in a message of this depth: request > resource_spans (1) > scope_spans (2) > spans (2). */
static uint64_t count_spans(const uint8_t *at, const uint8_t *end, int depth)
{
	static const uint64_t field[] = {1, 2, 2};
	uint64_t spans = 0;

	while (at && at < end) {
		uint64_t key = varint(&at, end), size = 0;

		if ((key & 7) == 0)
			varint(&at, end);
		else if ((key & 7) == 2)
			size = varint(&at, end);
		else
			size = (key & 7) == 1 ? 8 : 4;
		if (!at || size > (uint64_t)(end - at))
			break;
		if (key >> 3 == field[depth] && (key & 7) == 2)
			spans += depth == 2 ? 1 : count_spans(at, at + size, depth + 1);
		at += size;
	}
	return spans;
}

static void answer(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		perror("otlp_count");
}

/* Read at least want bytes in all; false at the end of the connection. */
static int fill(int fd, size_t *have, size_t want)
{
	while (*have < want) {
		ssize_t n = read(fd, buffer + *have, REQUEST_MAX - *have);

		if (n <= 0)
			return 0;
		*have += (size_t)n;
		buffer[*have] = '\0';
	}
	return 1;
}

/* Serve one connection until it ends; returns the spans. */
static void serve(int fd, uint64_t *total)
{
	size_t have = 0;

	while (fill(fd, &have, have + 1)) {
		char *body = strstr(buffer, "\r\n\r\n"), *length;
		size_t head, size;

		if (!body)
			continue;
		head = (size_t)(body + 4 - buffer);
		length = strcasestr(buffer, "\r\ncontent-length:");
		size = length && length < body ? strtoul(length + 17, NULL, 10) : 0;
		if (size > REQUEST_MAX - head)
			return;
		if (strcasestr(buffer, "\r\nexpect: 100-continue") && have == head)
			answer(fd, "HTTP/1.1 100 Continue\r\n\r\n");
		if (!fill(fd, &have, head + size))
			return;
		*total += count_spans((uint8_t *)buffer + head, (uint8_t *)buffer + head + size, 0);
		printf("%llu\n", (unsigned long long)*total);
		fflush(stdout);
		answer(fd,
		    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n");
		have = 0; /* an exporter waits for the answer before it sends more */
	}
}

int main(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t total = 0;

	signal(SIGPIPE, SIG_IGN);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) ||
	    listen(listener, 16) || getsockname(listener, (struct sockaddr *)&address, &size)) {
		perror("otlp_count");
		return 1;
	}
	printf("port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		serve(fd, &total);
		close(fd);
	}
}
