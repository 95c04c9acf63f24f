/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics that rules have, or had since the start: a name, once given, is that metric's for good, whatever becomes of its rule. Knows
 * what they are called, not what they count.
 */
#ifndef ZS_METRIC_RULE_INSTRUMENTS_H
#define ZS_METRIC_RULE_INSTRUMENTS_H

#include "base/hmap.h"
#include "metric/metric.h"
#include "rule/rules.h"

struct rule_instruments {
	struct metrics *metrics; /* borrowed */
	struct hmap all;
};

void rule_instruments_init(struct rule_instruments *instruments, struct metrics *metrics);
void rule_instruments_release(struct rule_instruments *instruments);

/*
 * Make an instrument of each metric of the rules that has none yet. 0; -EEXIST, with a sentence in message, when a name would clash with
 * another metric's, or was a metric of another kind, unit, description or bounds until now, or when there are too many: then there are no
 * new ones. -ENOMEM.
 */
int rule_instruments_add(
    struct rule_instruments *instruments, const struct rules *rules, struct buf *message);

/* The one of a metric of rules that were added. */
struct instrument *rule_instruments_get(
    const struct rule_instruments *instruments, const struct rule_metric *metric);

#endif
