/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of tracepoints. They are read from tracefs; where nobody mounted it, a child process mounts it
 * in a mount namespace of its own, reads the numbers and ends, and the host sees nothing of it.
 */
#ifndef ZS_PROBE_TRACEFS_H
#define ZS_PROBE_TRACEFS_H

#include <stddef.h>

/* Where the numbers came from. */
enum tracefs_source {
	TRACEFS_NONE = 0,    /* not to be had: no tracefs, or not allowed to mount it */
	TRACEFS_MOUNTED = 1, /* /sys/kernel/tracing or below /sys/kernel/debug */
	TRACEFS_PRIVATE = 2, /* mounted for a moment, out of sight */
};

/*
 * Look up n tracepoints named "category/event"; ret_ids[i] is the number, 0 for one that the kernel
 * lacks.
 */
enum tracefs_source tracefs_event_ids(const char *const *names, size_t n, int *ret_ids);

#endif
