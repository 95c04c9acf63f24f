/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exporters and their queues did, as metrics under the names that OpenTelemetry's SDKs have for them (semantic conventions
 * v1.44.0, otel/sdk-metrics.md): otel.sdk.exporter.{span,log,metric_data_point}.* and otel.sdk.processor.{span,log}.*.
 */
#ifndef ZS_EXPORTER_METRICS_H
#define ZS_EXPORTER_METRICS_H

#include "export/otlp_metrics.h"
#include "export/otlp_options.h"
#include "export/sink.h"
#include "metric/metric.h"

struct exporter_metrics;

/* Create the instruments. NULL: no memory. */
struct exporter_metrics *exporter_metrics_new(struct metrics *metrics);
void exporter_metrics_free(struct exporter_metrics *exporters); /* NULL is fine */

/* Set those of the sinks of a signal, traces or logs. A sink's place among them is part of its component's name. */
void exporter_metrics_sinks(const struct exporter_metrics *exporters, enum otlp_signal signal,
    struct sink *const *sinks, size_t n_sinks);

/* Set those of the periodic exporters of metrics. */
void exporter_metrics_readers(const struct exporter_metrics *exporters,
    struct otlp_metrics *const *readers, size_t n_readers);

#endif
