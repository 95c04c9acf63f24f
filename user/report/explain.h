/* SPDX-License-Identifier: Apache-2.0 */
/* The report of `zerospan why`: what is collected meanwhile, and its printing at the end. */
#ifndef ZS_REPORT_EXPLAIN_H
#define ZS_REPORT_EXPLAIN_H

#include "collector/self_metrics.h"
#include "config/options.h"
#include "why/collect.h"

/* Whether the command line asks for the report. */
bool explain_is_wanted(const struct options *options);

/* The observation that has ended; times are monotonic. */
struct explain_end {
	const char *who; /* what was observed, for people */
	uint64_t start_ns, end_ns;
	const struct self_counts *counts;
	uint64_t undelivered; /* spans that did not reach the collector */
};

/* Write the report to stdout. Returns 0, or negative errno after saying what is wrong. */
int explain_print(const struct why_collector *collector, const struct options *options,
    const struct explain_end *end);

#endif
