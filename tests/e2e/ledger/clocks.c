// SPDX-License-Identifier: Apache-2.0
/* A thread's own clocks; see clocks.h. */
#include "clocks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Longer than the readings of one stamp take: something else ran in between. */
#define STAMP_MAX_NS 30000
#define STAMP_TRIES  100

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_wall_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

int clock_open(void)
{
	int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror("/proc/thread-self/schedstat");
		exit(1);
	}
	return fd;
}

static uint64_t runqueue_ns(int clock)
{
	unsigned long long cpu, runqueue = 0;
	char text[80];
	ssize_t n = pread(clock, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%llu %llu", &cpu, &runqueue) != 2) {
		fprintf(stderr, "/proc/thread-self/schedstat has no run queue time\n");
		exit(1);
	}
	return runqueue;
}

void clock_stamp(int clock, struct stamp *ret_stamp)
{
	for (int i = 0; i < STAMP_TRIES; i++) {
		ret_stamp->wall_ns = clock_wall_ns();
		ret_stamp->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
		ret_stamp->runqueue_ns = runqueue_ns(clock);
		if (clock_wall_ns() - ret_stamp->wall_ns <= STAMP_MAX_NS)
			break;
	}
}

struct spent clock_between(const struct stamp *from, const struct stamp *to)
{
	struct spent spent = {
	    .wall_ns = to->wall_ns - from->wall_ns,
	    .cpu_ns = to->cpu_ns - from->cpu_ns,
	    .runqueue_ns = to->runqueue_ns - from->runqueue_ns,
	};

	spent.waited_ns = (int64_t)(spent.wall_ns - spent.cpu_ns - spent.runqueue_ns);
	return spent;
}

void clock_burn(uint64_t cpu_ns)
{
	uint64_t end_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) + cpu_ns;
	volatile unsigned work = 0;

	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end_ns)
		for (int i = 0; i < 10000; i++)
			work++;
}

void clock_sleep(unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	while (nanosleep(&left, &left))
		;
}
