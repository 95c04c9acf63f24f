/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw events as the kernel side writes them, on a virtual clock. Every record is built in memory of
 * exactly its size, goes through event_decode() and is handed to the stage under test, so that no
 * test can feed what the trust boundary would refuse, and a read beyond a record dies at once.
 *
 *	feed    the clock and where events go
 *	actor   a thread: pid, tid, slice
 *	sock    one end of a connection: identity, addresses, and the position of both streams
 *
 * A loss is an event that is not sent: the position moves, nothing else (sock_lose).
 */
#ifndef ZS_TESTS_EVENT_FIXTURE_H
#define ZS_TESTS_EVENT_FIXTURE_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/decode.h"
#include "support.h"

/* The virtual clock moves by this much with every event. */
#define FEED_STEP_NS (10 * NS_PER_US)

struct feed {
	uint64_t now_ns;
	void (*take)(void *ctx, const struct event *event);
	void *ctx;
	const struct zsp_waits *waits; /* of the thread that acts; NULL: it has never waited */
	uint64_t sent_ns, delayed_ns;  /* of those, in the call that moves something */
	uint16_t flags;                /* of what is moved: ZSP_DATA_* */
};

struct actor {
	uint32_t pid, tid, slice;
};

struct sock {
	struct feed *feed;
	struct zsp_conn_open open; /* as it will be announced; h.conn is its id */
	uint32_t seq[2];           /* position of the next byte, by direction - 1 */
	size_t records[2];         /* sent so far, by direction - 1 */
};

static inline void feed_init(
    struct feed *feed, void (*take)(void *ctx, const struct event *event), void *ctx)
{
	*feed = (struct feed){.now_ns = NS_PER_S, .take = take, .ctx = ctx};
}

/* Fill in the head's size and send len bytes as one record. */
static inline void feed_record(struct feed *feed, const void *record, size_t len)
{
	struct event event;
	void *copy = malloc(len);

	assert_non_null(copy);
	memcpy(copy, record, len);
	((struct zsp_header *)copy)->size = (uint32_t)len;
	assert_int_equal(event_decode(copy, len, &event), 0);
	feed->take(feed->ctx, &event);
	free(copy);
}

static inline struct zsp_header feed_header(
    struct feed *feed, enum zsp_kind kind, const struct actor *actor, uint64_t conn)
{
	feed->now_ns += FEED_STEP_NS;
	return (struct zsp_header){
	    .kind = kind,
	    .time_ns = feed->now_ns,
	    .pid = actor ? actor->pid : 0,
	    .tid = actor ? actor->tid : 0,
	    .slice = actor ? actor->slice : 0,
	    .conn = conn,
	};
}

/* --- sockets ------------------------------------------------------------------------------------ */

/* An end of a TCP connection over IPv4; hosts are the last byte of 127.0.0.x. */
static inline struct sock sock_tcp(struct feed *feed, uint64_t id, enum zsp_role role,
    uint8_t local_host, uint16_t local_port, uint8_t remote_host, uint16_t remote_port)
{
	struct sock sock = {.feed = feed, .seq = {1000, 5000}};

	sock.open.h.conn = id;
	sock.open.family = ZSP_FAMILY_IPV4;
	sock.open.role = (uint8_t)role;
	sock.open.local_port = local_port;
	sock.open.remote_port = htons(remote_port);
	memcpy(sock.open.local, (uint8_t[]){127, 0, 0, local_host}, 4);
	memcpy(sock.open.remote, (uint8_t[]){127, 0, 0, remote_host}, 4);
	return sock;
}

/* The same with both addresses IPv6, as text. */
static inline struct sock sock_tcp6(struct feed *feed, uint64_t id, enum zsp_role role,
    const char *local, uint16_t local_port, const char *remote, uint16_t remote_port)
{
	struct sock sock = sock_tcp(feed, id, role, 1, local_port, 1, remote_port);

	sock.open.family = ZSP_FAMILY_IPV6;
	assert_int_equal(inet_pton(AF_INET6, local, sock.open.local), 1);
	assert_int_equal(inet_pton(AF_INET6, remote, sock.open.remote), 1);
	return sock;
}

