/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a snapshot, for destinations that take a limited number of points at a time. Pure. */
#ifndef ZS_METRIC_METRIC_SLICE_H
#define ZS_METRIC_METRIC_SLICE_H

#include "metric/metric.h"

/* Points of all families. */
size_t metric_snapshot_points(const struct metric_snapshot *snapshot);

/*
 * The first-th point of a snapshot and what follows, n points or as many as there are, as a view: it borrows from the
 * snapshot and from families, the caller's room for as many as the snapshot has, and is not freed.
 */
struct metric_snapshot metric_slice(
    const struct metric_snapshot *snapshot, size_t first, size_t n, struct metric_family *families);

#endif
