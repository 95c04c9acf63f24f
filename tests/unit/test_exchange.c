// SPDX-License-Identifier: Apache-2.0
/*
 * Exchanges beyond what the vectors say: connections met late, threads, times and positions, bounds.
 * Conversations: test_exchange_vectors.c; missing pieces: test_exchange_loss.c.
 */
#include "exchange_fixture.h"

/* --- late attach ---------------------------------------------------------------------------------- */

/* Begin a world with a connection that was there before, between these ports. */
static struct sock met_late(struct world *w, uint16_t local, uint16_t remote)
{
	struct sock sock;

	world_init(w);
	sock = sock_tcp(&w->feed, 77, ZSP_ROLE_UNKNOWN, 1, local, 1, remote);
	sock_announce(&sock);
	return sock;
}

static void met_in_a_request_body(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	sock = met_late(w, 8000, 40000);
	sock_read(&sock, &worker, "{\"rest\": \"of a body\"}");
	sock_write(&sock, &worker, OK2);
	sock_read(&sock, &worker, "GET /a HTTP/1.1\r\n\r\n");
	sock_write(&sock, &worker, OK0);
	world_end(w);
	expect_records(w, "met in a body", "GET /a 200 0+0");
	assert_int_equal(w->stats.strays, 1);
	free(w);
}

static void met_in_a_response(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	sock = met_late(w, 40000, 8000);
	sock_read(&sock, &worker, "the rest of an answer");
	sock_write(&sock, &worker, "GET /a HTTP/1.1\r\n\r\n");
	sock_read(&sock, &worker, OK2);
	world_end(w);
	expect_records(w, "met in an answer", "GET /a 200 0+2");
	assert_int_equal(w->records[0].kind, SPAN_KIND_CLIENT);
	free(w);
}