static inline struct sock sock_unix(
    struct feed *feed, uint64_t id, enum zsp_role role, uint64_t peer)
{
	struct sock sock = {.feed = feed};

	sock.open.h.conn = id;
	sock.open.family = ZSP_FAMILY_UNIX;
	sock.open.role = (uint8_t)role;
	sock.open.peer_conn = peer;
	return sock;
}

/*
 * Both ends of one TCP connection from 127.0.0.1:client_port to 127.0.0.1:8000. Their ids are id and
 * id + 1; the positions of their streams agree, as sequence numbers do.
 */
static inline void sock_tcp_pair(struct feed *feed, uint64_t id, uint16_t client_port,
    struct sock *ret_client, struct sock *ret_server)
{
	*ret_client = sock_tcp(feed, id, ZSP_ROLE_CONNECTED, 1, client_port, 1, 8000);
	*ret_server = sock_tcp(feed, id + 1, ZSP_ROLE_ACCEPTED, 1, 8000, 1, client_port);
	ret_client->seq[ZSP_OUT - 1] = ret_server->seq[ZSP_IN - 1] = 7000u * client_port;
	ret_client->seq[ZSP_IN - 1] = ret_server->seq[ZSP_OUT - 1] = 9000u * client_port;
}

static inline void sock_announce(struct sock *sock)
{
	struct zsp_conn_open open = sock->open;

	open.h = feed_header(sock->feed, ZSP_KIND_CONN_OPEN, NULL, sock->open.h.conn);
	open.in_seq = sock->seq[ZSP_IN - 1];
	open.out_seq = sock->seq[ZSP_OUT - 1];
	if (open.role != ZSP_ROLE_UNKNOWN)
		open.first_ns = open.h.time_ns;
	feed_record(sock->feed, &open, sizeof(open));
}

/* One call that moved bytes bytes, the first of which are data; duration_ns is how long a write took, or
 * what is read had waited. */
static inline void sock_move_cut(struct sock *sock, const struct actor *actor,
    enum zsp_direction direction, struct sv data, uint32_t bytes, uint64_t duration_ns)
{
	size_t len = sizeof(struct zsp_data) + data.len;
	struct zsp_data *record = calloc(1, len);

	assert_non_null(record);
	sock->feed->now_ns += duration_ns;
	record->h = feed_header(sock->feed, ZSP_KIND_DATA, actor, sock->open.h.conn);
	record->h.flags = sock->feed->flags;
	record->start_ns = record->h.time_ns - duration_ns;
	record->seq = sock->seq[direction - 1];
	record->bytes = bytes;
	record->captured = (uint32_t)data.len;
	record->direction = (uint8_t)direction;
	if (sock->feed->waits)
		record->waits = *sock->feed->waits;
	record->sent_ns = sock->feed->sent_ns;
	record->delayed_ns = sock->feed->delayed_ns;
	if (data.len)
		memcpy(record->payload, data.p, data.len);
	sock->seq[direction - 1] += bytes;
	sock->records[direction - 1]++;
	feed_record(sock->feed, record, len);
	free(record);
}

/* The same with the end of the call behind the data. */
static inline void sock_move_ends(struct sock *sock, const struct actor *actor,
    enum zsp_direction direction, struct sv data, uint32_t bytes, struct sv tail)
{
	size_t len = sizeof(struct zsp_data) + data.len + tail.len;
	struct zsp_data *record = calloc(1, len);

