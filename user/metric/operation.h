/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The histograms that every ended span feeds, before any sampling: durations of HTTP servers, HTTP clients
 * and database calls, with the attributes that the conventions (v1.44.0) name for each: the span says which
 * of its own they are. Under the same attributes, the sizes of bodies, the rows that statements returned, and
 * the time of HTTP servers' requests, divided by the states of their ledgers.
 */
#ifndef ZS_METRIC_OPERATION_H
#define ZS_METRIC_OPERATION_H

#include "metric/metric.h"

struct operation_metrics {
	struct instrument *http_server, *http_client, *database, *request_time;
	struct instrument *server_request_size, *server_response_size;
	struct instrument *client_request_size, *client_response_size;
	struct instrument *rows;
};

/* Create the instruments. Returns 0 or -ENOMEM. */
int operation_metrics_init(struct operation_metrics *operations, struct metrics *metrics);

/* Count an ended span, unless its duration is not known; its ids are set, so that it can be an exemplar. */
void operation_metrics_span(struct operation_metrics *operations, const struct span *span);

/* Its trace is kept: it may be an exemplar of what it was counted in, see metric_offer_together(). */
void operation_metrics_offer(const struct operation_metrics *operations, const struct span *span);

#endif
