// SPDX-License-Identifier: Apache-2.0
/*
 * The load: a few keep-alive connections with a thread each. Told on standard input what to do:
 *
 *	run N RATE      N requests, RATE per second in all (open loop), 0: each after the last answer
 *	hold N          open N more connections, one request on each, and keep them
 *
 * Answers with one line "done REQUESTS P50_NS P99_NS MAX_NS ELAPSED_NS FAILED". A request's latency runs from the call of
 * send(), or from when it was due if the connection was still busy then.
 *
 *	guest client PORT CONNECTIONS
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "guest.h"

#define CONNECTIONS_MAX 64
#define HELD_MAX        16384

static const char request[] = "GET /hello HTTP/1.1\r\n"
			      "Host: 127.0.0.1:8000\r\n"
			      "User-Agent: guest/1\r\n"
			      "Accept: */*\r\n"
			      "\r\n";

struct load {
	int port, connections;
	size_t n, rate;
	uint64_t begin_ns;
	uint32_t *latency_ns; /* of each request; UINT32_MAX: failed */
	pthread_barrier_t begin, end;
	int held[HELD_MAX];
	size_t n_held;
};

struct worker {
	struct load *load;
	int index, fd;
};

/* One exchange: 0 or negative errno. The answer ends with the only line end after a body's text. */
static int exchange(int fd)
{
	char answer[1024];
	size_t have = 0;
	int err = net_send_all(fd, request, sizeof(request) - 1);

	while (!err) {
		ssize_t n = recv(fd, answer + have, sizeof(answer) - have, 0);

		if (n <= 0)
			return n ? -errno : -EPIPE;
		have += (size_t)n;
		if (have > 5 && memcmp(answer + have - 6, "world\n", 6) == 0)
			return 0;
		if (have == sizeof(answer))
			return -EBADMSG;
	}
	return err;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec at = {(time_t)(at_ns / 1000000000), (long)(at_ns % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

/* This connection's share: requests index, index + connections, ... */
static void run_share(const struct worker *w)
{
	const struct load *load = w->load;

	for (size_t i = (size_t)w->index; i < load->n; i += (size_t)load->connections) {
		uint64_t due = load->rate ? load->begin_ns + i * 1000000000 / load->rate : 0;
		uint64_t begin = now_ns(), took;
		bool late = load->rate && begin > due;

		if (load->rate && !late) {
			sleep_until(due);
			begin = now_ns();
		} else if (late) {
			begin = due;
		}
		if (exchange(w->fd)) {
			load->latency_ns[i] = UINT32_MAX;
			continue;
		}
		took = now_ns() - begin;
		load->latency_ns[i] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX - 1;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		pthread_barrier_wait(&w->load->begin);
		run_share(w);
		pthread_barrier_wait(&w->load->end);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void tell(const struct load *load, uint64_t elapsed_ns)
{
	size_t ok = load->n;

	qsort(load->latency_ns, load->n, sizeof(uint32_t), by_value);
	while (ok > 0 && load->latency_ns[ok - 1] == UINT32_MAX)
		ok--;
	printf("done %zu %u %u %u %llu %zu\n", ok, ok ? load->latency_ns[ok / 2] : 0,
	    ok ? load->latency_ns[ok * 99 / 100] : 0, ok ? load->latency_ns[ok - 1] : 0,
	    (unsigned long long)elapsed_ns, load->n - ok);
	fflush(stdout);
}

static void run(struct load *load)
{
	uint64_t begin;

	load->latency_ns = calloc(load->n + 1, sizeof(uint32_t));
	if (!load->latency_ns)
		exit(1);
	memset(load->latency_ns, 1, load->n * sizeof(uint32_t)); /* touch the pages before */
	begin = now_ns();
	load->begin_ns = begin + 10 * 1000000; /* all threads wait for their turn by then */
	pthread_barrier_wait(&load->begin);
	pthread_barrier_wait(&load->end);
	tell(load, now_ns() - begin);
	free(load->latency_ns);
}

static void hold(struct load *load, size_t n)
{
	size_t before = load->n_held, failed = 0;
	uint64_t begin = now_ns();

	while (n-- > 0 && load->n_held < HELD_MAX) {
		int fd = net_connect(load->port);

		if (fd < 0 || exchange(fd))
			failed++;
		load->held[load->n_held++] = fd;
	}
	printf("done %zu 0 0 0 %llu %zu\n", load->n_held - before - failed,
	    (unsigned long long)(now_ns() - begin), failed);
	fflush(stdout);
}

int client_main(int argc, char **argv)
{
	static struct load load;
	static struct worker workers[CONNECTIONS_MAX];
	char line[128];
	pthread_t thread;

	yield_to_others();
	load.port = argc == 2 ? atoi(argv[0]) : 0;
	load.connections = argc == 2 ? atoi(argv[1]) : 0;
	if (load.connections < 1 || load.connections > CONNECTIONS_MAX) {
		fprintf(stderr, "usage: guest client PORT CONNECTIONS\n");
		return 2;
	}
	pthread_barrier_init(&load.begin, NULL, (unsigned)load.connections + 1);
	pthread_barrier_init(&load.end, NULL, (unsigned)load.connections + 1);
	for (int i = 0; i < load.connections; i++) {
		workers[i] = (struct worker){&load, i, net_connect(load.port)};
		if (workers[i].fd < 0 || pthread_create(&thread, NULL, work, &workers[i])) {
			fprintf(stderr, "client: cannot connect to port %d\n", load.port);
			return 1;
		}
	}
	printf("connected\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		size_t n;

		if (sscanf(line, "run %zu %zu", &load.n, &load.rate) == 2)
			run(&load);
		else if (sscanf(line, "hold %zu", &n) == 1)
			hold(&load, n);
	}
	return 0;
}
