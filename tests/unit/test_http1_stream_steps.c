// SPDX-License-Identifier: Apache-2.0
/*
 * One direction of an HTTP/1 connection, step by step: what is no plain input (gaps, a late start,
 * tunnels, refused bodies), and the limits.
 */
#include "http1_stream_fixture.h"

static void test_begin_comes_with_the_first_byte(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "\r\n");
	check_calls(&f, "");
	fixture_feed(&f, "\r\nG");
	check_calls(&f, "B");
	fixture_feed(&f, "ET / HTTP/1.1\r\n\r");
	check_calls(&f, "");
	fixture_feed(&f, "\nP");
	check_calls(&f, "H(GET /,1.1) E");
	fixture_feed(&f, "O");
	check_calls(&f, "B");
	fixture_release(&f);
}

static void test_a_whole_head_needs_no_memory(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n");
	assert_null(f.s.held.data);
	fixture_release(&f);
}

static void test_gap_inside_known_lengths(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_RESPONSE, true);
	fixture_feed(&f, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nab");
	http1_stream_gap(&f.s, 0);
	http1_stream_gap(&f.s, 997);
	fixture_feed(&f, "c");
	check_calls(&f, "B H(200,1.1) D1000 E");
	assert_int_equal(f.r.captured, 3);
	assert_int_equal(f.s.losses, 0);

	fixture_feed(&f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n");
	http1_stream_gap(&f.s, 100);
	fixture_feed(&f, "\r\n0\r\n\r\n");
	check_calls(&f, "B H(200,1.1) D100 E");

	fixture_feed(&f, "HTTP/1.1 200 OK\r\n\r\n");
	http1_stream_gap(&f.s, 1ULL << 40);
	http1_stream_close(&f.s, false);
	check_calls(&f, "B H(200,1.1) D1099511627776 E");
	assert_int_equal(f.s.losses, 0);
	fixture_release(&f);
}

/* Large chunks: of each write only the first bytes are captured. */
static void test_gap_over_the_end_of_a_chunk(void **state)
{
	static const struct {
		const char *size_line, *next; /* what is seen behind gaps of these lengths: */
		uint64_t gaps[2];
		const char *calls;
		enum http1_state state;
	} rows[] = {
	    {"64\r\n", "0\r\n\r\n", {102, 0}, "D100 E", HTTP1_STATE_START},
	    {"64\r\n", "0\r\n\r\n", {60, 42}, "D100 E", HTTP1_STATE_START},
	    {"64\r\n", "0\r\n\r\n", {100, 2}, "D100 E", HTTP1_STATE_START},
	    {"64\r\n", "0\r\n\r\n", {101, 1}, "D100 E", HTTP1_STATE_START},
	    {"64\r\n", "\n0\r\n\r\n", {101, 0}, "D100 E", HTTP1_STATE_START},
	    {"64\r\nab", "0\r\n\r\n", {100, 0}, "D100 E", HTTP1_STATE_START},
	    {"64;e\n", "0\n\n", {101, 0}, "D100 E", HTTP1_STATE_START},
	    {"64\r\n", "0\r\n\r\n", {103, 0}, "D100 El", HTTP1_STATE_LOST},
	    {"64\n", "0\n\n", {102, 0}, "D100 El", HTTP1_STATE_LOST},
	    {"64\r\n", "x\r\n\r\n", {102, 0}, "D100 Em", HTTP1_STATE_LOST},
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fixture_init(&f, HTTP1_RESPONSE, true);
		fixture_feed(&f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		check_calls(&f, "B H(200,1.1)");
		fixture_feed(&f, rows[i].size_line);
		http1_stream_gap(&f.s, rows[i].gaps[0]);
		http1_stream_gap(&f.s, rows[i].gaps[1]);
		fixture_feed(&f, rows[i].next);
		check_calls(&f, rows[i].calls);
		assert_int_equal(f.s.state, rows[i].state);
		fixture_release(&f);
	}
}

static void test_gap_beyond_a_length_completes_then_loses(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_RESPONSE, true);
	fixture_feed(&f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	http1_stream_gap(&f.s, 15);
	check_calls(&f, "B H(200,1.1) D10 E");
	assert_int_equal(f.s.state, HTTP1_STATE_LOST);
	assert_int_equal(f.s.losses, 1);
	assert_int_equal(f.s.lost_bytes, 5);
	fixture_feed(&f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	check_calls(&f, "B H(200,1.1) E");
	fixture_release(&f);
}

static void test_gap_elsewhere_loses(void **state)
{
	static const struct {
		const char *before, *calls;
	} rows[] = {
	    {"", ""},
	    {"POST / HTTP/1.1\r\nHost", "B El"},
	    {"P", ""},
	    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "B H(POST /,1.1) El"},
	    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"B H(POST /,1.1) D5 El"},
	    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde",
		"B H(POST /,1.1) D5 El"},
	    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "B H(POST /,1.1) El"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		fixture_init(&f, HTTP1_REQUEST, true);
		fixture_feed(&f, rows[i].before);
		http1_stream_gap(&f.s, 20);
		check_calls(&f, rows[i].calls);
		assert_int_equal(f.s.state, HTTP1_STATE_LOST);
		assert_int_equal(f.s.losses, 1);
		fixture_feed(&f, "GET /again HTTP/1.1\r\n\r\n");
		check_calls(&f, "B H(GET /again,1.1) E");
		fixture_release(&f);
	}
}

