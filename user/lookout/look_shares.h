/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many stacks may be copied of which process, so that one with many slow requests leaves some to the others. Knows neither stacks nor
 * processes but by their number.
 *
 * There are LOOK_SHARES_ALL shares. A look takes one; a process may take one as long as it has fewer than are left. Each second LOOK_SHARES_PER_S
 * come back, evenly from all who have some. So a process that is alone may have half of them at once, and all that come back; of two
 * each has a third, and half of what comes back; and who comes later always finds some left. (After Choudhury and Hahne, Dynamic queue length
 * thresholds for shared-memory packet switches, 1998.)
 */
#ifndef ZS_LOOKOUT_LOOK_SHARES_H
#define ZS_LOOKOUT_LOOK_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOK_SHARES_ALL   50
#define LOOK_SHARES_PER_S 50

/* Processes that have shares; of more the one that has the least gives its up. */
#define LOOK_SHARES_PROCESSES 64

struct look_shares {
	uint64_t now_ns;
	uint64_t
	    taken_ns; /* all that are taken, in the time until they have come back one after the other */
	size_t n;
	struct {
		uint32_t pid;
		uint64_t taken_ns; /* likewise; above 0 */
	} all[LOOK_SHARES_PROCESSES];
};

/* All zero: all are left. Time has passed: shares come back. */
void look_shares_tick(struct look_shares *shares, uint64_t now_ns);

/* Take one; false: it has too many, or none is left. */
bool look_shares_take(struct look_shares *shares, uint32_t pid);

/* The same for what matters less: as long as the process has fewer than half of what is left, so that what matters more finds some. */
bool look_shares_take_spare(struct look_shares *shares, uint32_t pid);

#endif
