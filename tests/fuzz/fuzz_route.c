// SPDX-License-Identifier: Apache-2.0
/* Any path as a route: short, valid UTF-8, without a number of its own, and the route of itself. */
#include "fuzz.h"
#include "proto/route.h"

static bool all_digits(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size), rest;
	struct buf once, twice;

	buf_init(&once);
	buf_init(&twice);
	buf_append_cstr(&once, "before"); /* it appends */
	route_infer(&once, in);
	REQUIRE(sv_starts(buf_sv(&once), SV("before")));
	rest = sv_skip(buf_sv(&once), strlen("before"));
	REQUIRE(rest.len > 0 || in.len > 0);
	REQUIRE(rest.len <= ROUTE_MAX_BYTES && utf8_valid(rest));
	route_infer(&twice, rest);
	REQUIRE(sv_eq(rest, buf_sv(&twice)));
	while (rest.len) {
		struct sv segment = sv_from(rest.p, sv_find(rest, '/'));

		REQUIRE(!all_digits(segment));
		rest = sv_skip(rest, segment.len + 1);
	}
	buf_release(&once);
	buf_release(&twice);
	fuzz_free(in);
	return 0;
}
