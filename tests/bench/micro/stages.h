/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages that are measured. Each contains the ones before it on the way of an event, so that the cost of a
 * stage alone is a difference, which tests/bench/micro/run makes.
 */
#ifndef ZS_BENCH_STAGES_H
#define ZS_BENCH_STAGES_H

#include "tape.h"

struct stage_run;

struct stage {
	const char *name;
	struct stage_run *(*open)(const char *recording);
	void (*pass)(struct stage_run *run); /* the recording, or what came of it, once */
	void (*close)(struct stage_run *run);
};

extern const struct stage stages[];
extern const size_t n_stages;

/* Of one pass: events, requests (on either side of a connection), spans. */
struct stage_counts {
	uint64_t events, requests, spans;
};

void stages_count(const char *recording, struct stage_counts *ret_counts);

#endif
