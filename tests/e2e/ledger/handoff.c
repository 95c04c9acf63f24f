// SPDX-License-Identifier: Apache-2.0
/*
 * One thread reads requests and puts them into a queue; other ones take them out, work on them and answer. The steps of a
 * request, in order: burn=MS, sleep=MS, lock=MS (a mutex that yet another thread has for so long).
 *
 *	handoff [WORKERS]	1 by default
 *
 * Prints its port, and after each answer one line of JSON, times in nanoseconds of CLOCK_MONOTONIC: when the request had been read,
 * when a worker had it, and when it was answered; the milliseconds that the worker spent by state, those of the CPU and the run queue
 * that answering took, and those for which it could have gone on to take the request, but was not on a CPU.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clocks.h"
#include "http.h"
#include "partner.h"

#define JOBS    64
#define CLIENTS 64

struct job {
	int fd;
	struct request request;
	uint64_t read_ns;
};

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t some;
	struct job jobs[JOBS];
	size_t put, taken; /* so far */
};

static void queue_put(struct queue *queue, const struct job *job)
{
	pthread_mutex_lock(&queue->mutex);
	if (queue->put - queue->taken == JOBS) {
		fprintf(stderr, "too many requests\n");
		exit(1);
	}
	queue->jobs[queue->put++ % JOBS] = *job;
	pthread_cond_signal(&queue->some);
	pthread_mutex_unlock(&queue->mutex);
}

static void queue_take(struct queue *queue, struct job *ret_job)
{
	pthread_mutex_lock(&queue->mutex);
	while (queue->put == queue->taken)
		pthread_cond_wait(&queue->some, &queue->mutex);
	*ret_job = queue->jobs[queue->taken++ % JOBS];
	pthread_mutex_unlock(&queue->mutex);
}

static double ms(int64_t ns)
{
	return (double)ns / NS_PER_MS;
}

struct worker {
	struct queue *queue;
	int clock;
	struct partner *partner; /* holds the mutex when told to */
	pthread_mutex_t mutex;
	int64_t slept_ns, locked_ns; /* off the CPU, in this job */
};

/* The moments of a job. */
struct course {
	struct stamp free;  /* all but answered the one before */
	struct stamp begun; /* it was taken from the queue */
	struct stamp done;  /* all but answered */
	struct stamp answered;
};

static void print_truth(
    const struct worker *worker, const struct job *job, const struct course *course)
{
	struct spent all = clock_between(&course->begun, &course->answered);
	struct spent before = clock_between(&course->free, &course->begun);
	struct spent answer = clock_between(&course->done, &course->answered);

	printf("{\"path\": \"%s\", \"read_ns\": %llu, \"begun_ns\": %llu, \"answered_ns\": %llu, ",
	    job->request.path, (unsigned long long)job->read_ns,
	    (unsigned long long)course->begun.wall_ns,
	    (unsigned long long)course->answered.wall_ns);
	printf("\"taking\": %.6f, \"answering\": %.6f, ", ms((int64_t)before.runqueue_ns),
	    ms((int64_t)(answer.cpu_ns + answer.runqueue_ns)));
	printf("\"states\": {\"cpu\": %.6f, \"runqueue\": %.6f, \"sleep\": %.6f, \"lock\": %.6f, "
	       "\"nothing\": %.6f}}\n",
	    ms((int64_t)all.cpu_ns), ms((int64_t)all.runqueue_ns), ms(worker->slept_ns),
	    ms(worker->locked_ns), ms(all.waited_ns - worker->slept_ns - worker->locked_ns));
	fflush(stdout);
}

static void do_step(struct worker *worker, const struct request_step *step)
{
	struct stamp from, to;

	if (strcmp(step->name, "burn") == 0) {
		clock_burn(step->value * NS_PER_MS);
		return;
	}
	clock_stamp(worker->clock, &from);
	if (strcmp(step->name, "sleep") == 0) {
		clock_sleep(step->value);
		clock_stamp(worker->clock, &to);
		worker->slept_ns += clock_between(&from, &to).waited_ns;
		return;
	}
	partner_hold(worker->partner, &worker->mutex, step->value);
	pthread_mutex_lock(&worker->mutex);
	pthread_mutex_unlock(&worker->mutex);
	clock_stamp(worker->clock, &to);
	worker->locked_ns += clock_between(&from, &to).waited_ns;
}

static void *work(void *arg)
{
	struct worker worker = {.queue = arg, .clock = clock_open(), .partner = partner_new()};
	struct course course;
	struct job job;

	pthread_mutex_init(&worker.mutex, NULL);
	clock_stamp(worker.clock, &course.free);
	for (;;) {
		worker.slept_ns = worker.locked_ns = 0;
		queue_take(worker.queue, &job);
		clock_stamp(worker.clock, &course.begun);
		for (size_t i = 0; i < job.request.n_steps; i++)
			do_step(&worker, &job.request.steps[i]);
		clock_stamp(worker.clock, &course.done);
		http_answer(job.fd);
		clock_stamp(worker.clock, &course.answered);
		print_truth(&worker, &job, &course);
		course.free = course.done;
	}
	return NULL;
}

static void take_client(struct pollfd *polls, size_t *n)
{
	int fd = http_accept(polls[0].fd);

	if (*n == CLIENTS)
		exit(1);
	polls[(*n)++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* Something came from a client. False: its end. */
static bool read_job(struct queue *queue, int fd)
{
	struct job job = {.fd = fd};

	if (!http_read_request(fd, &job.request))
		return false;
	job.read_ns = clock_wall_ns();
	queue_put(queue, &job);
	return true;
}

static void read_all(struct queue *queue, struct pollfd *polls)
{
	size_t n = 1;

	while (poll(polls, n, -1) > 0) {
		for (size_t i = n; i-- > 1;)
			if (polls[i].revents && !read_job(queue, polls[i].fd)) {
				close(polls[i].fd);
				polls[i] = polls[--n];
			}
		if (polls[0].revents)
			take_client(polls, &n);
	}
}

int main(int argc, char **argv)
{
	static struct queue queue = {
	    .mutex = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};
	static struct pollfd polls[CLIENTS];
	int workers = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t thread;

	for (int i = 0; i < workers; i++)
		if (pthread_create(&thread, NULL, work, &queue))
			return 1;
	polls[0] = (struct pollfd){.fd = http_listen(), .events = POLLIN};
	read_all(&queue, polls);
	return 1;
}
