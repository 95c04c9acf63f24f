/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one hit of a uprobe costs on this machine, measured: a child of ours calls functions of its own a few hundred times,
 * bare and probed, and its CPU time is compared. Takes some 20 ms of CPU time.
 */
#ifndef ZS_PROBE_UPROBE_COST_H
#define ZS_PROBE_UPROBE_COST_H

struct probes;

/* Nanoseconds of the probed thread's CPU time, with a program that finds nothing to do. */
struct uprobe_cost {
	double emulated; /* a hit on an instruction that the kernel emulates */
	double stepped;  /* a hit on one that it single-steps */
	double returned; /* what a return probe adds to a hit on its function's first instruction */
};

/* Those of a virtual machine, for when they cannot be measured. */
extern const struct uprobe_cost uprobe_cost_default;

/*
 * Measure; blocks until done. Whoever calls from a thread of its own must do so while probes live. Returns 0; negative errno
 * when it cannot be measured (then *ret_cost is untouched).
 */
int uprobe_cost_measure(struct probes *probes, struct uprobe_cost *ret_cost);

#endif
