/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slow spans get their neighbours: which nodes are remembered as neighbours (recent.h), and when a span is given those that it had.
 * That is when it ends, since its trace may be published much later: what is forgotten meanwhile is known by then. Internal to trace/.
 *
 * Neighbours are requests and statements. Calls are not: they are parts of requests, or as good as nobody's. Nor is anything of the span's own
 * trace. Nothing here costs anything but a check unless graph->recent is there.
 */
#ifndef ZS_TRACE_BESIDE_H
#define ZS_TRACE_BESIDE_H

#include "trace/graph.h"

/* The request is known to be one. */
void beside_begin(struct graph *graph, struct node *request);

/* The node has ended, with or without a span; its exchange is still there, if it had one. */
void beside_end(struct graph *graph, struct node *node);

/* The span has another end now. */
void beside_look(struct graph *graph, struct node *node);

/* All nodes of a group are to become nodes of another one. Have spans of either been given neighbours that are of their own trace? */
bool beside_join(struct graph *graph, struct group *to, const struct group *from);

/* Then those spans are given theirs once more. */
void beside_look_again(struct graph *graph, struct group *group);

#endif
