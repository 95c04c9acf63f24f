// SPDX-License-Identifier: Apache-2.0
/*
 * The heart of the event loop: one epoll and a list of timers, dispatching to callbacks in one
 * thread. Knows nothing of HTTP.
 */
#ifndef SHOP_REACTOR_H
#define SHOP_REACTOR_H

#include <stdbool.h>
#include <stdint.h>

struct reactor;

/* Something with a descriptor; embedded in its owner. */
struct reactor_source {
	void (*ready)(struct reactor_source *source, uint32_t events);
};

/* A one-shot timer; embedded in its owner, zero-initialised but for `fire`. */
struct reactor_timer {
	void (*fire)(struct reactor_timer *timer);
	uint64_t due_ns;
	bool armed;
	struct reactor_timer *earlier;
	struct reactor_timer *later;
};

struct reactor *reactor_new(void);
void reactor_free(struct reactor *reactor);

/* Watches a descriptor for epoll events, or changes what is watched. 0 or a negative errno. */
int reactor_watch(struct reactor *reactor, int fd, struct reactor_source *source, uint32_t events);

/* Ends the watch; `source` is not called again, not even for events already fetched. */
void reactor_unwatch(struct reactor *reactor, int fd, struct reactor_source *source);

/* (Re)starts a timer `delay_ms` from now. */
void reactor_arm(struct reactor *reactor, struct reactor_timer *timer, uint64_t delay_ms);
void reactor_disarm(struct reactor *reactor, struct reactor_timer *timer);

/* Waits for events at most `limit_ms` and dispatches them and the timers that are due. */
void reactor_run_once(struct reactor *reactor, int limit_ms);

#endif
