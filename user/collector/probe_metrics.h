/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often each BPF program ran, for how long, and how often the kernel skipped it, as metrics: zerospan.probe.runs, .time and
 * .skipped, by zerospan.probe, the program's name. Runs and time are estimates (probe/program_stats.h), and absent where the
 * kernel gives none.
 */
#ifndef ZS_COLLECTOR_PROBE_METRICS_H
#define ZS_COLLECTOR_PROBE_METRICS_H

#include "metric/metric.h"
#include "probe/probes.h"

struct probe_metrics;

/* Create the instruments, and begin with the programs that are loaded; probes outlive it. NULL: no memory. */
struct probe_metrics *probe_metrics_new(struct metrics *metrics, const struct probes *probes);
void probe_metrics_free(struct probe_metrics *probe); /* NULL is fine */

/* Time passes: bring the metrics up to date when there are new figures, every ten seconds. NULL is fine, here and below. */
void probe_metrics_tick(struct probe_metrics *probe);

/* How long to wait for the next tick, given that something else is due in ms. */
int probe_metrics_wait_ms(const struct probe_metrics *probe, int ms);

#endif
