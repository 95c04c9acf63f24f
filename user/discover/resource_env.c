// SPDX-License-Identifier: Apache-2.0
/* OTEL_RESOURCE_ATTRIBUTES; see resource_env.h. */
#include "discover/resource_env.h"

#include <errno.h>

#include "base/percent.h"
#include "base/utf8.h"

/* Append text, percent-decoded, and a NUL. NULL, or what is wrong with it. */
static const char *decode(struct sv text, struct buf *out)
{
	size_t at = out->len;

	while (text.len) {
		char c;

		if (!percent_take(&text, &c))
			return "a % that two hexadecimal digits do not follow";
		if (c == '\0')
			return "a NUL";
		buf_append_char(out, c);
	}
	if (!utf8_valid(sv_from(out->data + at, out->len - at)))
		return "bytes that are no UTF-8";
	buf_append_char(out, '\0');
	return NULL;
}

/* Append one member, decoded, as a pair of its own. */
static const char *take_member(struct sv member, struct buf *scratch)
{
	size_t equals = sv_find(member, '=');
	struct sv key = sv_trim_ows(sv_from(member.p, equals));
	const char *why;

	if (equals == member.len)
		return "a member without =";
	if (!key.len)
		return "an empty key";
	why = decode(key, scratch);
	return why ? why : decode(sv_trim_ows(sv_skip(member, equals + 1)), scratch);
}

/* The members from the last to the first: the last of a key counts, and who comes first wins in pairs. */
static const char *take_all(struct sv text, struct buf *scratch)
{
	const char *why = NULL;

	while (!why && text.len) {
		const char *comma = memrchr(text.p, ',', text.len);
		size_t begin = comma ? (size_t)(comma - text.p) + 1 : 0;
		struct sv member = sv_trim_ows(sv_skip(text, begin));

		if (member.len)
			why = take_member(member, scratch);
		text.len = comma ? begin - 1 : 0;
	}
	return why;
}

static size_t count(struct sv pairs)
{
	struct sv key, value;
	size_t n = 0;

	while (pairs_next(&pairs, &key, &value))
		n++;
	return n;
}

int resource_env_parse(struct sv text, struct buf *pairs, const char **ret_why)
{
	struct buf scratch;
	const char *why;
	int err = 0;

	if (text.len > RESOURCE_ENV_MAX_BYTES) {
		*ret_why = "more than 4096 bytes";
		return -E2BIG;
	}
	buf_init(&scratch);
	why = take_all(text, &scratch);
	if (why) {
		err = -EBADMSG;
	} else if (count(buf_sv(&scratch)) > RESOURCE_ENV_MAX_ATTRS) {
		why = "more than 64 attributes";
		err = -E2BIG;
	} else {
		pairs_add_all(pairs, buf_sv(&scratch));
		pairs->failed |= scratch.failed;
	}
	if (why)
		*ret_why = why;
	buf_release(&scratch);
	return err;
}
