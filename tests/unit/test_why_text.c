// SPDX-License-Identifier: Apache-2.0
/* The report as people and scripts read it: the whole picture, then its edges. */
#include <stdio.h>

#include "json_reader.h"
#include "span/frames.h"
#include "why/layout.h"
#include "why/words.h"
#include "why_fixture.h"

/* 37 of 120 deductions sleep; the stack says where. */
static void sleeping_deductions(struct why_case *c)
{
	for (int i = 0; i < 83; i++)
		CASE_ADD(c,
		    SERVER("POST /inventory/deduct", 1, 0, 9 * MS,
			LEDGER([LEDGER_CPU] = 8 * MS, [LEDGER_DISK] = MS),
			ATTRS(HTTP_STATUS(200))));
	for (uint64_t i = 0; i < 37; i++)
		CASE_ADD(c,
		    SERVER("POST /inventory/deduct", 1, 0, 1000 * MS + i * 40 * MS,
			LEDGER([LEDGER_CPU] = 9 * MS, [LEDGER_SLEEP] = 991 * MS + i * 40 * MS),
			.wait = {.state = LEDGER_SLEEP,
			    .ns = 991 * MS + 40 * MS * i,
			    .user = "clock_nanosleep (nanosleep.c:48, libc.so.6)\n"
				    "simulate_latency (shop.c:412)\nserve (shop.c:88)\n"
				    "libmicrohttpd.so.12+0x1a2b",
			    .kernel = "do_nanosleep\nhrtimer_nanosleep"},
			ATTRS(HTTP_STATUS(200))));
}

static bool has(const struct buf *text, const char *part)
{
	return strstr(text->data, part) != NULL;
}

static void expect(const struct buf *text, const char *part)
{
	if (!has(text, part))
		fail_msg("there is no '%s' in\n%s", part, text->data);
}

/* Wherever lines end. */
static void expect_sentence(const struct buf *text, const char *part)
{
	struct buf flat;

	buf_init(&flat);
	for (size_t i = 0; i < text->len; i++) {
		char c = text->data[i] == '\n' ? ' ' : text->data[i];

		if (c != ' ' || flat.len == 0 || flat.data[flat.len - 1] != ' ')
			buf_append_char(&flat, c);
	}
	expect(&flat, part);
	buf_release(&flat);
}

static void test_whole(void **state)
{
	struct why_case c;
	struct buf text;

	(void)state;
	case_init(&c);
	buf_init(&text);
	sleeping_deductions(&c);
	case_make(&c);
	case_text(&c, &text, 100, false);
	assert_string_equal(text.data,
	    "shop (pid 1234) in 10.0 s: 120 requests (12.0/s)\n"
	    "\n"
	    "1. POST /inventory/deduct sleeps · 99.9 % of the time lost (1 m 03 s)\n"
	    "    37 of 120 requests (31 %) slept 991 ms to 2.43 s, mean 1.71 s, at simulate_latency (shop.c:412).\n"
	    "    Without it p95 would be 9.0 ms instead of 2.20 s.\n"
	    "\n"
	    "Confidence: high: no event of 1000 lost, 100 % of the time accounted for.\n"
	    "\n"
	    "Routes by time lost                    number     /s failed     lost     p50     p95     p99     max\n"
	    "POST /inventory/deduct                    120   12.0      0 1 m 03 s  9.0 ms  2.20 s  2.40 s  2.44 s\n"
	    "    sleep        ███████████████████████▋    98 %  1 m 03 s\n"
	    "    cpu          ▍                          1.5 %  997 ms\n"
	    "\n"
	    "What slow requests have more of\n"
	    "POST /inventory/deduct: 37 slow (over 9.0 ms), mean 1.72 s, against 83 others, mean 9.0 ms\n"
	    "     +1.71 s  sleep  (37 of 37 slow, 0 of 83 others)\n"
	    "\n"
	    "Where the longest waits were\n"
	    "sleep 1 m 03 s in 37 requests of POST /inventory/deduct\n"
	    "    clock_nanosleep (nanosleep.c:48, libc.so.6)\n"
	    "  ▸ simulate_latency (shop.c:412)\n"
	    "    serve (shop.c:88)\n"
	    "    libmicrohttpd.so.12+0x1a2b\n"
	    "    kernel: do_nanosleep\n"
	    "    kernel: hrtimer_nanosleep\n"
	    "\n"
	    "What was seen\n"
	    "1000 events, 0 lost; 100 % of the HTTP bytes seen; 0 % of the time unattributed\n"
	    "Time lost is all time of a request but the first 10 ms on the CPU and what it passed on to another\n"
	    "request seen here.\n");
	buf_release(&text);
	case_release(&c);
}

