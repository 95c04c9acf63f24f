/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a traceparent in a request tells: the server's parent, and whether a client's process has a tracer of
 * its own or hands on what it got. Internal to trace/.
 */
#ifndef ZS_TRACE_HEADER_LINK_H
#define ZS_TRACE_HEADER_LINK_H

#include "trace/graph.h"

/* The request of this server carries a valid context. */
void server_take_context(struct graph *graph, struct node *node);

/*
 * A client's request carries a traceparent. Either the process hands on what it got: then the request it
 * got it with is the parent. Or it has a tracer of its own: then the header's ids are this span's, so that
 * the other end's parent exists; a parent by thread stands only within the same trace.
 */
void client_take_context(struct graph *graph, struct node *node);

#endif
