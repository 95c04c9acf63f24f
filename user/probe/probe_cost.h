/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hit of a probe costs on this host, measured without touching anybody's process: on a child of our own that
 * calls functions made for it.
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

struct probes;

enum probe_shape {
	PROBE_SHAPE_EMULATED = 0,
	PROBE_SHAPE_STEPPED = 1,
	PROBE_SHAPE_SPLIT = 2,
	PROBE_SHAPE_COUNT = 3,
};

/* Which shape a function of a copy has. */
enum probe_shape probe_cost_shape(const struct sqlite_probe *probe);

/* Nanoseconds of CPU time per call, 0 when none could be told from noise. */
struct probe_cost {
	uint32_t entry_ns;
	uint32_t return_ns; /* on top of the entry's */
};

/* One for each shape. */
struct probe_costs {
	struct probe_cost of[PROBE_SHAPE_COUNT];
};

/* Those of a virtual machine in a thread that is not observed: for when they cannot be measured. */
extern const struct probe_costs probe_costs_default;

/*
 * Measure in a thread that is not observed, where sqlite3_step()'s programs find nothing to do: what the kernel takes for a
 * hit. probes are used as they are and stay so. Takes a quarter of a second, mostly waiting, and 20 ms of CPU time. May
 * be called from a thread of its own while probes live. Returns 0; a negative errno when it cannot be measured or hits cannot
 * be told from noise, then *ret_costs is untouched.
 */
int probe_cost_measure(struct probes *probes, struct probe_costs *ret_costs);

/*
 * The same with a kernel side of its own, and in a thread that is observed: there the programs do their work, that on return
 * the one of a step that gave a row. Takes also the time of loading the kernel side, a third of a second, and
 * that of detaching. Returns 0, or a negative errno and message says in one sentence what could not be done. Forks: for callers
 * without threads.
 */
int probe_cost_measure_observed(
    struct probe_costs *ret_observed, struct probe_costs *ret_other, struct buf *message);

#endif
