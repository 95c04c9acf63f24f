/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metric registry: instruments under OpenTelemetry names with bounded attribute sets,
 * cumulative since start. Written by the pipeline above all, read by scrapes and exports: every
 * public function takes the registry's lock itself; recording holds it for less than a microsecond,
 * a snapshot for the copying of the numbers.
 */
#ifndef ZS_METRIC_METRIC_H
#define ZS_METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric/exponential.h"
#include "span/span.h"

/* Attribute sets per instrument; what comes beyond goes to one set {otel.metric.overflow=true}. */
#define METRIC_MAX_SETS 2000

/*
 * Sets of services that ended which are kept for those who have not read them yet, in all instruments together: those of a
 * hundred processes with twenty each; 2 to 5 MB.
 */
#define METRIC_MAX_ENDED 2000

/* Scrapes, the console, and a destination for each of the command line's endpoints. */
#define METRIC_MAX_READERS 32

enum metric_type {
	METRIC_TYPE_INVALID = 0,
	METRIC_COUNTER = 1,   /* monotonic sum */
	METRIC_GAUGE = 2,     /* last value */
	METRIC_HISTOGRAM = 3, /* explicit bounds */
	METRIC_UPDOWN = 4,    /* sum that may fall */
};

/* Which spans may become exemplars: OTEL_METRICS_EXEMPLAR_FILTER. */
enum metric_exemplar_filter {
	METRIC_EXEMPLAR_TRACE_BASED = 0, /* sampled ones */
	METRIC_EXEMPLAR_ALWAYS_ON = 1,
	METRIC_EXEMPLAR_ALWAYS_OFF = 2,
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
	size_t max_sets;  /* 0: METRIC_MAX_SETS */
	bool plain_name;  /* the name is complete: Prometheus appends no unit to it */
};

struct metrics;    /* the registry */
struct instrument; /* one metric in it; valid as long as the registry */

struct metrics *metrics_new(void); /* NULL without memory */
void metrics_free(struct metrics *metrics);

/* TRACE_BASED unless it is called. Takes effect on what is recorded from then on. */
void metrics_set_exemplar_filter(struct metrics *metrics, enum metric_exemplar_filter filter);

/*
 * From now on recording makes no exemplars of sampled spans: whether those are is not known yet then. metric_offer_together()
 * does, once it is. The filter ALWAYS_ON, which does not ask, makes them as ever. Not deferred: as it is without.
 */
void metrics_defer_exemplars(struct metrics *metrics, bool deferred);

/* Keep histograms in exponential form as well. Before the first record. */
void metrics_keep_exponential(struct metrics *metrics);

/*
 * Add an instrument; desc is copied, its strings and bounds are borrowed for good (static). One that has the name already
 * is returned as it is: zerospan and observed processes share some. By one thread. NULL without memory.
 */
struct instrument *metrics_add(struct metrics *metrics, const struct metric_desc *desc);

/* Each instrument, in the order of their making. By the thread that adds. */
void metrics_each(const struct metrics *metrics,
    void (*visit)(void *ctx, const struct metric_desc *desc), void *ctx);

/*
 * Record one value for (service, attrs). service may be NULL (zerospan's own metrics); otherwise
 * the registry keeps a reference until it has ended and is read. Attributes: unique keys in any
 * order; key strings are borrowed: static, or as long-lived as the service (its own attributes' keys), to which each set and each
 * snapshot of one holds a reference. Values are copied at first sight of a set.
 * Counter, up-down: adds value; gauge: sets it; histogram: counts it. exemplar_of (or NULL), when the
 * filter lets it, becomes the exemplar of the histogram bucket with its end as the time; an
 * older exemplar of that bucket gives way. A new set over the bound counts in the overflow set,
 * which belongs to no service. A value that is not finite (but a gauge's) or with which the sum would not be, a negative one of a
 * counter or histogram, and one for which memory is short is lost and counted (metrics_stats.lost_records).
 */
void metric_record(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value, const struct span *exemplar_of);

/* What one event is to one instrument. */
struct metric_value {
	struct instrument *instrument;
	double value;
	const uint64_t *parts; /* divided counter, instead: n_parts numbers of part units */
};

/*
 * Record several values of one event, with the same attributes: these are looked up once, in the first instrument, whose
 * key the others' sets share. They are recorded in no other way; the first instrument is always the same one.
 * Otherwise like metric_record().
 */
void metric_record_together(const struct metric_value *values, size_t n, struct service *service,
    const struct attr *attrs, size_t n_attrs, const struct span *exemplar_of);

