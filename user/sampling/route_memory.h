/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sampling remembers of each route of each service: how long its requests take, and what its rate is doing. Up to
 * ROUTE_MEMORY_MAX routes; beyond, the one that was asked for least recently is forgotten and begins anew if it comes again.
 */
#ifndef ZS_SAMPLING_ROUTE_MEMORY_H
#define ZS_SAMPLING_ROUTE_MEMORY_H

#include "base/hmap.h"
#include "base/sv.h"
#include "proto/sampling_policy.h"
#include "sampling/latency.h"
#include "sampling/rate_window.h"

/* As many as ten services with all their inferred routes; with percentiles 4 KB each. */
#define ROUTE_MEMORY_MAX 1000

struct route_known {
	struct hnode node;
	struct list used;        /* the one that was used last at the end */
	struct sv service, name; /* in this allocation */
	struct latency *latency; /* in this allocation; NULL: nobody asks */
	struct rate_window window;
};

struct route_memory {
	const struct sampling_policy *policy; /* borrowed */
	struct rate_window_owner *owner;      /* borrowed: of the windows */
	struct hmap routes;
	struct list used;
	bool timed;         /* the policy asks how long requests take */
	uint64_t forgotten; /* routes, ever */
};

void route_memory_init(struct route_memory *table, const struct sampling_policy *policy,
    struct rate_window_owner *owner);

/* Closes all windows first. */
void route_memory_release(struct route_memory *table);

/*
 * What is remembered of this service's route, as its spans are named; made if it is new. Valid until the next call. NULL when
 * the policy asks for nothing that would have to be remembered, or without memory.
 */
struct route_known *route_memory_get(struct route_memory *table, struct sv service, struct sv name);

#endif
