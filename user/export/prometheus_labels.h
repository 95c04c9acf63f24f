/* SPDX-License-Identifier: Apache-2.0 */
/* Label sets of the Prometheus text exposition, names as metric/prometheus_names.h spells them. Pure. */
#ifndef ZS_EXPORT_PROMETHEUS_LABELS_H
#define ZS_EXPORT_PROMETHEUS_LABELS_H

#include "base/buf.h"
#include "span/span.h"

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
