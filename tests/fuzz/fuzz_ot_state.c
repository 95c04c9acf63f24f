// SPDX-License-Identifier: Apache-2.0
/*
 * OpenTelemetry's member of any tracestate, also of what no parser would have let through: what is written fits into the
 * room that is promised, says the same randomness and the threshold that was asked for (or none), and is written again as
 * itself.
 */
#include "fuzz.h"
#include "proto/ot_state.h"

static size_t count(struct sv text, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == c;
	return n;
}

static void check_write(struct sv in, uint64_t threshold)
{
	char *once = malloc(in.len + OT_STATE_GROWTH),
	     *twice = malloc(in.len + 2 * OT_STATE_GROWTH);
	struct ot_state before, after;
	struct sv out;

	REQUIRE(once && twice);
	out = sv_from(once, ot_state_write(once, in, threshold));
	REQUIRE(out.len <= in.len + OT_STATE_GROWTH);
	REQUIRE(count(out, ',') < 32);
	ot_state_parse(in, &before);
	ot_state_parse(out, &after);
	REQUIRE(after.randomness == before.randomness);
	REQUIRE(after.threshold == OT_UNKNOWN || after.threshold == threshold);
	if (threshold < OT_NEVER && after.threshold == OT_UNKNOWN)
		REQUIRE(in.len > 200); /* a member that is too long already */
	REQUIRE(sv_eq(out, sv_from(twice, ot_state_write(twice, out, after.threshold))));
	free(once);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	uint64_t threshold = 0;
	struct ot_state state;
	struct sv in;

	for (int i = 0; i < 7; i++)
		threshold = threshold << 8 | fuzz_byte(&c);
	in = fuzz_copy(c.p, c.left);
	ot_state_parse(in, &state);
	REQUIRE(state.threshold == OT_UNKNOWN || state.threshold < OT_NEVER);
	REQUIRE(state.randomness == OT_UNKNOWN || state.randomness < OT_NEVER);
	check_write(in, threshold);
	check_write(in, OT_UNKNOWN);
	fuzz_free(in);
	return 0;
}