	assert_non_null(record);
	record->h = feed_header(sock->feed, ZSP_KIND_DATA, actor, sock->open.h.conn);
	record->start_ns = record->h.time_ns;
	record->seq = sock->seq[direction - 1];
	record->bytes = bytes;
	record->captured = (uint32_t)data.len;
	record->tail = (uint8_t)tail.len;
	record->direction = (uint8_t)direction;
	if (sock->feed->waits)
		record->waits = *sock->feed->waits;
	memcpy(record->payload, data.p, data.len);
	memcpy(record->payload + data.len, tail.p, tail.len);
	sock->seq[direction - 1] += bytes;
	sock->records[direction - 1]++;
	feed_record(sock->feed, record, len);
	free(record);
}

static inline void sock_move(
    struct sock *sock, const struct actor *actor, enum zsp_direction direction, struct sv data)
{
	sock_move_cut(sock, actor, direction, data, (uint32_t)data.len, 0);
}

static inline void sock_read(struct sock *sock, const struct actor *actor, const char *text)
{
	sock_move(sock, actor, ZSP_IN, sv_cstr(text));
}

static inline void sock_write(struct sock *sock, const struct actor *actor, const char *text)
{
	sock_move(sock, actor, ZSP_OUT, sv_cstr(text));
}

/* A read that found the end of the stream. */
static inline void sock_read_end(struct sock *sock, const struct actor *actor)
{
	sock_move(sock, actor, ZSP_IN, (struct sv){0});
}

/* Bytes that passed without a record. */
static inline void sock_lose(struct sock *sock, enum zsp_direction direction, size_t bytes)
{
	sock->feed->now_ns += FEED_STEP_NS;
	sock->seq[direction - 1] += (uint32_t)bytes;
}

static inline void sock_change(struct sock *sock, enum zsp_conn_change change, uint32_t error)
{
	struct zsp_conn_state state = {.change = change, .error = error};

	state.h = feed_header(sock->feed, ZSP_KIND_CONN_STATE, NULL, sock->open.h.conn);
	feed_record(sock->feed, &state, sizeof(state));
}

static inline void sock_close(struct sock *sock)
{
	sock_change(sock, ZSP_CHANGE_LOCAL_FIN, 0);
	sock_change(sock, ZSP_CHANGE_CLOSED, 0);
}

/* --- statements --------------------------------------------------------------------------------- */

struct execution {
	const char *sql;
	uint64_t start_ns, end_ns; /* 0: it began when the last event happened, and ends now */
	uint64_t db;
	uint32_t closes; /* of connections at db before */
	uint32_t rows;
	int result;              /* 0: SQLITE_DONE */
	struct zsp_waits before; /* of its thread when it began; the feed has those of its end */
};

static inline void feed_execution(
    struct feed *feed, const struct actor *actor, const struct execution *e)
{
	size_t text = strlen(e->sql), len = sizeof(struct zsp_statement) + text;
	struct zsp_statement *record = calloc(1, len);

	assert_non_null(record);
	record->start_ns = e->start_ns ? e->start_ns : feed->now_ns + 1;
	record->h = feed_header(feed, ZSP_KIND_STATEMENT, actor, 0);
	record->end_ns = e->end_ns ? e->end_ns : record->h.time_ns;
	record->stmt = 0x1000;
	record->db = e->db;
	record->db_closes = e->closes;
	record->inside_ns = record->end_ns - record->start_ns;
	record->rows = e->rows;
	record->result = e->result ? e->result : 101;
	record->text_bytes = (uint32_t)text;
	for (size_t i = 0; i < ZSP_WAIT_MAX; i++) {
		record->waits_before[i] = e->before.ns[i];
		record->waits[i] = feed->waits ? feed->waits->ns[i] - e->before.ns[i] : 0;
	}
	memcpy(record->text, e->sql, text);
	feed_record(feed, record, len);
	free(record);
}

static inline void feed_sql(struct feed *feed, const struct actor *actor, const char *sql)
{
	feed_execution(feed, actor, &(struct execution){.sql = sql});
}

#endif
