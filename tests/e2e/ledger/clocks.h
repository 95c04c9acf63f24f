/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a thread can know by itself of where its time went: how long it was on the CPU, and how long it could have run but did not.
 * The rest of the time it waited; for what, only the program around it knows.
 */
#ifndef ZS_TEST_CLOCKS_H
#define ZS_TEST_CLOCKS_H

#include <stdint.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

/* The readings of a thread's clocks at one moment, nanoseconds. */
struct stamp {
	uint64_t wall_ns;     /* CLOCK_MONOTONIC */
	uint64_t cpu_ns;      /* CLOCK_THREAD_CPUTIME_ID */
	uint64_t runqueue_ns; /* /proc/thread-self/schedstat */
};

/* Between two stamps. */
struct spent {
	uint64_t wall_ns;
	uint64_t cpu_ns;
	uint64_t runqueue_ns;
	int64_t
	    waited_ns; /* the rest; a little below 0 where the readings were not quite of one moment */
};

uint64_t clock_wall_ns(void);

/* A descriptor for the stamps of the calling thread, which it closes; the program ends where there is none. */
int clock_open(void);

void clock_stamp(int clock, struct stamp *ret_stamp);

struct spent clock_between(const struct stamp *from, const struct stamp *to);

/* Be on the CPU for so long, in user space. */
void clock_burn(uint64_t cpu_ns);

/* Be off the CPU for so long, by nanosleep(). */
void clock_sleep(unsigned ms);

#endif
