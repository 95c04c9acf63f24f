// SPDX-License-Identifier: Apache-2.0
/* Routes guessed from paths, segment by segment; see route.h for the rules. */
#include "proto/route.h"

#include "base/utf8.h"

enum {
	MIN_HEX_ID = 16,
	MIN_TOKEN_ID = 20,
	UUID_LEN = 36,
};

/* What the bytes of a segment are made of. */
struct makeup {
	bool lower, upper, digit;
	bool hex_only;   /* hex digits and nothing else */
	bool token_only; /* alphabet of base64 and base64url */
};

static bool is_hex(char c)
{
	c = ascii_lower(c);
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static struct makeup segment_makeup(struct sv s)
{
	struct makeup m = {.hex_only = true, .token_only = true};

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
		bool digit = c >= '0' && c <= '9';

		m.lower |= lower;
		m.upper |= upper;
		m.digit |= digit;
		m.hex_only &= is_hex(c);
		m.token_only &=
		    lower || upper || digit || c == '-' || c == '_' || c == '+' || c == '=';
	}
	return m;
}

/* 8-4-4-4-12 hex digits in any case. */
static bool is_uuid(struct sv s)
{
	if (s.len != UUID_LEN)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s.p[i] != '-' : !is_hex(s.p[i]))
			return false;
	}
	return true;
}

/* local@domain.tld, the '@' perhaps percent-encoded. */
static bool is_mail_address(struct sv s)
{
	for (size_t i = 1; i < s.len; i++) {
		struct sv rest = sv_skip(s, i), domain;

		if (rest.p[0] == '@')
			domain = sv_skip(rest, 1);
		else if (sv_starts(rest, SV("%40")))
			domain = sv_skip(rest, 3);
		else
			continue;
		return domain.len && domain.p[0] != '.' && sv_find(domain, '.') + 1 < domain.len;
	}
	return false;
}

static bool is_id(struct sv s)
{
	struct makeup m = segment_makeup(s);

	if (s.len == 0)
		return false;
	if (m.digit && !m.lower && !m.upper && m.hex_only)
		return true;
	if (m.hex_only && s.len >= MIN_HEX_ID)
		return true;
	if (m.token_only && s.len >= MIN_TOKEN_ID && m.lower + m.upper + m.digit >= 2)
		return true;
	return is_uuid(s) || is_mail_address(s);
}

void route_infer(struct buf *out, struct sv path)
{
	const size_t start = out->len;
	bool more;

	if (path.len == 0)
		buf_append_char(out, '/');
	do {
		size_t end = sv_find(path, '/'), mark = out->len;
		struct sv segment = sv_from(path.p, end);

		more = end < path.len;
		if (is_id(segment))
			buf_append_cstr(out, "{id}");
		else
			/* One byte more than fits shows that it did not fit; repair shortens nothing. */
			utf8_append_repaired(out,
			    sv_from(segment.p, end <= ROUTE_MAX_BYTES ? end : ROUTE_MAX_BYTES + 1));
		if (more)
			buf_append_char(out, '/');
		/* Behind a segment with more to come there must be room for the wildcard. */
		if (!out->failed && out->len - start > ROUTE_MAX_BYTES - (more ? 1 : 0)) {
			out->len = mark;
			buf_append_char(out, '*');
			return;
		}
		path = sv_skip(path, end + 1);
	} while (more);
}
