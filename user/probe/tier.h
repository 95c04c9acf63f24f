/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision how closely a process' SQLite is observed, so that the probes take no more of its CPU time than their budget.
 * Fed with numbers, told of time: no clock, no process, no probe.
 *
 *	                 share > budget                   share > budget
 *	full, executions ───────────────────► statements ───────────────────► off
 *	                 ◄───────────────────            ◄───────────────────
 *	       would be < budget / 2 for long        after a long time, on trial
 *
 * From full it goes to executions, which leaves out failed preparations, if that is known to be enough; back likewise.
 *
 * Down: once the process has used TIER_WINDOW_NS of CPU time, and as much time has passed, the share of the probes in
 * that CPU time is compared with the budget. So a burst of a few seconds is always observed in full.
 *
 * Up: when the hits that are counted now tell that a richer tier would take less than half of the budget, in all of a time called
 * the patience; the richest such tier. In off nothing is counted; there the patience alone decides, and the tier it leads to is on trial: its first
 * window is only TIER_TRIAL_NS long. A tier that soon proves too dear again doubles the patience before it, up to
 * TIER_PATIENCE_MAX_NS; one that lasted sets it back.
 *
 * A process that hardly runs (less than one part in TIER_IDLE of one CPU) cannot be too dear, whatever its share.
 */
#ifndef ZS_PROBE_TIER_H
#define ZS_PROBE_TIER_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"

#define TIER_WINDOW_NS       5000000000ull
#define TIER_TRIAL_NS        1000000000ull
#define TIER_PATIENCE_MIN_NS 10000000000ull
#define TIER_PATIENCE_MAX_NS 1800000000000ull
/* A tier that was held for so many times the patience before it has lasted. */
#define TIER_LASTED 4
#define TIER_IDLE   100

/* No budget: nothing is ever too dear. */
#define TIER_BUDGET_NONE 100.0

/* What happened since the sample before. */
struct tier_sample {
	uint64_t now_ns; /* of the monotonic clock */
	uint64_t cpu_ns; /* that the process used, its probes included */
	/* By tier: what its probes took, or would have taken; in off only 0 is known. */
	uint64_t cost_ns[ZSP_SQLITE_OFF];
};

/* Sums since begin_ns. */
struct tier_window {
	uint64_t begin_ns;
	uint64_t cpu_ns;
	uint64_t cost_ns[ZSP_SQLITE_OFF];
};

struct tier {
	enum zsp_sqlite_detail detail; /* where it stands */
	bool no_statements;            /* there is no such tier */
	double
	    share_pct; /* of the probes in the CPU time, as last judged; of the richer tier after going up */
	uint64_t entered_ns;                  /* when detail was chosen */
	bool raised;                          /* and it was from below */
	bool trial;                           /* its first window is not over */
	uint64_t patience_ns[ZSP_SQLITE_OFF]; /* before going up to this tier */
	uint64_t calm_ns;                     /* for so long going up would have been right, */
	enum zsp_sqlite_detail calm;          /* to this tier all the time */
	struct tier_window down, up;
};

/* Begin in this tier. */
void tier_init(struct tier *tier, enum zsp_sqlite_detail detail, uint64_t now_ns);

/*
 * Take a sample, in the order of time, with the budget in percent of the CPU time (above 0, up to 100). Returns true when
 * tier->detail has changed.
 */
bool tier_sample(struct tier *tier, const struct tier_sample *sample, double budget_pct);

/* "full", "executions", "statements", "off". */
const char *tier_name(enum zsp_sqlite_detail detail);

#endif
