// SPDX-License-Identifier: Apache-2.0
/* Monotonic time and its one conversion to wall time. */
#include "base/clock.h"

#include <time.h>

static uint64_t clock_read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

/* Of several tries the one with the narrowest bracket: preemption between the reads only widens it.
 */
struct clock_base clock_base_now(void)
{
	struct clock_base base = {0};
	uint64_t narrowest = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t before = clock_monotonic_ns();
		uint64_t wall = clock_read_ns(CLOCK_REALTIME);
		uint64_t width = clock_monotonic_ns() - before;

		if (width < narrowest) {
			narrowest = width;
			base.offset_ns = (int64_t)(wall - before - width / 2);
		}
	}
	return base;
}
