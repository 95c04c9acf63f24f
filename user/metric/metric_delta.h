/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changed between two snapshots, for destinations that want changes instead of totals: delta temporality
 * (opentelemetry-specification v1.60.0, metrics/data-model.md "Temporality"). A pure function; the registry knows
 * nothing of it and keeps no state per reader.
 */
#ifndef ZS_METRIC_METRIC_DELTA_H
#define ZS_METRIC_METRIC_DELTA_H

#include "metric/metric.h"

/* What a destination prefers (metrics/sdk_exporters/otlp.md). */
enum metric_temporality {
	METRIC_TEMPORALITY_INVALID = 0,
	METRIC_TEMPORALITY_CUMULATIVE = 1, /* everything since the start of each set */
	METRIC_TEMPORALITY_DELTA = 2,      /* counters and histograms as changes */
	METRIC_TEMPORALITY_LOWMEMORY = 3,  /* as delta, but observed counters since their start */
};

/* The changes, as a snapshot: it borrows from the later one and must not be given to metric_snapshot_free(). */
struct metric_delta {
	struct metric_snapshot snapshot;
};

/*
 * The changes from before to after. Families that the preference leaves cumulative are those of after. In the others
 *
 *   a point of both is the difference, a point of after only is itself, a point of before only is nothing: its service has
 *     ended, and what it counted last was in a snapshot for this destination already (metrics_end_service());
 *   each starts when before was taken; a point in which nothing was counted is left out;
 *   a point that is less than before has begun anew, and is itself;
 *   min and max are those of the values since before where they can be known (nothing was counted until before), else
 *     NaN; exemplars that before had already are not present.
 *
 * The sum of all changes is the total. before may be NULL: all is new, since the start of each set. Both are borrowed;
 * after must outlive the result. Returns 0 (caller releases) or -ENOMEM.
 */
int metric_delta_init(struct metric_delta *ret_delta, const struct metric_snapshot *before,
    const struct metric_snapshot *after, enum metric_temporality preference);
void metric_delta_release(struct metric_delta *delta); /* NULL is fine */

#endif
