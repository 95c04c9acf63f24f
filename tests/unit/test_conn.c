// SPDX-License-Identifier: Apache-2.0
/*
 * Connections and their streams. A handler writes down what it is told: o open, < and > pieces that
 * were read and written with position and length, g gaps, e ends, c close (r after a reset); ids
 * before the colon when there are several.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/rng.h"
#include "conn/conn.h"
#include "event_fixture.h"

struct world {
	struct feed feed;
	struct conn_table *table;
	struct buf log;
	struct conn_stats stats;
	struct endpoint local, remote; /* of the connection opened last */
	struct piece piece;            /* the last */
	bool quiet;
};

static void note(struct world *w, const struct conn *conn, const char *text)
{
	if (w->quiet)
		return;
	if (conn->id == 77)
		buf_printf(&w->log, "%s ", text);
	else
		buf_printf(&w->log, "%llu:%s ", (unsigned long long)conn->id, text);
}

static void on_open(void *ctx, struct conn *conn)
{
	struct world *w = ctx;

	assert_null(conn->protocol);
	conn->protocol = w;
	w->local = conn->local;
	w->remote = conn->remote;
	note(w, conn, "o");
}

static void on_piece(void *ctx, struct conn *conn, const struct piece *piece)
{
	struct world *w = ctx;
	char text[64];

	assert_ptr_equal(conn->protocol, w);
	assert_true(piece->bytes >= piece->data.len);
	w->piece = *piece;
	snprintf(text, sizeof(text), "%c%u+%u", piece->direction == ZSP_IN ? '<' : '>',
	    piece->position, piece->bytes);
	note(w, conn, text);
}

static void on_gap(void *ctx, struct conn *conn, enum zsp_direction direction, uint32_t bytes)
{
	char text[64];

	snprintf(text, sizeof(text), "g%c%u", direction == ZSP_IN ? '<' : '>', bytes);
	note(ctx, conn, text);
}

static void on_end(void *ctx, struct conn *conn, enum zsp_direction direction, uint64_t time_ns)
{
	assert_true(time_ns > 0);
	note(ctx, conn, direction == ZSP_IN ? "e<" : "e>");
}

static void on_close(void *ctx, struct conn *conn, uint64_t time_ns)
{
	assert_true(time_ns > 0);
	assert_ptr_equal(conn->protocol, ctx);
	note(ctx, conn, conn->reset ? "r" : "c");
}

static const struct conn_handler handler = {on_open, on_piece, on_gap, on_end, on_close};
static const struct actor actor = {.pid = 10, .tid = 11, .slice = 3};

static void take(void *ctx, const struct event *event)
{
	struct world *w = ctx;

	conn_table_event(w->table, event);
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	feed_init(&w->feed, take, w);
	buf_init(&w->log);
	w->table = conn_table_new(&handler, w);
	assert_non_null(w->table);
}

static struct sock world_sock(struct world *w, uint32_t position)
{
	struct sock sock = sock_tcp(&w->feed, 77, ZSP_ROLE_ACCEPTED, 1, 8000, 2, 40000);

	sock.seq[0] = sock.seq[1] = position;
	sock_announce(&sock);
	return sock;
}

/* Frees the table; what it says then is in the log too. */
static void world_end(struct world *w, const char *expect)
{
	conn_table_stats(w->table, &w->stats);
	conn_table_free(w->table, w->feed.now_ns);
	if (expect) {
		if (w->log.len)
			w->log.data[w->log.len - 1] = '\0'; /* the last blank */
		assert_string_equal(w->log.len ? w->log.data : "", expect);
	}
	buf_release(&w->log);
}

