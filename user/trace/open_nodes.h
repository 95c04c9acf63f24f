/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes and threads have open requests: what a look is worth. Each question looks at ASSEMBLER_OPEN_MAX nodes from either end at most, so
 * those that stay open for long keep nobody from being seen. Internal to trace/; see assembler.h for the questions.
 */
#ifndef ZS_TRACE_OPEN_NODES_H
#define ZS_TRACE_OPEN_NODES_H

#include "trace/graph.h"

/* The oldest ones, and if there are more, the latest ones too. */
size_t open_processes(
    const struct graph *graph, uint64_t before_ns, struct open_process *ret_processes, size_t max);

/* The latest ones first: those of old ones were looked at. */
size_t open_threads(
    const struct graph *graph, uint64_t before_ns, struct serving_thread *ret_threads, size_t max);

uint64_t open_oldest(const struct graph *graph);

#endif
