// SPDX-License-Identifier: Apache-2.0
/* What a recording does not hold unless it is asked to: bodies, secrets in heads, literals of SQL. A replay is the same without. */
#include <fcntl.h>

#include "journal_fixture.h"
#include "proto/secret.h"
#include "proto/sql.h"

#define SECRET "s3cr3t"

static struct bytes bytes_of_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct bytes bytes = bytes_of(fd);

	close(fd);
	return bytes;
}

/* Messages with a secret wherever one may stand, in pieces. */
static void talk(struct world *w, uint64_t id)
{
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	sock_read(&sock, &first, "POST /a?x=1&sig=" SECRET "&y=2 HTTP/1.1\r\nHost: a\r\nAuthori");
	sock_read(
	    &sock, &first, "zation: Bearer " SECRET "\r\n\t" SECRET "\r\nX-Api-Key:" SECRET "\r\n");
	sock_read(
	    &sock, &first, "User-Agent: me\r\nContent-Length: 14\r\n\r\n{\"p\":\"" SECRET "\"}");
	feed_sql(
	    &w->feed, &first, "SELECT a FROM t WHERE b='" SECRET "' AND c=x'5ec3e7' -- " SECRET);
	sock_write(&sock, &first,
	    "HTTP/1.1 200 OK\r\nSet-Cookie: id=" SECRET
	    "; Path=/\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n" SECRET
	    "\r\n0\r\nX-Trailer: " SECRET "\r\n\r\n");
	sock_read(&sock, &first, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
	sock_write(&sock, &first, "HTTP/1.1 200 OK\r\n\r\nuntil the end " SECRET);
	sock_write(&sock, &first, SECRET);
	sock_close(&sock);
	/* A body that is longer than was said, and what no message is. */
	sock = sock_tcp(&w->feed, id + 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40001 + id));
	sock_announce(&sock);
	sock_read(
	    &sock, &first, "POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}{" SECRET);
	sock_write(&sock, &first, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	sock_read(&sock, &first, "and more " SECRET);
	sock_close(&sock);
	/* Opaque after an upgrade. */
	sock = sock_tcp(&w->feed, id + 2, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40002 + id));
	sock_announce(&sock);
	sock_read(&sock, &first,
	    "GET /d HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
	sock_write(
	    &sock, &first, "HTTP/1.1 101 OK\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" SECRET);
	sock_read(&sock, &first, SECRET);
	sock_close(&sock);
	/* Values with what no value may hold. */
	sock = sock_tcp(&w->feed, id + 4, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40004 + id));
	sock_announce(&sock);
	sock_move(
	    &sock, &first, ZSP_IN, SV("GET /e HTTP/1.1\r\nHost: a\r\nX: \0" SECRET "\r\n\r\n"));
	sock_write(
	    &sock, &first, "HTTP/1.1 200 OK\r\nX: a\r" SECRET "\r\nContent-Length: 0\r\n\r\n");
	sock_close(&sock);
	/* One that was there before, and that nobody understands. */
	sock = sock_tcp(&w->feed, id + 3, ZSP_ROLE_UNKNOWN, 1, 8000, 9, (uint16_t)(40003 + id));
	sock_announce(&sock);
	sock_read(&sock, &first, "rest of " SECRET);
	sock_close(&sock);
}

/* Record it; the file, and what came of it live. */
static struct bytes record(bool payloads, struct buf *ret_json)
{
	char path[] = "/tmp/zerospan-hidden-XXXXXX";
	struct clock_base clock = {.offset_ns = 5};
	struct pipeline_options options = {.payloads = payloads};
	struct world *w = world_empty(1, NULL);
	struct bytes bytes;
	struct buf message;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	buf_init(&message);
	assert_int_equal(journal_new(path, 7, 5000, &clock, &options.journal, &message), 0);
	pipeline_free(w->pipeline, 0);
	options.metrics = w->metrics;
	options.slow_us = 5000;
	options.database_path = database_path;
	options.ctx = w;
	rng_seed(&options.rng, 7);
	w->pipeline = pipeline_new(&options);
	assert_int_equal(pipeline_add_sink(w->pipeline, w->sink), 0);
	process(w, 10, "shop", 1);
	talk(w, 1);
	pipeline_end(w->pipeline, w->feed.now_ns);
	world_end(w);
	journal_free(options.journal);
	*ret_json = json_of(&w->kept);
	world_free(w);
	bytes = bytes_of_file(path);
	unlink(path);
	buf_release(&message);
	return bytes;
}

static bool holds(const struct bytes *bytes, const char *text)
{
	return memmem(bytes->p, bytes->len, text, strlen(text)) != NULL;
}