static void in_order(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 100);
	sock_read(&sock, &actor, "12345");
	sock_write(&sock, &actor, "123");
	sock_read(&sock, &actor, "12");
	sock_move_cut(&sock, &actor, ZSP_OUT, SV("abc"), 1000, 50);
	assert_int_equal(w.piece.data.len, 3);
	assert_int_equal(w.piece.end_ns - w.piece.start_ns, 50);
	assert_int_equal(w.piece.pid, 10);
	assert_int_equal(w.piece.tid, 11);
	assert_int_equal(w.piece.slice, 3);
	sock_close(&sock);
	world_end(&w, "o <100+5 >100+3 <105+2 >103+1000 e> c");
	assert_int_equal(w.stats.opened, 1);
	assert_int_equal(w.stats.open, 0);
	assert_int_equal(w.stats.seen_bytes, 1010);
	assert_int_equal(w.stats.captured_bytes, 13);
	assert_int_equal(w.stats.gap_bytes, 0);
}

static void gaps(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 100);
	sock_lose(&sock, ZSP_IN, 40); /* before the first: the announcement told the position */
	sock_read(&sock, &actor, "12345");
	sock_lose(&sock, ZSP_IN, 7);
	sock_lose(&sock, ZSP_OUT, 9); /* the other direction's business */
	sock_read(&sock, &actor, "12345");
	sock_write(&sock, &actor, "1");
	sock_lose(&sock, ZSP_OUT, 1);
	sock_write(&sock, &actor, "1");
	world_end(&w, "o g<40 <140+5 g<7 <152+5 g>9 >109+1 g>1 >111+1 c");
	assert_int_equal(w.stats.gap_bytes, 57);
}

/* Positions are 32-bit numbers that wrap. */
static void wrap_around(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, UINT32_MAX - 2);
	sock_read(&sock, &actor, "12345");
	sock_read(&sock, &actor, "12345");
	sock.seq[ZSP_OUT - 1] = UINT32_MAX - 2;
	sock_write(&sock, &actor, "1");
	sock_lose(&sock, ZSP_OUT, 10);
	sock_write(&sock, &actor, "1");
	sock.seq[ZSP_OUT - 1] = UINT32_MAX - 2; /* twice */
	sock_write(&sock, &actor, "1");
	world_end(&w, "o <4294967293+5 <2+5 >4294967293+1 g>10 >8+1 c");
	assert_int_equal(w.stats.disordered, 1);
	assert_int_equal(w.stats.gap_bytes, 10);
}

/* More than the positions' range passes in one direction. */
static void more_than_four_gigabytes(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 0);
	for (int i = 0; i < 5; i++)
		sock_move_cut(&sock, &actor, ZSP_OUT, (struct sv){0}, 0x7fffffff, 0);
	world_end(&w, NULL);
	assert_int_equal(w.stats.seen_bytes, 5 * 0x7fffffffULL);
	assert_int_equal(w.stats.gap_bytes, 0);
	assert_int_equal(w.stats.disordered, 0);
}

static void duplicates(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 100);
	sock_read(&sock, &actor, "12345");
	sock.seq[ZSP_IN - 1] = 100;
	sock_read(&sock, &actor, "12345");
	sock.seq[ZSP_IN - 1] = 103; /* half known */
	sock_read(&sock, &actor, "12345");
	sock.seq[ZSP_IN - 1] = 105;
	sock_read(&sock, &actor, "1");
	world_end(&w, "o <100+5 <105+1 c");
	assert_int_equal(w.stats.disordered, 2);
}

static void unknown_connections(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = sock_tcp(&w.feed, 78, ZSP_ROLE_ACCEPTED, 1, 8000, 2, 40000);
	sock_read(&sock, &actor, "12345");
	sock_write(&sock, &actor, "12345");
	sock_read_end(&sock, &actor);
	sock_close(&sock);
	world_end(&w, "");
	assert_int_equal(w.stats.unknown_pieces, 3);
	assert_int_equal(w.stats.opened, 0);
}

