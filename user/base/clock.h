/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. Inside zerospan time is CLOCK_MONOTONIC in nanoseconds, the clock of the kernel's events.
 * Wall time exists only at the exporters and comes from one base, so that a clock that is set back
 * never bends a duration.
 */
#ifndef ZS_BASE_CLOCK_H
#define ZS_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL

/* Wall time = monotonic + offset. */
struct clock_base {
	int64_t offset_ns;
};

/* Now, CLOCK_MONOTONIC. */
uint64_t clock_monotonic_ns(void);

/* Base from the clocks as they are now; error below 1 us on an idle machine. */
struct clock_base clock_base_now(void);

/* Unix time in ns of a monotonic time. */
static inline uint64_t clock_wall_ns(const struct clock_base *base, uint64_t monotonic_ns)
{
	return monotonic_ns + (uint64_t)base->offset_ns;
}

#endif
