// SPDX-License-Identifier: Apache-2.0
/*
 * What the fields of a head say about the connection and the body: look-up, token lists,
 * persistence (RFC 9112 section 9.3), body length (section 6.3); and the size line of a chunk
 * (7.1). Decides, never reads a body.
 */
#include <errno.h>

#include "proto/http1.h"

size_t http1_field_find(const struct http1_head *head, struct sv name, struct sv *ret_first)
{
	size_t found = 0;

	for (size_t i = 0; i < head->n_fields; i++) {
		if (!sv_eq_nocase(head->fields[i].name, name))
			continue;
		if (found++ == 0)
			*ret_first = head->fields[i].value;
	}
	return found;
}

/* SP and HTAB, and what a folded line or a bare CR leaves in a value. */
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

/* Take the next member off a comma-separated list; it may be empty. False at the end. */
static bool next_member(struct sv *rest, struct sv *ret_member)
{
	size_t comma;

	if (!rest->p)
		return false;
	comma = sv_find(*rest, ',');
	*ret_member = trim_blank(sv_from(rest->p, comma));
	*rest = comma < rest->len ? sv_skip(*rest, comma + 1) : sv_from(NULL, 0);
	return true;
}

static bool has_known(const struct http1_head *head, enum http1_name name)
{
	return head->known >> name & 1;
}

size_t http1_known_find(const struct http1_head *head, enum http1_name name, struct sv *ret_first)
{
	size_t found = 0;

	for (size_t i = 0; has_known(head, name) && i < head->n_fields; i++) {
		if (head->fields[i].known != name)
			continue;
		if (found++ == 0)
			*ret_first = head->fields[i].value;
	}
	return found;
}

bool http1_known_dropped(const struct http1_head *head, enum http1_name name)
{
	return head->dropped >> name & 1;
}

bool http1_known_has_token(const struct http1_head *head, enum http1_name name, struct sv token)
{
	for (size_t i = 0; has_known(head, name) && i < head->n_fields; i++) {
		struct sv rest = head->fields[i].value, member;

		if (head->fields[i].known != name)
			continue;
		while (next_member(&rest, &member))
			if (sv_eq_nocase(member, token))
				return true;
	}
	return false;
}

void http1_append_unfolded(struct buf *out, struct sv value)
{
	if (sv_find(value, '\r') == value.len && sv_find(value, '\n') == value.len) {
		buf_append_sv(out, value);
		return;
	}
	while (value.len) {
		size_t text = 0, blank;
		bool fold = false;

		while (text < value.len && !is_blank(value.p[text]))
			text++;
		for (blank = text; blank < value.len && is_blank(value.p[blank]); blank++)
			fold |= value.p[blank] == '\r' || value.p[blank] == '\n';
		buf_append(out, value.p, fold ? text : blank);
		if (fold)
			buf_append_char(out, ' ');
		value = sv_skip(value, blank);
	}
}

bool http1_keeps_alive(const struct http1_head *head)
{
	if (http1_known_has_token(head, HTTP1_NAME_CONNECTION, SV("close")))
		return false;
	return head->version_minor >= 1 ||
	    http1_known_has_token(head, HTTP1_NAME_CONNECTION, SV("keep-alive"));
}

/* 1*DIGIT below 2^63. */
static bool parse_length(struct sv s, uint64_t *ret_length)
{
	uint64_t n = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

		/* 18 digits are never too much. */
		if (digit > 9 || (i >= 18 && n > ((uint64_t)INT64_MAX - digit) / 10))
			return false;
		n = n * 10 + digit;
	}
	*ret_length = n;
	return true;
}

/* What all fields of one framing kind say together. */
enum verdict {
	VERDICT_ABSENT = 0,
	VERDICT_BAD,
	VERDICT_LENGTH,  /* one valid length, perhaps repeated */
	VERDICT_CHUNKED, /* chunked is the last coding */
	VERDICT_CODED,   /* other codings only, or chunked not last */
};

static enum verdict content_length(const struct http1_head *head, uint64_t *ret_length)
{
	enum verdict verdict = VERDICT_ABSENT;

	if (!has_known(head, HTTP1_NAME_CONTENT_LENGTH))
		return VERDICT_ABSENT;
	for (size_t i = 0; i < head->n_fields; i++) {
		struct sv rest = head->fields[i].value, member;
		uint64_t n;

		if (head->fields[i].known != HTTP1_NAME_CONTENT_LENGTH)
			continue;
		if (verdict == VERDICT_ABSENT && parse_length(rest, ret_length)) {
			verdict = VERDICT_LENGTH; /* as it nearly always is */
			continue;
		}
		while (next_member(&rest, &member)) {
			if (!parse_length(member, &n) ||
			    (verdict == VERDICT_LENGTH && n != *ret_length))
				return VERDICT_BAD;
			*ret_length = n;
			verdict = VERDICT_LENGTH;
		}
	}
	return verdict;
}

