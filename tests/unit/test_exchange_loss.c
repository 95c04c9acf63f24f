// SPDX-License-Identifier: Apache-2.0
/*
 * Pairing when pieces are missing. The n-th request of a conversation asks for path /n and is answered
 * with status 200 + n: exchanges may be missing or partial, the status of another request is a lie.
 */
#include "base/rng.h"
#include "exchange_fixture.h"

struct part {
	bool request;
	size_t at, len; /* in the conversation's text */
};

enum {
	PARTS_MAX = 256,
};

/* Numbered exchanges as pieces; one piece is one call. */
struct conversation {
	struct buf text;
	struct part parts[PARTS_MAX];
	size_t n;
};

static void say(struct conversation *c, bool request, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct conversation *c, bool request, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert_in_range(len, 1, sizeof(text) - 1);
	assert_true(c->n < PARTS_MAX);
	c->parts[c->n++] = (struct part){request, c->text.len, (size_t)len};
	buf_append(&c->text, text, (size_t)len);
}

/* Request number n, in one to three pieces. */
static void say_request(struct conversation *c, int n)
{
	switch (n % 4) {
	case 0:
		say(c, true, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n);
		break;
	case 1:
		say(c, true, "POST /%d HTTP/1.1\r\nContent-Length: 10\r\n\r\n", n);
		say(c, true, "0123456789");
		break;
	case 2:
		say(c, true, "POST /%d HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", n);
		say(c, true, "5\r\nabcde\r\n");
		say(c, true, "0\r\n\r\n");
		break;
	default:
		say(c, true, "GET /%d HTTP/1.1\r\nCoo", n);
		say(c, true, "kie: abc\r\n\r\n");
	}
}

static void say_response(struct conversation *c, int n)
{
	int status = 200 + n;

	switch (n / 4 % 4) {
	case 0:
		say(c, false, "HTTP/1.1 %d A\r\nContent-Length: 4\r\n\r\nbody", status);
		break;
	case 1:
		say(c, false, "HTTP/1.1 %d B\r\nContent-Length: 10\r\n\r\n", status);
		say(c, false, "01234");
		say(c, false, "56789");
		break;
	case 2:
		say(c, false, "HTTP/1.1 100 C\r\n\r\n");
		say(c, false, "HTTP/1.1 %d D\r\nTransfer-Encoding: chunked\r\n\r\n", status);
		say(c, false, "3\r\nabc\r\n2\r\nde\r\n");
		say(c, false, "0\r\n\r\n");
		break;
	default:
		say(c, false, "HTTP/1.1 %d E\r\nContent-Len", status);
		say(c, false, "gth: 3\r\n\r\nabc");
	}
}

/* Numbers skip 4, 104 and so on: 204 and 304 have no body. */
static int number_of(size_t i)
{
	return (int)(i < 4 ? i : i + 1);
}

/* n exchanges in bursts of depth: all requests of a burst, then all answers. Depth 1: no
 * pipelining. unasked: behind each third burst the server sends what is no answer. */
static void conversation_make(struct conversation *c, size_t n, size_t depth, bool unasked)
{
	c->n = 0;
	buf_init(&c->text);
	for (size_t first = 0; first < n; first += depth) {
		for (size_t i = first; i < n && i < first + depth; i++)
			say_request(c, number_of(i));
		for (size_t i = first; i < n && i < first + depth; i++)
			say_response(c, number_of(i));
		if (unasked && first / depth % 3 == 2)
			say(c, false, "%s", first % 2 ? "a body that has no place" : "HTTP/1.1 x");
	}
}

static void conversation_init(struct conversation *c, size_t n, size_t depth)
{
	conversation_make(c, n, depth, false);
}

/* What happens to a piece. */
enum fate {
	FATE_SEEN = 0,
	FATE_LOST,   /* no record */
	FATE_HIDDEN, /* a record without payload */
	FATE_CUT,    /* a record with the first half of the payload */
	FATE_MAX,
};

static void speak(struct world *w, const struct conversation *c, bool server, enum zsp_role role,
    const enum fate *fates)
{
	struct sock sock = sock_tcp(&w->feed, 77, role, 1, 8000, 1, 40000);

	sock_announce(&sock);
	for (size_t i = 0; i < c->n; i++) {
		const struct part *part = &c->parts[i];
		struct sv bytes = sv_from(c->text.data + part->at, part->len);
		enum zsp_direction direction = server == part->request ? ZSP_IN : ZSP_OUT;

		if (fates[i] == FATE_HIDDEN)
			bytes.len = 0;
		else if (fates[i] == FATE_CUT)
			bytes.len /= 2;
		if (fates[i] == FATE_LOST)
			sock_lose(&sock, direction, part->len);
		else
			sock_move_cut(&sock, &worker, direction, bytes, (uint32_t)part->len, 0);
	}
	sock_close(&sock);
}