static void test_late_attach_joins_at_a_piece_that_starts_a_message(void **state)
{
	static const char *const no[] = {"rest of a body GET / HTTP/1.1\r\n\r\n", "G",
	    "GET / HTTP/1.1", "FOO / HTTP/1.1\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n", "GET /\r\n",
	    "GET / HTTP/1.1 x\r\n", "HTTP/1.1 200 OK\r\n\r\n"};
	struct fixture f;
	size_t bytes = 0;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, false);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		fixture_feed(&f, no[i]);
		bytes += strlen(no[i]);
		check_calls(&f, "");
		assert_int_equal(f.s.state, HTTP1_STATE_LOST);
	}
	http1_stream_gap(&f.s, 7);
	assert_int_equal(f.s.lost_bytes, bytes + 7);
	assert_int_equal(f.s.losses, 0);
	fixture_feed(&f, "GET / HTTP/1.1\r\nHos");
	check_calls(&f, "B");
	fixture_feed(&f, "t: a\r\n\r\n");
	check_calls(&f, "H(GET /,1.1) E");
	fixture_release(&f);
}

static void test_lost_inside_a_piece_stays_lost_to_its_end(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "\001\r\nGET / HTTP/1.1\r\n\r\n");
	check_calls(&f, "");
	assert_int_equal(f.s.losses, 1);
	assert_int_equal(f.s.lost_bytes, 21);
	fixture_feed(&f, "GET / HTTP/1.1\r\n\r\n");
	check_calls(&f, "B H(GET /,1.1) E");
	fixture_release(&f);
}

static void test_tunnel_told_by_the_other_direction(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "CONNECT h:1 HTTP/1.1\r\n\r\n");
	http1_stream_tunnel(&f.s);
	fixture_feed(&f, "GET / HTTP/1.1\r\n\r\n");
	http1_stream_gap(&f.s, 5);
	http1_stream_close(&f.s, true);
	check_calls(&f, "B H(CONNECT h:1,1.1) E");
	assert_int_equal(f.s.losses, 0);
	fixture_release(&f);

	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "GET / HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nab");
	http1_stream_tunnel(&f.s);
	check_calls(&f, "B H(GET /,1.1) D2 El");
	fixture_release(&f);
}

