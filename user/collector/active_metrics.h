/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.server.active_requests (semantic conventions v1.44.0, HTTP metrics): the requests that servers have not answered in full, by
 * method and scheme. They are counted where they are when it is asked, so that a request costs nothing; a group in which there is
 * none any longer is 0.
 */
#ifndef ZS_COLLECTOR_ACTIVE_METRICS_H
#define ZS_COLLECTOR_ACTIVE_METRICS_H

#include "metric/metric.h"
#include "pipeline.h"

/* So many services, methods and schemes are told apart; the requests of all others are one set {otel.metric.overflow=true}. */
#define ACTIVE_METRICS_ROWS (METRIC_MAX_SETS - 1)

struct active_metrics;

struct active_metrics *active_metrics_new(struct metrics *metrics); /* NULL: no memory */
void active_metrics_free(struct active_metrics *active);            /* NULL is fine */

/* Set it to what is open now. Looks at each open request once: EXCHANGE_MAX at most. */
void active_metrics_update(struct active_metrics *active, const struct pipeline *pipeline);

#endif
