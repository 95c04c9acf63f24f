// SPDX-License-Identifier: Apache-2.0
/* Parts of snapshots; see metric_slice.h. */
#include "metric/metric_slice.h"

size_t metric_snapshot_points(const struct metric_snapshot *snapshot)
{
	size_t n = 0;

	for (size_t i = 0; i < snapshot->n_families; i++)
		n += snapshot->families[i].n_points;
	return n;
}

struct metric_snapshot metric_slice(
    const struct metric_snapshot *snapshot, size_t first, size_t n, struct metric_family *families)
{
	struct metric_snapshot slice = *snapshot;

	slice.families = families;
	slice.n_families = 0;
	for (size_t i = 0; i < snapshot->n_families && n; i++) {
		const struct metric_family *family = &snapshot->families[i];
		struct metric_family *part = &families[slice.n_families];
		size_t left = family->n_points > first ? family->n_points - first : 0;

		if (!left) {
			first -= family->n_points;
			continue;
		}
		*part = *family;
		part->points += first;
		part->n_points = left < n ? left : n;
		n -= part->n_points;
		first = 0;
		slice.n_families++;
	}
	return slice;
}
