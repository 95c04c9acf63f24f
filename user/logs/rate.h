/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many lines each process may have told: so many per second, and so many at once after it was quiet (a token bucket per process).
 * The clock is that of the lines, so that a replay decides alike.
 */
#ifndef ZS_LOGS_RATE_H
#define ZS_LOGS_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_DEFAULT 1000
#define RATE_MAX     1000000

/* Processes whose rate is known; of more, the one that has been quiet for longest begins anew. */
#define RATES_MAX_PROCESSES 1024

struct rate_limit {
	uint32_t per_second; /* 1 to RATE_MAX */
	uint32_t burst;      /* 1 to RATE_MAX */
};

struct rates;

struct rates *rates_new(const struct rate_limit *limit); /* copied; NULL: no memory */
void rates_free(struct rates *rates);                    /* NULL is fine */

/* May a line of this process, of that time (CLOCK_MONOTONIC), be told? Without memory it may. */
bool rates_pass(struct rates *rates, uint32_t pid, uint64_t now_ns);

#endif
