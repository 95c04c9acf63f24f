// SPDX-License-Identifier: Apache-2.0
/*
 * One thread, one epoll, requests that interleave. The steps of a request, in order:
 *
 *	burn=MS		on the CPU; nobody else is served meanwhile
 *	downstream=MS	a request to a server that answers after so long; others are served meanwhile
 *
 *	loop [PORT]	of that server, which is a `phases`
 *
 * Prints its port, and after each answer one line of JSON, times in nanoseconds of CLOCK_MONOTONIC: when the request had been read,
 * when it first asked the other server, when the last answer of that had been read, and when it was answered; the milliseconds of
 * CPU and run queue of its own turns, and those that answering took.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clocks.h"
#include "http.h"

#define EVENTS 64

struct client;

/* One of a client's two connections. */
struct end {
	int fd; /* -1: none */
	struct client *client;
};

struct client {
	struct end in, out; /* out: to the other server */
	struct request request;
	size_t at; /* the step to do next */
	uint64_t read_ns, asked_ns, told_ns;
	uint64_t cpu_ns, runqueue_ns; /* of its turns so far */
	uint64_t answering_ns;        /* of these, both, to answer */
};

struct loop {
	int epoll, listener, clock;
	unsigned port; /* of the other server */
};

static void watch(const struct loop *loop, int fd, struct end *end)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) {
		perror("epoll_ctl");
		exit(1);
	}
}

static void take_client(const struct loop *loop)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		exit(1);
	client->in = (struct end){http_accept(loop->listener), client};
	client->out = (struct end){-1, client};
	watch(loop, client->in.fd, &client->in);
}

static void drop_client(struct client *client)
{
	close(client->in.fd);
	if (client->out.fd >= 0)
		close(client->out.fd);
	free(client);
}

static void ask(const struct loop *loop, struct client *client, unsigned ms)
{
	char target[64];

	if (client->out.fd < 0) {
		client->out.fd = http_connect(loop->port);
		watch(loop, client->out.fd, &client->out);
	}
	snprintf(target, sizeof(target), "/down%s?sleep=%u", client->request.path, ms);
	if (!client->asked_ns)
		client->asked_ns = clock_wall_ns();
	http_ask(client->out.fd, target);
}

static double ms(uint64_t ns)
{
	return (double)ns / NS_PER_MS;
}

static void print_truth(const struct client *client)
{
	printf(
	    "{\"path\": \"%s\", \"read_ns\": %llu, \"asked_ns\": %llu, \"told_ns\": %llu, "
	    "\"answered_ns\": %llu, \"answering\": %.6f, \"states\": {\"cpu\": %.6f, \"runqueue\": %.6f}}\n",
	    client->request.path, (unsigned long long)client->read_ns,
	    (unsigned long long)client->asked_ns, (unsigned long long)client->told_ns,
	    (unsigned long long)clock_wall_ns(), ms(client->answering_ns), ms(client->cpu_ns),
	    ms(client->runqueue_ns));
	fflush(stdout);
}

/* Steps until it must wait. True: it is answered. */
static bool go_on(const struct loop *loop, struct client *client)
{
	struct stamp from, to;
	struct spent spent;

	while (client->at < client->request.n_steps) {
		const struct request_step *step = &client->request.steps[client->at++];

		if (strcmp(step->name, "burn") == 0) {
			clock_burn(step->value * NS_PER_MS);
			continue;
		}
		ask(loop, client, step->value);
		return false;
	}
	clock_stamp(loop->clock, &from);
	http_answer(client->in.fd);
	clock_stamp(loop->clock, &to);
	spent = clock_between(&from, &to);
	client->answering_ns = spent.cpu_ns + spent.runqueue_ns;
	return true;
}

/* A turn of this client: something came on one of its connections. */
static void serve(const struct loop *loop, struct end *end)
{
	struct client *client = end->client;
	struct stamp from, to;
	struct spent spent;
	bool answered;

	if (end == &client->in) {
		if (!http_read_request(end->fd, &client->request)) {
			drop_client(client);
			return;
		}
		clock_stamp(loop->clock, &from);
		client->at = 0;
		client->read_ns = from.wall_ns;
		client->asked_ns = client->told_ns = client->cpu_ns = client->runqueue_ns = 0;
	} else {
		http_read_answer(end->fd);
		clock_stamp(loop->clock, &from);
		client->told_ns = from.wall_ns;
	}
	answered = go_on(loop, client);
	clock_stamp(loop->clock, &to);
	spent = clock_between(&from, &to);
	client->cpu_ns += spent.cpu_ns;
	client->runqueue_ns += spent.runqueue_ns;
	if (answered)
		print_truth(client);
}

int main(int argc, char **argv)
{
	struct loop loop = {.epoll = epoll_create1(EPOLL_CLOEXEC), .clock = clock_open()};
	struct epoll_event events[EVENTS];

	loop.port = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	loop.listener = http_listen();
	watch(&loop, loop.listener, NULL);
	for (;;) {
		int n = epoll_wait(loop.epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				serve(&loop, events[i].data.ptr);
			else
				take_client(&loop);
		}
	}
}