static bool is_chunked_with_parameters(struct sv member)
{
	size_t name = sv_find(member, ';');

	return name < member.len &&
	    sv_eq_nocase(trim_blank(sv_from(member.p, name)), SV("chunked"));
}

static enum verdict transfer_encoding(const struct http1_head *head)
{
	enum verdict verdict = VERDICT_ABSENT;
	bool chunked_before = false;

	if (!has_known(head, HTTP1_NAME_TRANSFER_ENCODING))
		return VERDICT_ABSENT;
	for (size_t i = 0; i < head->n_fields; i++) {
		struct sv rest = head->fields[i].value, member;

		if (head->fields[i].known != HTTP1_NAME_TRANSFER_ENCODING)
			continue;
		if (verdict == VERDICT_ABSENT)
			verdict = VERDICT_CODED;
		while (next_member(&rest, &member)) {
			bool chunked = sv_eq_nocase(member, SV("chunked"));

			if ((chunked && chunked_before) || is_chunked_with_parameters(member))
				return VERDICT_BAD;
			if (member.len)
				verdict = chunked ? VERDICT_CHUNKED : VERDICT_CODED;
			chunked_before |= chunked;
		}
	}
	return verdict;
}

/* Steps 3 to 8 of section 6.3; absent and coded say what these two cases mean for this kind. */
static struct http1_body body_by_fields(
    const struct http1_head *head, enum http1_framing absent, enum http1_framing coded)
{
	struct http1_body body = {.framing = absent};
	enum verdict encoding = transfer_encoding(head);
	enum verdict length = content_length(head, &body.length);

	if (http1_known_dropped(head, HTTP1_NAME_CONTENT_LENGTH) ||
	    http1_known_dropped(head, HTTP1_NAME_TRANSFER_ENCODING))
		return (struct http1_body){.framing = HTTP1_BODY_UNKNOWN};
	if (encoding != VERDICT_ABSENT) {
		body.framing = encoding == VERDICT_CHUNKED ? HTTP1_BODY_CHUNKED
		    : encoding == VERDICT_CODED            ? coded
							   : HTTP1_BODY_UNKNOWN;
		body.length = 0;
	} else if (length != VERDICT_ABSENT) {
		body.framing = length == VERDICT_LENGTH ? HTTP1_BODY_LENGTH : HTTP1_BODY_UNKNOWN;
	}
	return body;
}

struct http1_body http1_request_body(const struct http1_head *head)
{
	return body_by_fields(head, HTTP1_BODY_NONE, HTTP1_BODY_UNKNOWN);
}

bool http1_response_opens_tunnel(const struct http1_head *head, enum http1_answers answers)
{
	return head->status == 101 || (answers == HTTP1_ANSWERS_CONNECT && head->status / 100 == 2);
}

struct http1_body http1_response_body(const struct http1_head *head, enum http1_answers answers)
{
	int status = head->status;

	if (http1_response_opens_tunnel(head, answers))
		return (struct http1_body){.framing = HTTP1_BODY_TUNNEL};
	if (answers == HTTP1_ANSWERS_HEAD || status / 100 == 1 || status == 204 || status == 304)
		return (struct http1_body){.framing = HTTP1_BODY_NONE};
	return body_by_fields(head, HTTP1_BODY_UNTIL_CLOSE, HTTP1_BODY_UNTIL_CLOSE);
}

enum http1_flaw http1_head_flaw(const struct http1_head *head)
{
	if (has_known(head, HTTP1_NAME_TRANSFER_ENCODING) &&
	    (has_known(head, HTTP1_NAME_CONTENT_LENGTH) || head->version_minor == 0))
		return HTTP1_FLAW_LENGTH;
	return head->malformed ? HTTP1_FLAW_FIELD : HTTP1_FLAW_NONE;
}

int http1_parse_chunk_size(struct sv line, uint64_t *ret_size)
{
	uint64_t size = 0;
	size_t at;

	for (at = 0; at < line.len; at++) {
		unsigned char c = (unsigned char)line.p[at], lower = c | 0x20;
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (lower >= 'a' && lower <= 'f')
			digit = lower - 'a' + 10u;
		else
			break;
		if (size > (uint64_t)INT64_MAX >> 4)
			return -EBADMSG;
		size = size << 4 | digit;
	}
	if (at == 0)
		return -EBADMSG;
	while (at < line.len && (line.p[at] == ' ' || line.p[at] == '\t'))
		at++;
	if (at < line.len && line.p[at] != ';')
		return -EBADMSG;
	*ret_size = size;
	return 0;
}
