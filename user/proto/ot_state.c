// SPDX-License-Identifier: Apache-2.0
/* Thresholds and the `ot` member of tracestate; see ot_state.h. */
#include "proto/ot_state.h"

#include <math.h>
#include <string.h>

enum {
	BITS = 56,
	DIGITS = BITS / 4,
	PRECISION = 4, /* digits that count, as recommended to SDKs */
	MEMBERS_MAX = 32,
	VALUE_MAX = 256, /* of the `ot` member */
};

/* --- numbers --- */

uint64_t ot_threshold(double probability)
{
	int exponent, shift;
	uint64_t threshold;

	if (probability >= 1)
		return 0;
	if (!(probability >= 1 / (double)OT_NEVER))
		return OT_NEVER;
	/* Leading digits f say nothing: small probabilities have as many digits more. */
	frexp(probability, &exponent);
	shift = BITS - 4 * (PRECISION - exponent / 4);
	threshold = OT_NEVER - (uint64_t)(ldexp(probability, BITS) + 0.5);
	if (shift > 0)
		threshold = (threshold + (1ULL << (shift - 1))) >> shift << shift;
	return threshold;
}

double ot_probability(uint64_t threshold)
{
	return (double)(OT_NEVER - threshold) / (double)OT_NEVER;
}

uint64_t ot_randomness(const struct trace_id *id)
{
	uint64_t bits = 0;

	for (size_t i = sizeof(id->b) - BITS / 8; i < sizeof(id->b); i++)
		bits = bits << 8 | id->b[i];
	return bits;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* min to DIGITS digits, which zeros to the right make whole; OT_UNKNOWN when it is something else. */
static uint64_t read_digits(struct sv text, size_t min)
{
	uint64_t bits = 0;

	if (text.len < min || text.len > DIGITS)
		return OT_UNKNOWN;
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit(text.p[i]);

		if (digit < 0)
			return OT_UNKNOWN;
		bits = bits << 4 | (uint64_t)digit;
	}
	return bits << 4 * (DIGITS - text.len);
}

/* The digits without zeros at their end, but at least one; how many. */
static size_t write_digits(char *ret_text, uint64_t threshold)
{
	size_t n = 0;

	do {
		ret_text[n++] = "0123456789abcdef"[threshold >> (BITS - 4) & 15];
		threshold = threshold << 4 & (OT_NEVER - 1);
	} while (threshold);
	return n;
}

/* --- members --- */

/* Take what stands before the next separator, and the separator. */
static struct sv take_part(struct sv *rest, char separator)
{
	struct sv part = sv_from(rest->p, sv_find(*rest, separator));

	*rest = sv_skip(*rest, part.len + 1);
	return part;
}

static bool is_ot(struct sv member)
{
	return sv_starts(member, SV("ot="));
}

/* The value of the first `ot` member; empty: there is none. */
static struct sv find_ot(struct sv tracestate)
{
	while (tracestate.len) {
		struct sv member = take_part(&tracestate, ',');

		if (is_ot(member))
			return sv_skip(member, 3);
	}
	return (struct sv){0};
}

void ot_state_parse(struct sv tracestate, struct ot_state *ret_state)
{
	struct sv value = find_ot(tracestate);

	*ret_state = (struct ot_state){.threshold = OT_UNKNOWN, .randomness = OT_UNKNOWN};
	while (value.len) {
		struct sv part = take_part(&value, ';');

		if (sv_starts(part, SV("th:")))
			ret_state->threshold = read_digits(sv_skip(part, 3), 1);
		else if (sv_starts(part, SV("rv:")))
			ret_state->randomness = read_digits(sv_skip(part, 3), DIGITS);
	}
}

static char *put(char *at, struct sv text)
{
	if (text.len)
		memcpy(at, text.p, text.len);
	return at + text.len;
}

/* Bytes of the value but its th. */
static size_t other_bytes(struct sv value)
{
	size_t n = 0;

	while (value.len) {
		struct sv part = take_part(&value, ';');

		if (part.len && !sv_starts(part, SV("th:")))
			n += part.len + (n > 0);
	}
	return n;
}

/* The `ot` member with this threshold; nothing when nothing would be in it. */
static char *put_ot(char *at, struct sv value, uint64_t threshold)
{
	size_t others = other_bytes(value), len = 0;
	char digits[DIGITS];

	if (threshold < OT_NEVER)
		len = write_digits(digits, threshold);
	if (len && 3 + len + (others ? 1 + others : 0) > VALUE_MAX)
		len = 0; /* no claim is better than an old one */
	if (!len && !others)
		return at;
	at = put(at, SV("ot="));
	if (len)
		at = put(put(at, SV("th:")), sv_from(digits, len));
	while (value.len) {
		struct sv part = take_part(&value, ';');

		if (!part.len || sv_starts(part, SV("th:")))
			continue;
		if (len)
			at = put(at, SV(";"));
		at = put(at, part);
		len = 1;
	}
	return at;
}

size_t ot_state_write(char *ret_text, struct sv tracestate, uint64_t threshold)
{
	char *at = put_ot(ret_text, find_ot(tracestate), threshold);
	size_t members = at != ret_text;

	while (tracestate.len && members < MEMBERS_MAX) {
		struct sv member = take_part(&tracestate, ',');

		if (!member.len || is_ot(member))
			continue;
		if (members++)
			at = put(at, SV(","));
		at = put(at, member);
	}
	return (size_t)(at - ret_text);
}
