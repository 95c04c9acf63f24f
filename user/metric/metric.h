/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metric registry: instruments under OpenTelemetry names with bounded attribute sets,
 * cumulative since start. One writer side (the pipeline) and any number of readers (scrapes): every
 * public function takes the registry's lock itself and holds it for microseconds.
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
};

struct metric_desc {
	const char *name; /* OpenTelemetry name, e.g. "http.server.request.duration" */
	const char *unit; /* UCUM: "s", "By", "1", "{span}" */
	const char *description;
	enum metric_type type;
	const double
	    *bounds; /* histogram: strictly increasing, upper-inclusive; borrowed for good */
	size_t n_bounds;
};

struct metrics;	   /* the registry */
struct instrument; /* one metric in it; valid as long as the registry */

struct metrics *metrics_new(void); /* NULL without memory */
void metrics_free(struct metrics *metrics);

/* Add an instrument; desc is copied, its strings and bounds are borrowed for good (static). NULL
 * without memory. */
struct instrument *metrics_add(struct metrics *metrics, const struct metric_desc *desc);

/*
 * Record one value for (service, attrs). service may be NULL (zerospan's own metrics); otherwise
 * the set is dropped by metrics_forget_service(). Attribute values are copied at first sight of a
 * set. Counter: adds value (>= 0); gauge: sets it; histogram: counts it. trace_id and span_id (or
 * NULL) become the exemplar of the histogram bucket, time_ns (monotonic) its time. A set over the
 * bound counts as overflow.
 */
void metric_record(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value, const struct span *exemplar_of);

/* Set a counter to an absolute cumulative value, for totals that are counted elsewhere. */
void metric_set(
    struct instrument *instrument, const struct attr *attrs, size_t n_attrs, double value);

/* Forget all sets of a service that ended, in every instrument. */
void metrics_forget_service(struct metrics *metrics, const struct service *service);

/* --- reading
 * --------------------------------------------------------------------------------------- */

struct metric_exemplar {
	bool present;
	double value;
	uint64_t time_ns; /* monotonic */
	struct trace_id trace_id;
	struct span_id span_id;
};

/* One attribute set of one instrument, as copied for a reader. */
struct metric_point {
	struct service *service; /* reference held by the snapshot; may be NULL */
	struct attr *attrs;
	size_t n_attrs;
	double value;			   /* counter, gauge; histogram: sum */
	uint64_t count;			   /* histogram */
	uint64_t *buckets;		   /* histogram: n_bounds + 1 counts, not cumulative */
	struct metric_exemplar *exemplars; /* histogram: one per bucket */
};

struct metric_family {
	struct metric_desc desc;
	struct metric_point *points;
	size_t n_points;
};

/* A consistent copy of everything, in order of creation; NULL without memory. */
struct metric_snapshot {
	struct metric_family *families;
	size_t n_families;
};

struct metric_snapshot *metrics_snapshot(struct metrics *metrics);
void metric_snapshot_free(struct metric_snapshot *snapshot);

#endif
