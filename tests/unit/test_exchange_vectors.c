// SPDX-License-Identifier: Apache-2.0
/*
 * Pairing of requests and responses: conversations of one connection and the exchanges they must give,
 * observed at the server and at the client, each piece whole, byte by byte, and cut at every offset.
 */
#include "exchange_fixture.h"

/*
 * A conversation, step by step: q request bytes, s response bytes, Q and S the ends of these
 * streams, R a reset, C the orderly end of the connection.
 */
struct step {
	char what;
	struct sv bytes;
};

enum {
	STEPS_MAX = 12,
};

struct vector {
	const char *name;
	struct step steps[STEPS_MAX];
	const char *expect;
	bool late; /* the same when the connection is met at its first byte, but not at its birth */
};

#define Q(text)               \
	{                     \
		'q', SV(text) \
	}
#define S(text)               \
	{                     \
		's', SV(text) \
	}
#define END_Q             \
	{                 \
		'Q',      \
		{         \
			0 \
		}         \
	}
#define END_S             \
	{                 \
		'S',      \
		{         \
			0 \
		}         \
	}
#define RESET             \
	{                 \
		'R',      \
		{         \
			0 \
		}         \
	}
#define CLOSE             \
	{                 \
		'C',      \
		{         \
			0 \
		}         \
	}
#define HOST "Host: a\r\n"

