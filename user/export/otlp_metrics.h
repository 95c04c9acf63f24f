/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The periodic exporter of metrics to one destination of OTLP: a thread that takes a snapshot of the registry every
 * interval and has it sent in requests of limited size (opentelemetry-specification v1.60.0, metrics/sdk.md "Periodic
 * exporting MetricReader"). What a service that has ended counted last is in each round until one arrived. It knows nothing of transports. A destination that does not answer costs the memory of one
 * request and one snapshot, however long that lasts, and delays nobody else.
 */
#ifndef ZS_EXPORT_OTLP_METRICS_H
#define ZS_EXPORT_OTLP_METRICS_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/env.h"
#include "export/operation.h"
#include "export/otlp_target.h"
#include "metric/metric_delta.h"

/*
 * Points in one request. Collectors take 4 MiB over gRPC unless told otherwise; a histogram of 16 buckets with an
 * exemplar in each and a dozen attributes has less than 2 KiB.
 */
#define OTLP_METRICS_REQUEST_POINTS 2000

struct otlp_metrics_options {
	uint64_t interval_ms; /* from start to start of an export; 0: default, 60 s */
	uint64_t timeout_ms;  /* of one export with its retries; 0: no limit */
	uint64_t flush_ms;    /* for what is left at the end; 0: default, 5 s */
	enum metric_temporality temporality; /* 0: cumulative */
	/* How a round is written; NULL: encode_otlp_metrics_protobuf(), as targets of OTLP want it. */
	size_t (*encode)(struct buf *out, const struct metric_snapshot *snapshot,
	    const struct service *own, const struct clock_base *clock);
};

/* What OTEL_* variables say of metrics beside where they go. */
struct otlp_metrics_env {
	uint64_t interval_ms, timeout_ms;
	enum metric_temporality temporality;
	bool exponential; /* histograms are sent in exponential form: the registry is to keep it */
	enum metric_exemplar_filter exemplars;
};

/*
 * Read OTEL_METRIC_EXPORT_{INTERVAL, TIMEOUT}, OTEL_EXPORTER_OTLP_METRICS_{TEMPORALITY_PREFERENCE,
 * DEFAULT_HISTOGRAM_AGGREGATION} and OTEL_METRICS_EXEMPLAR_FILTER. What is unset or empty has
 * its default (60 s, 30 s, cumulative, explicit buckets, trace_based); so has what is wrong, with a warning.
 */
struct otlp_metrics_env otlp_metrics_from_env(env_fn *get);

/* Data points; delivered + failed + inflight is what was taken from the registry. */
struct otlp_metrics_stats {
	uint64_t delivered_points;
	uint64_t failed_points;
	struct export_failures failures; /* those that failed, by why */
	uint64_t inflight_points;
	uint64_t skipped_exports; /* no memory to begin one; changes go with the next */
};

struct otlp_metrics;

/*
 * Start. The target's ctx is moved, also on failure; metrics is borrowed; a reference to own, the resource of zerospan's
 * own metrics, is taken. NULL and errno on failure.
 */
struct otlp_metrics *otlp_metrics_new(const struct otlp_metrics_options *options,
    const struct otlp_target *target, struct metrics *metrics, struct service *own,
    const struct clock_base *clock);

/* Its target's name. */
const char *otlp_metrics_name(const struct otlp_metrics *exporter);

/* From now on the observer is told of each request. By the thread that made it. */
void otlp_metrics_observe(struct otlp_metrics *exporter, const struct export_observer *observer);

/* By any thread. */
void otlp_metrics_stats(struct otlp_metrics *exporter, struct otlp_metrics_stats *ret_stats);

/* Begin to end: the last export begins, and has until deadline_ns (monotonic). For several that are to end at the same time. */
void otlp_metrics_end_by(struct otlp_metrics *exporter, uint64_t deadline_ns);

/*
 * Export once more what there is, then end, at most flush_ms (and what an interrupted send takes) from now, or as
 * otlp_metrics_end_by() said. An export
 * that waits to try again is given up for that. ret_stats, which may be NULL, gets the final numbers. NULL is fine.
 */
void otlp_metrics_close(struct otlp_metrics *exporter, struct otlp_metrics_stats *ret_stats);
void otlp_metrics_free(struct otlp_metrics *exporter);

#endif
