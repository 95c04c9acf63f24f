// SPDX-License-Identifier: Apache-2.0
/* Flags and tracestate of kept spans; see mark.h. */
#include "sampling/mark.h"

#include <stdio.h>
#include <stdlib.h>

static void set_flags(struct span *span)
{
	span->flags |= SPAN_FLAG_SAMPLED;
	if (trace_id_eq(&span->culprit.trace_id, &span->trace_id))
		span->culprit.flags |= SPAN_FLAG_SAMPLED;
}

/* Bytes that the tracestates have at most: one for all spans without, and those that spans have. */
static size_t room_for(const struct trace *trace, size_t common)
{
	size_t room = common + OT_STATE_GROWTH;

	for (size_t i = 0; i < trace->n_spans; i++)
		if (trace->spans[i]->trace_state.len)
			room += trace->spans[i]->trace_state.len + OT_STATE_GROWTH;
	return room;
}

void trace_mark_kept(struct trace *trace, uint64_t threshold, const struct ot_state *state)
{
	char given[sizeof("ot=rv:") + 14] = "";
	struct sv common;
	char *at;

	if (state->randomness != OT_UNKNOWN)
		snprintf(given, sizeof(given), "ot=rv:%014llx",
		    (unsigned long long)state->randomness & (OT_NEVER - 1));
	trace->text = at = malloc(room_for(trace, strlen(given)));
	common = sv_from(at, at ? ot_state_write(at, sv_cstr(given), threshold) : 0);
	at += common.len;
	for (size_t i = 0; i < trace->n_spans; i++) {
		struct span *span = trace->spans[i];
		size_t len;

		set_flags(span);
		if (!span->trace_state.len || !trace->text) {
			span->trace_state = common;
			continue;
		}
		len = ot_state_write(at, span->trace_state, threshold);
		span->trace_state = sv_from(at, len);
		at += len;
	}
}
