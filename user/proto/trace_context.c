// SPDX-License-Identifier: Apache-2.0
/*
 * The traceparent and tracestate headers, W3C Trace Context Level 2; see trace_context.h. Section
 * numbers below are those of the recommendation.
 */
#include "proto/trace_context.h"

#include <errno.h>

/* version "-" trace-id "-" parent-id "-" flags */
#define TRACEPARENT_LEN    55
#define TRACE_ID_AT        3
#define PARENT_ID_AT       36
#define FLAGS_AT           53
#define KNOWN_FLAGS        (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM)
#define TRACESTATE_MEMBERS 32
#define MAX_KEY            256
#define MAX_VALUE          256

static bool all_zero(const uint8_t *b, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= b[i];
	return any == 0;
}

bool trace_id_is_zero(const struct trace_id *id)
{
	return all_zero(id->b, sizeof(id->b));
}

bool span_id_is_zero(const struct span_id *id)
{
	return all_zero(id->b, sizeof(id->b));
}

bool trace_id_eq(const struct trace_id *a, const struct trace_id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool span_id_eq(const struct span_id *a, const struct span_id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static void to_hex(const uint8_t *b, size_t n, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret_hex[2 * i] = digits[b[i] >> 4];
		ret_hex[2 * i + 1] = digits[b[i] & 15];
	}
	ret_hex[2 * n] = '\0';
}

void trace_id_hex(const struct trace_id *id, char ret_hex[33])
{
	to_hex(id->b, sizeof(id->b), ret_hex);
}

void span_id_hex(const struct span_id *id, char ret_hex[17])
{
	to_hex(id->b, sizeof(id->b), ret_hex);
}

bool trace_id_begins(const struct trace_id *id, const char *digits)
{
	char hex[33];

	if (!digits)
		return true;
	trace_id_hex(id, hex);
	return strncmp(hex, digits, strlen(digits)) == 0;
}

/* A lower-case hex digit, or -1. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* n bytes from 2n lower-case hex digits. */
static bool from_hex(const char *p, size_t n, uint8_t *ret_b)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(p[2 * i]), low = hex_digit(p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret_b[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* OWS, and the line breaks that a fold leaves in a value. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct sv trim_blank(struct sv s)
{
	while (s.len && is_blank(s.p[0]))
		s = sv_skip(s, 1);
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

int traceparent_parse(struct sv value, struct trace_context *ret_ctx)
{
	struct trace_context ctx;
	uint8_t version;

	value = trim_blank(value);
	if (value.len < TRACEPARENT_LEN || value.p[TRACE_ID_AT - 1] != '-' ||
	    value.p[PARENT_ID_AT - 1] != '-' || value.p[FLAGS_AT - 1] != '-')
		return -EBADMSG;
	if (!from_hex(value.p, 1, &version) || version == 0xff)
		return -EBADMSG;
	/* Only a later version may go on, and only behind a dash (section 4.3). */
	if (value.len > TRACEPARENT_LEN && (version == 0 || value.p[TRACEPARENT_LEN] != '-'))
		return -EBADMSG;
	if (!from_hex(value.p + TRACE_ID_AT, sizeof(ctx.trace_id.b), ctx.trace_id.b) ||
	    !from_hex(value.p + PARENT_ID_AT, sizeof(ctx.parent_id.b), ctx.parent_id.b) ||
	    !from_hex(value.p + FLAGS_AT, 1, &ctx.flags))
		return -EBADMSG;
	if (trace_id_is_zero(&ctx.trace_id) || span_id_is_zero(&ctx.parent_id))
		return -EBADMSG;
	ctx.flags &= KNOWN_FLAGS;
	*ret_ctx = ctx;
	return 0;
}

static bool is_key_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_key_char(char c)
{
	return is_key_start(c) || c == '_' || c == '-' || c == '*' || c == '/' || c == '@';
}

/* Length of the blanks at the start of s when they hold a line fold, which stands for one SP. */
static size_t fold_length(struct sv s)
{
	bool fold = false;
	size_t n = 0;

	while (n < s.len && is_blank(s.p[n]))
		fold |= s.p[n++] == '\n';
	return fold ? n : 0;
}

/* Check a member's value, and append it when out is given; blanks before it are its own. */
static bool take_value(struct sv value, struct buf *out)
{
	size_t n;

	for (n = 0; value.len; n++) {
		size_t fold = fold_length(value);
		char c = fold ? ' ' : value.p[0];

		if (c < ' ' || c > '~' || c == '=')
			return false;
		if (out)
			buf_append_char(out, c);
		value = sv_skip(value, fold ? fold : 1);
	}
	return n > 0 && n <= MAX_VALUE;
}

/* key "=" value, without blanks around it (section 3.3.1.3): check it, append it when out is given.
 */
static bool take_member(struct sv member, struct buf *out)
{
	struct sv key = sv_from(member.p, sv_find(member, '='));

	if (key.len == 0 || key.len > MAX_KEY || !is_key_start(key.p[0]))
		return false;
	for (size_t i = 0; i < key.len; i++)
		if (!is_key_char(key.p[i]))
			return false;
	if (out) {
		buf_append_sv(out, key);
		buf_append_char(out, '=');
	}
	return take_value(sv_skip(member, key.len + 1), out);
}

/* Count the members of one field, and append them when out is given. Returns -EBADMSG for a bad
 * one. */
static int take_members(struct sv field, struct buf *out, bool first)
{
	int n = 0;

	while (field.len) {
		size_t comma = sv_find(field, ',');
		struct sv member = trim_blank(sv_from(field.p, comma));

		field = sv_skip(field, comma + 1);
		if (member.len == 0)
			continue;
		if (out && !(first && n == 0))
			buf_append_char(out, ',');
		if (!take_member(member, out))
			return -EBADMSG;
		n++;
	}
	return n;
}

int tracestate_parse(const struct sv *values, size_t n, struct buf *out)
{
	int members = 0, written = 0;

	/* First only look, so that a bad member at the end leaves out as it was. */
	for (size_t i = 0; i < n; i++) {
		int more = take_members(values[i], NULL, false);

		if (more < 0 || more > TRACESTATE_MEMBERS - members)
			return -EBADMSG;
		members += more;
	}
	for (size_t i = 0; i < n; i++)
		written += take_members(values[i], out, written == 0);
	return members;
}