/*
 * The event of values that were recorded together before is kept: its span, which is sampled, becomes the exemplar of the
 * histograms' buckets, if exemplars are deferred and the filter is TRACE_BASED. Counts nothing, and adds no set: of one that
 * was forgotten since there is no exemplar.
 */
void metric_offer_together(const struct metric_value *values, size_t n, struct service *service,
    const struct attr *attrs, size_t n_attrs, const struct span *exemplar_of);

/* Set a counter or up-down to an absolute value, for totals that are counted elsewhere; service as above. */
void metric_set_of(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value);

/* The same for zerospan's own. */
void metric_set(
    struct instrument *instrument, const struct attr *attrs, size_t n_attrs, double value);

/*
 * A service has ended: nothing is recorded for it any more; what is tried all the same (a trace is complete after it) is in no set, and
 * counted as metrics_stats.late_records, but for gauges and up-downs, which would tell a state of what is gone. Its counters and histograms
 * stay for each reader until that has had them; all else, and without readers everything, is forgotten. What it had put into an overflow
 * set stays there. NULL is fine.
 */
void metrics_end_service(struct metrics *metrics, struct service *service);

/*
 * A service begins. What is kept of one with the same name and instance id, which ran in this process before (exec), goes: no
 * series has two points.
 */
void metrics_begin_service(struct metrics *metrics, const struct service *service);

struct metrics_stats {
	uint64_t
	    lost_records; /* values not recorded: out of memory, negative, not finite or too much */
	uint64_t late_records; /* values not counted: their services had ended */
	uint64_t unread_sets;  /* of services that ended, which a reader that reads did not get */
};

void metrics_stats(struct metrics *metrics, struct metrics_stats *ret_stats);

/* --- readers --------------------------------------------------------------------------------- */

enum metric_reader_kind {
	METRIC_READER_INVALID = 0,
	METRIC_READER_PERIODIC = 1,  /* reads by itself */
	METRIC_READER_ON_DEMAND = 2, /* reads when others ask; perhaps never */
};

/*
 * From now on what ends is kept for this reader, for keep_ns at most. Returns its number, or -E2BIG. What a reader did not get that
 * has read, or is sure to, counts as unread.
 */
int metrics_add_reader(struct metrics *metrics, enum metric_reader_kind kind, uint64_t keep_ns);
void metrics_remove_reader(struct metrics *metrics, int reader);

/* The reader needs no more what had ended by until_ns (monotonic): it has delivered that. */
void metrics_reader_had(struct metrics *metrics, int reader, uint64_t until_ns);

/* --- reading --------------------------------------------------------------------------------- */

struct metric_exemplar {
	bool present;
	double value;
	uint64_t time_ns; /* monotonic */
	struct trace_id trace_id;
	struct span_id span_id;
};

/*
 * One attribute set of one instrument, as copied for a reader. Across snapshots a point of a family is known by its attrs,
 * whose address is no other set's as long as one of them lives, and its part.
 */
struct metric_point {
	struct service *service; /* valid as long as the snapshot; may be NULL */
	struct attr *attrs;      /* shared with the registry: read only */
	size_t n_attrs;
	struct attr part; /* divided counter: one more attribute; else its key is NULL */
	double value;     /* counter, gauge, up-down; histogram: sum */
	/* Monotonic: it is cumulative since then. The start of the first span that could be an exemplar, else the first record. */
	uint64_t start_ns;
	uint64_t count;    /* histogram */
	double min, max;   /* histogram, when count is not 0; NaN: not known */
	uint64_t *buckets; /* histogram: n_bounds + 1 counts, not cumulative */
	const struct metric_exponential *exponential; /* histogram; NULL: it is not kept */
	struct metric_exemplar *exemplars;            /* histogram: one per bucket */
};

struct metric_family {
	struct metric_desc desc;
	struct metric_point *points;
	size_t n_points;
	bool observed; /* counter: set by metric_set() or metric_set_of() */
	bool
	    delta; /* since the snapshot before (metric_delta.h), not since the start of each set */
};

/* A consistent copy of everything, of divided counters the parts that are not 0; families and points in order of creation. */
struct metric_snapshot {
	struct metric_family *families;
	size_t n_families;
	uint64_t time_ns; /* monotonic: when it was taken */
};

/* With what ended and is still kept for anybody. NULL without memory. The caller frees it. */
struct metric_snapshot *metrics_snapshot(struct metrics *metrics);

/* With what ended and this reader has not had yet. */
struct metric_snapshot *metrics_read(struct metrics *metrics, int reader);
void metric_snapshot_free(struct metric_snapshot *snapshot);

#endif
