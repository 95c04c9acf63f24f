/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client and server ends of one request, found by the mirrored addresses and the stream position of
 * the request's first byte. TCP sequence numbers are the same on both ends, so this holds for
 * connections that existed before us, for pipelining, and in whatever order the two ends are seen.
 * Internal to trace/.
 */
#ifndef ZS_TRACE_PAIR_TABLE_H
#define ZS_TRACE_PAIR_TABLE_H

#include "trace/graph.h"

/* Enter the open node and return its other end if that is already here, else NULL. */
struct node *pair_table_enter(struct hmap *pairs, struct node *node);

/* Take the node out; fine when it is not in. */
void pair_table_leave(struct hmap *pairs, struct node *node);

#endif
