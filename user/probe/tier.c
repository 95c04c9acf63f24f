// SPDX-License-Identifier: Apache-2.0
/* Choosing the detail of observation by its cost; see tier.h. */
#include "probe/tier.h"

static void window_begin(struct tier_window *window, uint64_t now_ns)
{
	*window = (struct tier_window){.begin_ns = now_ns};
}

static void window_add(struct tier_window *window, const struct tier_sample *sample)
{
	window->cpu_ns += sample->cpu_ns;
	for (int i = 0; i < ZSP_SQLITE_OFF; i++)
		window->cost_ns[i] += sample->cost_ns[i];
}

static void enter(struct tier *tier, enum zsp_sqlite_detail detail, bool raised, uint64_t now_ns)
{
	tier->detail = detail;
	tier->entered_ns = now_ns;
	tier->raised = tier->trial = raised;
	tier->calm_ns = 0;
	tier->calm = ZSP_SQLITE_FULL;
	window_begin(&tier->down, now_ns);
	window_begin(&tier->up, now_ns);
}

void tier_init(struct tier *tier, enum zsp_sqlite_detail detail, uint64_t now_ns)
{
	*tier = (struct tier){.share_pct = 0};
	for (int i = 0; i < ZSP_SQLITE_OFF; i++)
		tier->patience_ns[i] = TIER_PATIENCE_MIN_NS;
	enter(tier, detail, false, now_ns);
}

/* Percent of whole; figures that were measured apart may not quite fit together. */
static double percent(uint64_t part, uint64_t whole)
{
	return part < whole ? 100 * (double)part / (double)whole : 100;
}

/* The share that another tier would have: the process' own work stays, other probes come on top of it. */
static double share_in(
    const struct tier *tier, const struct tier_window *window, enum zsp_sqlite_detail detail)
{
	uint64_t cost_ns = window->cost_ns[detail], own_ns = window->cpu_ns;

	if (tier->detail != ZSP_SQLITE_OFF)
		own_ns -=
		    window->cost_ns[tier->detail] < own_ns ? window->cost_ns[tier->detail] : own_ns;
	return cost_ns ? percent(cost_ns, own_ns + cost_ns) : 0;
}

static bool is_idle(const struct tier_window *window, uint64_t now_ns)
{
	return window->cpu_ns < (now_ns - window->begin_ns) / TIER_IDLE;
}

/* The next tier that may be within the budget. */
static enum zsp_sqlite_detail poorer(const struct tier *tier, double budget_pct)
{
	if (tier->detail == ZSP_SQLITE_FULL &&
	    share_in(tier, &tier->down, ZSP_SQLITE_EXECUTIONS) <= budget_pct)
		return ZSP_SQLITE_EXECUTIONS;
	if (tier->detail <= ZSP_SQLITE_EXECUTIONS && !tier->no_statements)
		return ZSP_SQLITE_STATEMENTS;
	return ZSP_SQLITE_OFF;
}

static void step_down(struct tier *tier, uint64_t now_ns, double budget_pct)
{
	uint64_t *patience = &tier->patience_ns[tier->detail];

	if (tier->raised && now_ns - tier->entered_ns >= TIER_LASTED * *patience)
		*patience = TIER_PATIENCE_MIN_NS;
	else if (tier->raised && *patience < TIER_PATIENCE_MAX_NS / 2)
		*patience *= 2;
	else if (tier->raised)
		*patience = TIER_PATIENCE_MAX_NS;
	enter(tier, poorer(tier, budget_pct), false, now_ns);
}

/* The richest tier that would take less than half of the budget; the present one when there is none. */
static enum zsp_sqlite_detail richer(const struct tier *tier, double budget_pct, bool idle)
{
	if (tier->detail == ZSP_SQLITE_OFF)
		return tier->no_statements ? ZSP_SQLITE_FULL : ZSP_SQLITE_STATEMENTS;
	for (enum zsp_sqlite_detail to = ZSP_SQLITE_FULL; to < tier->detail; to++)
		if (idle || share_in(tier, &tier->up, to) < budget_pct / 2)
			return to;
	return tier->detail;
}

/* The window is over: is the tier too dear? */
static bool judge_down(struct tier *tier, uint64_t now_ns, double budget_pct)
{
	uint64_t length_ns = tier->trial ? TIER_TRIAL_NS : TIER_WINDOW_NS;
	bool over;

	if (tier->down.cpu_ns < length_ns || now_ns - tier->down.begin_ns < length_ns)
		return false;
	tier->share_pct = percent(tier->down.cost_ns[tier->detail], tier->down.cpu_ns);
	over = tier->share_pct > budget_pct && budget_pct < TIER_BUDGET_NONE &&
	    !is_idle(&tier->down, now_ns);
	tier->trial = false;
	if (over)
		step_down(tier, now_ns, budget_pct);
	window_begin(&tier->down, now_ns);
	return over;
}

/* The window is over: would a richer tier have been right, and for long enough by now? */
static bool judge_up(struct tier *tier, uint64_t now_ns, double budget_pct)
{
	uint64_t length_ns = now_ns - tier->up.begin_ns;
	enum zsp_sqlite_detail to;

	if (length_ns < TIER_WINDOW_NS)
		return false;
	to = richer(tier, budget_pct, is_idle(&tier->up, now_ns));
	if (to > tier->calm)
		tier->calm = to;
	tier->calm_ns += length_ns;
	if (to == tier->detail) {
		tier->calm_ns = 0;
		tier->calm = ZSP_SQLITE_FULL;
	} else if (tier->calm_ns >= tier->patience_ns[tier->calm]) {
		to = tier->calm;
		tier->share_pct = share_in(tier, &tier->up, to);
		enter(tier, to, true, now_ns);
		return true;
	}
	window_begin(&tier->up, now_ns);
	return false;
}

bool tier_sample(struct tier *tier, const struct tier_sample *sample, double budget_pct)
{
	window_add(&tier->down, sample);
	window_add(&tier->up, sample);
	if (tier->detail != ZSP_SQLITE_OFF && judge_down(tier, sample->now_ns, budget_pct))
		return true;
	return tier->detail != ZSP_SQLITE_FULL && judge_up(tier, sample->now_ns, budget_pct);
}

const char *tier_name(enum zsp_sqlite_detail detail)
{
	switch (detail) {
	case ZSP_SQLITE_FULL:
		return "full";
	case ZSP_SQLITE_EXECUTIONS:
		return "executions";
	case ZSP_SQLITE_STATEMENTS:
		return "statements";
	case ZSP_SQLITE_OFF:
		break;
	}
	return "off";
}
