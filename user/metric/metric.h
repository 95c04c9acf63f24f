/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metric registry: instruments under OpenTelemetry names with bounded attribute sets,
 * cumulative since start. One writer side (the pipeline) and any number of readers (scrapes): every
 * public function takes the registry's lock itself; recording holds it for less than a microsecond,
 * a snapshot for the copying of the numbers.
 */
#ifndef ZS_METRIC_METRIC_H
#define ZS_METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span/span.h"

/* Attribute sets per instrument; what comes beyond goes to one set {otel.metric.overflow=true}. */
#define METRIC_MAX_SETS 2000

enum metric_type {
	METRIC_TYPE_INVALID = 0,
	METRIC_COUNTER = 1,   /* monotonic sum */
	METRIC_GAUGE = 2,     /* last value */
	METRIC_HISTOGRAM = 3, /* explicit bounds */
	METRIC_UPDOWN = 4,    /* non-monotonic sum */
};

struct metric_desc {
	const char *name; /* OpenTelemetry name, e.g. "http.server.request.duration" */
	const char *unit; /* UCUM: "s", "By", "1", "{span}" */
	const char *description;
	enum metric_type type;
	const double
	    *bounds; /* histogram: strictly increasing, upper-inclusive; borrowed for good */
	size_t n_bounds;
	/* Counter that is divided: each of its sets has this attribute as well, with the parts' names as values. */
	const char *part_key;
	const char *(*part_name)(size_t part);
	size_t n_parts;   /* 0: it is not divided */
	double part_unit; /* what parts are counted in, as a value */
};

struct metrics;    /* the registry */
struct instrument; /* one metric in it; valid as long as the registry */

struct metrics *metrics_new(void); /* NULL without memory */
void metrics_free(struct metrics *metrics);

/* Add an instrument; desc is copied, its strings and bounds are borrowed for good (static). NULL
 * without memory. */
struct instrument *metrics_add(struct metrics *metrics, const struct metric_desc *desc);

/*
 * Record one value for (service, attrs). service may be NULL (zerospan's own metrics); otherwise
 * the registry keeps a reference until metrics_forget_service(). Attributes: unique keys in any
 * order; key strings are borrowed for good (static), values are copied at first sight of a set.
 * Counter: adds value; gauge: sets it; histogram: counts it. exemplar_of (or NULL), when its
 * SAMPLED flag is set, becomes the exemplar of the histogram bucket with its end as the time; an
 * older exemplar of that bucket gives way. A new set over the bound counts in the overflow set,
 * which belongs to no service. A counter or histogram value that is negative or not finite, and a
 * value for which memory is short, is lost and counted (metric_snapshot.lost_records).
 */
void metric_record(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value, const struct span *exemplar_of);

/*
 * Add to the parts of a divided counter: values has n_parts numbers of part units. Otherwise like metric_record().
 */
void metric_record_parts(struct instrument *instrument, struct service *service,
    const struct attr *attrs, size_t n_attrs, const uint64_t *values);

/* Set a counter to an absolute cumulative value, for totals that are counted elsewhere. */
void metric_set(
    struct instrument *instrument, const struct attr *attrs, size_t n_attrs, double value);

/* Forget all sets of a service that ended, in every instrument. What it had put into an overflow
 * set stays there. NULL is fine. */
void metrics_forget_service(struct metrics *metrics, const struct service *service);

/* --- reading --------------------------------------------------------------------------------- */

struct metric_exemplar {
	bool present;
	double value;
	uint64_t time_ns; /* monotonic */
	struct trace_id trace_id;
	struct span_id span_id;
};

/* One attribute set of one instrument, as copied for a reader. */
struct metric_point {
	struct service *service; /* valid as long as the snapshot; may be NULL */
	struct attr *attrs;      /* shared with the registry: read only */
	size_t n_attrs;
	struct attr part;  /* divided counter: one more attribute; else its key is NULL */
	double value;      /* counter, gauge; histogram: sum */
	uint64_t count;    /* histogram */
	uint64_t *buckets; /* histogram: n_bounds + 1 counts, not cumulative */
	struct metric_exemplar *exemplars; /* histogram: one per bucket */
};

struct metric_family {
	struct metric_desc desc;
	struct metric_point *points;
	size_t n_points;
};

/* A consistent copy of everything, of divided counters the parts that are not 0; families and points in order of creation. */
struct metric_snapshot {
	struct metric_family *families;
	size_t n_families;
	uint64_t lost_records; /* values not recorded: out of memory, negative, not finite */
};

/* NULL without memory. The caller frees it. */
struct metric_snapshot *metrics_snapshot(struct metrics *metrics);
void metric_snapshot_free(struct metric_snapshot *snapshot);

#endif
