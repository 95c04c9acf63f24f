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
	window->cost_ns += sample->cost_ns;
	window->richer_ns += sample->richer_ns;
}

static void enter(struct tier *tier, enum zsp_sqlite_detail detail, bool raised, uint64_t now_ns)
{
	tier->detail = detail;
	tier->entered_ns = now_ns;
	tier->raised = tier->trial = raised;
	tier->calm_ns = 0;
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

/* The share that the richer tier would have: the process' own work stays, other probes come on top of it. */
static double richer_share(const struct tier_window *window)
{
	uint64_t own = window->cpu_ns > window->cost_ns ? window->cpu_ns - window->cost_ns : 0;

	return window->richer_ns ? percent(window->richer_ns, own + window->richer_ns) : 0;
}

static bool is_idle(const struct tier_window *window, uint64_t now_ns)
{
	return window->cpu_ns < (now_ns - window->begin_ns) / TIER_IDLE;
}

static void step_down(struct tier *tier, uint64_t now_ns)
{
	uint64_t *patience = &tier->patience_ns[tier->detail];
	bool skip = tier->detail == ZSP_SQLITE_FULL && tier->no_statements;

	if (tier->raised && now_ns - tier->entered_ns >= TIER_LASTED * *patience)
		*patience = TIER_PATIENCE_MIN_NS;
	else if (tier->raised && *patience < TIER_PATIENCE_MAX_NS / 2)
		*patience *= 2;
	else if (tier->raised)
		*patience = TIER_PATIENCE_MAX_NS;
	enter(tier, skip ? ZSP_SQLITE_OFF : tier->detail + 1, false, now_ns);
}

static enum zsp_sqlite_detail richer(const struct tier *tier)
{
	return tier->no_statements ? ZSP_SQLITE_FULL : tier->detail - 1;
}

/* The window is over: is the tier too dear? */
static bool judge_down(struct tier *tier, uint64_t now_ns, double budget_pct)
{
	uint64_t length_ns = tier->trial ? TIER_TRIAL_NS : TIER_WINDOW_NS;
	bool over;

	if (tier->down.cpu_ns < length_ns || now_ns - tier->down.begin_ns < length_ns)
		return false;
	tier->share_pct = percent(tier->down.cost_ns, tier->down.cpu_ns);
	over = tier->share_pct > budget_pct && budget_pct < TIER_BUDGET_NONE &&
	    !is_idle(&tier->down, now_ns);
	tier->trial = false;
	window_begin(&tier->down, now_ns);
	if (over)
		step_down(tier, now_ns);
	return over;
}

/* The window is over: would the richer tier have been right, and for long enough by now? */
static bool judge_up(struct tier *tier, uint64_t now_ns, double budget_pct)
{
	uint64_t length_ns = now_ns - tier->up.begin_ns;
	double share_pct = richer_share(&tier->up);
	bool idle = is_idle(&tier->up, now_ns);

	if (length_ns < TIER_WINDOW_NS)
		return false;
	window_begin(&tier->up, now_ns);
	if (tier->detail == ZSP_SQLITE_OFF || share_pct < budget_pct / 2 || idle)
		tier->calm_ns += length_ns;
	else
		tier->calm_ns = 0;
	if (tier->calm_ns < tier->patience_ns[richer(tier)])
		return false;
	tier->share_pct = tier->detail == ZSP_SQLITE_OFF ? 0 : share_pct;
	enter(tier, richer(tier), true, now_ns);
	return true;
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
	case ZSP_SQLITE_STATEMENTS:
		return "statements";
	case ZSP_SQLITE_OFF:
		break;
	}
	return "off";
}
