// SPDX-License-Identifier: Apache-2.0
/*
 * A process that nobody observes, doing system calls:  busy_calls SECONDS
 *
 * Blocks of getppid() alternate with blocks of write() and read() of one byte on a pipe. Prints one JSON line: CPU time per
 * call in nanoseconds, the median over the blocks of each kind.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS      10000 /* per block: some milliseconds */
#define BLOCKS_MAX 100000

static double blocks[2][BLOCKS_MAX]; /* ns per call: getppid, pipe */
static int pipe_fds[2];

static double clock_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int calls(int kind)
{
	char byte = 0;

	for (int i = 0; i < CALLS; i += kind ? 2 : 1) {
		if (kind == 0)
			syscall(SYS_getppid); /* no library keeps the answer */
		else if (write(pipe_fds[1], &byte, 1) != 1 || read(pipe_fds[0], &byte, 1) != 1)
			return -1;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	double end_s;
	size_t n = 0;

	if (argc != 2 || pipe(pipe_fds)) {
		fprintf(stderr, "usage: busy_calls SECONDS\n");
		return 2;
	}
	end_s = clock_s(CLOCK_MONOTONIC) + strtod(argv[1], NULL);
	while (n < BLOCKS_MAX && (n == 0 || clock_s(CLOCK_MONOTONIC) < end_s)) {
		for (int kind = 0; kind < 2; kind++) {
			double start_s = clock_s(CLOCK_THREAD_CPUTIME_ID);

			if (calls(kind))
				return 1;
			blocks[kind][n] =
			    (clock_s(CLOCK_THREAD_CPUTIME_ID) - start_s) * 1e9 / CALLS;
		}
		n++;
	}
	for (int kind = 0; kind < 2; kind++)
		qsort(blocks[kind], n, sizeof(double), compare);
	printf("{\"blocks\": %zu, \"getppid_ns\": %.1f, \"pipe_ns\": %.1f}\n", n, blocks[0][n / 2],
	    blocks[1][n / 2]);
	return 0;
}
