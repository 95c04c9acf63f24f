/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The series that service graphs and span metrics of Grafana Tempo are made of, from finished spans, under Tempo's names
 * (traces_spanmetrics_*, traces_service_graph_*, traces_target_info; Tempo's metrics-generator): for who has dashboards for those and no
 * such generator. Before any sampling.
 */
#ifndef ZS_METRIC_SPAN_METRICS_H
#define ZS_METRIC_SPAN_METRICS_H

#include "metric/metric.h"

struct span_metrics {
	struct instrument *calls, *latency, *size, *target_info;
	struct instrument *requests, *failed, *server_seconds, *client_seconds;
};

/* Create the instruments. Returns 0 or -ENOMEM. */
int span_metrics_init(struct span_metrics *metrics, struct metrics *registry);

/* Count an ended span as a call of its name. */
void span_metrics_span(const struct span_metrics *metrics, const struct span *span);

/*
 * Count in spans that are published together their lengths in OTLP (before limits of attributes), the services that they are of, and the
 * edges of the graph: a call and the request that it is at an observed peer, a request that nobody observed made (client "user"), a
 * statement (connection_type "database"), a call to somebody who is not observed ("virtual_node").
 */
void span_metrics_trace(const struct span_metrics *metrics, const struct trace *trace);

/* The trace is kept: its spans may be exemplars of what they were counted in, see metric_offer_together(). */
void span_metrics_offer(const struct span_metrics *metrics, const struct trace *trace);

#endif
