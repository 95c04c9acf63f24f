// SPDX-License-Identifier: Apache-2.0
/* Facts of a trace, and the rules; see verdict.h. */
#include "sampling/verdict.h"

#include "span/semconv.h"

/* Requests of a route before its percentiles mean anything. */
#define COMPARED_MIN 20

const char *sampling_reason_name(enum sampling_reason reason)
{
	static const char *const names[SAMPLING_REASONS] = {
	    [SAMPLING_INVALID] = "",
	    [SAMPLING_ERROR] = "error",
	    [SAMPLING_CLIENT_ERROR] = "client_error",
	    [SAMPLING_SLOW] = "slow",
	    [SAMPLING_RATIO] = "ratio",
	    [SAMPLING_PARENT] = "parent",
	    [SAMPLING_RATE] = "rate",
	    [SAMPLING_LATE] = "late",
	};

	return names[reason];
}

/* --- facts --- */

static bool is_refused(const struct span *span)
{
	if (span->kind != SPAN_KIND_SERVER)
		return false;
	for (size_t i = 0; i < span->n_attrs; i++)
		if (span->attrs[i].key == semconv_http_response_status_code)
			return span->attrs[i].integer >= 400 && span->attrs[i].integer < 500;
	return false;
}

/* Of the request while it is open, else of its span, or the first that there is. */
static struct ot_state state_of(const struct trace *trace, const struct span *entry)
{
	struct ot_state state = trace->opened_with;
	struct sv text = entry->trace_state;

	if (state.threshold != OT_UNKNOWN || state.randomness != OT_UNKNOWN)
		return state;
	for (size_t i = 0; i < trace->n_spans && !text.len; i++)
		text = trace->spans[i]->trace_state;
	ot_state_parse(text, &state);
	return state;
}

void trace_facts_take(const struct trace *trace, struct trace_facts *ret_facts)
{
	const struct span *entry = trace->spans[0];
	uint64_t end_ns = 0;

	*ret_facts = (struct trace_facts){.given = trace->given};
	for (size_t i = 0; i < trace->n_spans; i++) {
		const struct span *span = trace->spans[i];

		if (span->start_ns < entry->start_ns)
			entry = span;
		if (span->end_ns > end_ns)
			end_ns = span->end_ns;
		ret_facts->failed |= span->status == SPAN_STATUS_ERROR;
	}
	ret_facts->entry = entry;
	ret_facts->duration_ns = (trace->more ? end_ns : entry->end_ns) - entry->start_ns;
	ret_facts->refused = is_refused(entry);
	ret_facts->sampled = entry->flags & SPAN_FLAG_SAMPLED;
	ret_facts->state = state_of(trace, entry);
	ret_facts->randomness = ret_facts->state.randomness != OT_UNKNOWN
	    ? ret_facts->state.randomness
	    : ot_randomness(&entry->trace_id);
}

/* --- rules --- */

static bool is_slower(const struct sampling_slower *slower, const struct trace_facts *facts)
{
	if (slower->ns)
		return facts->duration_ns > slower->ns;
	return facts->compared >= COMPARED_MIN && facts->compared * slower->share >= 1 &&
	    facts->share <= slower->share;
}

/* A rule fits: it decides if it keeps more than those before it. */
static void apply(struct verdict *verdict, enum sampling_reason reason, uint64_t threshold)
{
	if (threshold < verdict->threshold) {
		verdict->threshold = threshold;
		verdict->reason = reason;
	}
}

/* The best of the rules that know something of the trace; OT_NEVER: none fits. */
static struct verdict best_rule(
    const struct sampling_policy *policy, const struct trace_facts *facts)
{
	struct verdict best = {.threshold = OT_NEVER};

	if (facts->failed)
		apply(&best, SAMPLING_ERROR, policy->errors);
	if (facts->refused)
		apply(&best, SAMPLING_CLIENT_ERROR, policy->client_errors);
	for (size_t i = 0; i < policy->n_slower; i++)
		if (is_slower(&policy->slower[i], facts))
			apply(&best, SAMPLING_SLOW, policy->slower[i].threshold);
	return best;
}

/* Whoever began the trace keeps it. */
static struct verdict follow_sampled(struct verdict best, const struct trace_facts *facts)
{
	uint64_t upstream = facts->state.threshold;

	if (facts->randomness < best.threshold)
		best.reason = SAMPLING_PARENT;
	if (upstream != OT_UNKNOWN && facts->randomness < upstream)
		upstream = OT_UNKNOWN; /* it was not sampled by that */
	if (best.threshold != 0 && (upstream == OT_UNKNOWN || upstream < best.threshold))
		best.threshold = upstream;
	best.keep = true;
	return best;
}

/* Whoever began the trace does not keep it. */
static struct verdict follow_unsampled(struct verdict best, const struct trace_facts *facts)
{
	best.keep = facts->randomness >= best.threshold;
	if (best.threshold == OT_NEVER)
		best.reason = SAMPLING_PARENT;
	if (best.threshold != 0)
		best.threshold = OT_UNKNOWN;
	return best;
}

struct verdict sampling_decide(
    const struct sampling_policy *policy, const struct trace_facts *facts)
{
	struct verdict verdict = best_rule(policy, facts);

	if (facts->given && !policy->ignore_parent)
		return facts->sampled ? follow_sampled(verdict, facts)
				      : follow_unsampled(verdict, facts);
	apply(&verdict, SAMPLING_RATIO, policy->otherwise);
	if (verdict.reason == SAMPLING_INVALID)
		verdict.reason = SAMPLING_RATIO;
	verdict.keep = facts->randomness >= verdict.threshold;
	return verdict;
}

bool verdict_is_special(const struct verdict *verdict)
{
	return verdict->reason == SAMPLING_ERROR || verdict->reason == SAMPLING_CLIENT_ERROR ||
	    verdict->reason == SAMPLING_SLOW;
}
