/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of the observed processes themselves (semantic conventions v1.44.0, process metrics), read from /proc: CPU time, memory,
 * threads, descriptors. They belong to the process' service and go with it.
 */
#ifndef ZS_COLLECTOR_PROCESS_METRICS_H
#define ZS_COLLECTOR_PROCESS_METRICS_H

#include "metric/metric.h"

/* Processes to read at one update: a fraction of a millisecond, or a few if they hold ten thousands of descriptors. */
#define PROCESS_METRICS_AT_ONCE 32

struct process_metrics;

struct process_metrics *process_metrics_new(struct metrics *metrics); /* NULL: no memory */
void process_metrics_free(struct process_metrics *process);           /* NULL is fine */

/* Bring those of the service's process up to date; of a process that is gone they stay as they were. */
void process_metrics_update(struct process_metrics *process, struct service *service);

#endif
