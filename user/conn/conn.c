// SPDX-License-Identifier: Apache-2.0
/* The connection table; see conn.h. */
#include "conn/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

struct conn_table {
	const struct conn_handler *handler;
	void *ctx;
	struct hmap by_id;
	struct conn_stats stats;
};

const char *endpoint_text(const struct endpoint *endpoint, char text[ENDPOINT_TEXT])
{
	text[0] = '\0';
	if (endpoint->family == ZSP_FAMILY_IPV4)
		inet_ntop(AF_INET, endpoint->address, text, ENDPOINT_TEXT);
	else if (endpoint->family == ZSP_FAMILY_IPV6)
		inet_ntop(AF_INET6, endpoint->address, text, ENDPOINT_TEXT);
	return text;
}

/* From the kernel's form; an IPv4-mapped address (::ffff:a.b.c.d) becomes what the other end sees.
 */
static struct endpoint endpoint_make(
    enum zsp_family family, const uint8_t address[16], uint16_t port)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct endpoint endpoint = {.family = family, .port = port};

	memcpy(endpoint.address, address, sizeof(endpoint.address));
	if (family == ZSP_FAMILY_IPV6 && memcmp(address, mapped, sizeof(mapped)) == 0) {
		endpoint.family = ZSP_FAMILY_IPV4;
		memset(endpoint.address, 0, sizeof(endpoint.address));
		memcpy(endpoint.address, address + sizeof(mapped), 4);
	}
	return endpoint;
}

static struct conn *conn_find(const struct conn_table *table, uint64_t id)
{
	hmap_for_each_hash (node, &table->by_id, hash_u64(id)) {
		struct conn *conn = container_of(node, struct conn, node);

		if (conn->id == id)
			return conn;
	}
	return NULL;
}

/* The end of a connection that is no longer in the table. */
static void conn_finish(struct conn_table *table, struct conn *conn, uint64_t time_ns)
{
	table->handler->close(table->ctx, conn, time_ns);
	table->stats.open--;
	free(conn);
}

static void conn_close(struct conn_table *table, struct conn *conn, uint64_t time_ns)
{
	hmap_remove(&table->by_id, &conn->node);
	conn_finish(table, conn, time_ns);
}

static void conn_open(struct conn_table *table, const struct zsp_conn_open *open)
{
	struct conn *conn = conn_find(table, open->h.conn);

	if (conn) /* its end was lost and the number reused */
		conn_close(table, conn, open->h.time_ns);
	conn = table->stats.open < CONN_MAX ? calloc(1, sizeof(*conn)) : NULL;
	if (!conn) {
		table->stats.refused++;
		return;
	}
	conn->id = open->h.conn;
	conn->peer_id = open->peer_conn;
	conn->first_ns = open->first_ns;
	conn->netns = open->netns;
	conn->role = open->role;
	conn->next[ZSP_IN - 1] = open->in_seq;
	conn->next[ZSP_OUT - 1] = open->out_seq;
	conn->local = endpoint_make(open->family, open->local, open->local_port);
	conn->remote = endpoint_make(open->family, open->remote, ntohs(open->remote_port));
	endpoint_text(&conn->remote, conn->remote_text);
	if (hmap_add(&table->by_id, hash_u64(conn->id), &conn->node)) {
		free(conn);
		table->stats.refused++;
		return;
	}
	table->stats.open++;
	table->stats.opened++;
	table->handler->open(table->ctx, conn);
}

static void conn_data(struct conn_table *table, const struct zsp_data *data)
{
	struct conn *conn = conn_find(table, data->h.conn);
	unsigned int which = data->direction - 1u;
	struct piece piece = {
	    .direction = data->direction,
	    .data = sv_from(data->payload, data->captured),
	    .tail = sv_from(data->payload + data->captured, data->tail),
	    .bytes = data->bytes,
	    .position = data->seq,
	    .start_ns = data->start_ns,
	    .end_ns = data->h.time_ns,
	    .pid = data->h.pid,
	    .tid = data->h.tid,
	    .slice = data->h.slice,
	    .full = data->h.flags & ZSP_DATA_FULL,
	    .waits = &data->waits,
	    .sent_ns = data->sent_ns,
	    .delayed_ns = data->delayed_ns,
	};
	int32_t ahead;

	table->stats.seen_bytes += data->bytes;
	table->stats.captured_bytes += data->captured + data->tail;
	if (!conn) {
		table->stats.unknown_pieces++;
		return;
	}
	ahead = (int32_t)(data->seq - conn->next[which]);
	if (ahead < 0) {
		table->stats.disordered++;
		return;
	}
	if (ahead > 0) {
		table->stats.gap_bytes += (uint32_t)ahead;
		table->handler->gap(table->ctx, conn, data->direction, (uint32_t)ahead);
	}
	conn->pid = data->h.pid;
	conn->next[which] = data->seq + data->bytes;
	if (data->bytes)
		table->handler->piece(table->ctx, conn, &piece);
	else
		table->handler->end(table->ctx, conn, data->direction, data->h.time_ns);
}

static void conn_state(struct conn_table *table, const struct zsp_conn_state *state)
{
	struct conn *conn = conn_find(table, state->h.conn);

	if (!conn)
		return;
	if (state->change == ZSP_CHANGE_LOCAL_FIN) {
		table->handler->end(table->ctx, conn, ZSP_OUT, state->h.time_ns);
	} else if (state->change == ZSP_CHANGE_CLOSED) {
		conn->reset = state->error != 0;
		conn_close(table, conn, state->h.time_ns);
	}
	/* REMOTE_FIN: bytes may still be unread; the read that finds the end says when. */
}

struct conn_table *conn_table_new(const struct conn_handler *handler, void *ctx)
{
	struct conn_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->handler = handler;
	table->ctx = ctx;
	hmap_init(&table->by_id);
	return table;
}

void conn_table_close_all(struct conn_table *table, uint64_t time_ns)
{
	struct hnode *node;
	size_t slot = 0;

	while ((node = hmap_pop(&table->by_id, &slot))) {
		struct conn *conn = container_of(node, struct conn, node);

		conn->cut = true;
		conn_finish(table, conn, time_ns);
	}
}

void conn_table_free(struct conn_table *table, uint64_t time_ns)
{
	if (!table)
		return;
	conn_table_close_all(table, time_ns);
	hmap_release(&table->by_id);
	free(table);
}

void conn_table_end_process(struct conn_table *table, uint32_t pid, uint64_t time_ns)
{
	struct hnode *node, *next;
	size_t slot = 0;

	for (node = hmap_iterate(&table->by_id, &slot, NULL); node; node = next) {
		struct conn *conn = container_of(node, struct conn, node);

		next = hmap_iterate(&table->by_id, &slot, node);
		if (conn->pid == pid)
			conn_close(table, conn, time_ns);
	}
}

void conn_table_event(struct conn_table *table, const struct event *event)
{
	if (event->h->kind == ZSP_KIND_DATA)
		conn_data(table, event->data);
	else if (event->h->kind == ZSP_KIND_CONN_OPEN)
		conn_open(table, event->open);
	else if (event->h->kind == ZSP_KIND_CONN_STATE)
		conn_state(table, event->state);
}

void conn_table_stats(const struct conn_table *table, struct conn_stats *ret_stats)
{
	*ret_stats = table->stats;
}