/* By a server that reads little at a time: no piece ever holds a start line. Interim answers are not the end. */
static void met_in_a_request_body_by_small_reads(void **state)
{
	const struct sv next = SV("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	sock = met_late(w, 8000, 40000);
	sock_write(&sock, &worker, "HTTP/1.1 100 C\r\n\r\n");
	sock_read(&sock, &worker, "the rest of");
	sock_read(&sock, &worker, " a body");
	sock_write(&sock, &worker, OK2);
	for (int i = 0; i < 2; i++) {
		for (size_t at = 0; at < next.len; at += 7)
			sock_move(&sock, &worker, ZSP_IN,
			    sv_from(next.p + at, next.len - at < 7 ? next.len - at : 7));
		sock_write(&sock, &worker, OK0);
	}
	world_end(w);
	expect_records(w, "met in a body, small reads", "POST /a 200 3+0; POST /a 200 3+0");
	free(w);
}

/* The answer to an unseen HEAD has no body, whatever it says; its length is that of the next answer. */
static void met_before_the_answer_to_head(void **state)
{
	static const char next[] = "HTTP/1.1 201 C\r\nContent-Length: 3\r\n\r\nabc";
	char answer[64];

	(void)state;
	snprintf(
	    answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(next));
	for (int server = 0; server < 2; server++) {
		enum zsp_direction in = server ? ZSP_IN : ZSP_OUT, out = server ? ZSP_OUT : ZSP_IN;
		struct world *w = malloc(sizeof(*w));
		struct sock sock;

		sock = met_late(w, 8000, 40000);
		sock_move(&sock, &worker, out, sv_cstr(answer));
		sock_move(&sock, &worker, in, SV("GET /1 HTTP/1.1\r\n\r\n"));
		sock_move(&sock, &worker, out, sv_cstr(next));
		sock_move(&sock, &worker, in, SV("GET /2 HTTP/1.1\r\n\r\n"));
		sock_move(&sock, &worker, out, SV("HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n"));
		world_end(w);
		expect_records(
		    w, "met before the answer to HEAD", "GET /1 201 0+3; GET /2 202 0+0");
		free(w);
	}
}

/* Behind an upgrade that was asked for unseen all is opaque, too. */
static void met_before_an_upgrade(void **state)
{
	(void)state;
	for (int server = 0; server < 2; server++) {
		enum zsp_direction in = server ? ZSP_IN : ZSP_OUT, out = server ? ZSP_OUT : ZSP_IN;
		struct world *w = malloc(sizeof(*w));
		struct sock sock;

		sock = met_late(w, 8000, 40000);
		sock_move(&sock, &worker, out, SV("HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n"));
		sock_move(&sock, &worker, in, SV("GET /1 HTTP/1.1\r\n\r\n"));
		sock_move(&sock, &worker, out, SV(OK2));
		world_end(w);
		expect_records(w, "met before an upgrade", "");
		free(w);
	}
}

/* One byte of a body could begin a method's name; it does not tell who is the server. */
static void met_with_a_short_piece(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	sock = met_late(w, 40000, 8000);
	sock_read(&sock, &worker, "P");
	for (int i = 0; i < 2; i++) {
		sock_write(&sock, &worker, "GET /a HTTP/1.1\r\n\r\n");
		sock_read(&sock, &worker, OK2);
	}
	world_end(w);
	expect_records(w, "met with one byte of a body", "GET /a 200 0+2; GET /a 200 0+2");
	assert_int_equal(w->records[0].kind, SPAN_KIND_CLIENT);
	free(w);
}

/* --- the rest ------------------------------------------------------------------------------------- */

/*
 * The server refuses before the body (no 100 was sent), so the client does not send it and asks
 * again: the next start line is no body.
 */
static void expectation_refused(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	for (int server = 0; server < 2; server++) {
		enum zsp_direction in = server ? ZSP_IN : ZSP_OUT, out = server ? ZSP_OUT : ZSP_IN;

		world_init(w);
		sock = sock_tcp(&w->feed, 77, server ? ZSP_ROLE_ACCEPTED : ZSP_ROLE_CONNECTED, 1,
		    8000, 1, 40000);
		sock_announce(&sock);
		sock_move(&sock, &worker, in,
		    SV("POST /1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 50\r\n\r\n"));
		sock_move(&sock, &worker, out, SV("HTTP/1.1 417 E\r\nContent-Length: 0\r\n\r\n"));
		sock_move(
		    &sock, &worker, in, SV("POST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"));
		sock_move(&sock, &worker, out, SV("HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n"));
		world_end(w);
		expect_records(w, "expectation refused", "POST /1 417 0+0; POST /2 202 3+0");
	}
	free(w);
}

static void thread_change(void **state)
{
	const struct actor first = {.pid = 10, .tid = 11, .slice = 1};
	const struct actor second = {.pid = 10, .tid = 12, .slice = 7};
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_ACCEPTED);
	sock_read(&sock, &first, "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
	sock_read(&sock, &second, "cd");
	assert_int_equal(w->moved, 1);
	sock_write(&sock, &first, OK2); /* who answers does not matter */
	sock_read(&sock, &first, "GET /b HTTP/1.1\r\n\r\n");
	sock_write(&sock, &second, OK2);
	world_end(w);
	assert_int_equal(w->moved, 1);
	assert_int_equal(w->records[0].tid, 12);
	assert_int_equal(w->records[0].slice, 7);
	assert_int_equal(w->records[1].tid, 11);
	free(w);
}

/* A client's caller is the thread that began to write. */
static void thread_change_of_a_client(void **state)
{
	const struct actor first = {.pid = 10, .tid = 11}, second = {.pid = 10, .tid = 12};
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_CONNECTED);
	sock_write(&sock, &first, "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
	sock_write(&sock, &second, "cd");
	sock_read(&sock, &second, OK2);
	world_end(w);
	assert_int_equal(w->moved, 0);
	assert_int_equal(w->records[0].tid, 11);
	free(w);
}

/* Times: a request begins with the call that wrote its first byte, or with the read's end. */
static void times(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock client, server;
	uint64_t sent, read, answered, done;

	(void)state;
	world_init(w);
	sock_tcp_pair(&w->feed, 70, 40000, &client, &server);
	sock_announce(&client);
	sock_announce(&server);
	sent = w->feed.now_ns + FEED_STEP_NS;
	sock_move_cut(&client, &worker, ZSP_OUT, SV("GET /a HTTP/1.1\r\n\r\n"), 19, NS_PER_MS);
	sock_move_cut(&server, &worker, ZSP_IN, SV("GET /a HTTP/1.1\r\n\r\n"), 19, NS_PER_MS / 2);
	read = w->feed.now_ns;
	sock_move_cut(&server, &worker, ZSP_OUT, SV(OK2), sizeof(OK2) - 1, NS_PER_MS);
	answered = w->feed.now_ns;
	sock_read(&client, &worker, OK2);
	done = w->feed.now_ns;
	world_end(w);
	assert_int_equal(w->n_records, 2);
	assert_int_equal(w->records[0].start_ns, read - NS_PER_MS / 2);
	assert_int_equal(w->records[0].taken_ns, read);
	assert_int_equal(w->records[0].end_ns, answered);
	assert_int_equal(w->records[1].start_ns, sent);
	assert_int_equal(w->records[1].taken_ns, sent);
	assert_int_equal(w->records[1].end_ns, done);
	free(w);
}

/* The two ends of a connection find each other by the position of a request's first byte. */
static void expect_positions(const char *what, const struct sv *pieces, size_t n,
    const uint32_t *positions, size_t n_positions)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	world_init(w);
	sock = sock_tcp(&w->feed, 77, ZSP_ROLE_ACCEPTED, 1, 8000, 1, 40000);
	sock.seq[0] = 0;
	sock_announce(&sock);
	for (size_t i = 0; i < n; i++)
		sock_move(&sock, &worker, ZSP_IN, pieces[i]);
	world_end(w);
	assert_int_equal(w->n_records, n_positions);
	for (size_t i = 0; i < n_positions; i++)
		if (w->records[i].position != positions[i])
			fail_msg("%s: request %zu at %u instead of %u", what, i,
			    w->records[i].position, positions[i]);
	free(w);
}

