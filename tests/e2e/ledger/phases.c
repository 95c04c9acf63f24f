// SPDX-License-Identifier: Apache-2.0
/*
 * A server that spends its time as it is asked to, and says truthfully where it went. A thread per connection; the phases of a
 * request are the steps of its target, done one after the other:
 *
 *	GET /17?burn=20&sleep=30 HTTP/1.1
 *
 *	phases DIRECTORY [PORT]		files go to the directory; a server like this one listens on the port
 *
 * Prints its port, and after each answer one line of JSON: the request's path, when it had been read and when it was answered
 * (nanoseconds of CLOCK_MONOTONIC), the milliseconds of that time by state, and parts of it.
 */
#include "phases.h"

#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct phase {
	const char *name;
	phase_function *run;
} phases[] = {
    {"prepare", phase_prepare},
    {"burn", phase_burn},
    {"compete", phase_compete},
    {"sleep", phase_sleep},
    {"naps", phase_naps},
    {"tries", phase_tries},
    {"lock", phase_lock},
    {"send", phase_send},
    {"send_unix", phase_send_unix},
    {"pipe", phase_pipe},
    {"eventfd", phase_eventfd},
    {"tty", phase_tty},
    {"late", phase_late},
    {"downstream", phase_downstream},
    {"fdatasync", phase_fdatasync},
    {"cold_read", phase_cold_read},
    {"fault", phase_fault},
    {"insert", phase_insert},
    {"checkpoint", phase_checkpoint},
    {"select", phase_select},
    {"busy", phase_busy},
};

static const char *const state_names[STATES] = {"sleep", "lock", "disk", "net_send", "downstream",
    "pagefault", "sqlite_busy", "other", "nothing"};

void phase_must(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	exit(1);
}

struct spent account_waited(struct worker *worker, enum state state)
{
	struct account *account = &worker->account;
	struct stamp now;
	struct spent spent;

	clock_stamp(worker->clock, &now);
	spent = clock_between(&account->last, &now);
	account->waited_ns[state] += spent.waited_ns;
	account->last = now;
	return spent;
}

void account_part(struct worker *worker, const char *name, struct spent spent)
{
	struct account *account = &worker->account;

	phase_must(account->n_parts < ACCOUNT_PARTS, "too many parts");
	account->parts[account->n_parts++] = (struct account_part){name, spent};
}

static double ms(int64_t ns)
{
	return (double)ns / NS_PER_MS;
}

static void print_account(const struct worker *worker)
{
	const struct account *account = &worker->account;
	struct spent all = clock_between(&account->first, &account->last);
	char text[8192];
	FILE *out = fmemopen(text, sizeof(text), "w");

	phase_must(out, "fmemopen");
	fprintf(out, "{\"path\": \"%s\", \"read_ns\": %llu, \"answered_ns\": %llu, ",
	    worker->request.path, (unsigned long long)account->first.wall_ns,
	    (unsigned long long)account->last.wall_ns);
	fprintf(out, "\"states\": {\"cpu\": %.6f, \"runqueue\": %.6f", ms((int64_t)all.cpu_ns),
	    ms((int64_t)all.runqueue_ns));
	if (account->queued_ns)
		fprintf(out, ", \"queued\": %.6f", ms((int64_t)account->queued_ns));
	for (int i = 0; i < STATES; i++)
		fprintf(out, ", \"%s\": %.6f", state_names[i], ms(account->waited_ns[i]));
	fprintf(out, "}, \"parts\": [");
	for (size_t i = 0; i < account->n_parts; i++) {
		const struct spent *spent = &account->parts[i].spent;

		fprintf(out,
		    "%s{\"name\": \"%s\", \"wall\": %.6f, \"cpu\": %.6f, \"runqueue\": %.6f, \"waited\": %.6f}",
		    i ? ", " : "", account->parts[i].name, ms((int64_t)spent->wall_ns),
		    ms((int64_t)spent->cpu_ns), ms((int64_t)spent->runqueue_ns),
		    ms(spent->waited_ns));
	}
	fprintf(out, "]}\n");
	phase_must(fclose(out) == 0, "a line that is too long");
	phase_must(write(STDOUT_FILENO, text, strlen(text)) > 0, "stdout");
}

