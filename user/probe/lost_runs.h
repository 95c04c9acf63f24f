/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of BPF programs that the kernel skipped, and what nobody saw for it. The kernel skips a program while the same one is interrupted on the
 * same CPU (program_counts.h tells how often); what others make up for is not lost:
 *
 *	changes of TCP's states   several programs, of which each change is counted by the first that sees it: lost is what none has (bpf/conn.bpf.c)
 *	twins                     two programs, of which the second makes up for the first, and counts it (bpf/twin.bpf.h)
 *	receives                  what is missed at one the stream's positions tell, to the byte
 */
#ifndef ZS_PROBE_LOST_RUNS_H
#define ZS_PROBE_LOST_RUNS_H

#include <stdint.h>

struct zerospan_bpf;

struct lost_runs {
	const struct zerospan_bpf *skel; /* borrowed */
	uint64_t before;                 /* the beginning */
	uint64_t found, told;            /* since then: at the last look, and what stays */
};

/* What was lost until now is nobody's. */
void lost_runs_begin(struct lost_runs *lost, const struct zerospan_bpf *skel);

/*
 * Runs that were lost since then, as of the last look but one: what is missing now another program may be about to see. Never decreases.
 */
uint64_t lost_runs_look(struct lost_runs *lost);

/* Say in the log what was skipped, by program. */
void lost_runs_log(const struct zerospan_bpf *skel);

#endif
