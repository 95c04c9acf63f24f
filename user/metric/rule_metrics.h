/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules at work: attributes of ended requests and statements, and the metrics of a business. Before any sampling. What does not fit
 * its rule gives nothing and is counted (zerospan.rule.unfit).
 */
#ifndef ZS_METRIC_RULE_METRICS_H
#define ZS_METRIC_RULE_METRICS_H

#include "metric/metric.h"
#include "rule/payload.h"

/* Longer texts of a payload are cut, at a character: as an attribute, as a label. */
#define RULE_ATTRIBUTE_MAX_BYTES 4096
#define RULE_LABEL_MAX_BYTES     128

struct rule_metrics;

struct rule_metrics *rule_metrics_new(struct metrics *metrics); /* borrowed; NULL: no memory */
void rule_metrics_free(struct rule_metrics *rules);             /* NULL is fine */

/*
 * From now on these rules count; takes its own reference, NULL: none. Those of requests that began before still do. Returns 0; -EEXIST, with
 * a sentence in message, when a metric cannot be added (metric/rule_instruments.h): then nothing has changed. -ENOMEM.
 */
int rule_metrics_set(struct rule_metrics *rules, struct rules *set, struct buf *message);

/* A request has ended, with ids. Adds attributes to the span unless brief: then nobody reads them. */
void rule_metrics_request(struct rule_metrics *rules, struct payload *payload, struct span *span,
    struct sv query, bool brief);

/* A statement has ended. */
void rule_metrics_statement(struct rule_metrics *rules, struct span *span, bool brief);

#endif