static void position_of_single_requests(void **state)
{
	const struct sv pieces[] = {SV("GET /1 HTTP/1.1\r\n\r\n"), SV("GET /2 HTTP"),
	    SV("/1.1\r\n\r\n"), SV("GET /3 HTTP/1.1\r\n\r\n")};

	(void)state;
	expect_positions("single", pieces, 4, (uint32_t[]){0, 19, 38}, 3);
}

static void position_of_pipelined_requests(void **state)
{
	const struct sv pieces[] = {
	    SV("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HT"), SV("TP/1.1\r\n\r\n")};

	(void)state;
	expect_positions("pipelined", pieces, 2, (uint32_t[]){0, 19, 38}, 3);
}

static void position_after_empty_lines(void **state)
{
	const struct sv pieces[] = {SV("\r\n\r\nGET /1 HTTP/1.1\r\n\r\n")};

	(void)state;
	expect_positions("after empty lines", pieces, 1, (uint32_t[]){4}, 1);
}

/* "P" may begin the HTTP/2 preface, so the request begins only when more has come. */
static void position_of_a_split_post(void **state)
{
	const struct sv pieces[] = {SV("P"), SV("OST /1 HTTP/1.1\r\n\r\n")};

	(void)state;
	expect_positions("split after P", pieces, 2, (uint32_t[]){0}, 1);
}

static void pipeline_up_to_its_bound(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;
	char text[64];

	(void)state;
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_ACCEPTED);
	for (int i = 0; i < EXCHANGE_MAX_PIPELINE; i++) {
		snprintf(text, sizeof(text), "GET /%d HTTP/1.1\r\n\r\n", i);
		sock_read(&sock, &worker, text);
	}
	for (int i = 0; i < EXCHANGE_MAX_PIPELINE; i++) {
		snprintf(text, sizeof(text), "HTTP/1.1 %d A\r\nContent-Length: 0\r\n\r\n", 205 + i);
		sock_write(&sock, &worker, text);
	}
	world_end(w);
	assert_int_equal(w->n_records, EXCHANGE_MAX_PIPELINE);
	assert_int_equal(w->stats.given_up, 0);
	for (int i = 0; i < EXCHANGE_MAX_PIPELINE; i++) {
		assert_int_equal(w->records[i].number, i);
		assert_int_equal(w->records[i].status, 205 + i);
	}
	free(w);
}

