// SPDX-License-Identifier: Apache-2.0
/*
 * A server with one connection at a time, that sleeps for MS milliseconds before each answer: in a function of its own, called by
 * two that the compiler puts into the one that calls them. Compiled in many ways (module.mk) and observed by test_stack_ways.py,
 * which knows a line by the comment on it. Prints its port.
 *
 *	sleeper MS
 */
#include <stdlib.h>
#include <unistd.h>

#include "../ledger/clocks.h"
#include "../ledger/http.h"

#define NOINLINE __attribute__((noinline))
#define INLINE   inline __attribute__((always_inline))

void rest(void);
void answer(int fd);

/* What is done after a call keeps that from becoming a jump. */
static volatile unsigned sink;
static unsigned sleep_ms;

NOINLINE void rest(void)
{
	clock_sleep(sleep_ms); /* line of rest */
	sink++;
}

static INLINE void inlined_inner(void)
{
	rest(); /* line of inlined_inner */
	sink++;
}

static INLINE void inlined_outer(void)
{
	inlined_inner(); /* line of inlined_outer */
	sink++;
}

NOINLINE void answer(int fd)
{
	inlined_outer(); /* line of answer */
	http_answer(fd);
}

int main(int argc, char **argv)
{
	int listener = http_listen(), fd;
	struct request request;

	sleep_ms = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	for (;;) {
		fd = http_accept(listener);
		while (http_read_request(fd, &request))
			answer(fd); /* line of main */
		close(fd);
	}
}
