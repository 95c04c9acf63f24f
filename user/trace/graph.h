/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes and groups: the assembler's graph. A node is one exchange or statement, open or ended; a
 * group is what is known to be one local trace. Internal to trace/.
 */
#ifndef ZS_TRACE_GRAPH_H
#define ZS_TRACE_GRAPH_H

#include "base/hmap.h"
#include "base/list.h"
#include "base/pool.h"
#include "span/exchange.h"
#include "span/span.h"
#include "trace/assembler.h"
#include "trace/recent.h"

struct group {
	struct list nodes; /* struct node.member */
	size_t n_nodes, n_open;
	uint64_t number; /* no other group has had it */
	bool fixed;      /* the trace id came with a header */
	bool slow;       /* a span lasted for longer than slow_ns, or was cut */
	struct trace_id trace_id;
	uint32_t flags;     /* W3C flags of the trace */
	uint64_t flush_ns;  /* publish then, if nothing joins */
	uint32_t held;      /* how often that was put off for places that were not told yet */
	uint64_t looked_ns; /* latest end of a span that was given neighbours; 0: none */
	struct list flush;  /* in the assembler's queue while all nodes have ended */
};

/* What a request, or a call, has been given of the time of threads; see time_share.h. */
struct time_share {
	struct ledger ledger;
	uint64_t until_ns; /* requests: time before this is given away */
	/* Requests: the waits PEER and TIMER of their thread when they began. */
	uint64_t polled_ns, timed_ns;

	/* Requests: their calls. */
	uint64_t calling_since_ns; /* a call is under way since then, if any */
	uint64_t calling_ns;       /* calls were under way, until their answers had come */
	uint64_t answered_ns;      /* answers had come, but were not read yet */
	uint64_t worked_ns;        /* was given to it meanwhile */
	uint64_t slept_ns;         /* its statements were asleep without waiting for a lock */
	uint32_t n_orphans;        /* its thread's, when it began */
	bool called;               /* a call was under way at some time since until_ns */
	struct span_wait wait;     /* the longest that is known */
	bool shared;               /* its thread had other requests as well */
	bool untold;               /* another thread answered, of which nothing was known */
	bool answering;            /* bytes of its answer were written */

	/* Requests: whether their client has no room for more of the answer. */
	bool full;
	uint64_t full_since_ns;  /* since then, if so */
	uint64_t full_ns;        /* it had none, until more was written */
	uint64_t full_worked_ns; /* was given to it meanwhile */

	/* Calls: of their thread, when they began. */
	__u64 waits[ZSP_WAIT_MAX];
	uint32_t tid;
	uint32_t n_begun;
};

struct node {
	struct group *group;
	struct list member;        /* of group->nodes */
	struct list open;          /* of graph->open, until its exchange has ended */
	struct exchange *exchange; /* NULL once ended, and for statements */
	struct span *span;         /* NULL while open */
	enum span_kind kind;
	uint32_t pid;
	struct span_id span_id, parent_id;
	enum parent_basis basis;
	bool parent_remote; /* the parent is another process' span */

	/* Statements: the write lock that was taken, and the one that was waited for. References; NULL: none. */
	struct write_hold *taken, *waited_for;

	/* Requests being served by a thread. */
	struct thread_work *work; /* of that thread; NULL: none */
	struct list serving;      /* in its requests */
	struct node *caller;      /* calls: the request this was made for, until either ends */
	uint32_t doubt_tid;  /* calls: the thread that may have made it for another one; 0: none */
	uint32_t n_doubts;   /* requests: calls of which that may be so */
	uint32_t calls;      /* requests: calls in flight */
	uint32_t call_slice; /* requests: slice of the thread at the last call */
	/* Requests: the call that was waited for the longest, or who answered it. */
	uint64_t slowest_ns; /* 0: none */
	struct span_id slowest_id;
	struct service *peer;          /* a reference; NULL: not observed */
	struct contention *contention; /* requests: for the CPU; owned, NULL: none was seen */

	/* Requests: of the lines that wait for its trace (held_logs.h), the first one; NULL: none. */
	struct held_log *logs;
	struct thread_work *answered_by; /* which ended its answer last; NULL: none */

	struct time_share time;

	struct recent_ref recent; /* requests and statements: where they are remembered */

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

/* All of them, and the tables in which they are found. */
struct graph {
	struct rng rng;                                  /* for ids */
	void (*publish)(void *ctx, struct trace *trace); /* borrowed for the call */
	/* Lines of logs; in the trace just published, or in none. Borrowed for the call. */
	void (*publish_logs)(void *ctx, struct log_batch *logs, bool in_trace);
	void *ctx;
	struct assembler_stats *stats; /* borrowed */
	struct hmap pairs;             /* see pair_table.h */
	struct hmap names;             /* see header_link.h */
	struct list open;              /* nodes of exchanges, in the order of their beginning */
	struct list flush; /* groups whose nodes have all ended, in the order of their flush_ns */
	uint64_t now_ns;
	uint64_t n_groups; /* ever: the number of the latest one */
	struct recent *
	    recent; /* what spans longer than slow_ns have their neighbours from; NULL: nobody wants to know */
	uint64_t
	    slow_ns; /* of traces without such a span nobody asks what they waited in, either */
	struct held_logs *held; /* NULL: no lines are taken */
	size_t n_nodes;
	struct pool node_pool, group_pool;
};

/* Sets up what is the graph's own; rng, publish, ctx and stats are the caller's to set. */
void graph_init(struct graph *graph);

/* After the last tick: no nodes are left. */
void graph_release(struct graph *graph);

/* Publish the groups that are complete as of now_ns. */
void graph_tick(struct graph *graph, uint64_t now_ns);

/* An empty group with a new trace id; NULL without memory. */
struct group *group_new(struct graph *graph);
void group_add(struct group *group, struct node *node);

/* Move all nodes of from into to; from is gone afterwards. */
void group_merge(struct graph *graph, struct group *to, struct group *from);

/* Something of the group ended or left: queue it for publication when all of it has ended. */
void group_settle(struct graph *graph, struct group *group);

/*
 * A node in the caller's group, or in a group of its own when caller is NULL. exchange is NULL for a
 * statement, which has ended. NULL without memory or room.
 */
struct node *node_new(
    struct graph *graph, enum span_kind kind, struct exchange *exchange, struct node *caller);

/* A call in flight no longer parks its request. */
void node_leave_caller(struct node *node);

/* A request ends before its calls do: they keep their parent's id but not the pointer. */
void node_release_calls(struct node *node);

#endif
