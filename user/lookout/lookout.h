/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at what the threads of slow requests wait in, while they wait, and tells the pipeline.
 *
 *	the request                ├─ read ────┬────────────────────────────────┬── written
 *	its thread                             └─ waits ────────────────────────┘
 *	looks (every over_ns / 2)       ·      ·      ● stack copied  ·      ·
 *	                                              └─► told by a thread of its own ─► pipeline_place()
 *
 * A thread that waits does not change its stack, so there is no need to copy it when the wait begins, which the program would
 * pay for: it is read from outside once the wait has turned out to be long, and thrown away if the thread is back meanwhile.
 * Which threads are away, since when and what for, the kernel side's table tells as memory, without a call.
 *
 * What happens is to be read at most over_ns after it did. A request that has begun a millisecond before or more is known then, and is looked at
 * half an over_ns after its beginning; a younger one when we read the next time. So each wait is seen that is two milliseconds longer than over_ns.
 *
 * A request can be slow by many short waits as well. Once it is slow, and as long as none of its waits is known, its thread is looked at every two
 * milliseconds for a tenth of a second, if it serves nothing else, and a wait of a quarter of a millisecond is enough where such waits have taken a
 * good part of its time (see assembler_wants()).
 */
#ifndef ZS_LOOKOUT_LOOKOUT_H
#define ZS_LOOKOUT_LOOKOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pipeline.h"
#include "probe/probes.h"

struct lookout_options {
	struct probes *probes; /* borrowed, as all of them */
	struct pipeline *pipeline;
	uint64_t over_ns; /* requests that last longer are slow */
};

/* Stacks that were worth a look. */
struct lookout_stats {
	uint64_t told;
	uint64_t untold; /* copied, but nothing could be said of them */
	uint64_t back;   /* not copied: the thread was back by then, or may not be looked at */
	uint64_t
	    refused; /* not copied at the first look: more than look_shares.h gives, or than can be told */
};

struct lookout;

struct lookout *lookout_new(const struct lookout_options *options); /* NULL: no memory */
void lookout_free(struct lookout *lookout);                         /* NULL is fine */

/* For how long it is of no use to look again, in milliseconds; at most max_ms. */
int lookout_wait_ms(const struct lookout *lookout, uint64_t now_ns, int max_ms);

/* Are short waits looked at now? Then looks are to be on time, not when others are woken. */
bool lookout_looks_closely(const struct lookout *lookout);

/* Look if it is time to, and tell the pipeline what was found; events: how many were read just now. */
void lookout_tick(struct lookout *lookout, uint64_t now_ns, size_t events);

/* Look again at the threads of slow requests: how long their waits are by now. */
void lookout_again(struct lookout *lookout, uint64_t now_ns);

/* Look at the threads of all open requests, however old they are. */
void lookout_all(struct lookout *lookout, uint64_t now_ns);

/* Wait until the stacks that were copied are told, and tell the pipeline; false if that takes longer. */
bool lookout_await(struct lookout *lookout, uint64_t timeout_ns);

/* A lock was given back to a thread that was looked at. */
void lookout_wake(struct lookout *lookout, const struct zsp_wake *wake);

/* The process ended: forget what is known of its program. */
void lookout_process_end(struct lookout *lookout, pid_t pid);

void lookout_stats(const struct lookout *lookout, struct lookout_stats *ret_stats);

#endif
