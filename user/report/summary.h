/* SPDX-License-Identifier: Apache-2.0 */
/* The last words of an observation: what was seen, what was lost, what it cost. */
#ifndef ZS_REPORT_SUMMARY_H
#define ZS_REPORT_SUMMARY_H

#include "collector/self_metrics.h"

/* Print on stderr. processes: observed ever; elapsed_ns: how long. */
void summary_print(const struct self_counts *counts, size_t processes, uint64_t elapsed_ns);

/* Print what it took of this machine in that time. */
void summary_print_cost(const struct self_counts *counts, uint64_t elapsed_ns);

#endif
