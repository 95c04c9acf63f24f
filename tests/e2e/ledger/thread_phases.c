// SPDX-License-Identifier: Apache-2.0
/* Phases on the CPU, asleep, and waiting for other threads and for sockets; see phases.h. */
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "phases.h"

#define SEND_BYTES   (1u << 20) /* many times what the buffers below hold */
#define BUFFER_BYTES 32768
#define MOMENT_NS    10000

void phase_burn(struct worker *worker, const char *name, unsigned value)
{
	clock_burn(value * NS_PER_MS);
	account_part(worker, name, account_waited(worker, STATE_NOTHING));
}

void phase_sleep(struct worker *worker, const char *name, unsigned value)
{
	clock_sleep(value);
	account_part(worker, name, account_waited(worker, STATE_SLEEP));
}

void phase_naps(struct worker *worker, const char *name, unsigned value)
{
	static const struct timespec moment = {.tv_nsec = MOMENT_NS};

	for (unsigned i = 0; i < value; i++)
		nanosleep(&moment, NULL);
	account_part(worker, name, account_waited(worker, STATE_SLEEP));
}

void phase_tries(struct worker *worker, const char *name, unsigned value)
{
	struct timespec until;
	sem_t empty;

	phase_must(sem_init(&empty, 0, 0) == 0, "a semaphore");
	for (unsigned i = 0; i < value; i++) {
		uint64_t until_ns = clock_wall_ns() + MOMENT_NS;

		until.tv_sec = (time_t)(until_ns / NS_PER_S);
		until.tv_nsec = (long)(until_ns % NS_PER_S);
		sem_clockwait(&empty, CLOCK_MONOTONIC, &until);
	}
	sem_destroy(&empty);
	account_part(worker, name, account_waited(worker, STATE_LOCK));
}

void phase_lock(struct worker *worker, const char *name, unsigned value)
{
	partner_hold(worker->partner, &worker->mutex, value);
	pthread_mutex_lock(&worker->mutex);
	pthread_mutex_unlock(&worker->mutex);
	account_part(worker, name, account_waited(worker, STATE_LOCK));
}

void phase_downstream(struct worker *worker, const char *name, unsigned value)
{
	char target[64];

	snprintf(target, sizeof(target), "/down%s?sleep=%u", worker->request.path, value);
	http_ask(worker->downstream, target);
	http_read_answer(worker->downstream);
	account_part(worker, name, account_waited(worker, STATE_DOWNSTREAM));
}

/* --- a CPU that another one wants, too ---------------------------------------------------------- */

static void *compete(void *arg)
{
	struct rival *rival = arg;

	for (;;) {
		while (sem_wait(&rival->wake))
			;
		while (atomic_load(&rival->wanted))
			;
	}
	return NULL;
}

static void run_on(pthread_t thread, const cpu_set_t *cpus)
{
	phase_must(pthread_setaffinity_np(thread, sizeof(*cpus), cpus) == 0, "affinity");
}

void rival_start(struct rival *rival)
{
	cpu_set_t cpus;
	pthread_t thread;

	phase_must(sched_getaffinity(0, sizeof(cpus), &cpus) == 0, "affinity");
	while (!CPU_ISSET(rival->cpu, &cpus))
		rival->cpu++;
	CPU_ZERO(&cpus);
	CPU_SET(rival->cpu, &cpus);
	phase_must(
	    sem_init(&rival->wake, 0, 0) == 0 && pthread_create(&thread, NULL, compete, rival) == 0,
	    "a rival");
	run_on(thread, &cpus);
}

void phase_compete(struct worker *worker, const char *name, unsigned value)
{
	struct rival *rival = &worker->setup->rival;
	cpu_set_t before, one;

	phase_must(sched_getaffinity(0, sizeof(before), &before) == 0, "affinity");
	CPU_ZERO(&one);
	CPU_SET(rival->cpu, &one);
	run_on(pthread_self(), &one);
	account_waited(worker, STATE_OTHER);
	if (atomic_fetch_add(&rival->wanted, 1) == 0)
		sem_post(&rival->wake);
	clock_burn(value * NS_PER_MS);
	atomic_fetch_sub(&rival->wanted, 1);
	account_part(worker, name, account_waited(worker, STATE_NOTHING));
	run_on(pthread_self(), &before);
	account_waited(worker, STATE_OTHER);
}

/* --- sockets that nobody reads -------------------------------------------------------------------- */

static void set_buffer(int fd, int which)
{
	int bytes = BUFFER_BYTES;

	setsockopt(fd, SOL_SOCKET, which, &bytes, sizeof(bytes));
}

/* Both ends of a TCP connection. */
static void tcp_pair(int pair[2])
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	set_buffer(listener, SO_RCVBUF);
	phase_must(!bind(listener, (struct sockaddr *)&address, size) && !listen(listener, 1) &&
		!getsockname(listener, (struct sockaddr *)&address, &size),
	    "listen");
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	set_buffer(pair[0], SO_SNDBUF);
	phase_must(!connect(pair[0], (struct sockaddr *)&address, size), "connect");
	pair[1] = accept(listener, NULL, NULL);
	phase_must(pair[1] >= 0, "accept");
	close(listener);
}

void sockets_open(struct worker *worker)
{
	if (worker->setup->downstream_port)
		worker->downstream = http_connect(worker->setup->downstream_port);
	tcp_pair(worker->tcp);
	phase_must(!socketpair(AF_UNIX, SOCK_STREAM, 0, worker->unix_pair), "socketpair");
	set_buffer(worker->unix_pair[0], SO_SNDBUF);
}

static void send_to_partner(struct worker *worker, const char *name, const int pair[2], unsigned ms)
{
	static const char bytes[SEND_BYTES];

	partner_drain(worker->partner, pair[1], SEND_BYTES, ms);
	phase_must(send(pair[0], bytes, SEND_BYTES, 0) == SEND_BYTES, "send");
	account_part(worker, name, account_waited(worker, STATE_NET_SEND));
}

void phase_send(struct worker *worker, const char *name, unsigned value)
{
	send_to_partner(worker, name, worker->tcp, value);
}

void phase_send_unix(struct worker *worker, const char *name, unsigned value)
{
	send_to_partner(worker, name, worker->unix_pair, value);
}
