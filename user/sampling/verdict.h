/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this trace kept, by which rule, and with which probability? Pure: what is known of a trace, and what the policy says.
 *
 * Of the rules that fit a trace the one with the highest probability decides. `errors`, `client_errors` and `slower_than` know
 * something of the trace, `default` does not. Who began the trace elsewhere has decided already, and its traceparent
 * says how:
 *
 *	sampled flag   what happens                                          the threshold that is written down
 *	none, ignored  the rules decide                                      that of the rule
 *	1              it is kept: the rest of it is, too                    tracestate's, unless a rule that knows more keeps
 *	                                                                     such traces in any case, at a lower one
 *	0              `default` does not count, the rest of it is not kept  0 where the rule keeps all such traces, else none
 *
 * A threshold is a claim: of all traces like this one such a part is kept. What is observed here is all of them, sampled
 * elsewhere or not, so the claim is about what happens here. Where it is not known, none is written.
 */
#ifndef ZS_SAMPLING_VERDICT_H
#define ZS_SAMPLING_VERDICT_H

#include "proto/ot_state.h"
#include "proto/sampling_policy.h"
#include "span/span.h"

/* Why a trace is kept or not. */
enum sampling_reason {
	SAMPLING_INVALID = 0,
	SAMPLING_ERROR = 1,
	SAMPLING_CLIENT_ERROR = 2,
	SAMPLING_SLOW = 3,
	SAMPLING_RATIO = 4,  /* `default` */
	SAMPLING_PARENT = 5, /* who began it has decided */
	SAMPLING_RATE = 6,   /* dropped: more than `rate` in that second */
	SAMPLING_LATE = 7, /* kept: parts of it were published, and dropped, before a rule fitted */
};

#define SAMPLING_REASONS 8

/* "error", "client_error", "slow", "ratio", "parent", "rate", "late". */
const char *sampling_reason_name(enum sampling_reason reason);

/* What is known of a trace, or of a part of it. */
struct trace_facts {
	const struct span *entry; /* the span that began first; borrowed */
	uint64_t
	    duration_ns; /* the entry's; of a part without it: from the first begin to the last end */
	bool failed;     /* a span has status ERROR */
	bool refused;    /* the entry was answered with 4xx */
	bool given;      /* the trace was begun by somebody who says what he decided, */
	bool sampled;    /* this */
	struct ot_state state; /* of the request's tracestate, or the first there is */
	uint64_t randomness;
	/* Of its route: set by whoever remembers that. */
	uint32_t compared; /* requests before this one, that it is compared with */
	double share;      /* of them took as long or longer */
};

/* trace has a span at least. */
void trace_facts_take(const struct trace *trace, struct trace_facts *ret_facts);

struct verdict {
	bool keep;
	enum sampling_reason reason;
	uint64_t threshold; /* that it was kept by; OT_UNKNOWN: no part can be told */
};

struct verdict sampling_decide(
    const struct sampling_policy *policy, const struct trace_facts *facts);

/* Was it kept or dropped for what is known of the trace, not by default? */
bool verdict_is_special(const struct verdict *verdict);

#endif
