// SPDX-License-Identifier: Apache-2.0
/*
 * Timers are a list ordered by due time, searched from its end: almost all timers are started with
 * the same delay, so they belong there.
 */
#include "reactor.h"

#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 64

struct reactor {
	int epoll_fd;
	struct reactor_timer *first;
	struct reactor_timer *last;
	struct epoll_event events[EVENTS_MAX]; /* of the running dispatch */
	int fetched;
};

struct reactor *reactor_new(void)
{
	struct reactor *reactor = calloc(1, sizeof(*reactor));

	if (!reactor)
		return NULL;
	reactor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (reactor->epoll_fd >= 0)
		return reactor;
	free(reactor);
	return NULL;
}

void reactor_free(struct reactor *reactor)
{
	if (!reactor)
		return;
	close(reactor->epoll_fd);
	free(reactor);
}

int reactor_watch(struct reactor *reactor, int fd, struct reactor_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(reactor->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	if (errno == ENOENT && epoll_ctl(reactor->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	return -errno;
}

void reactor_unwatch(struct reactor *reactor, int fd, struct reactor_source *source)
{
	epoll_ctl(reactor->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	for (int i = 0; i < reactor->fetched; i++) {
		if (reactor->events[i].data.ptr == source)
			reactor->events[i].data.ptr = NULL;
	}
}

void reactor_arm(struct reactor *reactor, struct reactor_timer *timer, uint64_t delay_ms)
{
	struct reactor_timer *earlier;

	reactor_disarm(reactor, timer);
	timer->due_ns = log_clock_ns() + delay_ms * 1000000u;
	earlier = reactor->last;
	while (earlier && earlier->due_ns > timer->due_ns)
		earlier = earlier->earlier;
	timer->earlier = earlier;
	timer->later = earlier ? earlier->later : reactor->first;
	*(earlier ? &earlier->later : &reactor->first) = timer;
	*(timer->later ? &timer->later->earlier : &reactor->last) = timer;
	timer->armed = true;
}

void reactor_disarm(struct reactor *reactor, struct reactor_timer *timer)
{
	if (!timer->armed)
		return;
	*(timer->earlier ? &timer->earlier->later : &reactor->first) = timer->later;
	*(timer->later ? &timer->later->earlier : &reactor->last) = timer->earlier;
	timer->armed = false;
}

/* Milliseconds until the first timer, rounded up, at most `limit_ms`. */
static int wait_ms(const struct reactor *reactor, int limit_ms)
{
	uint64_t now_ns = log_clock_ns();
	uint64_t left_ms;

	if (!reactor->first)
		return limit_ms;
	if (reactor->first->due_ns <= now_ns)
		return 0;
	left_ms = (reactor->first->due_ns - now_ns + 999999) / 1000000;
	return left_ms < (uint64_t)limit_ms ? (int)left_ms : limit_ms;
}

void reactor_run_once(struct reactor *reactor, int limit_ms)
{
	uint64_t now_ns;
	int n =
	    epoll_wait(reactor->epoll_fd, reactor->events, EVENTS_MAX, wait_ms(reactor, limit_ms));

	reactor->fetched = n > 0 ? n : 0;
	for (int i = 0; i < reactor->fetched; i++) {
		struct reactor_source *source = reactor->events[i].data.ptr;

		if (source)
			source->ready(source, reactor->events[i].events);
	}
	reactor->fetched = 0;
	now_ns = log_clock_ns();
	while (reactor->first && reactor->first->due_ns <= now_ns) {
		struct reactor_timer *timer = reactor->first;

		reactor_disarm(reactor, timer);
		timer->fire(timer);
	}
}
