/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metric snapshots built by hand and at random, for what reads them. Everything lies in one static room, which
 * metric_room_clear() empties.
 */
#ifndef ZS_TESTS_METRIC_FIXTURE_H
#define ZS_TESTS_METRIC_FIXTURE_H

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "metric/metric.h"
#include "span_fixture.h"

static _Alignas(16) char metric_room[8 << 20];
static size_t metric_room_used;

static inline void metric_room_clear(void)
{
	metric_room_used = 0;
}

/* Zeroed. */
static inline void *metric_room_take(size_t size)
{
	void *p = metric_room + metric_room_used;

	size = (size + 15) & ~(size_t)15;
	assert_true(size <= sizeof(metric_room) - metric_room_used);
	metric_room_used += size;
	return memset(p, 0, size);
}

static inline size_t metric_below(struct rng *rng, size_t n)
{
	return (size_t)(rng_next(rng) % n);
}

static const double metric_bounds[] = {0.005, 0.1, 1, 2.5};
#define METRIC_BOUNDS 4

/* --- one family, without points --- */

static inline const char *metric_part_name(size_t part)
{
	static const char *const names[] = {"cpu", "sleep", "lock"};

	return names[part];
}

static inline struct metric_desc metric_fixture_desc(const char *name, enum metric_type type)
{
	struct metric_desc desc = {
	    .name = name, .unit = "s", .description = "What \"it\" is.", .type = type};

	if (type == METRIC_HISTOGRAM) {
		desc.bounds = metric_bounds;
		desc.n_bounds = METRIC_BOUNDS;
	}
	return desc;
}

/* --- at random --- */

static inline struct attr metric_random_attr(struct rng *rng, size_t i)
{
	static const char *const keys[] = {"http.route", "error.type", "n", "on"};
	static const char *const texts[] = {"", "/cart/:id", "a\"b\\\n\x01", "\xc3\xa9t\xc3\xa9"};
	struct attr attr = {.key = keys[i]};

	switch (metric_below(rng, 4)) {
	case 0:
		attr.type = ATTR_STRING;
		attr.string = sv_cstr(texts[metric_below(rng, 4)]);
		break;
	case 1:
		attr.type = ATTR_INT;
		attr.integer = (int64_t)rng_next(rng);
		break;
	case 2:
		attr.type = ATTR_DOUBLE;
		attr.real = (double)(int64_t)rng_next(rng) / 3;
		break;
	default:
		attr.type = ATTR_BOOL;
		attr.boolean = metric_below(rng, 2);
	}
	return attr;
}

static inline void metric_random_exponential(struct rng *rng, struct metric_point *point)
{
	struct metric_exponential *to = metric_room_take(sizeof(*to));
	uint64_t count = 0;

	to->scale = (int32_t)metric_below(rng, 31) - 10;
	to->zero_count = metric_below(rng, 3);
	to->offset = (int32_t)metric_below(rng, 2000) - 1000;
	to->n = (uint32_t)metric_below(rng, 161);
	to->counts = metric_room_take(161 * sizeof(*to->counts));
	for (uint32_t i = 0; i < to->n; i++)
		count += to->counts[i] = metric_below(rng, 1000);
	point->count = count + to->zero_count;
	point->exponential = to;
}

static inline void metric_random_histogram(struct rng *rng, struct metric_point *point)
{
	point->buckets = metric_room_take((METRIC_BOUNDS + 1) * sizeof(*point->buckets));
	point->exemplars = metric_room_take((METRIC_BOUNDS + 1) * sizeof(*point->exemplars));
	for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
		point->count += point->buckets[i] = metric_below(rng, 2) ? rng_next(rng) >> 20 : 0;
		if (!metric_below(rng, 3))
			continue;
		point->exemplars[i] = (struct metric_exemplar){.present = true,
		    .value = (double)metric_below(rng, 100) / 7,
		    .time_ns = point->start_ns + 1 + metric_below(rng, 100),
		    .trace_id = {{(uint8_t)rng_next(rng), 1, 2}},
		    .span_id = {{(uint8_t)rng_next(rng), 3, 4}}};
	}
	point->min = metric_below(rng, 3) ? (double)metric_below(rng, 3) / 9 : (double)NAN;
	point->max = isnan(point->min) ? point->min : point->min + 1;
}

static inline struct metric_point metric_random_point(
    struct rng *rng, const struct metric_family *family, struct service *service, bool exponential)
{
	struct metric_point point = {.service = service,
	    .start_ns = 1000 + metric_below(rng, 1000),
	    .value = (double)(int64_t)(rng_next(rng) >> metric_below(rng, 64)) / 8,
	    .n_attrs = metric_below(rng, 5)};

	point.attrs = metric_room_take(4 * sizeof(*point.attrs));
	for (size_t i = 0; i < point.n_attrs; i++)
		point.attrs[i] = metric_random_attr(rng, i);
	if (family->desc.part_key)
		point.part = (struct attr){.key = family->desc.part_key,
		    .type = ATTR_STRING,
		    .string = sv_cstr(metric_part_name(metric_below(rng, 3)))};
	if (family->desc.type != METRIC_HISTOGRAM)
		return point;
	metric_random_histogram(rng, &point);
	if (exponential)
		metric_random_exponential(rng, &point);
	return point;
}

/* Families of all types, with up to 7 points each of up to n services, the last of which stands for none. */
static inline struct metric_snapshot metric_random_snapshot(
    struct rng *rng, struct service *const *services, size_t n)
{
	static const char *const names[] = {"a", "b.c", "http.server.request.duration", "d", "e"};
	struct metric_snapshot snapshot = {
	    .n_families = metric_below(rng, 6), .time_ns = 5000 + metric_below(rng, 1000)};

	snapshot.families = metric_room_take(6 * sizeof(*snapshot.families));
	for (size_t f = 0; f < snapshot.n_families; f++) {
		struct metric_family *family = &snapshot.families[f];
		bool exponential = metric_below(rng, 2);

		family->desc =
		    metric_fixture_desc(names[f], (enum metric_type)(1 + metric_below(rng, 4)));
		family->delta = metric_below(rng, 2);
		if (family->desc.type == METRIC_COUNTER && metric_below(rng, 2))
			family->desc.part_key = "state";
		family->n_points = metric_below(rng, 8);
		family->points = metric_room_take(8 * sizeof(*family->points));
		for (size_t i = 0; i < family->n_points; i++) {
			struct service *service = services[metric_below(rng, n)];

			family->points[i] = metric_random_point(
			    rng, family, service == services[n - 1] ? NULL : service, exponential);
		}
	}
	return snapshot;
}

#endif
