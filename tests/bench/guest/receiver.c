// SPDX-License-Identifier: Apache-2.0
/*
 * Takes traces by OTLP/HTTP (protobuf), counts the spans and answers 200 with an empty body. At the end (SIGTERM) it says how many
 * came in how many posts.
 *
 *	guest receiver PORT
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

#define HEAD_MAX 8192
#define BODY_MAX (64 * 1024 * 1024)

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: application/x-protobuf\r\n"
			     "Content-Length: 0\r\n"
			     "\r\n";
static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long spans, posts, bytes, bad;

static bool varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/*
 * Messages at the path of field numbers below this one: ResourceSpans (1), ScopeSpans (2), Span (2). Every other field of these
 * three levels is length-delimited too.
 */
static bool count_spans(
    const uint8_t *at, const uint8_t *end, const unsigned *path, unsigned long *spans_seen)
{
	uint64_t tag, len;

	if (*path == 0) {
		++*spans_seen;
		return true;
	}
	while (at < end) {
		if (!varint(&at, end, &tag) || (tag & 7) != 2 || !varint(&at, end, &len) ||
		    len > (uint64_t)(end - at))
			return false;
		if (tag >> 3 == *path && !count_spans(at, at + len, path + 1, spans_seen))
			return false;
		at += len;
	}
	return true;
}

static void take(const uint8_t *body, size_t len)
{
	static const unsigned path[] = {1, 2, 2, 0};
	unsigned long n = 0;
	bool good = count_spans(body, body + len, path, &n);

	pthread_mutex_lock(&lock);
	spans += n;
	bytes += len;
	posts++;
	bad += !good;
	pthread_mutex_unlock(&lock);
}

/* Read until there are len bytes in buffer, of which have are there. */
static bool fill(int fd, char *buffer, size_t have, size_t len)
{
	while (have < len) {
		ssize_t n = recv(fd, buffer + have, len - have, 0);

		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

/* One post whose head ends at body; have bytes of the body are in the buffer already. */
static bool take_post(int fd, const char *head, const char *body, size_t have)
{
	const char *length = strcasestr(head, "\r\nContent-Length:");
	size_t len = length ? strtoul(length + 17, NULL, 10) : BODY_MAX;
	char *whole = len < BODY_MAX && have <= len ? malloc(len + 1) : NULL;
	bool good = whole;

	if (good && strcasestr(head, "\r\nExpect: 100"))
		good = net_send_all(fd, go_on, sizeof(go_on) - 1) == 0;
	if (good) {
		memcpy(whole, body, have);
		good = fill(fd, whole, have, len);
	}
	if (good) {
		take((const uint8_t *)whole, len);
		good = net_send_all(fd, answer, sizeof(answer) - 1) == 0;
	}
	free(whole);
	return good;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char head[HEAD_MAX + 1];
	size_t have = 0;
	bool good = true;

	while (good) {
		ssize_t n = have < HEAD_MAX ? recv(fd, head + have, HEAD_MAX - have, 0) : 0;
		char *end;

		if (n <= 0)
			break;
		have += (size_t)n;
		head[have] = '\0';
		end = memmem(head, have, "\r\n\r\n", 4);
		if (!end)
			continue;
		*end = '\0';
		good = take_post(fd, head, end + 4, have - (size_t)(end + 4 - head));
		have = 0;
	}
	close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	int fd;
	pthread_t thread;

	while ((fd = accept((int)(intptr_t)arg, NULL, NULL)) >= 0)
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
	return NULL;
}

int receiver_main(int argc, char **argv)
{
	int listener = argc == 1 ? net_listen(atoi(argv[0])) : -1, number;
	pthread_t thread;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (listener < 0 || pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener)) {
		fprintf(stderr, "usage: guest receiver PORT\n");
		return 2;
	}
	printf("listening\n");
	fflush(stdout);
	sigwait(&set, &number);
	pthread_mutex_lock(&lock);
	printf("received %lu %lu %lu %lu\n", spans, posts, bytes, bad);
	return 0;
}
