/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as lines of a file, for the periodic exporter (otlp_metrics.h): text for people, or OTLP/JSON. */
#ifndef ZS_EXPORT_METRIC_LINES_H
#define ZS_EXPORT_METRIC_LINES_H

#include "base/clock.h"
#include "export/otlp_target.h"
#include "export/output_file.h"
#include "metric/metric.h"

/* A target that writes what it is given, whole lines, to the file, of which it takes a reference; blocks as long as that does. Returns 0 or
 * -ENOMEM. */
int metric_lines_target(struct otlp_target *ret_target, struct output_file *file);

/* What is written, for otlp_metrics_options.encode: one MetricsData object in a line; the Prometheus text exposition. */
size_t metric_lines_json(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock);
size_t metric_lines_text(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock);

#endif
