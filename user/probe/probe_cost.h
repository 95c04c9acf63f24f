/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hit of a probe costs on this host, measured without touching anybody's process: on a child of our own that
 * calls functions made for it, with the kernel side's real programs.
 *
 * The cost of a hit is that of the breakpoint, the program and, for a return, of the way back. It hangs on the
 * instruction under the breakpoint, emulated or single-stepped, and on whether entry and return share one. So there are
 * three shapes of functions, and each probe's cost is what it adds to a call of its shape:
 *
 *	emulated	push ...		entry and return here
 *	stepped		sub ...			entry and return here
 *	split		sub ...			return here
 *			push ...		entry here
 */
#ifndef ZS_PROBE_PROBE_COST_H
#define ZS_PROBE_PROBE_COST_H

#include <stdint.h>

#include "base/buf.h"
#include "discover/sqlite_copy.h"

enum probe_shape {
	PROBE_SHAPE_EMULATED = 0,
	PROBE_SHAPE_STEPPED = 1,
	PROBE_SHAPE_SPLIT = 2,
	PROBE_SHAPE_COUNT = 3,
};

/* Which shape a function of a copy has. */
enum probe_shape probe_cost_shape(const struct sqlite_probe *probe);

/* Nanoseconds per call, 0 when none could be told from noise. */
struct probe_cost {
	uint32_t entry_ns;
	uint32_t return_ns; /* on top of the entry's */
};

struct probe_costs {
	struct probe_cost observed[PROBE_SHAPE_COUNT]; /* in a thread that is observed */
	struct probe_cost other[PROBE_SHAPE_COUNT];    /* in one that only runs the same file */
};

/*
 * Measure with sqlite3_step()'s programs, of which the one on return is that of a step that gave a row. Takes the time of
 * loading the kernel side, a third of a second, and that of detaching. Returns 0, or a negative errno and message says
 * in one sentence what could not be done. Forks: for callers without threads.
 */
int probe_cost_measure(struct probe_costs *ret_costs, struct buf *message);

#endif
