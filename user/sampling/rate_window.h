/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At most so many kept traces of a route per second, and still a fair sample. A window of one second holds what the rules
 * keep; when there is more than its room, the traces with the least randomness go. When the second is over the others are
 * exactly those that a higher threshold would have kept, so that is written down for them, and whoever counts by it counts right.
 * Hosts with the same load keep the same traces. They go out over the next second, evenly, since the queues of sinks are made
 * for a steady flow; those with the most randomness first: if any does not arrive, it is of those that others drop, too.
 *
 *	randomness  ────x──x─────x──┊───x───x──x────     room for 3
 *	                dropped     threshold   kept
 *
 * Some traces go out whatever the rate (errors); they take room from the others.
 *
 * Source: bottom-k sampling, E. Cohen, H. Kaplan: Summarizing data using bottom-k sketches, PODC 2007.
 */
#ifndef ZS_SAMPLING_RATE_WINDOW_H
#define ZS_SAMPLING_RATE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"
#include "span/span.h"

#define RATE_WINDOW_NS NS_PER_S

/* A trace that the rules keep. */
struct candidate {
	struct trace *trace; /* a reference */
	uint64_t randomness;
	uint64_t threshold; /* of the rule that keeps it; not OT_UNKNOWN */
};

struct rate_window {
	uint32_t per_s;         /* 0: no limit */
	uint64_t end_ns;        /* monotonic; 0: it is not open */
	struct candidate *heap; /* the least randomness first; NULL until one is held */
	size_t n, room;         /* held; allocated */
	size_t passed;          /* in this window went out whatever the rate */
	uint64_t threshold;     /* what was dropped in this window had less randomness */
	struct list open;       /* in the list of open windows, in the order of their ends */
	/* Of the window before: what has not gone out yet, the most randomness last. */
	struct candidate *going;
	size_t n_going, room_going;
	size_t n_closed;     /* so many were to go out */
	uint64_t closed_ns;  /* from then on, for RATE_WINDOW_NS */
	struct list leaving; /* in the list of windows that have such */
};

/* What a window needs of its owner. */
struct rate_window_owner {
	struct list open;      /* windows */
	struct list leaving;   /* windows of which traces go out */
	size_t held, max_held; /* spans in all of them, and at most */
	uint64_t dropped;      /* ever, for a rate or for want of memory */
	/* A trace goes out, with the threshold that it was kept by. Borrowed for the call. */
	void (*keep)(void *ctx, struct trace *trace, uint64_t threshold);
	void *ctx;
};

void rate_window_owner_init(struct rate_window_owner *owner, size_t max_held);

void rate_window_init(struct rate_window *window, uint32_t per_s);

/* Close it if it is open, let go out at once what is to, and free what it has. */
void rate_window_release(struct rate_window_owner *owner, struct rate_window *window);

/* Hold a trace, of which a reference is taken, until the window closes and its turn has come. */
void rate_window_take(struct rate_window_owner *owner, struct rate_window *window,
    const struct candidate *candidate, uint64_t now_ns);

/* A trace of the route went out whatever the rate. */
void rate_window_pass(struct rate_window_owner *owner, struct rate_window *window, uint64_t now_ns);

/* Close the windows whose time is over, and let go out what is due; UINT64_MAX: all. */
void rate_windows_tick(struct rate_window_owner *owner, uint64_t now_ns);

#endif
