/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exporters and their queues did, as metrics under the names that OpenTelemetry's SDKs have for them (semantic conventions
 * v1.44.0, otel/sdk-metrics.md): otel.sdk.exporter.{span,log,metric_data_point}.*, otel.sdk.processor.{span,log}.*, and
 * otel.sdk.exporter.operation.duration, to which each export adds when it ends.
 */
#ifndef ZS_COLLECTOR_EXPORTER_METRICS_H
#define ZS_COLLECTOR_EXPORTER_METRICS_H

#include "export/otlp_metrics.h"
#include "export/otlp_options.h"
#include "export/sink.h"
#include "metric/metric.h"

struct exporter_metrics;

/* Create the instruments. NULL: no memory. */
struct exporter_metrics *exporter_metrics_new(struct metrics *metrics);
void exporter_metrics_free(struct exporter_metrics *exporters); /* NULL is fine */

/*
 * Observe the exports of a sink of traces or logs, or of a periodic exporter of metrics; number is its place among those of its
 * signal. They end before the metrics are freed. Returns 0 or -ENOMEM.
 */
int exporter_metrics_watch_sink(
    struct exporter_metrics *exporters, enum otlp_signal signal, struct sink *sink, size_t number);
int exporter_metrics_watch_reader(
    struct exporter_metrics *exporters, struct otlp_metrics *reader, size_t number);

/* Set those of the sinks of a signal, traces or logs. A sink's place among them is part of its component's name. */
void exporter_metrics_sinks(const struct exporter_metrics *exporters, enum otlp_signal signal,
    struct sink *const *sinks, size_t n_sinks);

/* Set those of the periodic exporters of metrics. */
void exporter_metrics_readers(const struct exporter_metrics *exporters,
    struct otlp_metrics *const *readers, size_t n_readers);

#endif
