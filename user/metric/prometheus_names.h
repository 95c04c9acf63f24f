/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenTelemetry names as Prometheus spells them (OpenTelemetry specification v1.60.0,
 * compatibility/prometheus_and_openmetrics.md, strategy UnderscoreEscapingWithSuffixes), and which of them must not stand together. Pure.
 */
#ifndef ZS_METRIC_PROMETHEUS_NAMES_H
#define ZS_METRIC_PROMETHEUS_NAMES_H

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

/* Append a label name; "key_" goes before a digit. Nothing when no character is usable. */
void prometheus_append_label(struct buf *out, struct sv key);

/* A name that prometheus_append_name() made, without the _total of a counter: OpenMetrics' family. */
struct sv prometheus_bare_name(struct sv name, enum metric_type type);

/*
 * True when two families with such names are one, or one of them has a name that samples of the other have: together they break a whole
 * scrape. The same in both formats, so that both have the same series.
 */
bool prometheus_names_clash(
    struct sv a, enum metric_type a_type, struct sv b, enum metric_type b_type);

/* True when the name is what services are told by in each exposition, target_info. */
bool prometheus_name_is_reserved(struct sv name, enum metric_type type);

#endif
