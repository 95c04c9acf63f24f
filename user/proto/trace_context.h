/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C Trace Context, Level 2 (https://www.w3.org/TR/trace-context-2/): parsing of the traceparent
 * and tracestate headers. Pure functions; a header that breaks a rule is "no parent", never an
 * error.
 */
#ifndef ZS_PROTO_TRACE_CONTEXT_H
#define ZS_PROTO_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sv.h"

struct trace_id {
	uint8_t b[16]; /* all zero: none */
};

struct span_id {
	uint8_t b[8]; /* all zero: none */
};

#define TRACE_FLAG_SAMPLED 0x01u
#define TRACE_FLAG_RANDOM  0x02u

struct trace_context {
	struct trace_id trace_id; /* not zero */
	struct span_id parent_id; /* not zero */
	uint8_t flags;            /* known bits only: TRACE_FLAG_* */
};

bool trace_id_is_zero(const struct trace_id *id);
bool span_id_is_zero(const struct span_id *id);
bool trace_id_eq(const struct trace_id *a, const struct trace_id *b);
bool span_id_eq(const struct span_id *a, const struct span_id *b);

/* Lower-case hex with a terminating NUL: 33 and 17 bytes. */
void trace_id_hex(const struct trace_id *id, char ret_hex[33]);
void span_id_hex(const struct span_id *id, char ret_hex[17]);

/* Does its lower-case hex begin with these digits? NULL: it always does; what is longer than an id never. */
bool trace_id_begins(const struct trace_id *id, const char *digits);

/*
 * Parse the value of one traceparent field as it stands in the head: surrounding OWS and a line
 * fold before or after the value are removed here. Returns 0, or -EBADMSG when the trace must
 * restart. The caller has made sure that the field occurs exactly once.
 */
int traceparent_parse(struct sv value, struct trace_context *ret_ctx);

/*
 * Append the normalised tracestate (no OWS around members, empty members dropped) made of n field
 * values in their order. Returns the number of members kept, or -EBADMSG when the whole header is
 * to be discarded (a malformed member, or more than 32); then nothing is appended.
 */
int tracestate_parse(const struct sv *values, size_t n, struct buf *out);

#endif
