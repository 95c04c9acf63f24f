// SPDX-License-Identifier: Apache-2.0
/* The two ends of a request find each other; see pair_table.h. */
#include "trace/pair_table.h"

#include <string.h>

static uint64_t endpoint_hash(const struct endpoint *endpoint)
{
	uint64_t high, low;

	memcpy(&high, endpoint->address, sizeof(high));
	memcpy(&low, endpoint->address + sizeof(high), sizeof(low));
	return hash_combine(hash_combine(high, low), endpoint->port);
}

static uint64_t node_hash(const struct node *node)
{
	uint64_t ends = hash_combine(endpoint_hash(&node->from), endpoint_hash(&node->to));

	return hash_combine(hash_combine(ends, node->from_socket), node->position);
}

static bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	    memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

static bool is_other_end(const struct node *a, const struct node *b)
{
	return a->kind != b->kind && a->position == b->position &&
	    a->from_socket == b->from_socket && a->to_socket == b->to_socket &&
	    endpoint_eq(&a->from, &b->from) && endpoint_eq(&a->to, &b->to);
}

/* From whom to whom the request's bytes go, seen alike from both ends. */
static bool node_set_ends(struct node *node)
{
	const struct conn *conn = node->exchange->conn;
	bool server = node->kind == SPAN_KIND_SERVER;

	node->position = node->exchange->position;
	node->from = server ? conn->remote : conn->local;
	node->to = server ? conn->local : conn->remote;
	if (conn->local.family != ZSP_FAMILY_UNIX)
		return true;
	node->from_socket = server ? conn->peer_id : conn->id;
	node->to_socket = server ? conn->id : conn->peer_id;
	/* Positions of Unix sockets count from first sight: they agree when that was the beginning. */
	return conn->peer_id != 0 && conn->role != ZSP_ROLE_UNKNOWN;
}

struct node *pair_table_enter(struct hmap *pairs, struct node *node)
{
	struct node *other = NULL;
	uint64_t hash;

	if (!node_set_ends(node))
		return NULL;
	hash = node_hash(node);
	hmap_for_each_hash (at, pairs, hash) {
		struct node *candidate = container_of(at, struct node, pair);

		if (is_other_end(node, candidate))
			other = candidate;
	}
	node->paired = hmap_add(pairs, hash, &node->pair) == 0;
	return other;
}

void pair_table_leave(struct hmap *pairs, struct node *node)
{
	if (node->paired)
		hmap_remove(pairs, &node->pair);
	node->paired = false;
}
