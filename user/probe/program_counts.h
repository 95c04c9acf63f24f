/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel counts of a BPF program: runs and their time while BPF statistics are on (Linux 5.8), and runs that it skipped
 * (Linux 5.12). Statistics are a switch for the whole host: every run of any program then costs two readings of the clock.
 */
#ifndef ZS_PROBE_PROGRAM_COUNTS_H
#define ZS_PROBE_PROGRAM_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct program_counts {
	uint64_t runs, time_ns; /* while statistics were on, since the program was loaded */
	uint64_t skipped;       /* because it was running already on that CPU */
	bool counts_skipped;    /* the kernel does */
};

/* Counts of the program behind a descriptor. Returns 0 or negative errno. */
int program_counts_read(int program_fd, struct program_counts *ret_counts);

/* Switch statistics on until the returned descriptor is closed; negative errno when the kernel or its privileges do not let us. */
int program_counts_enable(void);

/* Does somebody have them on all the time (sysctl kernel.bpf_stats_enabled)? */
bool program_counts_always(void);

#endif
