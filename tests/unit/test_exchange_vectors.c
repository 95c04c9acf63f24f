// SPDX-License-Identifier: Apache-2.0
/*
 * Pairing of requests and responses: the conversations of tests/data/http1_vectors.txt and the exchanges they must
 * give, observed at the server and at the client, each piece whole, byte by byte, and cut at every offset.
 */
#include "exchange_fixture.h"
#include "exchange_vectors.h"

enum {
	NUMBERS = 36, /* vectors of the framing rules */
	CUT_ALL =
	    600, /* bytes at both ends of a piece that are cut at every offset; between them by steps */
	CUT_STEP = 997,
};

static struct vectors *vectors;

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

/* One read or write, of which the kernel side captures so much at most. */
static void run_piece(struct sock *sock, enum zsp_direction direction, struct sv bytes)
{
	struct sv captured = bytes;

	if (captured.len > ZSP_CAPTURE_MAX)
		captured.len = ZSP_CAPTURE_MAX;
	if (bytes.len)
		sock_move_cut(sock, &worker, direction, captured, (uint32_t)bytes.len, 0);
}

static void run_bytes(struct sock *sock, const struct run *run, size_t at, const struct step *step)
{
	enum zsp_direction direction = run_direction(run, step->what == 'q');
	size_t cut = run->step == at ? run->cut : step->bytes.len;

	for (size_t i = 0; run->bytewise && i < step->bytes.len; i++)
		run_piece(sock, direction, sv_from(step->bytes.p + i, 1));
	if (run->bytewise)
		return;
	run_piece(sock, direction, sv_from(step->bytes.p, cut));
	run_piece(sock, direction, sv_skip(step->bytes, cut));
}

static void run_vector(const struct vector *vector, const struct run *run)
{
	struct world *w = malloc(sizeof(*w));
	struct sock sock;
	char what[160];

	world_init(w);
	sock = sock_tcp(&w->feed, 77, run->role, 1, 8000, 1, 40000);
	sock_announce(&sock);
	for (size_t i = 0; vector->steps[i].what; i++) {
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
	struct run run = {.role = role, .server = server, .step = SIZE_MAX, .bytewise = bytewise};

	for (size_t i = 0; i < vectors->n; i++) {
		const struct vector *vector = &vectors->all[i];

		if ((role == ZSP_ROLE_UNKNOWN && vector->unmet) || (bytewise && vector->whole))
			continue;
		run_vector(vector, &run);
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

/* The next offset to cut n bytes at: each of the first and last ones, some between. */
static size_t next_cut(size_t cut, size_t n)
{
	return cut < CUT_ALL || n - cut <= CUT_ALL + CUT_STEP ? cut + 1 : cut + CUT_STEP;
}

static void vectors_cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < vectors->n; i++) {
		const struct vector *vector = &vectors->all[i];

		for (size_t step = 0; !vector->whole && vector->steps[step].what; step++) {
			size_t n = vector->steps[step].bytes.len;

			for (size_t cut = 1; cut < n; cut = next_cut(cut, n)) {
				struct run run = {ZSP_ROLE_ACCEPTED, true, step, cut, false};

				run_vector(vector, &run);
				run = (struct run){ZSP_ROLE_CONNECTED, false, step, cut, false};
				run_vector(vector, &run);
			}
		}
	}
}

/* Connections that were there before us, but idle. */
static void vectors_met_late(void **state)
{
	(void)state;
	run_vectors(ZSP_ROLE_UNKNOWN, true, false);
	run_vectors(ZSP_ROLE_UNKNOWN, false, false);
}

/* Every vector of the rules is there. */
static void vectors_of_every_number(void **state)
{
	(void)state;
	for (unsigned long number = 1; number <= NUMBERS; number++) {
		size_t i = 0;

		while (i < vectors->n && strtoul(vectors->all[i].name, NULL, 10) != number)
			i++;
		if (i == vectors->n)
			fail_msg("no vector %lu", number);
	}
}

int main(void)
{
	int failed;

	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_of_every_number),
	    cmocka_unit_test(vectors_whole),
	    cmocka_unit_test(vectors_bytewise),
	    cmocka_unit_test(vectors_cut_everywhere),
	    cmocka_unit_test(vectors_met_late),
	};

	vectors = vectors_load();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	vectors_free(vectors);
	return failed;
}
