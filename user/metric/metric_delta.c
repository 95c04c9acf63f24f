// SPDX-License-Identifier: Apache-2.0
/*
 * Changes between two snapshots; see metric_delta.h.
 *
 * Points of the earlier snapshot are found by a sorted index of their identities. A family's changes are one block of
 * memory: points, then for histograms exemplars, exponential forms, buckets and the counts of the exponential forms.
 */
#include "metric/metric_delta.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- which point is which -------------------------------------------------------------------- */

static int compare_identity(const struct metric_point *a, const struct metric_point *b)
{
	if (a->attrs != b->attrs)
		return (uintptr_t)a->attrs < (uintptr_t)b->attrs ? -1 : 1;
	if (a->part.string.len != b->part.string.len)
		return a->part.string.len < b->part.string.len ? -1 : 1;
	return a->part.string.len ? memcmp(a->part.string.p, b->part.string.p, a->part.string.len)
				  : 0;
}

static int compare_cells(const void *a, const void *b)
{
	return compare_identity(
	    *(const struct metric_point *const *)a, *(const struct metric_point *const *)b);
}

/* The points of one earlier family, sorted by identity. */
struct index {
	const struct metric_point **points;
	size_t n;
};

/* family may be NULL. Returns 0 or -ENOMEM. */
static int index_init(struct index *index, const struct metric_family *family)
{
	index->n = family ? family->n_points : 0;
	index->points = malloc((index->n + 1) * sizeof(*index->points));
	if (!index->points)
		return -ENOMEM;
	for (size_t i = 0; i < index->n; i++)
		index->points[i] = &family->points[i];
	qsort(index->points, index->n, sizeof(*index->points), compare_cells);
	return 0;
}

static const struct metric_point *index_find(
    const struct index *index, const struct metric_point *point)
{
	const struct metric_point **hit =
	    bsearch(&point, index->points, index->n, sizeof(*index->points), compare_cells);

	return hit ? *hit : NULL;
}

/* --- exponential histograms ------------------------------------------------------------------ */

/*
 * Take the earlier counts away from those in to, which has a copy of the later ones. A scale only ever sinks, by which
 * neighbours become one. False when before has what the later one has not.
 */
static bool subtract_exponential(
    struct metric_exponential *to, const struct metric_exponential *before)
{
	int32_t shift = before->scale - to->scale;

	if (shift < 0 || shift > 31 || before->zero_count > to->zero_count)
		return false;
	to->zero_count -= before->zero_count;
	for (uint32_t i = 0; i < before->n; i++) {
		/* An arithmetic shift rounds down, as indices below 0 need it. */
		int64_t at = (((int64_t)before->offset + i) >> shift) - to->offset;

		if (!before->counts[i])
			continue;
		if (at < 0 || at >= to->n || to->counts[at] < before->counts[i])
			return false;
		to->counts[at] -= before->counts[i];
	}
	return true;
}

/* --- one point ------------------------------------------------------------------------------- */

static bool same_exemplar(const struct metric_exemplar *a, const struct metric_exemplar *b)
{
	return a->present == b->present && a->time_ns == b->time_ns &&
	    memcmp(&a->trace_id, &b->trace_id, sizeof(a->trace_id)) == 0 &&
	    memcmp(&a->span_id, &b->span_id, sizeof(a->span_id)) == 0;
}

/* Whether after goes on from before in every number. */
static bool continues(
    const struct metric_point *before, const struct metric_point *after, size_t width)
{
	if (before->start_ns != after->start_ns || after->count < before->count ||
	    after->value < before->value || !before->exponential != !after->exponential)
		return false;
	for (size_t i = 0; i < width; i++)
		if (after->buckets[i] < before->buckets[i])
			return false;
	return true;
}

/* What is free in the block of a family. */
struct cells {
	struct metric_exemplar *exemplars;
	struct metric_exponential *exponentials;
	uint64_t *counts;
	size_t width; /* buckets of a histogram; 0: no histograms */
};

/* Give a copy of a histogram's point arrays of its own; its numbers stay. */
static void copy_arrays(struct metric_point *to, struct cells *cells)
{
	const struct metric_exponential *from = to->exponential;
	size_t width = cells->width;

	to->exemplars = memcpy(cells->exemplars, to->exemplars, width * sizeof(*to->exemplars));
	cells->exemplars += width;
	to->buckets = memcpy(cells->counts, to->buckets, width * sizeof(*to->buckets));
	cells->counts += width;
	if (!from)
		return;
	*cells->exponentials = *from;
	cells->exponentials->counts = cells->counts;
	if (from->n)
		memcpy(cells->counts, from->counts, from->n * sizeof(*from->counts));
	cells->counts += from->n;
	to->exponential = cells->exponentials++;
}

/*
 * Take the earlier point away from to, a copy of the later one with arrays of its own. False, and to is undefined, when
 * the later one does not go on from it.
 */
static bool subtract(struct metric_point *to, const struct metric_point *before, size_t width)
{
	/* The copy is ours to write. */
	struct metric_exponential *exponential =
	    (struct metric_exponential *)(uintptr_t)to->exponential;

	if (!continues(before, to, width) ||
	    (exponential && !subtract_exponential(exponential, before->exponential)))
		return false;
	to->value -= before->value;
	to->count -= before->count;
	for (size_t i = 0; i < width; i++) {
		to->buckets[i] -= before->buckets[i];
		if (same_exemplar(&to->exemplars[i], &before->exemplars[i]))
			to->exemplars[i].present = false;
	}
	if (before->count)
		to->min = to->max = (double)NAN;
	return true;
}

