// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as the body of a message with rules: what these take of it is the same in one piece and in many, and packed and as it is; of one
 * whose end is lost they take nothing that the whole does not say; nothing stays behind. As packed bytes: what a beginning unpacks to is one of
 * what the whole does. The first three bytes choose how it comes: encoding, kind and side; the size of pieces; how much of its end is lost.
 */
#include <zlib.h>

#include "fuzz.h"
#include "rule/inflate.h"
#include "rule/payload.h"

enum {
	WIRE_PLAIN,
	WIRE_GZIP,
	WIRE_DEFLATE,
	WIRE_AS_IT_IS, /* said to be gzip, whatever it is */
};

/* Of the rule's attributes, by number. */
enum {
	REQUEST_ITEM = 0,
	RESPONSE_ITEM = 5,
};

struct way {
	unsigned int wire;
	bool form, response;
	size_t piece, lost; /* bytes; piece is not 0 */
};

static const char *no_state(size_t state)
{
	(void)state;
	return NULL;
}

/* One rule that asks for fields of every shape; made once. */
static struct rules *the_rules(void)
{
	static const char *const texts[] = {"request.item", "request.a.b[1]", "request[\"a-key\"]",
	    "request.quantity * request.price", "request_header.host", "response.item",
	    "response.a.b[1]", "response[\"a-key\"]", "query.item", "status"};
	static struct rules *rules;
	struct rule *rule;
	struct buf why;

	if (rules)
		return rules;
	buf_init(&why);
	rules = rules_new(names_new());
	REQUIRE(rules && rules_add(rules, SV("POST /a"), &rule, &why) == 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct rule_expr *expr = NULL;

		REQUIRE(rule_compile(rule, sv_cstr(texts[i]), no_state, &expr, &why) == 0);
		REQUIRE(rule_add_attribute(
			    rules, rule, sv_cstr(texts[i]), expr, RULE_PLAIN, &why) == 0);
	}
	buf_release(&why);
	return rules;
}

static void give_head(struct payload *payload, const struct way *way)
{
	static const char *const encodings[] = {"identity", "gzip", "deflate", "x-gzip"};
	static struct http1_head head;
	enum http1_kind kind = way->response ? HTTP1_RESPONSE : HTTP1_REQUEST;
	struct buf text;

	buf_init(&text);
	buf_printf(&text, "%s\r\nHost: a\r\nContent-Encoding: %s\r\nContent-Type: %s\r\n\r\n",
	    way->response ? "HTTP/1.1 200 OK" : "POST /a HTTP/1.1", encodings[way->wire],
	    way->form ? "application/x-www-form-urlencoded" : "application/json");
	REQUIRE(http1_parse_head(kind, buf_sv(&text), &head) == (long)text.len);
	payload_head(payload, &head);
	buf_release(&text);
}

#define NOTHING "\n0 "

/* As its type and text; there being none, NOTHING. */
static void append_value(struct buf *out, const struct rule_expr *expr, struct rule_value *values)
{
	struct rule_value value = rule_expr_eval(expr, values);

	buf_printf(out, "\n%d ", (int)value.type);
	rule_value_append(out, &value);
}

/* What the rule takes of a body that comes this way, as text: all, or only what its item is. */
static void take(struct buf *out, struct sv wire, const struct way *way, bool item)
{
	static const uint64_t no_time[64];
	const struct rule_facts facts = {
	    .query = SV("a=1&item=%20x"), .status = 200, .time_ns = no_time};
	enum http1_kind kind = way->response ? HTTP1_RESPONSE : HTTP1_REQUEST;
	struct rule_value values[RULE_MAX_SOURCES];
	const struct rule *const *rules;
	struct payloads payloads;
	struct payload *payload;
	size_t seen = wire.len - way->lost;

	payloads_init(&payloads);
	payloads_set_rules(&payloads, the_rules());
	payload = payload_new(&payloads, RULE_SERVER, SV("POST"), SV("/a"));
	REQUIRE(payload && payload_rules(payload, &rules) == 1);
	give_head(payload, way);
	for (size_t at = 0; at < seen; at += way->piece) {
		size_t n = seen - at < way->piece ? seen - at : way->piece;
		struct sv piece = fuzz_copy(wire.p + at, n);

		payload_body(payload, kind, piece, n);
		fuzz_free(piece);
	}
	if (way->lost)
		payload_body(payload, kind, (struct sv){0}, way->lost);
	payload_end(payload, kind);
	payload_values(payload, rules[0], &facts, values);
	for (size_t i = 0; i < rules[0]->n_attributes; i++)
		if (!item || i == (way->response ? RESPONSE_ITEM : REQUEST_ITEM))
			append_value(out, rules[0]->attributes[i].expr, values);
	payload_free(payload);
	REQUIRE(payloads.bytes == 0 && payloads.refused == 0);
	payloads_release(&payloads);
}