static const struct vector vectors[] = {
    {"1 get, keep-alive",
	{Q("GET /a HTTP/1.1\r\n" HOST "\r\n"),
	    S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), CLOSE},
	"GET /a 200 0+5", true},
    {"1 get, twice",
	{Q("GET /a HTTP/1.1\r\n\r\n"), S(OK2), Q("GET /b HTTP/1.1\r\n\r\n"), S(OK0), CLOSE},
	"GET /a 200 0+2; GET /b 200 0+0", true},
    {"2 three in one read",
	{Q("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 201 A\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 202 B\r\n"
	      "Content-Length: 2\r\n\r\n22HTTP/1.1 203 C\r\nContent-Length: 3\r\n\r\n333")},
	"GET /1 201 0+1; GET /2 202 0+2; GET /3 203 0+3", true},
    {"2 pipelined, the next request between the answers",
	{Q("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 201 A\r\nContent-Length: 1\r\n\r\n1"), Q("GET /3 HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 202 A\r\nContent-Length: 1\r\n\r\n2"),
	    S("HTTP/1.1 203 A\r\nContent-Length: 1\r\n\r\n3")},
	"GET /1 201 0+1; GET /2 202 0+1; GET /3 203 0+1", true},
    {"3 head",
	{Q("HEAD /a HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK2)},
	"HEAD /a 200 0+0; GET /b 200 0+2", true},
    {"3 head, pipelined before a get",
	{Q("HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" OK2)},
	"HEAD /a 200 0+0; GET /b 200 0+2", true},
    {"4 not modified",
	{Q("GET /a HTTP/1.1\r\n\r\n"), S("HTTP/1.1 304 N\r\nContent-Length: 1000\r\n\r\n"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK0)},
	"GET /a 304 0+0; GET /b 200 0+0", true},
    {"4 no content",
	{Q("GET /a HTTP/1.1\r\n\r\n"), S("HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK0)},
	"GET /a 204 0+0; GET /b 200 0+0", true},
    {"5 expect",
	{Q("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
	    S("HTTP/1.1 100 Continue\r\n\r\n"), Q("abc"),
	    S("HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx")},
	"POST /a 201 3+1", true},
    {"5 expect, the body does not wait",
	{Q("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
	    S("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK0)},
	"POST /a 201 3+1; GET /b 200 0+0", true},
    {"6 early hints",
	{Q("GET /a HTTP/1.1\r\n\r\n"), S("HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"),
	    S("HTTP/1.1 103 Early\r\nLink: y\r\n\r\n"), S(OK2)},
	"GET /a 200 0+2", true},
    {"7 chunked both ways",
	{Q("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	   "5;x=\"a;b\"\r\nhello\r\n0\r\nT: u\r\ntraceparent: x\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n"
	      "00000\r\n\r\n"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK0)},
	"POST /a 200 5+10; GET /b 200 0+0", true},
    {"8 until close, orderly",
	{Q("GET /a HTTP/1.0\r\n\r\n"), S("HTTP/1.0 200 OK\r\n\r\nhello"), END_S, CLOSE},
	"GET /a 200 0+5", true},
    {"8 until close, reset",
	{Q("GET /a HTTP/1.0\r\n\r\n"), S("HTTP/1.0 200 OK\r\n\r\nhello"), RESET},
	"GET /a 200 0+5 error=connection_reset", true},
    {"9 cut short",
	{Q("GET /a HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour"),
	    END_S, CLOSE},
	"GET /a 200 0+4 error=incomplete_response", true},
    {"9 last chunk missing",
	{Q("GET /a HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n"), END_S, CLOSE},
	"GET /a 200 0+4 error=incomplete_response", true},
    {"10 length beside chunked",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
	   "2\r\nab\r\n0\r\n\r\n"),
	    S(OK2)},
	"POST /a 200 2+2", true},
    {"11 length twice in a list",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\nabcde"), S(OK2)}, "POST /a 200 5+2",
	true},
    {"11 length on two lines",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nabcde"), S(OK2)},
	"POST /a 200 5+2", true},
    {"12 lengths differ",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 5, 6\r\n\r\nabcde"),
	    S("HTTP/1.1 400 B\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), END_S, CLOSE},
	"POST /a 400 0+0 partial", true},
    {"12 length signed",
	{Q("POST /a HTTP/1.1\r\nContent-Length: +5\r\n\r\nabcde"),
	    S("HTTP/1.1 400 B\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), END_S, CLOSE},
	"POST /a 400 0+0 partial", true},
    {"12 length in hex",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 0x5\r\n\r\nabcde"),
	    S("HTTP/1.1 400 B\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), END_S, CLOSE},
	"POST /a 400 0+0 partial", true},
    {"12 length with a blank",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 5 5\r\n\r\nabcde"),
	    S("HTTP/1.1 400 B\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), END_S, CLOSE},
	"POST /a 400 0+0 partial", true},
    {"12 length 2^64",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\nabcde"),
	    S("HTTP/1.1 400 B\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), END_S, CLOSE},
	"POST /a 400 0+0 partial", true},
    {"13 tunnel",
	{Q("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
	    Q("\x16\x03\x01\x02GET /x HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\n\r\n\x16\x03"),
	    END_Q, END_S, CLOSE},
	"CONNECT h:443 200 0+0", true},
    {"14 tunnel refused",
	{Q("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
	    S("HTTP/1.1 407 P\r\nContent-Length: 2\r\n\r\nno"), Q("GET /b HTTP/1.1\r\n\r\n"),
	    S(OK0)},
	"CONNECT h:443 407 0+2; GET /b 200 0+0", true},
    {"15 upgrade",
	{Q("GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
	    S("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n"),
	    S("\x81\x0cHTTP/1.1 200 OK\r\n\r\n"), Q("\x81\x05GET / HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\n\r\n"), END_S, CLOSE},
	"GET /ws 101 0+0", true},
    {"15 upgrade after 100",
	{Q("POST /ws HTTP/1.1\r\nExpect: 100-continue\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\n"),
	    S("HTTP/1.1 100 C\r\n\r\n"), Q("b"), S("HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\nzzz")},
	"POST /ws 101 1+0", true},
    {"16 upgrade refused",
	{Q("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), S(OK0), Q("GET /b HTTP/1.1\r\n\r\n"),
	    S(OK2)},
	"GET /ws 200 0+0; GET /b 200 0+2", true},
    {"17 absolute form", {Q("GET http://h:81/p?x HTTP/1.1\r\nHost: other\r\n\r\n"), S(OK0)},
	"GET http://h:81/p?x 200 0+0", true},
    {"18 asterisk",
	{Q("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), S("HTTP/1.1 204 N\r\n\r\n"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK0)},
	"OPTIONS * 204 0+0; GET /b 200 0+0", true},
    {"19 empty lines first", {Q("\r\n\r\nGET /a HTTP/1.1\r\n\r\n"), S("\r\n" OK2)},
	"GET /a 200 0+2", false},
    {"19 empty line after a body",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\r\nGET /b HTTP/1.1\r\n\r\n"),
	    S(OK2 "\r\n" OK0)},
	"POST /a 200 3+2; GET /b 200 0+0", true},
    {"20 line feeds alone",
	{Q("POST /a HTTP/1.1\nContent-Length: 2\n\nhi"),
	    S("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"), Q("GET /b HTTP/1.1\n\n"),
	    S("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n")},
	"POST /a 200 2+5; GET /b 200 0+2", true},
    {"21 folded field",
	{Q("POST /a HTTP/1.1\r\nX: a\r\n b\r\nContent-Length:\r\n 2\r\n\r\nhi"), S(OK2)},
	"POST /a 200 2+2", true},
    {"22 blank before the colon",
	{Q("GET /a HTTP/1.1\r\nContent-Length : 5\r\n\r\n"),
	    S("HTTP/1.1 400 B\r\nContent-Length: 0\r\n\r\n")},
	"GET /a 400 0+0", true},
    {"23 refused before the body came",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n0123456789"),
	    S("HTTP/1.1 413 L\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), END_S, CLOSE},
	"POST /a 413 10+0", true},
    {"23 refused, the body still comes",
	{Q("POST /a HTTP/1.1\r\nContent-Length: 20\r\n\r\n0123456789"),
	    S("HTTP/1.1 413 L\r\nContent-Length: 0\r\n\r\n"), Q("0123456789"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK2)},
	"POST /a 413 10+0; GET /b 200 0+2", true},
    {"24 time-out on an idle connection",
	{S("HTTP/1.1 408 T\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), END_S, CLOSE}, "",
	true},
    {"24 time-out after an exchange",
	{Q("GET /a HTTP/1.1\r\n\r\n"), S(OK2),
	    S("HTTP/1.1 408 T\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), END_S, CLOSE},
	"GET /a 200 0+2", true},
    {"25 half-closed after the request",
	{Q("GET /a HTTP/1.1\r\n\r\n"), END_Q, S(OK2), END_S, CLOSE}, "GET /a 200 0+2", true},
    {"26 no answer, closed", {Q("GET /a HTTP/1.1\r\n\r\n"), END_S, CLOSE},
	"GET /a 0 0+0 error=connection_closed", true},
    {"26 no answer, reset", {Q("GET /a HTTP/1.1\r\n\r\n"), RESET},
	"GET /a 0 0+0 error=connection_reset", true},
    {"26 two without answer", {Q("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"), RESET},
	"GET /a 0 0+0 error=connection_reset; GET /b 0 0+0 error=connection_reset", true},
    {"26 closed after 100",
	{Q("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"),
	    S("HTTP/1.1 100 C\r\n\r\n"), END_S, CLOSE},
	"POST /a 0 0+0 error=connection_closed", true},
    {"26 closed within the head of the answer",
	{Q("GET /a HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\nCont"), END_S, CLOSE},
	"GET /a 0 0+0 error=incomplete_response", true},
    {"27 lower case version",
	{Q("get / http/1.1\r\n\r\n"), S("HTTP/1.1 400 B\r\nContent-Length: 0\r\n\r\n"), END_S,
	    CLOSE},
	"", true},
    {"28 unknown method", {Q("FOO /a HTTP/1.1\r\n\r\n"), S(OK2)}, "FOO /a 200 0+2", false},
    {"29 prior-knowledge http/2",
	{{'q', SV("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")},
	    {'s', SV("\0\0\0\4\0\0\0\0\0")}, Q("GET / HTTP/1.1\r\n\r\n"), S(OK2), END_S, CLOSE},
	"", false},
    {"30 tls", {{'q', SV("\x16\x03\x01\0\5hello")}, {'s', SV("\x16\x03\x03\0\5hello")}, CLOSE}, "",
	true},
    {"31 get with a body",
	{Q("GET /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n"), S(OK2 OK0)},
	"GET /a 200 3+2; GET /b 200 0+0", true},
    {"32 delete, chunked and empty",
	{Q("DELETE /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	    S("HTTP/1.1 204 N\r\n\r\n"), Q("GET /b HTTP/1.1\r\n\r\n"), S(OK2)},
	"DELETE /a 204 0+0; GET /b 200 0+2", true},
    {"33 head cut inside its end",
	{Q("GET /a HTTP/1.1\r\n\r"), Q("\n"), S("HTTP/1.1 200 OK\r\nContent-Length: 2\r"),
	    S("\n\r"), S("\nok")},
	"GET /a 200 0+2", true},
    {"34 coding in mixed case",
	{Q("GET /a HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK0)},
	"GET /a 200 0+2; GET /b 200 0+0", true},
    {"34 gzip, chunked",
	{Q("GET /a HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
	    Q("GET /b HTTP/1.1\r\n\r\n"), S(OK0)},
	"GET /a 200 0+2; GET /b 200 0+0", true},
    {"34 chunked, gzip: until close",
	{Q("GET /a HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\nxyz"), END_S,
	    CLOSE},
	"GET /a 200 0+8", true},
    {"35 identity: until close",
	{Q("GET /a HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nxyz"), END_S, CLOSE},
	"GET /a 200 0+3", true},
    {"bad chunk size in the answer",
	{Q("GET /a HTTP/1.1\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), END_S, CLOSE},
	"GET /a 200 0+0 error=malformed_message", true},
    {"reset within the answer",
	{Q("GET /a HTTP/1.1\r\n\r\n"), S("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), RESET},
	"GET /a 200 0+3 error=connection_reset", true},
    {"closed within the request's head", {Q("GET /a HTTP/1.1\r\nHos"), END_Q, END_S, CLOSE}, "",
	true},
    {"bytes after the last answer",
	{Q("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n"),
	    S("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok" OK2 "junk"),
	    END_S, CLOSE},
	"GET /a 200 0+2", true},
};

#define N_VECTORS (sizeof(vectors) / sizeof(vectors[0]))

/* How a run feeds its vector. */
struct run {
	enum zsp_role role; /* of the observed end: ACCEPTED or CONNECTED; UNKNOWN with server */
	bool server;
	size_t step;   /* the step that is cut ... */
	size_t cut;    /* ... at this offset */
	bool bytewise; /* all steps by single bytes */
};

static enum zsp_direction run_direction(const struct run *run, bool request)
{
	return run->server == request ? ZSP_IN : ZSP_OUT;
}

static void run_bytes(struct sock *sock, const struct run *run, size_t at, const struct step *step)
{
	enum zsp_direction direction = run_direction(run, step->what == 'q');
	size_t cut = run->step == at ? run->cut : step->bytes.len;

	for (size_t i = 0; run->bytewise && i < step->bytes.len; i++)
		sock_move(sock, &worker, direction, sv_from(step->bytes.p + i, 1));
	if (run->bytewise)
		return;
	if (cut)
		sock_move(sock, &worker, direction, sv_from(step->bytes.p, cut));
	if (cut < step->bytes.len)
		sock_move(sock, &worker, direction, sv_skip(step->bytes, cut));
}

static void run_vector(const struct vector *vector, const struct run *run)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;
	char what[160];

	world_init(w);
	sock = sock_tcp(&w->feed, 77, run->role, 1, 8000, 1, 40000);
	sock_announce(&sock);
	for (size_t i = 0; i < STEPS_MAX && vector->steps[i].what; i++) {
		const struct step *step = &vector->steps[i];

		if (step->what == 'q' || step->what == 's')
			run_bytes(&sock, run, i, step);
		else if (step->what == 'R')
			sock_change(&sock, ZSP_CHANGE_CLOSED, 104);
		else if (step->what == 'C')
			sock_change(&sock, ZSP_CHANGE_CLOSED, 0);
		else if (run_direction(run, step->what == 'Q') == ZSP_IN)
			sock_read_end(&sock, &worker);
		else
			sock_change(&sock, ZSP_CHANGE_LOCAL_FIN, 0);
	}
	world_end(w);
	snprintf(what, sizeof(what), "%s, as %s%s, step %zu cut at %zu%s", vector->name,
	    run->server ? "server" : "client", run->role == ZSP_ROLE_UNKNOWN ? " met late" : "",
	    run->step, run->cut, run->bytewise ? ", bytewise" : "");
	expect_records(w, what, vector->expect);
	for (size_t i = 0; i < w->n_records; i++)
		assert_int_equal(
		    w->records[i].kind, run->server ? SPAN_KIND_SERVER : SPAN_KIND_CLIENT);
	free(w);
}

static void run_vectors(enum zsp_role role, bool server, bool bytewise)
{
	for (size_t i = 0; i < N_VECTORS; i++) {
		struct run run = {
		    .role = role, .server = server, .step = SIZE_MAX, .bytewise = bytewise};

		if (role != ZSP_ROLE_UNKNOWN || vectors[i].late)
			run_vector(&vectors[i], &run);
	}
}

static void vectors_whole(void **state)
{
	(void)state;
	run_vectors(ZSP_ROLE_ACCEPTED, true, false);
	run_vectors(ZSP_ROLE_CONNECTED, false, false);
}

static void vectors_bytewise(void **state)
{
	(void)state;
	run_vectors(ZSP_ROLE_ACCEPTED, true, true);
	run_vectors(ZSP_ROLE_CONNECTED, false, true);
}

static void vectors_cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_VECTORS; i++)
		for (size_t step = 0; step < STEPS_MAX && vectors[i].steps[step].what; step++)
			for (size_t cut = 1; cut < vectors[i].steps[step].bytes.len; cut++) {
				struct run run = {ZSP_ROLE_ACCEPTED, true, step, cut, false};

				run_vector(&vectors[i], &run);
				run = (struct run){ZSP_ROLE_CONNECTED, false, step, cut, false};
				run_vector(&vectors[i], &run);
			}
}

/* Connections that were there before us, but idle. */
static void vectors_met_late(void **state)
{
	(void)state;
	run_vectors(ZSP_ROLE_UNKNOWN, true, false);
	run_vectors(ZSP_ROLE_UNKNOWN, false, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_whole),
	    cmocka_unit_test(vectors_bytewise),
	    cmocka_unit_test(vectors_cut_everywhere),
	    cmocka_unit_test(vectors_met_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