static void expect_no_lie(const struct world *w, const char *what)
{
	for (size_t i = 0; i < w->n_records; i++) {
		const struct record *r = &w->records[i];

		if (r->number < 0)
			fail_msg("%s: a request that never was: '%s'", what, r->text);
		if (r->status && r->status != 200 + r->number)
			fail_msg("%s: the answer of another request: '%s'", what, r->text);
		for (size_t k = 0; k < i; k++)
			if (w->records[k].number == r->number)
				fail_msg("%s: twice: '%s'", what, r->text);
	}
}

/* The exchange with this number ended complete and in order. */
static bool is_whole(const struct world *w, int number)
{
	for (size_t i = 0; i < w->n_records; i++)
		if (w->records[i].number == number)
			return w->records[i].status == 200 + number && !w->records[i].partial &&
			    w->records[i].error == EXCHANGE_OK;
	return false;
}

/*
 * Let one piece after the other suffer fate. from: the first piece that may; recovers: after a loss
 * the last exchange is seen whole again.
 */
static void run_losses(size_t n, size_t depth, enum fate fate, size_t from, bool recovers)
{
	struct conversation c;
	struct world *w = malloc(sizeof(*w));

	conversation_init(&c, n, depth);
	for (int server = 0; server < 2; server++) {
		for (size_t i = from; i < c.n; i++) {
			enum fate fates[PARTS_MAX] = {0};
			char what[96];

			fates[i] = fate;
			snprintf(what, sizeof(what), "depth %zu, as %s, fate %d of piece %zu",
			    depth, server ? "server" : "client", fate, i);
			world_init(w);
			speak(
			    w, &c, server, server ? ZSP_ROLE_ACCEPTED : ZSP_ROLE_CONNECTED, fates);
			world_end(w);
			expect_no_lie(w, what);
			if (recovers && c.n - i > 12 && !is_whole(w, number_of(n - 1)))
				fail_msg("%s: the last exchange is not seen", what);
		}
	}
	buf_release(&c.text);
	free(w);
}

/* Pieces of the first exchange of a conversation with the given depth. */
static size_t first_burst(size_t depth)
{
	struct conversation c;
	size_t n;

	conversation_init(&c, depth, depth);
	n = c.n;
	buf_release(&c.text);
	return n;
}

static void no_loss(void **state)
{
	struct conversation c;
	struct world *w = malloc(sizeof(*w));
	const enum fate fates[PARTS_MAX] = {0};

	(void)state;
	for (size_t depth = 1; depth <= 20; depth += 3) {
		for (int server = 0; server < 2; server++) {
			conversation_make(&c, 20, depth, depth == 1);
			world_init(w);
			speak(
			    w, &c, server, server ? ZSP_ROLE_ACCEPTED : ZSP_ROLE_CONNECTED, fates);
			world_end(w);
			expect_no_lie(w, "no loss");
			assert_int_equal(w->n_records, 20);
			for (size_t i = 0; i < 20; i++)
				assert_true(is_whole(w, number_of(i)));
			buf_release(&c.text);
		}
	}
	free(w);
}

/* One exchange after the other: a piece vanishes, once both streams have been seen. */
static void lost_piece(void **state)
{
	(void)state;
	run_losses(16, 1, FATE_LOST, first_burst(1), true);
}

static void hidden_piece(void **state)
{
	(void)state;
	run_losses(16, 1, FATE_HIDDEN, 0, true);
}

static void cut_piece(void **state)
{
	(void)state;
	run_losses(16, 1, FATE_CUT, 0, true);
}

/* The first piece of a stream has no predecessor whose end would tell. */
static void lost_first_pieces(void **state)
{
	(void)state;
	run_losses(16, 1, FATE_LOST, 0, true);
}

static void lost_piece_pipelined(void **state)
{
	(void)state;
	for (size_t depth = 2; depth <= 8; depth++)
		run_losses(16, depth, FATE_LOST, first_burst(depth), false);
}

static void hidden_piece_pipelined(void **state)
{
	(void)state;
	for (size_t depth = 2; depth <= 8; depth++)
		run_losses(16, depth, FATE_HIDDEN, 0, false);
}

static void cut_piece_pipelined(void **state)
{
	(void)state;
	for (size_t depth = 2; depth <= 8; depth++)
		run_losses(16, depth, FATE_CUT, 0, false);
}

