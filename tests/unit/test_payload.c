// SPDX-License-Identifier: Apache-2.0
/* What is kept of bodies, and what of it still counts when they are cut, too long, compressed, or too many (rule/payload.h). */
#include <stdio.h>
#include <zlib.h>

#include "rule/payload.h"
#include "rule_fixture.h"

#define RULES                                                                                        \
	"rules:\n  - match: POST /a\n    attributes: {x.first: request.first, x.last: request.last," \
	" x.told: response.first, x.end: response.last}\n"

/* One request and its answer, which any piece of may be lost. */
struct talk {
	struct fixture f;
	struct sock sock;
	struct actor actor;
};

static void talk_begin(struct talk *t)
{
	start(&t->f, RULES);
	t->actor = first;
	t->sock = sock_tcp(&t->f.world->feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40001);
	sock_announce(&t->sock);
}

static void talk_end(struct talk *t, const char *attributes)
{
	sock_close(&t->sock);
	world_end(t->f.world);
	assert_int_equal(t->f.world->kept.n, 1);
	expect_attributes(&t->f, 0, attributes);
	stop(&t->f);
}

/* Head and body of either side in records as the kernel side makes them; the last lost bytes are not told. */
static void say(
    struct talk *t, enum zsp_direction direction, const char *fields, struct sv body, size_t lost)
{
	struct buf text;
	struct sv rest;

	buf_init(&text);
	buf_printf(&text, "%s\r\n%sContent-Length: %zu\r\n\r\n",
	    direction == ZSP_IN ? "POST /a HTTP/1.1\r\nHost: a" : "HTTP/1.1 200 OK", fields,
	    body.len);
	buf_append_sv(&text, body);
	rest = sv_from(text.data, text.len - lost);
	while (rest.len) {
		struct sv piece =
		    sv_from(rest.p, rest.len < ZSP_CAPTURE_MAX ? rest.len : ZSP_CAPTURE_MAX);

		sock_move(&t->sock, &t->actor, direction, piece);
		rest = sv_skip(rest, piece.len);
	}
	sock_lose(&t->sock, direction, lost);
	buf_release(&text);
}

/* {"first": 1, "fill": "...", "last": 2} whose last but one byte, the 2, is the at-th. */
static void fill(struct buf *out, size_t at)
{
	const size_t around = strlen("{\"first\":1,\"fill\":\"\",\"last\":2");

	buf_append_cstr(out, "{\"first\":1,\"fill\":\"");
	for (size_t i = around; i < at; i++)
		buf_append_char(out, (char)('a' + i * i % 26));
	buf_append_cstr(out, "\",\"last\":2}");
	assert_int_equal(out->len, at + 1);
}

/* --- cut ----------------------------------------------------------------------------------------- */

/* Of an answer, too, what came before the cut counts, and not the number that the cut may have gone through. */
static void a_cut_answer(void **state)
{
	static const char body[] = "{\"first\":12,\"last\":345,\"more\":0}";
	static const struct {
		size_t lost;
		const char *gives;
	} rows[] = {
	    {0, "x.first=1 x.told=12 x.end=345 "},
	    {1, "x.first=1 x.told=12 x.end=345 "},
	    {strlen(",\"more\":0}"), "x.first=1 x.told=12 "},
	    {strlen("5,\"more\":0}"), "x.first=1 x.told=12 "},
	    {strlen("2,\"last\":345,\"more\":0}"), "x.first=1 "},
	    {sizeof(body) - 1, "x.first=1 "},
	};
	struct talk t;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		talk_begin(&t);
		say(&t, ZSP_IN, "", SV("{\"first\":1}"), 0);
		say(&t, ZSP_OUT, "", SV(body), rows[i].lost);
		talk_end(&t, rows[i].gives);
	}
}

/* The same where the kernel side captured only the beginning of what was written at once. */
static void an_answer_that_was_captured_in_part(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t);
	say(&t, ZSP_IN, "", SV("{\"first\":1}"), 0);
	sock_move_cut(&t.sock, &t.actor, ZSP_OUT,
	    SV("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"first\":7,\"last\":8"), 41 + 1000,
	    0);
	talk_end(&t, "x.first=1 x.told=7 ");
}

/* --- too long ------------------------------------------------------------------------------------ */

/* 64 KiB of a body are kept, of either side, to the byte; a number counts if it is seen that it ended. */
static void long_bodies(void **state)
{
	static const char *const gives[2][2] = {
	    {"x.first=1 x.last=2 ", "x.first=1 "}, {"x.told=1 x.end=2 ", "x.told=1 "}};
	struct talk t;

	(void)state;
	for (size_t side = 0; side < 2; side++)
		for (size_t over = 0; over < 2; over++) {
			struct buf body;

			buf_init(&body);
			fill(&body, PAYLOAD_MAX_BODY - 1 + over);
			talk_begin(&t);
			say(&t, ZSP_IN, "", side == 0 ? buf_sv(&body) : SV("{}"), 0);
			say(&t, ZSP_OUT, "", side == 1 ? buf_sv(&body) : SV("{}"), 0);
			talk_end(&t, gives[side][over]);
			buf_release(&body);
		}
}

/* --- compressed ---------------------------------------------------------------------------------- */

