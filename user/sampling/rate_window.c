// SPDX-License-Identifier: Apache-2.0
/* Windows with a heap each; see rate_window.h. */
#include "sampling/rate_window.h"

#include <stdlib.h>

enum {
	ROOM_FIRST = 8,
};

void rate_window_owner_init(struct rate_window_owner *owner, size_t max_held)
{
	*owner = (struct rate_window_owner){.max_held = max_held};
	list_init(&owner->open);
	list_init(&owner->leaving);
}

void rate_window_init(struct rate_window *window, uint32_t per_s)
{
	*window = (struct rate_window){.per_s = per_s};
	list_init(&window->open);
	list_init(&window->leaving);
}

/* --- the heap: no trace has less randomness than the one above it --- */

static void swap(struct candidate *a, struct candidate *b)
{
	struct candidate other = *a;

	*a = *b;
	*b = other;
}

static void sift_up(struct candidate *heap, size_t i)
{
	for (; i > 0 && heap[i].randomness < heap[(i - 1) / 2].randomness; i = (i - 1) / 2)
		swap(&heap[i], &heap[(i - 1) / 2]);
}

static void sift_down(struct candidate *heap, size_t n, size_t i)
{
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
			if (heap[child].randomness < heap[least].randomness)
				least = child;
		if (least == i)
			return;
		swap(&heap[i], &heap[least]);
		i = least;
	}
}

/* There is a place in the heap for one more. */
static bool make_place(struct rate_window *window)
{
	size_t room = window->room ? 2 * window->room : ROOM_FIRST;
	struct candidate *heap;

	if (window->n < window->room)
		return true;
	heap = realloc(window->heap, room * sizeof(*heap));
	if (!heap)
		return false;
	window->heap = heap;
	window->room = room;
	return true;
}

/* Whoever has as little randomness as this one does not go out any more. */
static void drop(struct rate_window_owner *owner, struct rate_window *window, uint64_t randomness)
{
	owner->dropped++;
	if (window->threshold <= randomness)
		window->threshold = randomness + 1;
}

static void drop_least(struct rate_window_owner *owner, struct rate_window *window)
{
	struct candidate least = window->heap[0];

	window->heap[0] = window->heap[--window->n];
	sift_down(window->heap, window->n, 0);
	owner->held -= least.trace->n_spans;
	drop(owner, window, least.randomness);
	trace_unref(least.trace);
}

/* --- windows --- */

static void open_window(
    struct rate_window_owner *owner, struct rate_window *window, uint64_t now_ns)
{
	if (window->end_ns)
		return;
	window->end_ns = now_ns + RATE_WINDOW_NS;
	list_add_tail(&owner->open, &window->open);
}

static int compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->randomness > y->randomness) - (x->randomness < y->randomness);
}

/* Let all but so many go out that are to. */
static void go_out(struct rate_window_owner *owner, struct rate_window *window, size_t left)
{
	while (window->n_going > left) {
		const struct candidate *kept = &window->going[--window->n_going];

		owner->held -= kept->trace->n_spans;
		owner->keep(owner->ctx, kept->trace, kept->threshold);
		trace_unref(kept->trace);
	}
	if (window->n_going == 0)
		list_remove(&window->leaving);
}

/* How many are still to wait. */
static size_t not_due(const struct rate_window *window, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns > window->closed_ns ? now_ns - window->closed_ns : 0;

	if (now_ns == UINT64_MAX || passed_ns >= RATE_WINDOW_NS)
		return 0;
	return window->n_closed * (RATE_WINDOW_NS - passed_ns) / RATE_WINDOW_NS;
}

/* Drop what is below the threshold, which is of traces that were dropped, and let the others leave. The heap is sorted. */
static void leave(struct rate_window_owner *owner, struct rate_window *window, uint64_t now_ns)
{
	struct candidate *heap = window->heap;
	size_t room = window->room;

	go_out(owner, window, 0);
	window->heap = window->going;
	window->room = window->room_going;
	window->going = heap;
	window->room_going = room;
	for (size_t i = 0; i < window->n; i++) {
		struct candidate kept = heap[i];

		if (kept.randomness < window->threshold) {
			owner->held -= kept.trace->n_spans;
			owner->dropped++;
			trace_unref(kept.trace);
			continue;
		}
		if (kept.threshold < window->threshold)
			kept.threshold = window->threshold;
		heap[window->n_going++] = kept;
	}
	window->n_closed = window->n_going;
	window->closed_ns = now_ns;
	if (window->n_going)
		list_add_tail(&owner->leaving, &window->leaving);
}

/* By randomness: what goes out first is always the same. */
static void close_window(
    struct rate_window_owner *owner, struct rate_window *window, uint64_t now_ns)
{
	size_t room = window->per_s > window->passed ? window->per_s - window->passed : 0;

	while (window->n > room)
		drop_least(owner, window);
	if (window->n)
		qsort(window->heap, window->n, sizeof(*window->heap), compare);
	leave(owner, window, now_ns);
	list_remove(&window->open);
	window->n = window->passed = 0;
	window->threshold = window->end_ns = 0;
}

void rate_window_release(struct rate_window_owner *owner, struct rate_window *window)
{
	if (window->end_ns)
		close_window(owner, window, UINT64_MAX);
	go_out(owner, window, 0);
	free(window->heap);
	free(window->going);
	window->heap = window->going = NULL;
	window->room = window->room_going = 0;
}

void rate_window_take(struct rate_window_owner *owner, struct rate_window *window,
    const struct candidate *candidate, uint64_t now_ns)
{
	size_t spans = candidate->trace->n_spans;

	open_window(owner, window, now_ns);
	while (owner->held + spans > owner->max_held && window->n &&
	    window->heap[0].randomness < candidate->randomness)
		drop_least(owner, window);
	if (candidate->randomness < window->threshold || owner->held + spans > owner->max_held ||
	    !make_place(window)) {
		drop(owner, window, candidate->randomness);
		return;
	}
	window->heap[window->n] = *candidate;
	trace_ref(candidate->trace);
	sift_up(window->heap, window->n++);
	owner->held += spans;
	if (window->n > window->per_s)
		drop_least(owner, window);
}

void rate_window_pass(struct rate_window_owner *owner, struct rate_window *window, uint64_t now_ns)
{
	open_window(owner, window, now_ns);
	window->passed++;
}

void rate_windows_tick(struct rate_window_owner *owner, uint64_t now_ns)
{
	list_for_each (at, &owner->open) {
		struct rate_window *window = container_of(at, struct rate_window, open);

		if (window->end_ns > now_ns)
			break;
		close_window(owner, window, now_ns);
	}
	list_for_each (at, &owner->leaving) {
		struct rate_window *window = container_of(at, struct rate_window, leaving);

		go_out(owner, window, not_due(window, now_ns));
	}
}
