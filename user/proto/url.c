// SPDX-License-Identifier: Apache-2.0
/* Request targets, authorities and secrets in queries; see url.h. */
#include "proto/url.h"

#include "base/percent.h"
#include "base/utf8.h"

static bool is_alpha(char c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Length of "scheme" when target starts with "scheme://" (RFC 3986 section 3.1), else 0. */
static size_t scheme_length(struct sv target)
{
	size_t n = 0;

	if (target.len == 0 || !is_alpha(target.p[0]))
		return 0;
	while (n < target.len &&
	    (is_alpha(target.p[n]) || is_digit(target.p[n]) || target.p[n] == '+' ||
		target.p[n] == '-' || target.p[n] == '.'))
		n++;
	return sv_starts(sv_skip(target, n), SV("://")) ? n : 0;
}

/* Userinfo may hold a password: nothing before the last '@' is kept. */
static struct sv without_userinfo(struct sv authority)
{
	const char *at = authority.len ? memrchr(authority.p, '@', authority.len) : NULL;

	return at ? sv_skip(authority, (size_t)(at + 1 - authority.p)) : authority;
}

static void split_query(struct url_target *target, struct sv rest)
{
	size_t mark = sv_find(rest, '?');

	target->path = sv_from(rest.p, mark);
	target->has_query = mark < rest.len;
	if (target->has_query)
		target->query = sv_skip(rest, mark + 1);
}

struct url_target url_target_parse(struct sv target, bool is_connect)
{
	struct url_target parts = {0};
	size_t scheme = scheme_length(target), end = 0;

	if (is_connect) {
		parts.authority = without_userinfo(target);
		return parts;
	}
	if (scheme) {
		parts.scheme = sv_from(target.p, scheme);
		target = sv_skip(target, scheme + 3);
		while (end < target.len && !memchr("/?#", target.p[end], 3))
			end++;
		parts.authority = without_userinfo(sv_from(target.p, end));
		parts.has_userinfo = parts.authority.len < end;
		target = sv_skip(target, end);
	}
	split_query(&parts, target);
	if (scheme && parts.path.len == 0)
		parts.path = SV("/");
	return parts;
}

/* 1 to 65535, or 0. */
static int parse_port(struct sv s)
{
	int port = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.p[i]))
			return 0;
		port = port * 10 + (s.p[i] - '0');
		if (port > 65535)
			return 0;
	}
	return port;
}

struct url_authority url_authority_parse(struct sv authority)
{
	struct sv host, after;

	authority = without_userinfo(sv_trim_ows(authority));
	if (authority.len && authority.p[0] == '[') {
		size_t close = sv_find(authority, ']');

		host = sv_from(authority.p + 1, close - 1);
		after = sv_skip(authority, close + 1);
		if (close == authority.len || (after.len && after.p[0] != ':'))
			return (struct url_authority){.host = authority};
	} else {
		host = sv_from(authority.p, sv_find(authority, ':'));
		after = sv_skip(authority, host.len);
	}
	after = sv_skip(after, 1);
	for (size_t i = 0; i < after.len; i++)
		if (!is_digit(after.p[i]))
			return (struct url_authority){.host = authority};
	return (struct url_authority){.host = host, .port = parse_port(after)};
}

/* --- secrets in queries ------------------------------------------------------------------------*/

bool url_is_secret_key(struct sv key)
{
	static const struct sv secrets[] = {SV("X-Amz-Signature"), SV("X-Amz-Credential"),
	    SV("X-Amz-Security-Token"), SV("sig"), SV("X-Goog-Signature")};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		struct sv rest = key, secret = secrets[i];

		while (rest.len && secret.len && percent_take_lenient(&rest) == secret.p[0])
			secret = sv_skip(secret, 1);
		if (rest.len == 0 && secret.len == 0)
			return true;
	}
	return false;
}

void url_query_append_redacted(struct buf *out, struct sv query)
{
	for (;;) {
		size_t end = sv_find(query, '&');
		struct sv pair = sv_from(query.p, end);
		size_t key = sv_find(pair, '=');

		if (key < pair.len && url_is_secret_key(sv_from(pair.p, key))) {
			utf8_append_repaired(out, sv_from(pair.p, key + 1));
			buf_append_cstr(out, "REDACTED");
		} else {
			utf8_append_repaired(out, pair);
		}
		if (end == query.len)
			return;
		buf_append_char(out, '&');
		query = sv_skip(query, end + 1);
	}
}