static void test_conflicts(void **state)
{
	struct why_case c;
	struct buf text;

	(void)state;
	case_init(&c);
	buf_init(&text);
	for (int i = 0; i < 28; i++)
		case_checkout(&c, MS / 10, 0);
	case_conflict(&c, 17, 310);
	case_make(&c);
	case_text(&c, &text, 140, false);
	expect(&text, "\n1. POST /inventory/deduct fails with 500\n    1 of 29 requests (3.4 %): ");
	expect_sentence(&text,
	    "UPDATE inventory got SQLITE_BUSY (5) from shop.db after backing off for 15.0 ms. The write lock was held by transaction 17 (BEGIN IMMEDIATE by \"stock-audit\", thread 4242 of the same process) for 310 ms; evidence: no other connection of the process had a write lock then. POST /checkout fails with it (1 request).");
	case_conflict(&c, 3, 100);
	for (int64_t i = 20; i < 24; i++)
		case_conflict(&c, i, 200);
	case_make(&c);
	case_text(&c, &text, 140, false);
	expect_sentence(&text,
	    " by transactions 3, 17, 20 and others (BEGIN IMMEDIATE by \"stock-audit\", thread 4242 of the same process) for 100 ms to 310 ms;");
	buf_release(&text);
	case_release(&c);
}

static void test_nothing(void **state)
{
	static const struct {
		uint64_t events, connections, strays;
		const char *want;
	} cases[] = {
	    {0, 0, 0, "is it the one that serves the requests"},
	    {5, 0, 0, "no connection and no SQL statement was seen"},
	    {5, 3, 0, "no HTTP/1"},
	    {5, 3, 2, "must last longer than a request"},
	};
	struct why_case c;
	struct buf text;

	(void)state;
	case_init(&c);
	buf_init(&text);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c.coverage.events = cases[i].events;
		c.coverage.connections = cases[i].connections;
		c.coverage.strays = cases[i].strays;
		case_make(&c);
		case_text(&c, &text, 140, false);
		expect(&text, "shop (pid 1234) in 10.0 s: 0 requests\n\nNothing was observed.\n");
		expect_sentence(&text, cases[i].want);
	}
	buf_release(&text);
	case_release(&c);
}

static void test_one_request(void **state)
{
	struct why_case c;
	struct buf text;

	(void)state;
	case_init(&c);
	buf_init(&text);
	CASE_ADD(&c,
	    SERVER("GET /", 1, 0, MS / 2, LEDGER([LEDGER_CPU] = MS / 2), ATTRS(HTTP_STATUS(200))));
	case_make(&c);
	case_text(&c, &text, 100, false);
	expect(&text, "10.0 s: 1 request (0.1/s)\n");
	expect(&text, "Nothing stands out: none failed,");
	expect_sentence(&text, "The slowest took 0.5 ms (GET /).");
	expect(&text, "Confidence: low: only 1 request to judge by.");
	buf_release(&text);
	case_release(&c);
}

/* Every state has its words; none runs into a gap of the tables. */
static void test_states(void **state)
{
	(void)state;
	for (int i = 0; i < LEDGER_STATES; i++) {
		struct why_case c;
		struct buf text;

		case_init(&c);
		buf_init(&text);
		for (int n = 0; n < 30; n++) {
			struct span_model model = SERVER("GET /", 1, 0, 50 * MS);

			model.ledger.ns[i] = 50 * MS;
			case_add(&c, &model, 1);
		}
		case_make(&c);
		case_text(&c, &text, 100, false);
		expect(&text, "1. GET / ");
		expect(&text, "    30 of 30 requests (100 %) ");
		expect(&text, ledger_state_name((enum ledger_state)i));
		assert_false(has(&text, "(null)"));
		buf_release(&text);
		case_release(&c);
	}
}