static void expect_same(struct sv a, const struct way *a_way, struct sv b, const struct way *b_way)
{
	struct buf first, second;

	buf_init(&first);
	buf_init(&second);
	take(&first, a, a_way, false);
	take(&second, b, b_way, false);
	REQUIRE(sv_eq(buf_sv(&first), buf_sv(&second)));
	buf_release(&first);
	buf_release(&second);
}

/* Is the item said no more than once? Escapes may say anything. */
static bool says_one_item(struct sv text)
{
	const struct sv name = SV("item");
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += sv_starts(sv_skip(text, i), name);
	return n <= 1 && sv_find(text, '\\') == text.len && sv_find(text, '%') == text.len;
}

static void expect_item_or_nothing(struct sv item, struct sv wire, const struct way *way)
{
	struct buf says;

	buf_init(&says);
	take(&says, wire, way, true);
	REQUIRE(sv_eq(buf_sv(&says), item) || sv_eq(buf_sv(&says), SV(NOTHING)));
	buf_release(&says);
}

/* The item that a body without its end has is none, or that of the whole: no number, no word that the cut may have gone through. What is packed
 * may end early without anything being lost. */
static void expect_no_more(struct sv wire, const struct way *cut_way)
{
	struct way whole_way = *cut_way;
	struct buf item;

	buf_init(&item);
	whole_way.lost = 0;
	take(&item, wire, &whole_way, true);
	expect_item_or_nothing(buf_sv(&item), wire, cut_way);
	if (cut_way->wire != WIRE_PLAIN)
		expect_item_or_nothing(
		    buf_sv(&item), sv_from(wire.p, wire.len - cut_way->lost), &whole_way);
	buf_release(&item);
}

static void pack(struct buf *out, struct sv text, unsigned int wire)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)text.p, .avail_in = (uInt)text.len};

	REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, wire == WIRE_GZIP ? 15 + 16 : -15, 8,
		    Z_DEFAULT_STRATEGY) == Z_OK);
	REQUIRE(buf_reserve(out, deflateBound(&z, text.len)) == 0);
	z.next_out = (Bytef *)out->data;
	z.avail_out = (uInt)out->cap;
	REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
	out->len = z.total_out;
	deflateEnd(&z);
}

/* Of no more than max bytes; a beginning of gzip says a beginning of what the whole says, and all only if it is all. */
static void unpack(struct sv in, size_t cut, size_t max)
{
	struct sv begin = fuzz_copy(in.p, cut);
	struct buf all, part;
	bool whole, part_whole;

	buf_init(&all);
	buf_init(&part);
	whole = inflate_append(&all, in, max);
	part_whole = inflate_append(&part, begin, max);
	REQUIRE(all.len <= max && part.len <= max);
	REQUIRE(!whole || in.len);
	if (sv_starts(begin, SV("\x1f\x8b"))) {
		REQUIRE(sv_starts(buf_sv(&all), buf_sv(&part)));
		REQUIRE(cut < in.len || whole == part_whole);
	}
	buf_release(&all);
	buf_release(&part);
	fuzz_free(begin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	uint8_t how = fuzz_byte(&c);
	size_t piece = 1 + fuzz_byte(&c), lost = fuzz_byte(&c);
	struct way plain = {.form = how & 4, .response = how & 8, .piece = SIZE_MAX};
	struct way way = plain;
	struct sv in = fuzz_copy(c.p, c.left);
	struct buf wire;

	buf_init(&wire);
	way.wire = how & 3;
	if (way.wire == WIRE_GZIP || way.wire == WIRE_DEFLATE)
		pack(&wire, in, way.wire);
	else
		buf_append_sv(&wire, in);
	plain.piece = wire.len + in.len + 1;
	way.piece = piece;
	if (way.wire != WIRE_AS_IT_IS)
		expect_same(buf_sv(&wire), &way, in, &plain);
	way.lost = lost < wire.len ? lost : wire.len;
	plain = way;
	plain.piece = wire.len + 1;
	expect_same(buf_sv(&wire), &way, buf_sv(&wire), &plain);
	if (way.wire != WIRE_AS_IT_IS && says_one_item(in))
		expect_no_more(buf_sv(&wire), &way);
	unpack(buf_sv(&wire), wire.len - way.lost, 1 + piece * 16);
	buf_release(&wire);
	fuzz_free(in);
	return 0;
}