static void point_delta(struct metric_point *to, const struct metric_point *before,
    const struct metric_point *after, struct cells *cells)
{
	const struct cells unused = *cells;

	*to = *after;
	if (cells->width)
		copy_arrays(to, cells);
	if (!before || subtract(to, before, cells->width))
		return;
	*cells = unused;
	*to = *after;
	if (cells->width)
		copy_arrays(to, cells);
}

/* --- families -------------------------------------------------------------------------------- */

static bool wants_delta(const struct metric_family *family, enum metric_temporality preference)
{
	switch (family->desc.type) {
	case METRIC_COUNTER:
		return preference == METRIC_TEMPORALITY_DELTA ||
		    (preference == METRIC_TEMPORALITY_LOWMEMORY && !family->observed);
	case METRIC_HISTOGRAM:
		return preference == METRIC_TEMPORALITY_DELTA ||
		    preference == METRIC_TEMPORALITY_LOWMEMORY;
	default:
		return false;
	}
}

/* Families are in order of creation and none goes away. */
static const struct metric_family *earlier_family(
    const struct metric_snapshot *before, const struct metric_snapshot *after, size_t i)
{
	if (!before || i >= before->n_families ||
	    strcmp(before->families[i].desc.name, after->families[i].desc.name) != 0)
		return NULL;
	return &before->families[i];
}

/* One block for n points and their arrays. False without memory. */
static bool cells_init(
    struct cells *cells, const struct metric_family *after, struct metric_point **ret_points)
{
	size_t n = after->n_points, counts, n_exponentials = 0;

	cells->width = after->desc.type == METRIC_HISTOGRAM ? after->desc.n_bounds + 1 : 0;
	counts = n * cells->width;
	for (size_t i = 0; i < n; i++) {
		if (!after->points[i].exponential)
			continue;
		n_exponentials++;
		counts += after->points[i].exponential->n;
	}
	*ret_points =
	    malloc(1 + n * sizeof(**ret_points) + n * cells->width * sizeof(*cells->exemplars) +
		n_exponentials * sizeof(*cells->exponentials) + counts * sizeof(*cells->counts));
	if (!*ret_points)
		return false;
	cells->exemplars = (struct metric_exemplar *)(*ret_points + n);
	cells->exponentials = (struct metric_exponential *)(cells->exemplars + n * cells->width);
	cells->counts = (uint64_t *)(cells->exponentials + n_exponentials);
	return true;
}

static bool is_nothing(const struct metric_family *family, const struct metric_point *point)
{
	return family->desc.type == METRIC_HISTOGRAM ? point->count == 0 : point->value == 0;
}

/* to is a copy of after with memory of its own for points. */
static void fill_family(struct metric_family *to, struct cells *cells, const struct index *index,
    const struct metric_family *after, const struct metric_snapshot *before)
{
	to->n_points = 0;
	for (size_t i = 0; i < after->n_points; i++) {
		struct metric_point *point = &to->points[to->n_points];

		point_delta(point, index_find(index, &after->points[i]), &after->points[i], cells);
		if (before)
			point->start_ns = before->time_ns;
		to->n_points += !is_nothing(to, point);
	}
}

/* *to is a copy of after. Returns 0, or -ENOMEM with *to still that copy. */
static int family_delta(struct metric_family *to, const struct metric_family *earlier,
    const struct metric_family *after, const struct metric_snapshot *before)
{
	struct metric_point *points;
	struct cells cells;
	struct index index;

	if (index_init(&index, earlier))
		return -ENOMEM;
	if (!cells_init(&cells, after, &points)) {
		free(index.points);
		return -ENOMEM;
	}
	to->points = points;
	to->delta = true;
	fill_family(to, &cells, &index, after, before);
	free(index.points);
	return 0;
}

int metric_delta_init(struct metric_delta *ret_delta, const struct metric_snapshot *before,
    const struct metric_snapshot *after, enum metric_temporality preference)
{
	struct metric_delta delta = {.snapshot = *after};
	int err = 0;

	delta.snapshot.families = malloc((after->n_families + 1) * sizeof(*after->families));
	if (!delta.snapshot.families)
		return -ENOMEM;
	if (after->n_families)
		memcpy(delta.snapshot.families, after->families,
		    after->n_families * sizeof(*after->families));
	for (size_t i = 0; i < after->n_families && !err; i++)
		if (wants_delta(&after->families[i], preference))
			err = family_delta(&delta.snapshot.families[i],
			    earlier_family(before, after, i), &after->families[i], before);
	if (err)
		metric_delta_release(&delta);
	else
		*ret_delta = delta;
	return err;
}

void metric_delta_release(struct metric_delta *delta)
{
	if (!delta)
		return;
	for (size_t i = 0; i < delta->snapshot.n_families; i++)
		if (delta->snapshot.families[i].delta)
			free(delta->snapshot.families[i].points);
	free(delta->snapshot.families);
	delta->snapshot = (struct metric_snapshot){0};
}
