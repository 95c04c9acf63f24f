/* SPDX-License-Identifier: Apache-2.0 */
/* What zerospan says of itself: events seen and lost by cause, coverage, own cost. Exporters: exporter_metrics.h. */
#ifndef ZS_COLLECTOR_SELF_METRICS_H
#define ZS_COLLECTOR_SELF_METRICS_H

#include "lookout/lookout.h"
#include "pipeline.h"
#include "probe/probes.h"
#include "probe/sqlite_probes.h"

/* Everything that is counted anywhere, read at one moment. */
struct self_counts {
	uint64_t kernel[ZSP_COUNT_MAX];
	uint64_t skipped_runs; /* of programs, by the kernel */
	struct pipeline_stats pipeline;
	struct sqlite_probes_stats sqlite;
	struct lookout_stats stacks;
	uint64_t records; /* that came from the kernel */
	uint64_t bad_records;
	uint64_t unrecorded; /* inputs that a recording should hold and does not */
	uint64_t unlogged;   /* own log lines that became no record */
	struct metrics_stats metrics;
	size_t processes;
	uint64_t cpu_ns;    /* of this process, all threads */
	uint64_t rss_bytes; /* resident now */
};

/* Records that the kernel side could not hand over. */
uint64_t self_counts_lost(const struct self_counts *counts);

/* Append the causes of losses that happened, "12 ring_full_data, 1 disordered"; nothing without any. */
void self_counts_describe_losses(const struct self_counts *counts, struct buf *out);

/* Captured share of the bytes that passed on followed connections while they were followed, 0 to 1; 1 without any. */
double self_counts_coverage(const struct self_counts *counts);

/* CPU time and memory of this process, into counts. */
void self_counts_take_cost(struct self_counts *counts);

struct self_metrics;

/* Create the instruments; NULL: no memory. */
struct self_metrics *self_metrics_new(struct metrics *metrics);
void self_metrics_free(struct self_metrics *self); /* NULL is fine */

/* How closely SQLite is observed in the process of a service. */
void self_metrics_tier(
    struct self_metrics *self, struct service *service, enum zsp_sqlite_detail detail);

/* Set them to the counts. */
void self_metrics_update(struct self_metrics *self, const struct self_counts *counts);

#endif
