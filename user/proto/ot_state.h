/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consistent probability sampling: thresholds, randomness, and OpenTelemetry's own member of tracestate, `ot=th:...;rv:...`.
 * Everybody who compares the same 56 bits of a trace with thresholds of his own keeps a part of what others keep, or all of
 * it: kept is what has randomness >= threshold. Pure functions.
 *
 * Source: opentelemetry-specification v1.60.0, trace/tracestate-probability-sampling.md and trace/tracestate-handling.md.
 */
#ifndef ZS_PROTO_OT_STATE_H
#define ZS_PROTO_OT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sv.h"
#include "proto/trace_context.h"

/* Thresholds are 0 (everything is kept) to OT_NEVER; written down they are less than that. */
#define OT_NEVER   (1ULL << 56)
#define OT_UNKNOWN UINT64_MAX /* not known, or none */

/*
 * The threshold of a probability of 0 to 1, with the precision that SDKs are recommended to have (four significant digits),
 * so that the same probability is the same threshold there. 0: OT_NEVER.
 */
uint64_t ot_threshold(double probability);

/* The probability of a threshold up to OT_NEVER. */
double ot_probability(uint64_t threshold);

/* The randomness that a trace id carries: its last 56 bits. */
uint64_t ot_randomness(const struct trace_id *id);

/* What a tracestate says of sampling. */
struct ot_state {
	uint64_t threshold;  /* th; OT_UNKNOWN: none, or none that is valid */
	uint64_t randomness; /* rv, which comes before the trace id's; OT_UNKNOWN likewise */
};

/* Read a tracestate as tracestate_parse() leaves it: the first `ot` member counts. */
void ot_state_parse(struct sv tracestate, struct ot_state *ret_state);

/* ot_state_write() makes it longer by at most so many bytes: "ot=th:" and 14 digits, "," or ";". */
#define OT_STATE_GROWTH 21

/*
 * Write a tracestate with this threshold at ret_text, which has room for tracestate.len + OT_STATE_GROWTH bytes; the number of
 * bytes. The `ot` member moves to the front and keeps its other sub-keys, other members keep their order; of more than 32 the
 * last go. OT_UNKNOWN, or a member that would get too long: no threshold is in it afterwards.
 */
size_t ot_state_write(char *ret_text, struct sv tracestate, uint64_t threshold);

#endif