static void a_recording(void **state)
{
	struct buf live, replayed;
	struct bytes bytes = record(false, &live);
	struct player player;
	char why[128];

	(void)state;
	assert_false(holds(&bytes, SECRET));
	assert_false(holds(&bytes, "5ec3e7"));
	assert_false(holds(&bytes, "until the end"));
	assert_true(holds(&bytes, "User-Agent: me"));
	assert_true(holds(&bytes, "SELECT a FROM t WHERE b='xxxxxx' AND c=x'000000' --xxxxxxx"));
	assert_int_equal(replay(bytes.p, bytes.len, &player, &replayed, why), 0);
	assert_true(live.len > 1000);
	assert_non_null(strstr(live.data, "zerospan.http.request.flaw"));
	assert_non_null(strstr(live.data, "zerospan.http.response.flaw"));
	assert_string_equal(replayed.data, live.data);
	assert_null(strstr(live.data, SECRET));
	buf_release(&live);
	buf_release(&replayed);
	free(bytes.p);
}

static void with_payloads(void **state)
{
	struct buf live, replayed;
	struct bytes bytes = record(true, &live);
	struct player player;
	char why[128];

	(void)state;
	assert_true(holds(&bytes, SECRET) && holds(&bytes, "until the end"));
	assert_true(holds(&bytes, "b='" SECRET "'"));
	assert_int_equal(replay(bytes.p, bytes.len, &player, &replayed, why), 0);
	assert_string_equal(replayed.data, live.data);
	buf_release(&live);
	buf_release(&replayed);
	free(bytes.p);
}

/* --- heads ---------------------------------------------------------------------------------------- */

struct marked {
	char text[512];
	const char *begin;
};

static void mark(void *ctx, struct sv bytes)
{
	struct marked *marked = ctx;

	memset(marked->text + (bytes.p - marked->begin), '*', bytes.len);
}

static void heads(void **state)
{
	static const char head[] =
	    "GET /token=1?a=b&sig=12%333&X-Amz-Signature=abc&sig=&signature=x HTTP/1.1\r\n"
	    "Cookie: a=b; c=d\r\n"
	    "User-Agent: text/plain\r\n"
	    " sig=1\r\n"
	    "AUTHORIZATION:  Basic eHg=  \r\n"
	    "\tmore\r\n"
	    "Accept: yes\r\n"
	    "password\r\n"
	    "x-token: \r\n"
	    "\r\n";
	static const char expected[] =
	    "GET /token=1?a=b&sig=******&X-Amz-Signature=***&sig=&signature=x HTTP/1.1\r\n"
	    "Cookie:*********\r\n"
	    "User-Agent: text/plain\r\n"
	    " sig=1\r\n"
	    "AUTHORIZATION:**************\r\n"
	    "\t****\r\n"
	    "Accept:****\r\n"
	    "password\r\n"
	    "x-token:*\r\n"
	    "\r\n";

	(void)state;
	for (size_t step = 1; step <= strlen(head); step++) {
		struct secret_head state_of_head = {0};
		struct marked marked;

		memcpy(marked.text, head, sizeof(head));
		for (size_t at = 0; at < strlen(head); at += step) {
			size_t n = strlen(head) - at < step ? strlen(head) - at : step;
			struct edge edge = edge_copy(head + at, n);

			marked.begin = edge.p - at;
			secret_head_feed(&state_of_head, sv_from(edge.p, n), mark, &marked);
			edge_free(&edge);
		}
		assert_string_equal(marked.text, expected);
	}
}

static void statements(void **state)
{
	static const char *const rows[][2] = {
	    {"SELECT 'a''b', 12, 1.5e+3, x'0aff', TRUE FROM t",
		"SELECT 'xxxx', 00, 0.0e+0, x'0000', TRUE FROM t"},
	    {"SELECT * FROM t WHERE a=\"b\" AND \"c\"=1",
		"SELECT * FROM t WHERE a=\"x\" AND \"c\"=0"},
	    {"UPDATE t SET a=:b, c=?1 /* why */ WHERE d IN (1,'x')",
		"UPDATE t SET a=:b, c=?1 /*xxxxx*/ WHERE d IN (0,'x')"},
	    {"SELECT 1 -- secret\nFROM t", "SELECT 0 --xxxxxxx\nFROM t"},
	    {"SELECT 'open", "SELECT 'xxxx"},
	    {"SELECT [open", "SELECT [xxxx"},
	    {"SELECT 1 /* open", "SELECT 0 /*xxxxx"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i][0], strlen(rows[i][0]));

		sql_mask(edge.p, edge.len);
		if (!sv_eq(sv_from(edge.p, edge.len), sv_cstr(rows[i][1])))
			fail_msg("%s: %.*s", rows[i][0], (int)edge.len, edge.p);
		edge_free(&edge);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_recording),
	    cmocka_unit_test(with_payloads),
	    cmocka_unit_test(heads),
	    cmocka_unit_test(statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
