// SPDX-License-Identifier: Apache-2.0
/*
 * The reading side of the metric registry: one consistent copy of all numbers, made under the lock
 * with one allocation per instrument; keys are shared by reference. See metric.h.
 */
#include "metric/registry.h"

#include <stdlib.h>

#include "base/clock.h"

/* At most so many are read. */
static size_t count_sets(const struct instrument *instrument)
{
	return instrument->sets.count + (instrument->overflow ? 1 : 0) + instrument->n_ended;
}

static struct metric_point point_of(const struct metric_set *set)
{
	struct metric_key *key = metric_key_ref(set->key);

	return (struct metric_point){.service = key->service,
	    .attrs = key->attrs,
	    .n_attrs = key->n_attrs,
	    .start_ns = set->start_ns,
	    .value = set->value + set->rest,
	    .count = set->count,
	    .min = set->min,
	    .max = set->max};
}

/* Points of a divided counter: one for each part that is not 0. */
static void copy_parts(
    const struct metric_desc *desc, const struct metric_set *set, struct metric_family *family)
{
	for (size_t i = 0; i < desc->n_parts; i++) {
		struct metric_point *point = &family->points[family->n_points];

		if (!set->parts[i])
			continue;
		*point = point_of(set);
		point->value = (double)set->parts[i] * desc->part_unit;
		point->part = (struct attr){.key = desc->part_key,
		    .type = ATTR_STRING,
		    .string = sv_cstr(desc->part_name(i))};
		family->n_points++;
	}
}

/* Where the next histogram's numbers go. */
struct room {
	struct metric_exemplar *exemplars;
	struct metric_exponential *exponentials;
	uint64_t *counts;
};

static void copy_histogram(
    const struct metric_set *set, size_t width, struct room *room, struct metric_point *point)
{
	point->exemplars =
	    memcpy(room->exemplars, set->exemplars, width * sizeof(*room->exemplars));
	point->buckets = memcpy(room->counts, set->buckets, width * sizeof(*room->counts));
	room->exemplars += width;
	room->counts += width;
	if (!set->exponential)
		return;
	*room->exponentials = *set->exponential;
	room->exponentials->counts = memcpy(
	    room->counts, set->exponential->counts, set->exponential->n * sizeof(*room->counts));
	room->counts += METRIC_EXPONENTIAL_BUCKETS;
	point->exponential = room->exponentials++;
}

/*
 * One block per family: n points, then for histograms all exemplars, all exponential forms, and all counts. Sets that ended are
 * there for the readers of this mask that have not had them. Returns 0, or -1 without memory.
 */
static int copy_family(
    const struct instrument *instrument, uint32_t readers, struct metric_family *family)
{
	const struct metric_desc *desc = &instrument->desc;
	size_t width = desc->type == METRIC_HISTOGRAM ? desc->n_bounds + 1 : 0;
	size_t n = count_sets(instrument) * (desc->n_parts ? desc->n_parts : 1);
	size_t n_exponential = width && instrument->metrics->keep_exponential ? 1 : 0;
	size_t point_bytes = sizeof(struct metric_point) +
	    width * (sizeof(struct metric_exemplar) + sizeof(uint64_t)) +
	    n_exponential *
		(sizeof(struct metric_exponential) + METRIC_EXPONENTIAL_BUCKETS * sizeof(uint64_t));
	struct metric_point *points = malloc(n ? n * point_bytes : 1), *point;
	struct room room = {.exemplars = (struct metric_exemplar *)(points + n)};

	if (!points)
		return -1;
	room.exponentials = (struct metric_exponential *)(room.exemplars + n * width);
	room.counts = (uint64_t *)(room.exponentials + n * n_exponential);
	family->desc = *desc;
	family->points = points;
	family->observed = instrument->observed;
	list_for_each (link, &instrument->order) {
		const struct metric_set *set = container_of(link, struct metric_set, link);

		if (set->ended_ns && !(set->unread & readers))
			continue;
		if (desc->n_parts) {
			copy_parts(desc, set, family);
			continue;
		}
		point = &family->points[family->n_points++];
		*point = point_of(set);
		if (width)
			copy_histogram(set, width, &room, point);
	}
	return 0;
}

/* For the readers of this mask. */
static struct metric_snapshot *take(struct metrics *metrics, uint32_t readers)
{
	struct metric_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int err = 0;

	if (!snapshot)
		return NULL;
	pthread_mutex_lock(&metrics->lock);
	snapshot->time_ns = clock_monotonic_ns();
	metric_ended_expire(metrics, snapshot->time_ns);
	snapshot->families = calloc(metrics->n_instruments + 1, sizeof(*snapshot->families));
	if (!snapshot->families)
		err = -1;
	list_for_each (link, &metrics->instruments) {
		if (err)
			break;
		err = copy_family(container_of(link, struct instrument, link), readers,
		    &snapshot->families[snapshot->n_families]);
		if (!err)
			snapshot->n_families++;
	}
	pthread_mutex_unlock(&metrics->lock);
	if (err) {
		metric_snapshot_free(snapshot);
		return NULL;
	}
	return snapshot;
}

struct metric_snapshot *metrics_snapshot(struct metrics *metrics)
{
	return take(metrics, UINT32_MAX);
}

struct metric_snapshot *metrics_read(struct metrics *metrics, int reader)
{
	pthread_mutex_lock(&metrics->lock);
	metrics->readers[reader].came = true;
	pthread_mutex_unlock(&metrics->lock);
	return take(metrics, 1u << reader);
}

void metrics_stats(struct metrics *metrics, struct metrics_stats *ret_stats)
{
	pthread_mutex_lock(&metrics->lock);
	ret_stats->lost_records = metrics->lost_records;
	ret_stats->late_records = metrics->late_records;
	ret_stats->unread_sets = metrics->unread_sets;
	pthread_mutex_unlock(&metrics->lock);
}

void metric_snapshot_free(struct metric_snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->n_families; i++) {
		struct metric_family *family = &snapshot->families[i];

		for (size_t k = 0; k < family->n_points; k++)
			metric_key_unref(
			    (struct metric_key *)(void *)((char *)family->points[k].attrs -
				offsetof(struct metric_key, attrs)));
		free(family->points);
	}
	free(snapshot->families);
	free(snapshot);
}
