/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel side's table of observed threads, as far as user space has to do with it; bpf/thread_table.bpf.h keeps it. */
#ifndef ZS_PROBE_THREAD_TABLE_H
#define ZS_PROBE_THREAD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
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
int thread_table_command(struct zerospan_bpf *skel, uint32_t tid, enum zsp_thread_command what);

/* The table as memory, to look at while the kernel side goes on. */
struct thread_view {
	const volatile uint32_t *marks; /* ZSP_THREAD_MARKS of them */
	volatile char *entries;         /* NULL: not mapped */
	size_t entry_size;
	uint32_t n_entries;
};

/* Returns 0 or negative errno. The skeleton must outlive the view. */
int thread_view_open(struct thread_view *view, struct zerospan_bpf *skel);
void thread_view_close(struct thread_view *view);

/* An observed thread that has left the CPU and cannot run before what it waits for has come. */
struct thread_away {
	uint32_t pid, tid;
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	enum zsp_wait wait;
	uint64_t what;   /* see struct zsp_ledger */
	uint32_t number; /* of its entry */
	struct zsp_stand stand;
	struct zsp_waits waits; /* its totals, without this wait */
};

/*
 * All that have waited since before before_ns, which is to be a millisecond or more ago: then every CPU's stores of its leaving have
 * arrived. It may be back by the time it is told.
 */
void thread_view_each_away(const struct thread_view *view, uint64_t before_ns,
    void (*away)(void *ctx, const struct thread_away *thread), void *ctx);

/*
 * This one, if it waits; false: it does not, or is not observed. Whose wait began just now may be told wrongly by CPUs that show each other
 * their stores in another order, as those of arm64.
 */
bool thread_view_away(const struct thread_view *view, uint32_t tid, struct thread_away *ret_thread);

/* Have the end of this wait reported, if zsp_sched_waking is attached. */
void thread_view_watch(const struct thread_view *view, const struct thread_away *thread);

#endif
