// SPDX-License-Identifier: Apache-2.0
/*
 * Request targets, authorities and queries: parts lie in the input, no userinfo is left, and no value of a
 * secret key survives. Byte 0 chooses the authority form.
 */
#include "fuzz.h"
#include "proto/url.h"

static void check_authority(struct sv in)
{
	struct url_authority a = url_authority_parse(in);

	REQUIRE(fuzz_within(a.host, in));
	REQUIRE(a.port >= 0 && a.port <= 65535);
	REQUIRE(sv_find(a.host, '@') == a.host.len);
}

static void check_target(struct sv in, bool is_connect)
{
	struct url_target t = url_target_parse(in, is_connect);

	REQUIRE(
	    fuzz_within(t.scheme, in) && fuzz_within(t.authority, in) && fuzz_within(t.query, in));
	REQUIRE(fuzz_within(t.path, in) || sv_eq(t.path, SV("/")));
	REQUIRE(sv_find(t.path, '?') == t.path.len);
	REQUIRE(sv_find(t.authority, '@') == t.authority.len);
	REQUIRE(t.has_query || t.query.len == 0);
	REQUIRE(!is_connect || (!t.has_query && t.path.len == 0));
	/* Nothing but userinfo and "://" is left out. */
	REQUIRE(is_connect || t.scheme.len || t.path.len + t.query.len + t.has_query == in.len);
	check_authority(t.authority);
}

/* Pairs whose key, as it stands, is "sig" are REDACTED or have no '='. */
static void check_no_secret(struct sv query)
{
	while (query.len) {
		struct sv pair = sv_from(query.p, sv_find(query, '&'));

		REQUIRE(!sv_starts(pair, SV("sig=")) || sv_eq(pair, SV("sig=REDACTED")));
		query = sv_skip(query, pair.len + 1);
	}
}

static size_t count(struct sv s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.p[i] == c;
	return n;
}

static void check_query(struct sv in)
{
	struct buf once, twice;

	buf_init(&once);
	buf_init(&twice);
	url_query_append_redacted(&once, in);
	url_query_append_redacted(&twice, buf_sv(&once));
	REQUIRE(utf8_valid(buf_sv(&once)));
	REQUIRE(sv_eq(buf_sv(&once), buf_sv(&twice)));
	REQUIRE(count(buf_sv(&once), '&') == count(in, '&'));
	check_no_secret(buf_sv(&once));
	buf_release(&once);
	buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	bool is_connect = fuzz_byte(&c) & 1;
	struct sv in = fuzz_copy(c.p, c.left);

	check_target(in, is_connect);
	check_authority(in);
	check_query(in);
	fuzz_free(in);
	return 0;
}
