/* SPDX-License-Identifier: Apache-2.0 */
/* What is written into the spans of a trace that is kept: that it is, and by which threshold. */
#ifndef ZS_SAMPLING_MARK_H
#define ZS_SAMPLING_MARK_H

#include "proto/ot_state.h"
#include "span/span.h"

/*
 * Set the sampled flag of all spans, and the threshold in their tracestate (OT_UNKNOWN: none); spans without one get OpenTelemetry's
 * member alone, with the randomness that state has from a tracestate. Before the trace is published, once. Without
 * memory the spans are left without tracestate, which claims nothing.
 */
void trace_mark_kept(struct trace *trace, uint64_t threshold, const struct ot_state *state);

#endif