/* Several pieces suffer. */
static void run_many_losses(size_t depth, bool unasked)
{
	struct conversation c;
	struct world *w = malloc(sizeof(*w));
	struct rng rng;

	rng_seed(&rng, 42);
	conversation_make(&c, 24, depth, unasked);
	for (int round = 0; round < 4000; round++) {
		enum fate fates[PARTS_MAX] = {0};
		size_t one_in = 2 + rng_next(&rng) % 20;
		bool server = round & 1;
		char what[64];

		for (size_t i = first_burst(depth); i < c.n; i++)
			if (rng_next(&rng) % one_in == 0)
				fates[i] = (enum fate)(1 + rng_next(&rng) % (FATE_MAX - 1));
		snprintf(what, sizeof(what), "depth %zu, round %d%s", depth, round,
		    unasked ? ", unasked" : "");
		world_init(w);
		speak(w, &c, server, server ? ZSP_ROLE_ACCEPTED : ZSP_ROLE_CONNECTED, fates);
		world_end(w);
		expect_no_lie(w, what);
	}
	buf_release(&c.text);
	free(w);
}

static void many_losses(void **state)
{
	(void)state;
	run_many_losses(1, false);
}

static void many_losses_pipelined(void **state)
{
	(void)state;
	run_many_losses(3, false);
}

/* What is no answer, on an idle connection, does not hide where answers were lost. */
static void many_losses_and_what_nobody_asked_for(void **state)
{
	(void)state;
	run_many_losses(1, true);
	run_many_losses(2, true);
}

/* Met in mid-conversation, at every piece. */
static void met_at_every_piece(void **state)
{
	struct conversation c;
	struct world *w = malloc(sizeof(*w));

	(void)state;
	conversation_init(&c, 16, 1);
	for (int server = 0; server < 2; server++) {
		for (size_t first = 0; first < c.n; first++) {
			enum fate fates[PARTS_MAX] = {0};
			char what[64];

			for (size_t i = 0; i < first; i++)
				fates[i] = FATE_LOST;
			snprintf(what, sizeof(what), "met as %s at piece %zu",
			    server ? "server" : "client", first);
			world_init(w);
			speak(w, &c, server, ZSP_ROLE_UNKNOWN, fates);
			world_end(w);
			expect_no_lie(w, what);
			if (c.n - first > 12 && !is_whole(w, number_of(15)))
				fail_msg("%s: the last exchange is not seen", what);
		}
	}
	buf_release(&c.text);
	free(w);
}

/* A request whose head is too long to be kept is still answered in its turn. */
static void long_head_in_a_pipeline(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;
	char line[1100];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_ACCEPTED);
	sock_read(&sock, &worker, "GET /1 HTTP/1.1\r\n\r\n");
	sock_read(&sock, &worker, "GET /2 HTTP/1.1\r\n");
	for (int i = 0; i < 70; i++)
		sock_move(&sock, &worker, ZSP_IN, sv_from(line, sizeof(line)));
	sock_read(&sock, &worker, "\r\n");
	sock_read(&sock, &worker, "GET /3 HTTP/1.1\r\n\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 201 A\r\nContent-Length: 0\r\n\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 203 A\r\nContent-Length: 0\r\n\r\n");
	world_end(w);
	expect_no_lie(w, "long head between two requests");
	free(w);
}

/* A request that is no HTTP is answered with 400 in its turn. */
static void malformed_in_a_pipeline(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_ACCEPTED);
	sock_read(&sock, &worker, "GET /1 HTTP/1.1\r\n\r\n");
	sock_read(&sock, &worker, "get /2 http/1.1\r\n\r\n");
	sock_read(&sock, &worker, "GET /3 HTTP/1.1\r\n\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 201 A\r\nContent-Length: 0\r\n\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 400 A\r\nContent-Length: 0\r\n\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 203 A\r\nContent-Length: 0\r\n\r\n");
	world_end(w);
	expect_no_lie(w, "malformed between two requests");
	free(w);
}

/* What was lost before the end is no fault of the answer. */
static void loss_before_the_end(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_CONNECTED);
	sock_write(&sock, &worker, "GET /1 HTTP/1.1\r\n\r\n");
	sock_read(&sock, &worker, "HTTP/1.1 201 A\r\nContent-Length: 10\r\n\r\nabcd");
	sock_lose(&sock, ZSP_IN, 6);
	sock_read_end(&sock, &worker);
	sock_close(&sock);
	world_end(w);
	expect_records(w, "six bytes lost before the end", "GET /1 201 0+10");
	free(w);
}

/* A request whose body nobody can delimit is being answered when the next one comes: what is left of that answer
 * is not the next one's. */
