/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel side's table of observed threads, as far as user space has to do with it; bpf/thread_table.bpf.h keeps it. */
#ifndef ZS_PROBE_THREAD_TABLE_H
#define ZS_PROBE_THREAD_TABLE_H

#include <stdint.h>

#include "event.h"

struct zerospan_bpf;

/* Before load: room for so many threads but one; at least THREAD_TABLE_RUNS + 1. */
void thread_table_set_size(struct zerospan_bpf *skel, uint32_t entries);

/* Entries are handed out from so many places, so that as many CPUs can start threads at once. */
#define THREAD_TABLE_RUNS 128u

/* After load and before anything is attached: say that all entries are free. Returns 0 or negative errno. */
int thread_table_fill(struct zerospan_bpf *skel);

/* Have the kernel side observe or forget a thread. Returns the command's result, or the negative errno of asking. */
int thread_table_command(struct zerospan_bpf *skel, uint32_t tid, enum zsp_thread_command command);

#endif