/* Of a wait for the disk also the call; of other waits that would say nothing new. */
static void test_disk_call(void **state)
{
	static const struct {
		enum ledger_state state;
		const char *user, *want;
	} cases[] = {
	    {LEDGER_DISK, "fdatasync (fdatasync.c:28, libc.so.6)\nrun (store.c:119)",
		" 50.0 ms, in fdatasync at run (store.c:119)."},
	    {LEDGER_DISK,
		"Log::sync(char, (anonymous namespace)::How) (liblog.so.1)\nrun (store.c:119)",
		" 50.0 ms, in Log::sync(char, (anonymous namespace)::How) at run (store.c:119)."},
	    {LEDGER_DISK, "libc.so.6+0x1a\nrun (store.c:119)", " 50.0 ms, at run (store.c:119)."},
	    {LEDGER_DISK, "run (store.c:119)", " 50.0 ms, at run (store.c:119)."},
	    {LEDGER_SLEEP, "usleep (libc.so.6)\nrun (store.c:119)",
		" 50.0 ms, at run (store.c:119)."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span_model model = SERVER("GET /", 1, 0, 50 * MS);
		struct why_case c;

		model.ledger.ns[cases[i].state] = 50 * MS;
		model.wait.state = cases[i].state;
		model.wait.ns = 50 * MS;
		model.wait.user = cases[i].user;
		case_init(&c);
		case_add(&c, &model, 1);
		case_make(&c);
		assert_true(case_says(&c, cases[i].want));
		case_release(&c);
	}
}

static void test_peer_is_named(void **state)
{
	struct why_case c;
	struct buf text;

	(void)state;
	case_init(&c);
	buf_init(&text);
	for (int i = 0; i < 30; i++)
		CASE_ADD(&c, SERVER("GET /", 1, 0, 50 * MS, LEDGER([LEDGER_DOWNSTREAM] = 50 * MS)),
		    CLIENT("GET", 2, 1, 49 * MS, LEDGER([LEDGER_DOWNSTREAM] = 49 * MS),
			ATTRS(ATTR_S("server.address", "10.0.0.5"), ATTR_I("server.port", 9000))));
	case_make(&c);
	case_text(&c, &text, 100, false);
	expect(&text, "1. GET / waits for 10.0.0.5:9000 ·");
	buf_release(&text);
	case_release(&c);
}

/* No control character reaches the terminal, and JSON stays JSON, whatever the names are. */
static void test_hostile_names(void **state)
{
	static char huge[5000];
	const struct attr sqlite[] = {SQLITE};
	struct why_case c;
	struct buf text;
	struct json *json;

	(void)state;
	case_init(&c);
	buf_init(&text);
	memset(huge, 'x', sizeof(huge) - 1);
	for (int i = 0; i < 30; i++) {
		CASE_ADD(&c,
		    SERVER("GET /\033[2J\"\\\n%s\xc2\x9b", 1, 0, 50 * MS,
			LEDGER([LEDGER_DISK] = 50 * MS), .status = SPAN_STATUS_ERROR,
			.wait = {.state = LEDGER_DISK, .user = "\033c\n\n(\n)\n+"},
			ATTRS(ATTR_S("error.type", "\r\n\033]0;x\a"))),
		    CLIENT("UPDATE \033[1m", 2, 1, 40 * MS, .status = SPAN_STATUS_ERROR,
			LEDGER([LEDGER_DISK] = 40 * MS),
			ATTRS(SQLITE, ATTR_S("db.response.status_code", "\x1b"),
			    ATTR_S("zerospan.culprit.kind", "\t"),
			    ATTR_S("zerospan.culprit.process.name", "\033[31m"))),
		    CLIENT(huge, 3, 1, 10 * MS, LEDGER([LEDGER_DISK] = 10 * MS), .attrs = sqlite,
			.n_attrs = 2));
		CASE_ADD(&c, SERVER(huge, 1, 0, 50 * MS, LEDGER([LEDGER_LOCK] = 50 * MS)));
	}
	case_make(&c);
	for (int colour = 0; colour < 2; colour++) {
		case_text(&c, &text, 100, colour);
		for (size_t i = 0; i < text.len; i++) {
			unsigned char ch = (unsigned char)text.data[i];

			assert_true(ch >= 0x20 || ch == '\n' || (colour && ch == 0x1b));
		}
		assert_null(memmem(text.data, text.len, "\xc2\x9b", 2));
		assert_false(has(&text, "\033[2J"));
	}
	assert_true(text.len < 20000);
	buf_clear(&text);
	why_write_json(&text, &c.report);
	json = json_parse(text.data);
	assert_non_null(json);
	json_free(json);
	buf_release(&text);
	case_release(&c);
}

static double number(const struct json *json, const char *path)
{
	const char *text = json_text(json, path);

	if (!*text)
		fail_msg("there is no %s", path);
	return strtod(text, NULL);
}

static void test_json(void **state)
{
	struct why_case c;
	struct buf text;
	struct json *json;

	(void)state;
	case_init(&c);
	buf_init(&text);
	sleeping_deductions(&c);
	case_conflict(&c, 17, 310);
	case_make(&c);
	why_write_json(&text, &c.report);
	assert_int_equal(text.data[text.len - 1], '\n');
	json = json_parse(text.data);
	assert_non_null(json);
	assert_true(number(json, "requests") == 122);
	assert_true(number(json, "failed") == 2);
	assert_true(number(json, "seconds") == 10);
	assert_string_equal(json_text(json, "observed"), "shop (pid 1234)");
	assert_string_equal(json_text(json, "confidence"), "high");
	assert_string_equal(json_text(json, "findings/0/kind"), "time");
	assert_string_equal(json_text(json, "findings/0/state"), "sleep");
	assert_string_equal(json_text(json, "findings/0/route"), "POST /inventory/deduct");
	assert_string_equal(json_text(json, "findings/0/service"), "shop");
	assert_string_equal(json_text(json, "findings/0/frame"), "simulate_latency (shop.c:412)");
	assert_string_equal(
	    json_text(json, "findings/0/headline"), "POST /inventory/deduct sleeps");
	assert_true(number(json, "findings/0/requests") == 37);
	assert_true(number(json, "findings/0/of") == 121);
	assert_true(number(json, "findings/0/min_ms") == 991);
	assert_true(number(json, "findings/0/mean_ms") == 1711);
	assert_true(number(json, "findings/0/without_ms") < 20);
	assert_string_equal(json_text(json, "findings/1/kind"), "failure");
	assert_true(number(json, "findings/1/status") == 500);
	assert_string_equal(json_text(json, "findings/1/statement"), "UPDATE inventory");
	assert_string_equal(json_text(json, "findings/1/database"), "shop.db");
	assert_string_equal(json_text(json, "findings/1/code"), "5");
	assert_string_equal(json_text(json, "findings/1/culprit/process"), "stock-audit");
	assert_string_equal(json_text(json, "findings/1/culprit/statement"), "BEGIN IMMEDIATE");
	assert_true(number(json, "findings/1/culprit/examples/0/transaction") == 17);
	assert_true(number(json, "findings/1/culprit/examples/0/thread") == 4242);
	assert_true(number(json, "findings/1/culprit/held_max_ms") == 310);
	assert_string_equal(json_text(json, "findings/1/callers/0/route"), "POST /checkout");
	assert_string_equal(json_text(json, "routes/0/route"), "POST /inventory/deduct");
	assert_true(number(json, "routes/0/statuses/200") == 120);
	assert_true(number(json, "routes/0/states_ms/disk") == 83);
	assert_true(number(json, "routes/0/slow/requests") == 37);
	assert_string_equal(json_text(json, "routes/0/slow/differences/0/state"), "sleep");
	assert_string_equal(json_text(json, "stacks/0/user/1"), "simulate_latency (shop.c:412)");
	assert_string_equal(json_text(json, "stacks/0/kernel/0"), "do_nanosleep");
	assert_true(number(json, "coverage/lost") == 0);
	assert_non_null(json_at(json, "coverage/unattributed_percent"));
	json_free(json);
	buf_release(&text);
	case_release(&c);
}

static void test_json_of_nothing(void **state)
{
	struct why_case c;
	struct buf text;
	struct json *json;

	(void)state;
	case_init(&c);
	buf_init(&text);
	case_make(&c);
	why_write_json(&text, &c.report);
	json = json_parse(text.data);
	assert_non_null(json);
	assert_true(number(json, "requests") == 0);
	assert_string_equal(json_text(json, "confidence"), "none");
	assert_true(strlen(json_text(json, "nothing_observed")) > 0);
	assert_non_null(json_at(json, "findings"));
	json_free(json);
	buf_release(&text);
	case_release(&c);
}

static void test_colour(void **state)
{
	struct why_case c;
	struct buf text;

	(void)state;
	case_init(&c);
	buf_init(&text);
	sleeping_deductions(&c);
	for (int i = 0; i < 40; i++)
		case_conflict(&c, 17, 310);
	case_make(&c);
	case_text(&c, &text, 100, true);
	expect(&text, "\033[1m\033[31m1. POST /inventory/deduct fails with 500\033[0m\n");
	expect(&text, "\033[1m2. POST /inventory/deduct sleeps\033[0m\033[2m · ");
	buf_release(&text);
	case_release(&c);
}

/* --- parts ------------------------------------------------------------------------------------- */

static void test_own_frame(void **state)
{
	static const struct {
		const char *frames, *want;
	} cases[] = {
	    {"", ""},
	    {"nanosleep (libc.so.6)\nwork (shop.c:4)\nmain (shop.c:9)", "work (shop.c:4)"},
	    {"nanosleep (nanosleep.c:25, libc.so.6)\nwork (shop.c:4)", "work (shop.c:4)"},
	    {"libc.so.6+0x1a\nshop+0x2b", "shop+0x2b"},
	    {"[vdso]+0x1\nfdatasync (libc.so.6)\nunixSync (libsqlite3.so.0)\nstore (shop)",
		"store (shop)"},
	    {"fdatasync (libc.so.6)\nunixSync (libsqlite3.so.0)\nlibsqlite3.so.0+0x1",
		"unixSync (libsqlite3.so.0)"},
	    {"read (libc.so.6)\n_dl_start (ld-linux-x86-64.so.2)", ""},
	    {"pthread_cond_wait (libpthread.so.0)\nf (a.c:1)", "f (a.c:1)"},
	    {"operator() (pool.cc:7)\nmain (a.cc:1)", "operator() (pool.cc:7)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sv frame = frames_own(sv_cstr(cases[i].frames));

		if (!sv_eq(frame, sv_cstr(cases[i].want)))
			fail_msg("%zu: '%.*s'", i, SV_ARG(frame));
	}
}

static void expect_layout(struct buf *out, const char *want)
{
	assert_string_equal(out->data ? out->data : "", want);
	buf_clear(out);
}

static void test_layout(void **state)
{
	struct buf out;
	struct layout layout = {.out = &out, .width = 20};

	(void)state;
	buf_init(&out);
	layout_wrapped(&layout, SV("eins zwei drei vier fünf"), 2);
	expect_layout(&out, "  eins zwei drei\n  vier fünf\n");
	layout_wrapped(
	    &layout, SV("it took about 12.5 ms of 3 s"), 2); /* units stay with numbers */
	expect_layout(&out, "  it took about\n  12.5 ms of 3 s\n");
	layout_wrapped(&layout, SV("aVeryLongWordThatFitsInNoLine b"), 2);
	expect_layout(&out, "  aVeryLongWordThatFitsInNoLine\n  b\n");
	layout_wrapped(&layout, SV(""), 2);
	expect_layout(&out, "\n");
	layout_left(&layout, SV("fünf"), 6);
	layout_left(&layout, SV("fünfzehn"), 6);
	layout_right(&layout, SV("fünf"), 6);
	layout_right(&layout, SV("fünfzehn"), 6);
	expect_layout(&out, "fünf  fünfz…  fünffünfzehn");
	layout_bar(&layout, 0, 2);
	expect_layout(&out, "  ");
	layout_bar(&layout, 0.0001, 2);
	expect_layout(&out, "▏ ");
	layout_bar(&layout, 0.75, 2);
	expect_layout(&out, "█▌");
	layout_bar(&layout, 7, 2);
	expect_layout(&out, "██");
	buf_release(&out);
}

static void test_percent(void **state)
{
	static const struct {
		double share;
		const char *want;
	} cases[] = {{0, "0 %"}, {0.00001, "0.1 %"}, {0.004, "0.4 %"}, {0.0994, "9.9 %"},
	    {0.0996, "10 %"}, {0.314, "31 %"}, {0.989, "99 %"}, {0.9949, "99.5 %"},
	    {0.9996, "100 %"}, {1, "100 %"}};
	struct buf out;

	(void)state;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&out);
		why_append_percent(&out, cases[i].share);
		assert_string_equal(out.data, cases[i].want);
	}
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_conflicts),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_one_request),
	    cmocka_unit_test(test_states),
	    cmocka_unit_test(test_disk_call),
	    cmocka_unit_test(test_peer_is_named),
	    cmocka_unit_test(test_hostile_names),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_json_of_nothing),
	    cmocka_unit_test(test_colour),
	    cmocka_unit_test(test_own_frame),
	    cmocka_unit_test(test_layout),
	    cmocka_unit_test(test_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