static void pipeline_beyond_its_bound(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock, next;
	char text[64];

	(void)state;
	world_init(w);
	sock = sock_tcp(&w->feed, 77, ZSP_ROLE_ACCEPTED, 1, 8000, 1, 40000);
	next = sock_tcp(&w->feed, 78, ZSP_ROLE_ACCEPTED, 1, 8000, 1, 40001);
	sock_announce(&sock);
	for (int i = 0; i <= EXCHANGE_MAX_PIPELINE; i++) {
		snprintf(text, sizeof(text), "GET /%d HTTP/1.1\r\n\r\n", i);
		sock_read(&sock, &worker, text);
	}
	assert_int_equal(w->n_records, EXCHANGE_MAX_PIPELINE);
	sock_write(&sock, &worker, OK2);
	sock_read(&sock, &worker, "GET /1000 HTTP/1.1\r\n\r\n");
	sock_write(&sock, &worker, OK2);
	for (int i = 0; i < EXCHANGE_MAX_PIPELINE; i++) {
		assert_int_equal(w->records[i].status, 0);
		assert_true(w->records[i].partial);
	}
	sock_announce(&next);
	sock_read(&next, &worker, "GET /7 HTTP/1.1\r\n\r\n");
	sock_write(&next, &worker, OK2);
	world_end(w);
	assert_int_equal(w->stats.given_up, 1);
	assert_int_equal(w->n_records, EXCHANGE_MAX_PIPELINE + 1);
	assert_string_equal(w->records[EXCHANGE_MAX_PIPELINE].text, "GET /7 200 0+2");
	free(w);
}

/* Vector 36: that message is lost and counted, the connection and the next one go on. */
static void head_beyond_its_limit(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;
	char line[1000];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_ACCEPTED);
	sock_read(&sock, &worker, "GET /a HTTP/1.1\r\n");
	for (int i = 0; i < 70; i++)
		sock_move(&sock, &worker, ZSP_IN, sv_from(line, sizeof(line)));
	sock_read(&sock, &worker, "\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 431 L\r\nContent-Length: 0\r\n\r\n");
	sock_read(&sock, &worker, "GET /b HTTP/1.1\r\n\r\n");
	sock_write(&sock, &worker, OK2);
	world_end(w);
	expect_records(w, "head of 70 KiB", "GET /b 200 0+2");
	assert_int_equal(w->stats.losses, 1);
	assert_int_equal(w->headless, 1);
	free(w);
}

/* A body of which only lengths are known, as sendfile() gives it. */
static void body_without_payload(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_ACCEPTED);
	sock_read(&sock, &worker, "GET /a HTTP/1.1\r\n\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n");
	sock_move_cut(&sock, &worker, ZSP_OUT, (struct sv){0}, 4000000, 0);
	sock_move_cut(&sock, &worker, ZSP_OUT, (struct sv){0}, 1000000, 0);
	sock_read(&sock, &worker, "GET /b HTTP/1.1\r\n\r\n");
	sock_move_cut(&sock, &worker, ZSP_OUT,
	    SV("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbeg"), 45 + 100000 - 3 + 1, 0);
	world_end(w);
	assert_string_equal(w->records[0].text, "GET /a 200 0+5000000");
	assert_int_equal(w->records[1].status, 200);
	free(w);
}

static void headers_are_taken(void **state)
{
	(void)state;
	assert_null(exchange_error_name(EXCHANGE_OK));
	assert_string_equal(exchange_error_name(EXCHANGE_CONNECTION_CLOSED), "connection_closed");
	assert_string_equal(exchange_error_name(EXCHANGE_CONNECTION_RESET), "connection_reset");
	assert_string_equal(
	    exchange_error_name(EXCHANGE_INCOMPLETE_RESPONSE), "incomplete_response");
	assert_string_equal(exchange_error_name(EXCHANGE_MALFORMED), "malformed_message");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(met_in_a_request_body),
	    cmocka_unit_test(met_in_a_response),
	    cmocka_unit_test(met_before_the_answer_to_head),
	    cmocka_unit_test(met_before_an_upgrade),
	    cmocka_unit_test(met_in_a_request_body_by_small_reads),
	    cmocka_unit_test(met_with_a_short_piece),
	    cmocka_unit_test(expectation_refused),
	    cmocka_unit_test(thread_change),
	    cmocka_unit_test(thread_change_of_a_client),
	    cmocka_unit_test(times),
	    cmocka_unit_test(position_of_single_requests),
	    cmocka_unit_test(position_of_pipelined_requests),
	    cmocka_unit_test(position_after_empty_lines),
	    cmocka_unit_test(position_of_a_split_post),
	    cmocka_unit_test(pipeline_up_to_its_bound),
	    cmocka_unit_test(pipeline_beyond_its_bound),
	    cmocka_unit_test(head_beyond_its_limit),
	    cmocka_unit_test(body_without_payload),
	    cmocka_unit_test(headers_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