static void reuse_of_an_id(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 100);
	sock_read(&sock, &actor, "1");
	sock = world_sock(&w, 9000); /* its end was lost */
	sock_read(&sock, &actor, "1");
	sock_close(&sock);
	sock_read(&sock, &actor, "1"); /* too late */
	sock = world_sock(&w, 5);
	world_end(&w, "o <100+1 c o <9000+1 e> c o c");
	assert_int_equal(w.stats.opened, 3);
	assert_int_equal(w.stats.open, 1);
	assert_int_equal(w.stats.unknown_pieces, 1);
}

static void ends(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 100);
	sock_read(&sock, &actor, "1");
	sock_change(&sock, ZSP_CHANGE_REMOTE_FIN, 0); /* bytes may still be unread */
	sock_read(&sock, &actor, "1");
	sock_read_end(&sock, &actor);
	sock_write(&sock, &actor, "1");
	sock_change(&sock, ZSP_CHANGE_LOCAL_FIN, 0);
	sock_change(&sock, ZSP_CHANGE_CLOSED, 0);
	sock_change(&sock, ZSP_CHANGE_CLOSED, 0); /* twice */
	world_end(&w, "o <100+1 <101+1 e< >100+1 e> c");
}

/* The end's own position tells that bytes are missing before it. */
static void gap_before_the_end(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 100);
	sock_read(&sock, &actor, "12345");
	sock_lose(&sock, ZSP_IN, 7);
	sock_read_end(&sock, &actor);
	world_end(&w, "o <100+5 g<7 e< c");
	assert_int_equal(w.stats.gap_bytes, 7);
}

static void reset(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 100);
	sock_read(&sock, &actor, "1");
	sock_change(&sock, ZSP_CHANGE_CLOSED, 104);
	world_end(&w, "o <100+1 r");
}

static void addresses(void **state)
{
	struct world w;
	struct sock sock;
	char text[ENDPOINT_TEXT];

	(void)state;
	world_init(&w);
	sock = world_sock(&w, 100);
	assert_string_equal(endpoint_text(&w.local, text), "127.0.0.1");
	assert_string_equal(endpoint_text(&w.remote, text), "127.0.0.2");
	assert_int_equal(w.local.port, 8000);
	assert_int_equal(w.remote.port, 40000);
	sock = sock_tcp6(&w.feed, 78, ZSP_ROLE_CONNECTED, "2001:db8::1", 1, "fe80::2", 65535);
	sock_announce(&sock);
	assert_int_equal(w.local.family, ZSP_FAMILY_IPV6);
	assert_string_equal(endpoint_text(&w.local, text), "2001:db8::1");
	assert_string_equal(endpoint_text(&w.remote, text), "fe80::2");
	assert_int_equal(w.remote.port, 65535);
	sock = sock_unix(&w.feed, 79, ZSP_ROLE_CONNECTED, 80);
	sock_announce(&sock);
	assert_string_equal(endpoint_text(&w.local, text), "");
	assert_int_equal(w.remote.port, 0);
	world_end(&w, NULL);
}

static void mapped_addresses(void **state)
{
	const uint8_t v4[16] = {192, 0, 2, 7};
	struct world w;
	struct sock sock;
	char text[ENDPOINT_TEXT];

	(void)state;
	world_init(&w);
	sock = sock_tcp6(
	    &w.feed, 78, ZSP_ROLE_ACCEPTED, "::ffff:192.0.2.7", 80, "::ffff:192.0.2.8", 40000);
	sock_announce(&sock);
	assert_int_equal(w.local.family, ZSP_FAMILY_IPV4);
	assert_memory_equal(w.local.address, v4, sizeof(v4));
	assert_string_equal(endpoint_text(&w.remote, text), "192.0.2.8");
	sock = sock_tcp6(&w.feed, 79, ZSP_ROLE_ACCEPTED, "::1", 80, "::fffe:192.0.2.8", 40000);
	sock_announce(&sock);
	assert_int_equal(w.local.family, ZSP_FAMILY_IPV6);
	assert_int_equal(w.remote.family, ZSP_FAMILY_IPV6);
	world_end(&w, NULL);
}

