// SPDX-License-Identifier: Apache-2.0
/* Shares as time; see look_shares.h. */
#include "lookout/look_shares.h"

#include "base/clock.h"

#define SHARE_NS (NS_PER_S / LOOK_SHARES_PER_S)
#define ALL_NS   (LOOK_SHARES_ALL * SHARE_NS)

static void give_back(struct look_shares *shares, size_t i, uint64_t ns)
{
	if (ns < shares->all[i].taken_ns) {
		shares->all[i].taken_ns -= ns;
		shares->taken_ns -= ns;
		return;
	}
	shares->taken_ns -= shares->all[i].taken_ns;
	shares->all[i] = shares->all[--shares->n];
}

void look_shares_tick(struct look_shares *shares, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns > shares->now_ns ? now_ns - shares->now_ns : 0;
	uint64_t each_ns = shares->n ? passed_ns / shares->n : 0;

	shares->now_ns += passed_ns;
	for (size_t i = shares->n; i > 0; i--)
		give_back(shares, i - 1, each_ns);
}

static size_t least(const struct look_shares *shares)
{
	size_t least = 0;

	for (size_t i = 1; i < shares->n; i++)
		if (shares->all[i].taken_ns < shares->all[least].taken_ns)
			least = i;
	return least;
}

/* If it has less than a part of what is left. */
static bool take(struct look_shares *shares, uint32_t pid, unsigned part)
{
	uint64_t left_ns = ALL_NS - shares->taken_ns;
	size_t i = 0;

	while (i < shares->n && shares->all[i].pid != pid)
		i++;
	if (left_ns < SHARE_NS || (i < shares->n && shares->all[i].taken_ns * part >= left_ns))
		return false;
	if (i == LOOK_SHARES_PROCESSES) {
		give_back(shares, least(shares), UINT64_MAX);
		i = shares->n;
	}
	if (i == shares->n) {
		shares->all[i].pid = pid;
		shares->all[i].taken_ns = 0;
		shares->n++;
	}
	shares->all[i].taken_ns += SHARE_NS;
	shares->taken_ns += SHARE_NS;
	return true;
}

bool look_shares_take(struct look_shares *shares, uint32_t pid)
{
	return take(shares, pid, 1);
}

bool look_shares_take_spare(struct look_shares *shares, uint32_t pid)
{
	return take(shares, pid, 2);
}
