// SPDX-License-Identifier: Apache-2.0
/*
 * A server with one connection at a time, that sleeps for 50 ms before each answer: in a function of its own, called by two that
 * the compiler puts into the one that calls them. Compiled in many ways (module.mk) and observed by test_stack_ways.py, which
 * knows a line by the comment on it. Prints its port.
 */
#include <unistd.h>

#include "../ledger/clocks.h"
#include "../ledger/http.h"

#define NOINLINE __attribute__((noinline))
#define INLINE   inline __attribute__((always_inline))

enum {
	SLEEP_MS = 50,
};

void rest(void);
void answer(int fd);

/* What is done after a call keeps that from becoming a jump. */
static volatile unsigned sink;

NOINLINE void rest(void)
{
	clock_sleep(SLEEP_MS); /* line of rest */
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

int main(void)
{
	int listener = http_listen(), fd;
	struct request request;

	for (;;) {
		fd = http_accept(listener);
		while (http_read_request(fd, &request))
			answer(fd); /* line of main */
		close(fd);
	}
}
