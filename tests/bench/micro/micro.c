// SPDX-License-Identifier: Apache-2.0
/*
 * The user side's stages, fed by a recording.
 *
 *	micro RECORDING                  measure time: all stages by turns, samples as JSON on stdout
 *	micro RECORDING STAGE PASSES     run one stage, for a profiler to count
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stages.h"

enum {
	ROUNDS = 41,
	MAX_STAGES = 16,
};

/* A sample lasts about this long: many times the clock's cost, and short beside a scheduler's slice. */
#define SAMPLE_NS (2 * NS_PER_MS)

/* CPU time of this thread: what others make of the machine meanwhile is no cost of a stage. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t time_passes(const struct stage *stage, struct stage_run *run, uint64_t passes)
{
	uint64_t start = cpu_ns();

	for (uint64_t i = 0; i < passes; i++)
		stage->pass(run);
	return cpu_ns() - start;
}

static void print_samples(const struct stage *stage, const double *samples, bool last)
{
	printf("  \"%s\": [", stage->name);
	for (int i = 0; i < ROUNDS; i++)
		printf("%s%.1f", i ? ", " : "", samples[i]);
	printf("]%s\n", last ? "" : ",");
}

static void measure(const char *recording)
{
	static double samples[MAX_STAGES][ROUNDS];
	struct stage_run *runs[MAX_STAGES];
	uint64_t passes[MAX_STAGES];
	struct stage_counts counts;

	for (size_t i = 0; i < n_stages; i++) {
		uint64_t once;

		runs[i] = stages[i].open(recording);
		time_passes(&stages[i], runs[i], 20);
		once = time_passes(&stages[i], runs[i], 20) / 20;
		passes[i] = SAMPLE_NS / (once ? once : 1) + 1;
	}
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < n_stages; i++)
			samples[i][round] =
			    (double)time_passes(&stages[i], runs[i], passes[i]) / (double)passes[i];
	stages_count(recording, &counts);
	printf("{\"events\": %" PRIu64 ", \"requests\": %" PRIu64 ", \"spans\": %" PRIu64
	       ",\n \"ns_per_pass\": {\n",
	    counts.events, counts.requests, counts.spans);
	for (size_t i = 0; i < n_stages; i++) {
		print_samples(&stages[i], samples[i], i + 1 == n_stages);
		stages[i].close(runs[i]);
	}
	printf("}}\n");
}

static int run_one(const char *recording, const char *name, uint64_t passes)
{
	for (size_t i = 0; i < n_stages; i++) {
		if (strcmp(stages[i].name, name) == 0) {
			struct stage_run *run = stages[i].open(recording);

			time_passes(&stages[i], run, passes);
			stages[i].close(run);
			return 0;
		}
	}
	fprintf(stderr, "micro: no such stage: '%s'\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc == 4)
		return run_one(argv[1], argv[2], strtoull(argv[3], NULL, 10));
	if (argc != 2) {
		fprintf(stderr, "usage: micro RECORDING [STAGE PASSES]\n");
		return 2;
	}
	measure(argv[1]);
	return 0;
}
