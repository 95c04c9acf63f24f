// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a head of both kinds: views lie in what was consumed, a head that is cut anywhere is never
 * refused, one that is refused is not accepted for what follows it, and the readers of fields agree. The first
 * two bytes choose the cut. Then each line of the input as a chunk's size.
 */
#include <errno.h>

#include "fuzz.h"
#include "proto/http1.h"

static void check_field(
    const struct http1_head *head, const struct http1_field *field, struct sv in)
{
	struct sv first;
	struct buf text;

	REQUIRE(field->name.len && fuzz_within(field->name, in) && fuzz_within(field->value, in));
	REQUIRE(memchr(field->name.p, ':', field->name.len) == NULL);
	REQUIRE(sv_eq(sv_trim_ows(field->value), field->value));
	REQUIRE(sv_find(field->value, '\0') == field->value.len);
	REQUIRE(http1_field_find(head, field->name, &first) >= 1);
	if (field->known) {
		REQUIRE(http1_known_find(head, field->known, &first) ==
		    http1_field_find(head, field->name, &first));
	}
	buf_init(&text);
	http1_append_unfolded(&text, field->value);
	REQUIRE(
	    sv_find(buf_sv(&text), '\r') == text.len && sv_find(buf_sv(&text), '\n') == text.len);
	REQUIRE(text.len <= field->value.len);
	buf_release(&text);
}

/* What is known by name is what would be found by name. */
static void check_known(const struct http1_head *head)
{
	static const struct sv names[] = {
	    [HTTP1_NAME_HOST] = SV("host"),
	    [HTTP1_NAME_EXPECT] = SV("expect"),
	    [HTTP1_NAME_CONNECTION] = SV("connection"),
	    [HTTP1_NAME_USER_AGENT] = SV("user-agent"),
	    [HTTP1_NAME_TRACEPARENT] = SV("traceparent"),
	    [HTTP1_NAME_TRACESTATE] = SV("tracestate"),
	    [HTTP1_NAME_CONTENT_LENGTH] = SV("content-length"),
	    [HTTP1_NAME_TRANSFER_ENCODING] = SV("transfer-encoding"),
	};

	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sv by_name = {0}, by_number = {0};

		REQUIRE(http1_field_find(head, names[i], &by_name) ==
		    http1_known_find(head, (enum http1_name)i, &by_number));
		REQUIRE(by_name.p == by_number.p && by_name.len == by_number.len);
	}
}

static void check_framing(const struct http1_head *head)
{
	struct http1_body body;

	if (head->kind == HTTP1_REQUEST) {
		body = http1_request_body(head);
		REQUIRE(
		    body.framing != HTTP1_BODY_UNTIL_CLOSE && body.framing != HTTP1_BODY_TUNNEL);
		REQUIRE(body.length <= INT64_MAX);
		return;
	}
	for (int answers = HTTP1_ANSWERS_OTHER; answers <= HTTP1_ANSWERS_CONNECT; answers++) {
		body = http1_response_body(head, (enum http1_answers)answers);
		REQUIRE(body.length <= INT64_MAX);
		REQUIRE((body.framing == HTTP1_BODY_TUNNEL) ==
		    http1_response_opens_tunnel(head, (enum http1_answers)answers));
	}
}

static void check_head(const struct http1_head *head, struct sv in)
{
	REQUIRE(head->version_major == 1 && head->version_minor >= 0 && head->version_minor <= 9);
	if (head->kind == HTTP1_REQUEST)
		REQUIRE(head->method.len && head->target.len && head->status == 0);
	else
		REQUIRE(head->status >= 100 && head->status <= 999);
	REQUIRE(fuzz_within(head->method, in) && fuzz_within(head->target, in));
	REQUIRE(head->n_fields <= HTTP1_MAX_FIELDS);
	REQUIRE(head->dropped == 0 || head->n_fields >= HTTP1_MAX_OTHER_FIELDS);
	for (size_t i = 0; i < head->n_fields; i++)
		check_field(head, &head->fields[i], in);
	check_known(head);
	check_framing(head);
	http1_keeps_alive(head);
	REQUIRE(http1_head_flaw(head) != HTTP1_FLAW_NONE || !head->malformed);
}

static void check_kind(enum http1_kind kind, struct sv in, size_t cut)
{
	struct http1_head head;
	struct sv part = fuzz_copy(in.p, cut < in.len ? cut : in.len);
	long part_n = http1_parse_head(kind, part, &head);
	long n = http1_parse_head(kind, in, &head);

	REQUIRE(n >= 0 || n == -EBADMSG || n == -E2BIG);
	if (n > 0) {
		REQUIRE((size_t)n <= in.len && in.p[n - 1] == '\n' && head.kind == kind);
		check_head(&head, sv_from(in.p, (size_t)n));
		REQUIRE(part_n == (part.len >= (size_t)n ? n : 0));
	} else if (n == 0) {
		REQUIRE(part_n == 0);
	} else {
		REQUIRE(part_n == 0 || part_n == n || (part_n < 0 && n == -E2BIG));
	}
	if (part.len && http1_plausible_start(kind, in))
		REQUIRE(http1_plausible_start(kind, part));
	fuzz_free(part);
}

static void check_chunk_sizes(struct sv in)
{
	while (in.len) {
		struct sv line = sv_from(in.p, sv_find(in, '\n'));
		uint64_t size = 0;

		if (http1_parse_chunk_size(line, &size) == 0)
			REQUIRE(size <= INT64_MAX && line.len);
		in = sv_skip(in, line.len + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	size_t cut = fuzz_word(&c);
	struct sv in = fuzz_copy(c.p, c.left);

	check_kind(HTTP1_REQUEST, in, cut);
	check_kind(HTTP1_RESPONSE, in, cut);
	check_chunk_sizes(in);
	fuzz_free(in);
	return 0;
}