static void table_bound(void **state)
{
	struct world w;
	struct sock sock;

	(void)state;
	world_init(&w);
	w.quiet = true;
	for (uint64_t id = 1; id <= CONN_MAX + 5; id++) {
		sock = sock_tcp(&w.feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 2, 40000);
		sock_announce(&sock);
	}
	conn_table_stats(w.table, &w.stats);
	assert_int_equal(w.stats.open, CONN_MAX);
	assert_int_equal(w.stats.refused, 5);
	sock = sock_tcp(&w.feed, 3, ZSP_ROLE_ACCEPTED, 1, 8000, 2, 40000);
	sock_announce(&sock); /* a reused number takes its own place */
	sock_close(&sock);
	sock = sock_tcp(&w.feed, CONN_MAX + 9, ZSP_ROLE_ACCEPTED, 1, 8000, 2, 40000);
	sock_announce(&sock);
	world_end(&w, NULL);
	assert_int_equal(w.stats.open, CONN_MAX);
	assert_int_equal(w.stats.refused, 5);
	assert_int_equal(w.stats.opened, CONN_MAX + 2);
}

/* Many connections at once, pieces lost at random: the sum of pieces and gaps is the stream. */
static void random_losses_add_up(void **state)
{
	struct world w;
	struct sock socks[32];
	uint64_t first[32][2], seen = 0, lost = 0;
	struct rng rng;

	(void)state;
	world_init(&w);
	w.quiet = true;
	rng_seed(&rng, 5);
	memset(first, 0, sizeof(first));
	for (uint64_t i = 0; i < 32; i++) {
		socks[i] = sock_tcp(&w.feed, 100 + i, ZSP_ROLE_ACCEPTED, 1, 8000, 2, 40000);
		socks[i].seq[0] = (uint32_t)rng_next(&rng);
		socks[i].seq[1] = UINT32_MAX - (uint32_t)(rng_next(&rng) % 1000);
		sock_announce(&socks[i]);
		sock_read(&socks[i], &actor, "1");
		sock_write(&socks[i], &actor, "1");
		seen += 2;
	}
	for (int i = 0; i < 20000; i++) {
		struct sock *sock = &socks[rng_next(&rng) % 32];
		enum zsp_direction direction = rng_next(&rng) % 2 ? ZSP_IN : ZSP_OUT;
		uint32_t bytes = 1 + (uint32_t)(rng_next(&rng) % 5000);

		if (rng_next(&rng) % 4 == 0) {
			sock_lose(sock, direction, bytes);
			first[sock - socks][direction - 1] += bytes;
			continue;
		}
		sock_move_cut(sock, &actor, direction, (struct sv){0}, bytes, 0);
		seen += bytes;
		lost += first[sock - socks][direction - 1];
		first[sock - socks][direction - 1] = 0;
	}
	world_end(&w, NULL);
	assert_int_equal(w.stats.seen_bytes, seen);
	assert_int_equal(w.stats.gap_bytes, lost);
	assert_int_equal(w.stats.disordered, 0);
	assert_int_equal(w.stats.unknown_pieces, 0);
}

static void free_of_nothing(void **state)
{
	(void)state;
	conn_table_free(NULL, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_order),
	    cmocka_unit_test(gaps),
	    cmocka_unit_test(wrap_around),
	    cmocka_unit_test(more_than_four_gigabytes),
	    cmocka_unit_test(duplicates),
	    cmocka_unit_test(unknown_connections),
	    cmocka_unit_test(reuse_of_an_id),
	    cmocka_unit_test(ends),
	    cmocka_unit_test(gap_before_the_end),
	    cmocka_unit_test(reset),
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(mapped_addresses),
	    cmocka_unit_test(table_bound),
	    cmocka_unit_test(random_losses_add_up),
	    cmocka_unit_test(free_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