/* Whichever callback gives up, the calls stay bracketed and nothing follows. */
static void test_tunnel_from_within_a_callback(void **state)
{
	static const char text[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "2\r\nab\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
	static const struct {
		char stop_at;
		const char *calls;
	} rows[] = {
	    {'B', "B El"},
	    {'H', "B H(POST /,1.1) El"},
	    {'D', "B H(POST /,1.1) D2 El"},
	    {'E', "B H(POST /,1.1) D2 E"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t step = 2; step < 2 * sizeof(text); step++) {
			struct sv rest = sv_cstr(text);
			struct fixture f;

			fixture_init(&f, HTTP1_REQUEST, true);
			f.r.stop = &f.s;
			f.r.stop_at = rows[i].stop_at;
			for (; rest.len; rest = sv_skip(rest, step))
				feed_edge(&f.s, sv_from(rest.p, rest.len < step ? rest.len : step));
			http1_stream_gap(&f.s, 3);
			http1_stream_close(&f.s, true);
			check_calls(&f, rows[i].calls);
			assert_int_equal(f.s.state, HTTP1_STATE_TUNNEL);
			assert_int_equal(f.s.losses, rows[i].stop_at != 'E');
			fixture_release(&f);
		}
	}
}

static void test_tunnel_from_within_other_paths(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	f.r.stop = &f.s;
	f.r.stop_at = 'B';
	fixture_feed(&f, "get / http/1.1\r\n\r\n");
	check_calls(&f, "B El");
	assert_int_equal(f.s.state, HTTP1_STATE_TUNNEL);
	fixture_release(&f);

	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
	f.r.stop = &f.s;
	f.r.stop_at = 'D';
	http1_stream_gap(&f.s, 20);
	check_calls(&f, "B H(POST /,1.1) D5 El");
	assert_int_equal(f.s.state, HTTP1_STATE_TUNNEL);
	fixture_release(&f);
}

static void test_a_body_that_was_refused_may_never_come(void **state)
{
	static const char post[] =
	    "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n";
	struct fixture f;

	(void)state;
	fixture_init(&f, HTTP1_REQUEST, true);
	fixture_feed(&f, post);
	http1_stream_body_optional(&f.s);
	fixture_feed(&f, "GET /next HTTP/1.1\r\n\r\n");
	check_calls(&f, "B H(POST /,1.1) E B H(GET /next,1.1) E");

	/* the body comes all the same */
	fixture_feed(&f, post);
	http1_stream_body_optional(&f.s);
	fixture_feed(&f, "012345678");
	fixture_feed(&f, "GET /x HTTP/1.1\r\n\r\n01");
	check_calls(&f, "B H(POST /,1.1) D30 E");

	/* nobody has refused it: a body may look like a request */
	fixture_feed(&f, post);
	fixture_feed(&f, "GET /body HTTP/1.1\r\n\r\n01234567");
	check_calls(&f, "B H(POST /,1.1) D30 E");
	http1_stream_body_optional(&f.s);
	assert_false(f.s.body_optional);
	fixture_release(&f);
}

/* --- limits ------------------------------------------------------------------------------------*/

static void append_fill(struct buf *b, char c, size_t n)
{
	while (n--)
		buf_append_char(b, c);
}

/* Calls for a text fed in pieces of step bytes. */
static void check_in_steps(struct sv text, size_t step, const char *calls)
{
	struct fixture f;

	fixture_init(&f, HTTP1_REQUEST, true);
	for (struct sv rest = text; rest.len; rest = sv_skip(rest, step))
		http1_stream_feed(&f.s, sv_from(rest.p, rest.len < step ? rest.len : step));
	assert_true(f.s.held.cap <= 2 * (size_t)HTTP1_MAX_HEAD);
	check_calls(&f, calls);
	fixture_release(&f);
}

static void check_in_any_steps(struct buf *text, const char *calls)
{
	static const size_t steps[] = {1, 7, 1000, 4096, 16384, 65536, SIZE_MAX};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		check_in_steps(buf_sv(text), steps[i], calls);
	buf_release(text);
}

static void test_limits(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_append_cstr(&b, "GET / HTTP/1.1\r\nA: ");
	append_fill(&b, 'a', 70 << 10);
	buf_append_cstr(&b, "\r\n\r\n");
	check_in_any_steps(&b, "B El");

	buf_append_cstr(&b, "GET / HTTP/1.1\r\nA: ");
	append_fill(&b, 'a', HTTP1_MAX_HEAD - b.len - 4);
	buf_append_cstr(&b, "\r\n\r\n");
	check_in_any_steps(&b, "B H(GET /,1.1) E");

	buf_append_cstr(&b, "GET / HTTP/1.1\r\nA: ");
	append_fill(&b, 'a', HTTP1_MAX_HEAD - b.len - 3);
	buf_append_cstr(&b, "\r\n\r\n");
	check_in_any_steps(&b, "B El");

	buf_append_cstr(&b, "GET /");
	append_fill(&b, 'a', HTTP1_MAX_START_LINE);
	buf_append_cstr(&b, " HTTP/1.1\r\n\r\n");
	check_in_any_steps(&b, "B El");

	buf_append_cstr(&b, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	append_fill(&b, 'a', 9000);
	buf_append_cstr(&b, "\r\na\r\n0\r\n\r\n");
	check_in_any_steps(&b, "B H(POST /,1.1) El");

	buf_append_cstr(&b, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	for (int i = 0; i < 20; i++) {
		buf_append_cstr(&b, "T: ");
		append_fill(&b, 'a', 4000);
		buf_append_cstr(&b, "\r\n");
	}
	buf_append_cstr(&b, "\r\n");
	check_in_any_steps(&b, "B H(POST /,1.1) El");
}

static void test_memory_of_a_long_head_is_given_back(void **state)
{
	struct fixture f;
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_append_cstr(&b, "GET / HTTP/1.1\r\nA: ");
	append_fill(&b, 'a', 20000);
	fixture_init(&f, HTTP1_REQUEST, true);
	http1_stream_feed(&f.s, buf_sv(&b));
	assert_true(f.s.held.cap > 20000);
	fixture_feed(&f, "\r\n\r\n");
	check_calls(&f, "B H(GET /,1.1) E");
	assert_null(f.s.held.data);
	fixture_release(&f);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_begin_comes_with_the_first_byte),
	    cmocka_unit_test(test_a_whole_head_needs_no_memory),
	    cmocka_unit_test(test_gap_inside_known_lengths),
	    cmocka_unit_test(test_gap_over_the_end_of_a_chunk),
	    cmocka_unit_test(test_gap_beyond_a_length_completes_then_loses),
	    cmocka_unit_test(test_gap_elsewhere_loses),
	    cmocka_unit_test(test_late_attach_joins_at_a_piece_that_starts_a_message),
	    cmocka_unit_test(test_lost_inside_a_piece_stays_lost_to_its_end),
	    cmocka_unit_test(test_tunnel_told_by_the_other_direction),
	    cmocka_unit_test(test_tunnel_from_within_a_callback),
	    cmocka_unit_test(test_tunnel_from_within_other_paths),
	    cmocka_unit_test(test_a_body_that_was_refused_may_never_come),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_memory_of_a_long_head_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