void phase_prepare(struct worker *worker, const char *name, unsigned value)
{
	(void)name;
	(void)value;
	sockets_open(worker);
	pipes_open(worker);
	file_open(worker);
	sqlite_open(worker);
	account_waited(worker, STATE_DISK);
}

void phase_late(struct worker *worker, const char *name, unsigned value)
{
	(void)name;
	worker->late_ms = value;
}

/* Leave the next request where it is for as long as was asked for; when it had come, 0: it was not left. */
static uint64_t be_late(struct worker *worker)
{
	struct pollfd poll_fd = {.fd = worker->fd, .events = POLLIN};
	unsigned late_ms = worker->late_ms;
	uint64_t come_ns;

	if (late_ms == 0)
		return 0;
	worker->late_ms = 0;
	while (poll(&poll_fd, 1, -1) < 0)
		;
	come_ns = clock_wall_ns();
	clock_sleep(late_ms);
	return come_ns;
}

static void do_step(struct worker *worker, const struct request_step *step)
{
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (strcmp(step->name, phases[i].name) == 0) {
			phases[i].run(worker, phases[i].name, step->value);
			return;
		}
	fprintf(stderr, "there is no phase '%s'\n", step->name);
	exit(1);
}

static void close_all(const struct worker *worker)
{
	int fds[] = {worker->fd, worker->clock, worker->downstream, worker->tcp[0], worker->tcp[1],
	    worker->unix_pair[0], worker->unix_pair[1], worker->pipe[0], worker->pipe[1],
	    worker->event[0], worker->event[1], worker->tty[0], worker->tty[1], worker->file};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (worker->map)
		munmap((void *)worker->map, FILE_BYTES);
	sqlite_close(worker);
}

static void *serve(void *arg)
{
	struct worker *worker = arg;
	struct account *account = &worker->account;
	uint64_t come_ns = 0;

	worker->clock = clock_open();
	worker->partner = partner_new();
	while (http_read_request(worker->fd, &worker->request)) {
		*account = (struct account){0};
		clock_stamp(worker->clock, &account->first);
		account->queued_ns = come_ns ? account->first.wall_ns - come_ns : 0;
		account->last = account->first;
		for (size_t i = 0; i < worker->request.n_steps; i++)
			do_step(worker, &worker->request.steps[i]);
		account_waited(worker, STATE_NOTHING);
		http_answer(worker->fd);
		account_part(worker, "answer", account_waited(worker, STATE_NOTHING));
		print_account(worker);
		come_ns = be_late(worker);
	}
	partner_free(worker->partner);
	close_all(worker);
	free(worker);
	return NULL;
}

static void start_worker(struct setup *setup, int fd, unsigned number)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_t thread;

	phase_must(worker, "a connection");
	worker->fd = fd;
	worker->number = number;
	worker->setup = setup;
	worker->downstream = worker->file = worker->cold_file = -1;
	worker->tcp[0] = worker->tcp[1] = worker->unix_pair[0] = worker->unix_pair[1] = -1;
	worker->pipe[0] = worker->pipe[1] = worker->event[0] = worker->event[1] = -1;
	worker->tty[0] = worker->tty[1] = -1;
	pthread_mutex_init(&worker->mutex, NULL);
	phase_must(pthread_create(&thread, NULL, serve, worker) == 0, "a thread");
	pthread_detach(thread);
}

int main(int argc, char **argv)
{
	static struct setup setup;
	int listener;

	if (argc < 2) {
		fprintf(stderr, "usage: phases DIRECTORY [PORT]\n");
		return 2;
	}
	/* No locks of SQLite's own, and no waiting for the address space while other threads change that. */
	sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_ARENA_MAX, 128); /* one for each thread: none waits for another one's */
	setup.dir = argv[1];
	setup.downstream_port = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	rival_start(&setup.rival);
	listener = http_listen();
	for (unsigned number = 0;; number++)
		start_worker(&setup, http_accept(listener), number);
}
