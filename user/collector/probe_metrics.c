// SPDX-License-Identifier: Apache-2.0
/* Figures of programs as metrics; see probe_metrics.h. */
#include "collector/probe_metrics.h"

#include <stdlib.h>

#include "base/log.h"
#include "probe/program_stats.h"

enum {
	PROBE_RUNS = 0,
	PROBE_TIME = 1,
	PROBE_SKIPPED = 2,
	PROBE_METRICS = 3,
};

#define COUNTER(id, of_unit, text)                                                             \
	{                                                                                      \
		.name = (id), .unit = (of_unit), .description = (text), .type = METRIC_COUNTER \
	}

static const struct metric_desc descs[PROBE_METRICS] = {
    [PROBE_RUNS] = COUNTER("zerospan.probe.runs", "{run}",
	"Runs of zerospan's BPF programs, wherever they ran; estimated from windows in which the kernel counted them."),
    [PROBE_TIME] = COUNTER("zerospan.probe.time", "s",
	"Time that runs of zerospan's BPF programs took, without the hooks that they hang on; estimated likewise."),
    [PROBE_SKIPPED] = COUNTER("zerospan.probe.skipped", "{run}",
	"Runs that the kernel skipped, because the program was running already on that CPU."),
};

struct probe_metrics {
	struct instrument *of[PROBE_METRICS];
	struct program_stats *stats;
};

static void add(void *ctx, const char *name, int program_fd)
{
	const struct probe_metrics *probe = ctx;

	if (program_stats_add(probe->stats, name, program_fd))
		log_debug("the runs of probe '%s' are not counted", name);
}

struct probe_metrics *probe_metrics_new(struct metrics *metrics, const struct probes *probes)
{
	struct probe_metrics *probe = calloc(1, sizeof(*probe));
	bool all;

	if (!probe)
		return NULL;
	probe->stats = program_stats_new(&program_stats_kernel);
	all = probe->stats != NULL;
	for (int i = 0; i < PROBE_METRICS && all; i++) {
		probe->of[i] = metrics_add(metrics, &descs[i]);
		all = probe->of[i] != NULL;
	}
	if (!all) {
		probe_metrics_free(probe);
		return NULL;
	}
	probes_each_program(probes, add, probe);
	return probe;
}

void probe_metrics_free(struct probe_metrics *probe)
{
	if (!probe)
		return;
	program_stats_free(probe->stats);
	free(probe);
}

int probe_metrics_wait_ms(const struct probe_metrics *probe, int ms)
{
	uint64_t left_ms = probe ? program_stats_left_ns(probe->stats) / NS_PER_MS + 1 : UINT64_MAX;

	return left_ms < (uint64_t)ms ? (int)left_ms : ms;
}

static void update(void *ctx, const struct program_figures *figures)
{
	const struct probe_metrics *probe = ctx;
	const struct attr name = {
	    .key = "zerospan.probe", .type = ATTR_STRING, .string = sv_cstr(figures->name)};

	if (figures->measured) {
		metric_set(probe->of[PROBE_RUNS], &name, 1, (double)(uint64_t)figures->runs);
		metric_set(probe->of[PROBE_TIME], &name, 1, figures->time_ns / (double)NS_PER_S);
	}
	if (figures->counts_skipped)
		metric_set(probe->of[PROBE_SKIPPED], &name, 1, (double)figures->skipped);
}

void probe_metrics_tick(struct probe_metrics *probe)
{
	if (probe && program_stats_tick(probe->stats))
		program_stats_each(probe->stats, update, probe);
}
