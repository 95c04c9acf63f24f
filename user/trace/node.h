/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes and groups: the assembler's graph. A node is one exchange or statement, open or ended; a
 * group is what is known to be one local trace. Internal to trace/.
 */
#ifndef ZS_TRACE_NODE_H
#define ZS_TRACE_NODE_H

#include "base/hmap.h"
#include "base/list.h"
#include "span/exchange.h"
#include "span/span.h"

struct group {
	struct list nodes; /* struct node.member */
	size_t n_nodes, n_open;
	bool fixed; /* the trace id came with a header */
	struct trace_id trace_id;
	uint32_t flags;    /* W3C flags of the trace */
	uint64_t flush_ns; /* publish then, if nothing joins */
	struct list flush; /* in the assembler's queue while all nodes have ended */
};

struct node {
	struct group *group;
	struct list member;        /* of group->nodes */
	struct exchange *exchange; /* NULL once ended, and for statements */
	struct span *span;         /* NULL while open */
	enum span_kind kind;
	uint32_t pid;
	struct span_id span_id, parent_id;
	enum parent_basis basis;
	bool parent_remote; /* the parent is another process' span */

	/* Requests being served by a thread. */
	struct list serving; /* in struct thread_work.requests */
	struct node *caller; /* calls: the request this was made for, until either ends */
	uint32_t calls;      /* requests: calls in flight */
	uint32_t call_slice; /* requests: slice of the thread at the last call */

	/* What the request's traceparent names. */
	struct trace_context context;
	struct hnode named;
	bool is_named; /* in the table of names */

	/* The two ends of a connection find each other here. */
	struct node *other_end; /* NULL until found, and when it is freed */
	uint64_t end_ns;        /* 0 while open */
	struct hnode pair;
	bool paired;                     /* in the pair table */
	struct endpoint from, to;        /* of the request bytes */
	uint64_t from_socket, to_socket; /* Unix sockets */
	uint32_t position;
};

#endif
