// SPDX-License-Identifier: Apache-2.0
/*
 * traceparent: what is accepted, written out again, is read as the same. tracestate, the fields being the
 * lines of the input: what is accepted is the normal form of itself.
 */
#include "fuzz.h"
#include "proto/trace_context.h"

enum {
	FIELDS_MAX = 64,
};

static void check_traceparent(struct sv in)
{
	struct trace_context first, again;
	char trace[33], span[17], text[64];

	if (traceparent_parse(in, &first))
		return;
	REQUIRE(!trace_id_is_zero(&first.trace_id) && !span_id_is_zero(&first.parent_id));
	REQUIRE((first.flags & ~(TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM)) == 0);
	trace_id_hex(&first.trace_id, trace);
	span_id_hex(&first.parent_id, span);
	snprintf(text, sizeof(text), "00-%s-%s-%02x", trace, span, first.flags);
	REQUIRE(memmem(in.p, in.len, trace, 32) && memmem(in.p, in.len, span, 16));
	REQUIRE(traceparent_parse(sv_cstr(text), &again) == 0);
	REQUIRE(trace_id_eq(&first.trace_id, &again.trace_id));
	REQUIRE(span_id_eq(&first.parent_id, &again.parent_id) && first.flags == again.flags);
}

/* Members are key=value of printable ASCII without ',' and '='. */
static void check_members(struct sv state, int n)
{
	int members = 0;

	while (state.len) {
		struct sv member = sv_from(state.p, sv_find(state, ','));
		size_t eq = sv_find(member, '=');

		REQUIRE(eq > 0 && eq <= 256 && eq < member.len && member.len - eq - 1 <= 256);
		for (size_t i = 0; i < member.len; i++)
			REQUIRE(member.p[i] >= ' ' && member.p[i] <= '~' &&
			    (member.p[i] != '=' || i == eq));
		members++;
		state = sv_skip(state, member.len + 1);
	}
	REQUIRE(members == n && n <= 32);
}

static void check_tracestate(struct sv in)
{
	struct fuzz_choices c = {(const uint8_t *)in.p, in.len};
	struct sv fields[FIELDS_MAX], whole;
	struct buf once, twice;
	size_t n_fields = 0;
	int n;

	while (c.left && n_fields < FIELDS_MAX)
		fields[n_fields++] = fuzz_part(&c, '\n');
	buf_init(&once);
	buf_init(&twice);
	n = tracestate_parse(fields, n_fields, &once);
	REQUIRE(n >= 0 || once.len == 0);
	if (n >= 0) {
		check_members(buf_sv(&once), n);
		whole = buf_sv(&once);
		REQUIRE(tracestate_parse(&whole, 1, &twice) == n);
		REQUIRE(sv_eq(whole, buf_sv(&twice)));
	}
	buf_release(&once);
	buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size);

	check_traceparent(in);
	check_tracestate(in);
	fuzz_free(in);
	return 0;
}
