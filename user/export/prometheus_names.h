/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenTelemetry names as Prometheus spells them (OpenTelemetry specification v1.60.0,
 * compatibility/prometheus_and_openmetrics.md, strategy UnderscoreEscapingWithSuffixes). Pure.
 */
#ifndef ZS_EXPORT_PROMETHEUS_NAMES_H
#define ZS_EXPORT_PROMETHEUS_NAMES_H

#include "base/buf.h"
#include "metric/metric.h"

/*
 * Append the family name of a metric: words joined by single underscores, then the unit and
 * _ratio or _total where they belong, of plain names _total only. Appends nothing when no character of the name is usable: such
 * a metric cannot be exposed.
 */
void prometheus_append_name(struct buf *out, const struct metric_desc *desc);

/* Append the words of the unit alone ("seconds", "bytes_per_second", "ratio"); nothing where names have none. */
void prometheus_append_unit(struct buf *out, const struct metric_desc *desc);

/* True when name is that of a family of this type (without _total), or what the family's samples are called in either format. */
bool prometheus_is_of_family(struct sv name, struct sv family, enum metric_type type);

/* Append a label name; "key_" goes before a digit. Nothing when no character is usable. */
void prometheus_append_label(struct buf *out, struct sv key);

/*
 * Append attributes as labels (a="b",c="d"), after a comma when out is not empty. Keys that become
 * the same label name give one label with their values joined by ";". Attributes that make up job
 * and instance, and empty values, are left out; names that would clash with job, instance or le get
 * "exported_" before them. names is scratch memory.
 */
void prometheus_append_attrs(
    struct buf *out, const struct attr *attrs, size_t n, struct buf *names);

/* Append job="namespace/name" (or the name alone) and instance="...". */
void prometheus_append_identity(struct buf *out, const struct service *service);

/*
 * Append a bound of a histogram as OpenMetrics wants them, Go's %g plus ".0" for integers: "0.005" "1.0" "100000.0"
 * "1e+06". Prometheus 3 rewrites others to this form, which would make two series of one.
 */
void prometheus_append_bound(struct buf *out, double bound);

#endif
