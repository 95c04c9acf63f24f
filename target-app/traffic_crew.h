// SPDX-License-Identifier: Apache-2.0
/*
 * The threads of the load generator. Each has one kept connection and sends the orders it is
 * handed; the crew grows when all are busy, so that slow answers do not hold up the schedule.
 */
#ifndef TRAFFIC_CREW_H
#define TRAFFIC_CREW_H

#include "traffic_mix.h"

#include <jansson.h>

#define TRAFFIC_CREW_MAX 256 /* threads, thus connections */

struct traffic_crew;

/* Starts with `connections` threads (1 to TRAFFIC_CREW_MAX). NULL on failure. */
struct traffic_crew *traffic_crew_new(const char *url, int connections);

/* Hands over one request; never blocks. Counts it as skipped if too many are waiting already. */
void traffic_crew_send(struct traffic_crew *crew, int kind, int quantity);

/* Waits until everything handed over has been answered, ends the threads, frees the crew. */
void traffic_crew_finish(struct traffic_crew *crew, json_t **ret_summary, uint64_t *ret_answered);

#endif
