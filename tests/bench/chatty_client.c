// SPDX-License-Identifier: Apache-2.0
/*
 * The other side of chatty_server:  chatty_client PORT SECONDS CONNECTIONS
 *
 * Each connection sends a message, waits for the answer and sends the next. Prints one JSON line: messages exchanged,
 * seconds, latencies in microseconds.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE         32
#define CONNECTIONS_MAX 64
#define ANSWER_MS       10000   /* a machine at its limits stands still at times */
#define SAMPLES_MAX     4000000 /* more exchanges than a run of some seconds has */

struct client {
	struct pollfd polls[CONNECTIONS_MAX];
	uint64_t sent_ns[CONNECTIONS_MAX];
	int connections;
	uint32_t *samples; /* ns */
	size_t n;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int dial(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int say(struct client *c, int i)
{
	char message[MESSAGE];

	memset(message, 0xa5, sizeof(message));
	c->sent_ns[i] = now_ns();
	return write(c->polls[i].fd, message, sizeof(message)) == MESSAGE ? 0 : -1;
}

static int hear(struct client *c, int i)
{
	char message[MESSAGE];

	if (read(c->polls[i].fd, message, sizeof(message)) != MESSAGE)
		return -1;
	if (c->n < SAMPLES_MAX)
		c->samples[c->n++] = (uint32_t)(now_ns() - c->sent_ns[i]);
	return 0;
}

static int talk(struct client *c, uint64_t end_ns)
{
	for (int i = 0; i < c->connections; i++)
		if (say(c, i))
			return -1;
	while (now_ns() < end_ns) {
		if (poll(c->polls, (nfds_t)c->connections, ANSWER_MS) <= 0)
			return -1;
		for (int i = 0; i < c->connections; i++) {
			if (!c->polls[i].revents)
				continue;
			if (hear(c, i) || say(c, i))
				return -1;
		}
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(struct client *c, double seconds)
{
	qsort(c->samples, c->n, sizeof(*c->samples), compare);
	printf("{\"requests\": %zu, \"seconds\": %.6f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n", c->n,
	    seconds, c->samples[c->n / 2] / 1e3, c->samples[c->n * 99 / 100] / 1e3);
}

int main(int argc, char **argv)
{
	struct client c = {0};
	uint64_t start_ns;
	double seconds;

	if (argc != 4) {
		fprintf(stderr, "usage: chatty_client PORT SECONDS CONNECTIONS\n");
		return 2;
	}
	seconds = strtod(argv[2], NULL);
	c.connections = atoi(argv[3]);
	c.samples = malloc(SAMPLES_MAX * sizeof(*c.samples));
	if (!c.samples || c.connections < 1 || c.connections > CONNECTIONS_MAX)
		return 2;
	for (int i = 0; i < c.connections; i++)
		c.polls[i] = (struct pollfd){.fd = dial(atoi(argv[1])), .events = POLLIN};
	start_ns = now_ns();
	if (talk(&c, start_ns + (uint64_t)(seconds * 1e9)) || !c.n) {
		perror("chatty_client");
		return 1;
	}
	report(&c, (double)(now_ns() - start_ns) / 1e9);
	return 0;
}
