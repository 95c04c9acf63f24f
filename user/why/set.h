/* SPDX-License-Identifier: Apache-2.0 */
/* The kept requests of one route, in order, and sums over them. Internal to the report. */
#ifndef ZS_WHY_SET_H
#define ZS_WHY_SET_H

#include "why/report.h"

struct why_set {
	uint32_t route;
	/* Ended ones by duration, shortest first, then open ones. */
	const struct why_kept *all;
	size_t n_ended, n;
	double weight; /* of those that have ended */
};

struct why_sets {
	struct why_kept *kept; /* of all sets */
	struct why_set *sets;  /* n of them */
	size_t n;
};

/* All requests of a sample that began at start_ns or later; how many others there were. 0 or -ENOMEM. */
int why_sets_make(const struct why_sample *sample, uint64_t start_ns, struct why_sets *ret_sets,
    double *ret_early);
void why_sets_release(struct why_sets *sets);

/* The set of this route, or NULL. */
const struct why_set *why_sets_find(const struct why_sets *sets, uint32_t route);

/* Whether the time of the i-th request counts: of open ones only if it is known. */
bool why_set_counts(const struct why_set *set, size_t i);

/* The smallest duration that at least the share q (0 to 1) of the ended requests do not exceed; 0 without any. */
uint64_t why_set_percentile(const struct why_set *set, double q);

/* The same had nobody spent time in this state; 0 without memory. */
uint64_t why_set_percentile_without(const struct why_set *set, double q, enum ledger_state state);

/*
 * Amounts by name, the largest first; the smallest gives way when there is no room. Good for few names or unequal amounts: an
 * amount may be too small by what gave way.
 */
enum {
	WHY_TALLY_MAX = 32,
};

struct why_tally {
	struct why_share shares[WHY_TALLY_MAX];
	size_t n;
};

void why_tally_add(struct why_tally *tally, uint32_t name, double amount);

/* The largest, to at most max places; their number. */
size_t why_tally_top(struct why_tally *tally, struct why_share *ret_shares, size_t max);

#endif
