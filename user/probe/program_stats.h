/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often BPF programs run, wherever they do, and what that costs.
 *
 * The kernel counts runs and time only while BPF statistics are on (program_counts.h), which costs every program of the host. So
 * they are switched on for short windows, one in each period of time, for all of which it stands:
 *
 *	  period        period
 *	|-----[w]----|------------[w]--|    estimate += counted in [w] * length of the period / length of [w]
 *
 * Where in its period a window lies is drawn at random, each place being as likely as the others: so the estimate is right in the
 * mean, also of what recurs in the same rhythm. (What stands for the time since the last window is not.) The first periods are
 * shorter, so that there are figures soon. Estimates only grow. Where somebody has statistics on all the time, the figures are the
 * kernel's own and nothing is switched. Skipped runs are never estimated.
 */
#ifndef ZS_PROBE_PROGRAM_STATS_H
#define ZS_PROBE_PROGRAM_STATS_H

#include <stddef.h>

#include "base/clock.h"
#include "probe/program_counts.h"

/* A window is at least so long; how late it is closed is measured, too. */
#define PROGRAM_STATS_WINDOW_NS (50 * NS_PER_MS)

/* From the first to all later ones each period is twice as long. */
#define PROGRAM_STATS_PERIOD_MIN_NS NS_PER_S
#define PROGRAM_STATS_PERIOD_MAX_NS (10 * NS_PER_S)

#define PROGRAM_STATS_MAX 64

/* Where counts come from: the kernel, or a test. */
struct program_stats_source {
	uint64_t (*now_ns)(void); /* monotonic */
	int (*read)(int program_fd, struct program_counts *ret_counts);
	int (*enable)(void); /* a descriptor */
	void (*disable)(int fd);
	bool (*always)(void);
};

extern const struct program_stats_source program_stats_kernel;

struct program_stats;

/* source is borrowed. NULL: no memory. */
struct program_stats *program_stats_new(const struct program_stats_source *source);
void program_stats_free(struct program_stats *stats); /* closes an open window; NULL is fine */

/* One more program, from now on; the name and what is behind the descriptor are borrowed. -E2BIG beyond PROGRAM_STATS_MAX. */
int program_stats_add(struct program_stats *stats, const char *name, int program_fd);

/* Time passes: open or close a window when it is time. True when there are new figures: after a window, once in a period. */
bool program_stats_tick(struct program_stats *stats);

/* So long until a window is to be closed; UINT64_MAX when none is open. */
uint64_t program_stats_left_ns(const struct program_stats *stats);

struct program_figures {
	const char *name;
	bool measured; /* there was a window: runs and time_ns are known */
	double runs, time_ns;
	bool counts_skipped; /* skipped is known */
	uint64_t skipped;    /* exact, as the other two are not */
};

/* The figures of each program since it was added, as of the last window. */
void program_stats_each(const struct program_stats *stats,
    void (*take)(void *ctx, const struct program_figures *figures), void *ctx);

#endif
