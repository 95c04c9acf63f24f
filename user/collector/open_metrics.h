/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that have not ended and are slow already, as gauges: how many, how old the oldest is, and where their time went so far,
 * by route and by what they wait in. What is under way no more is 0.
 */
#ifndef ZS_COLLECTOR_OPEN_METRICS_H
#define ZS_COLLECTOR_OPEN_METRICS_H

#include <stdint.h>

#include "metric/metric.h"
#include "pipeline.h"

/* So many routes and places at once, those of the oldest requests. */
#define OPEN_METRICS_ROWS 64

struct open_metrics;

struct open_metrics *open_metrics_new(struct metrics *metrics); /* NULL: no memory */
void open_metrics_free(struct open_metrics *open);              /* NULL is fine */

/* Set them to what is open for over_ns or longer as of now_ns. */
void open_metrics_update(
    struct open_metrics *open, struct pipeline *pipeline, uint64_t now_ns, uint64_t over_ns);

#endif