static void pack(struct buf *out, struct sv text, int level)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)text.p, .avail_in = (uInt)text.len};

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(buf_reserve(out, deflateBound(&z, text.len)), 0);
	z.next_out = (Bytef *)out->data;
	z.avail_out = (uInt)out->cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = z.total_out;
	deflateEnd(&z);
}

/* Compressed and cut: what can be unpacked is read as what came before a cut is. */
static void compressed_and_cut(void **state)
{
	static const enum zsp_direction sides[] = {ZSP_IN, ZSP_OUT};
	static const char *const gives[2][2] = {
	    {"x.first=1 x.last=2 ", "x.first=1 "}, {"x.told=1 x.end=2 ", "x.told=1 "}};
	struct buf body, packed;
	struct talk t;

	(void)state;
	buf_init(&body);
	buf_init(&packed);
	fill(&body, 6000);
	pack(&packed, buf_sv(&body), 9);
	for (size_t side = 0; side < 2; side++)
		for (size_t cut = 0; cut < 2; cut++) {
			talk_begin(&t);
			for (size_t i = 0; i < 2; i++)
				say(&t, sides[i], i == side ? "Content-Encoding: gzip\r\n" : "",
				    i == side ? buf_sv(&packed) : SV("{}"),
				    i == side && cut ? packed.len / 4 : 0);
			talk_end(&t, gives[side][cut]);
		}
	buf_release(&packed);
	buf_release(&body);
}

/* A small body that unpacks to a large one is read as a large one is: 64 KiB of it. */
static void a_bomb(void **state)
{
	static const size_t sizes[] = {PAYLOAD_MAX_BODY - 1, PAYLOAD_MAX_BODY, 8 << 20};
	struct buf body, packed;
	struct talk t;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		buf_init(&body);
		buf_init(&packed);
		fill(&body, sizes[i]);
		pack(&packed, buf_sv(&body), 9);
		assert_true(packed.len < PAYLOAD_MAX_BODY);
		talk_begin(&t);
		say(&t, ZSP_IN, "Content-Encoding: gzip\r\n", buf_sv(&packed), 0);
		say(&t, ZSP_OUT, "", SV("{}"), 0);
		talk_end(&t, i ? "x.first=1 " : "x.first=1 x.last=2 ");
		buf_release(&packed);
		buf_release(&body);
	}
}

/* --- too many ------------------------------------------------------------------------------------ */

static struct payload *keep_body(struct payloads *payloads, struct sv body)
{
	struct payload *payload = payload_new(payloads, RULE_SERVER, SV("POST"), SV("/a"));

	assert_non_null(payload);
	payload_body(payload, HTTP1_REQUEST, body, body.len);
	payload_end(payload, HTTP1_REQUEST);
	return payload;
}

/* The first and the last number of the body, 0: not there. */
static void expect_kept(struct payload *payload, int64_t begin, int64_t end)
{
	static const uint64_t time_ns[LEDGER_STATES];
	const struct rule_facts facts = {.time_ns = time_ns};
	struct rule_value values[RULE_MAX_SOURCES];
	const struct rule *const *rules;

	assert_int_equal(payload_rules(payload, &rules), 1);
	payload_values(payload, rules[0], &facts, values);
	assert_int_equal(values[0].type == RULE_INT ? values[0].integer : 0, begin);
	assert_int_equal(values[1].type == RULE_INT ? values[1].integer : 0, end);
}

/* 16 MiB of all bodies at once: of a further one nothing is kept, and counted; where others are gone there is room again. */
static void many_bodies(void **state)
{
	static struct payload *kept[PAYLOADS_MAX_BYTES / 1000];
	struct payloads payloads;
	struct config config;
	struct buf body;
	size_t n = 0;

	(void)state;
	read_config(&config, RULES);
	payloads_init(&payloads);
	payloads_set_rules(&payloads, config.rules);
	buf_init(&body);
	fill(&body, 60000);
	while (payloads.refused == 0) {
		assert_true(n < sizeof(kept) / sizeof(kept[0]));
		kept[n++] = keep_body(&payloads, buf_sv(&body));
		/* Memory is had in powers of two. */
		assert_true(payloads.bytes <= PAYLOADS_MAX_BYTES + PAYLOAD_MAX_BODY);
	}
	assert_true(n > PAYLOADS_MAX_BYTES / PAYLOAD_MAX_BODY);
	assert_true(payloads.bytes > PAYLOADS_MAX_BYTES - PAYLOAD_MAX_BODY);
	assert_int_equal(payloads.refused, 1);
	expect_kept(kept[0], 1, 2);
	expect_kept(kept[n - 2], 1, 2);
	expect_kept(kept[n - 1], 0, 0);
	payload_free(kept[0]);
	kept[0] = keep_body(&payloads, buf_sv(&body));
	expect_kept(kept[0], 1, 2);
	assert_int_equal(payloads.refused, 1);
	for (size_t i = 0; i < n; i++)
		payload_free(kept[i]);
	assert_int_equal(payloads.bytes, 0);
	payloads_release(&payloads);
	config_release(&config);
	buf_release(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cut_answer),
	    cmocka_unit_test(an_answer_that_was_captured_in_part),
	    cmocka_unit_test(long_bodies),
	    cmocka_unit_test(compressed_and_cut),
	    cmocka_unit_test(a_bomb),
	    cmocka_unit_test(many_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
