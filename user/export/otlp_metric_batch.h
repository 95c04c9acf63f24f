/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both OTLP encodings of metrics share: the points of a snapshot grouped by service, one ResourceMetrics each, and
 * in it by family, one Metric each; and the rules for what a point says.
 */
#ifndef ZS_EXPORT_OTLP_METRIC_BATCH_H
#define ZS_EXPORT_OTLP_METRIC_BATCH_H

#include <stddef.h>

#include "metric/metric.h"

/* opentelemetry.proto.metrics.v1.AggregationTemporality */
#define OTLP_DELTA      1
#define OTLP_CUMULATIVE 2

enum otlp_metric_form {
	OTLP_FORM_INVALID = 0,
	OTLP_FORM_GAUGE = 1,
	OTLP_FORM_SUM = 2,
	OTLP_FORM_HISTOGRAM = 3,
	OTLP_FORM_EXPONENTIAL = 4,
};

/* One Metric: the points of one family that belong to one service. */
struct otlp_metric_run {
	const struct metric_family *family;
	enum otlp_metric_form form; /* exponential when all of them are kept in that form */
	int temporality;            /* OTLP_DELTA or OTLP_CUMULATIVE */
	bool monotonic;             /* of a sum */
	size_t first;               /* index of its first point in otlp_metric_batch.points */
	size_t n_points;            /* not 0 */
};

/* One ResourceMetrics. */
struct otlp_metric_group {
	const struct service *service;
	size_t first_run; /* index in otlp_metric_batch.runs, where groups do not touch */
	size_t n_runs;    /* not 0 */
	size_t n_points;  /* not 0 */
};

struct otlp_metric_batch {
	struct otlp_metric_group *groups; /* in order of first appearance */
	size_t n_groups;
	struct otlp_metric_run *runs;
	size_t n_runs;                      /* of all groups */
	const struct metric_point **points; /* borrowed from the snapshot */
	size_t n_points;
	uint64_t time_ns; /* of the snapshot, monotonic */
};

/* own is the service of zerospan itself, whose are the points that have none. Returns 0 or -ENOMEM. */
int otlp_metric_batch_init(struct otlp_metric_batch *batch, const struct metric_snapshot *snapshot,
    const struct service *own);
void otlp_metric_batch_release(struct otlp_metric_batch *batch);

/* Whether min and max of a histogram's point are sent: of nothing, and of changes, they are mostly not known. */
bool otlp_point_has_extremes(const struct metric_point *point);

/* Exemplars of a histogram's point. */
size_t otlp_point_exemplars(const struct otlp_metric_run *run, const struct metric_point *point);

/*
 * When an exemplar was recorded, monotonic. An exemplar has the time at which its span ended, and is recorded a moment
 * later: when that is not within the point's time, (start, time], the nearest that is.
 */
uint64_t otlp_exemplar_ns(
    const struct metric_exemplar *exemplar, const struct metric_point *point, uint64_t time_ns);

#endif