static void answer_in_progress_when_the_pairing_is_lost(void **state)
{
	static const char *const answers[][2] = {
	    {"HTTP/1.1 200 A\r\nContent-Len", "gth: 3\r\n\r\nabc"},
	    {"HTTP/1.1 200 A\r\nContent-Length: 3\r\n\r\na", "bc"},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		struct sock sock;

		world_init(&w);
		sock = sock_tcp(&w.feed, 1, ZSP_ROLE_ACCEPTED, 1, 8000, 2, 999);
		sock_announce(&sock);
		sock_read(&sock, &worker, "POST /1 HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nzip");
		sock_write(&sock, &worker, answers[i][0]);
		sock_read(&sock, &worker, "GET /2 HTTP/1.1\r\n");
		sock_write(&sock, &worker, answers[i][1]);
		sock_read(&sock, &worker, "\r\n");
		sock_close(&sock);
		world_end(&w);
		assert_int_equal(w.n_records, 2);
		assert_string_equal(
		    w.records[0].text, i ? "POST /1 200 0+1 partial" : "POST /1 0 0+0 partial");
		assert_string_equal(w.records[1].text, "GET /2 0 0+0 partial");
	}
}

/* A large chunked answer whose last chunk's end was not captured: the exchange behind it is whole. */
static void next_after_a_hidden_end(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_ACCEPTED);
	sock_read(&sock, &worker, "GET /1 HTTP/1.1\r\n\r\n");
	sock_move_cut(&sock, &worker, ZSP_OUT,
	    SV("HTTP/1.1 201 A\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nbody"), 51 + 103, 0);
	sock_read(&sock, &worker, "GET /2 HTTP/1.1\r\n\r\n");
	sock_write(&sock, &worker, "HTTP/1.1 202 A\r\nContent-Length: 2\r\n\r\nok");
	world_end(w);
	expect_records(w, "hidden end", "GET /1 201 0+100 partial; GET /2 202 0+2");
	free(w);
}

/* The end of a large write is captured: the size is exact and the exchange over at once. */
static void end_behind_a_hidden_middle(void **state)
{
	static const char head[] =
	    "HTTP/1.1 200 A\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\nbody";
	static const char *const ends[] = {
	    "\r\n0\r\n\r\n", "dy\r\n0\r\n\r\n", "dy\r\n0\r\nA: b\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world *w = malloc(sizeof(*w));
		struct sv end = sv_cstr(ends[i]);
		uint32_t framing = (uint32_t)(end.len - (i ? 2 : 0));
		struct sock sock;

		world_init(w);
		sock = world_conn(w, ZSP_ROLE_ACCEPTED);
		sock_read(&sock, &worker, "GET /1 HTTP/1.1\r\n\r\n");
		sock_move_ends(&sock, &worker, ZSP_OUT, SV(head),
		    (uint32_t)strlen(head) - 4 + 0x4000 + framing, end);
		assert_int_equal(w->ended, 1);
		world_end(w);
		expect_records(w, ends[i], "GET /1 200 0+16384");
		free(w);
	}
}

/* A stream that is out of step does not begin a message in the middle of a write. */
static void start_behind_a_hidden_middle(void **state)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;

	(void)state;
	world_init(w);
	sock = world_conn(w, ZSP_ROLE_ACCEPTED);
	sock_read(&sock, &worker, "GET /1 HTTP/1.1\r\n\r\n");
	sock_move_ends(&sock, &worker, ZSP_OUT,
	    SV("HTTP/1.1 200 A\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n"), 50000,
	    SV("HTTP/1.1 204 B\r\n"));
	sock_write(&sock, &worker, "\r\n");
	world_end(w);
	expect_records(w, "hidden", "GET /1 200 0+4 partial");
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_loss),
	    cmocka_unit_test(lost_piece),
	    cmocka_unit_test(hidden_piece),
	    cmocka_unit_test(cut_piece),
	    cmocka_unit_test(lost_first_pieces),
	    cmocka_unit_test(lost_piece_pipelined),
	    cmocka_unit_test(hidden_piece_pipelined),
	    cmocka_unit_test(cut_piece_pipelined),
	    cmocka_unit_test(many_losses),
	    cmocka_unit_test(many_losses_pipelined),
	    cmocka_unit_test(many_losses_and_what_nobody_asked_for),
	    cmocka_unit_test(met_at_every_piece),
	    cmocka_unit_test(long_head_in_a_pipeline),
	    cmocka_unit_test(malformed_in_a_pipeline),
	    cmocka_unit_test(loss_before_the_end),
	    cmocka_unit_test(answer_in_progress_when_the_pairing_is_lost),
	    cmocka_unit_test(next_after_a_hidden_end),
	    cmocka_unit_test(end_behind_a_hidden_middle),
	    cmocka_unit_test(start_behind_a_hidden_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
