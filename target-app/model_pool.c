// SPDX-License-Identifier: Apache-2.0
/*
 * An acceptor and a pool of workers.
 *
 *   acceptor:  accept ─► epoll ─(readable)─► ready queue ─► worker: receive, parse, serve, send
 *                          ▲                                  │             │
 *                          └────────── keep-alive, or part ───┘             │ no call allowed now
 *                                                      held queue ◄─────────┘
 *
 * A connection is in exactly one place: watched by epoll (one shot), in a queue, or with a worker;
 * so the queues are bounded by MODEL_CONNECTIONS_MAX. A request that arrived in part goes back to
 * epoll: slow clients hold no worker.
 *
 * A checkout blocks its worker while another worker serves the inventory call it makes, often in
 * this very process. If checkouts took every worker, nobody would be left to answer them. So at
 * most half of the workers may serve checkouts at a time; further ones wait in the held queue,
 * which has precedence.
 */
#include "pool.h"

#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define TICK_MS    1000 /* how often idle connections are looked for */

void pool_queue_put(struct pool_queue *queue, struct pool_connection *connection)
{
	connection->next_queued = NULL;
	*queue->last = connection;
	queue->last = &connection->next_queued;
}

struct pool_connection *pool_queue_take(struct pool_queue *queue)
{
	struct pool_connection *connection = queue->first;

	if (connection) {
		queue->first = connection->next_queued;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return connection;
}

void pool_watch(struct pool *pool, struct pool_connection *connection, int operation)
{
	struct epoll_event event = {
	    .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = connection};

	pthread_mutex_lock(&pool->lock);
	connection->watched = true;
	epoll_ctl(pool->epoll_fd, operation, connection->fd, &event);
	pthread_mutex_unlock(&pool->lock);
}

void pool_discard(struct pool *pool, struct pool_connection *connection)
{
	pthread_mutex_lock(&pool->lock);
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	pool->connections--;
	pthread_mutex_unlock(&pool->lock);
	close(connection->fd);
	http_input_release(&connection->input);
	free(connection);
}

static void make_ready(struct pool *pool, struct pool_connection *connection)
{
	pthread_mutex_lock(&pool->lock);
	connection->watched = false;
	pool_queue_put(&pool->ready, connection);
	pthread_cond_signal(&pool->filled);
	pthread_mutex_unlock(&pool->lock);
}

static int start_workers(struct pool *pool)
{
	int err = 0;

	pool->worker = calloc((size_t)pool->context->workers, sizeof(*pool->worker));
	if (!pool->worker)
		return -ENOMEM;
	while (err == 0 && pool->workers < pool->context->workers) {
		struct pool_worker *worker = &pool->worker[pool->workers];

		worker->pool = pool;
		worker->desk = desk_new(&pool->context->desk);
		if (!worker->desk)
			return -ENOMEM;
		err = -pthread_create(&worker->thread, NULL, pool_worker_main, worker);
		if (err == 0)
			pool->workers++;
		else
			desk_free(worker->desk);
	}
	return err;
}

/* Adds a client. False if there are too many. */
static bool add_connection(struct pool *pool, int fd)
{
	struct pool_connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return false;
	connection->fd = fd;
	connection->since_ns = log_clock_ns();
	pthread_mutex_lock(&pool->lock);
	if (pool->connections >= MODEL_CONNECTIONS_MAX) {
		pthread_mutex_unlock(&pool->lock);
		free(connection);
		return false;
	}
	connection->next = pool->all;
	connection->link = &pool->all;
	if (pool->all)
		pool->all->link = &connection->next;
	pool->all = connection;
	pool->connections++;
	pthread_mutex_unlock(&pool->lock);
	pool_watch(pool, connection, EPOLL_CTL_ADD);
	return true;
}

static void accept_clients(struct pool *pool)
{
	int fd;

	while ((fd = connection_accept(pool->context->listen_fd)) >= 0) {
		if (!add_connection(pool, fd))
			close(fd);
	}
}

/* Shuts connections down that waited too long; epoll then reports them and a worker closes them. */
static void end_idle(struct pool *pool)
{
	uint64_t now_ns = log_clock_ns();

	pthread_mutex_lock(&pool->lock);
	for (struct pool_connection *c = pool->all; c; c = c->next) {
		uint64_t limit_ms;

		if (!c->watched)
			continue;
		limit_ms = c->input.len > 0 ? MODEL_READ_MS : MODEL_IDLE_MS;
		if (now_ns - c->since_ns > limit_ms * 1000000u)
			shutdown(c->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&pool->lock);
}

static bool is_quiet(struct pool *pool)
{
	bool quiet;

	pthread_mutex_lock(&pool->lock);
	quiet = pool->busy == 0 && !pool->ready.first && !pool->held.first;
	pthread_mutex_unlock(&pool->lock);
	return quiet;
}

static void begin_stop(struct pool *pool)
{
	close(pool->context->listen_fd);
	epoll_ctl(pool->epoll_fd, EPOLL_CTL_DEL, pool->context->stop_fd, NULL);
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_mutex_unlock(&pool->lock);
}

static void accept_until_stopped(struct pool *pool)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t stop_ns = 0;
	uint64_t tick_ns = log_clock_ns();

	while (stop_ns == 0 || (log_clock_ns() < stop_ns && !is_quiet(pool))) {
		int n = epoll_wait(pool->epoll_fd, events, EVENTS_MAX, stop_ns ? 10 : TICK_MS);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &pool->context->listen_fd) {
				accept_clients(pool);
			} else if (events[i].data.ptr == &pool->context->stop_fd) {
				begin_stop(pool);
				stop_ns = log_clock_ns() + MODEL_STOP_MS * 1000000ull;
			} else {
				make_ready(pool, events[i].data.ptr);
			}
		}
		if (log_clock_ns() - tick_ns > TICK_MS * 1000000ull) {
			end_idle(pool);
			tick_ns = log_clock_ns();
		}
	}
}

static int watch_listener(struct pool *pool)
{
	const struct model_context *context = pool->context;
	struct epoll_event listener = {
	    .events = EPOLLIN, .data.ptr = (void *)(uintptr_t)&context->listen_fd};
	struct epoll_event stop = {
	    .events = EPOLLIN, .data.ptr = (void *)(uintptr_t)&context->stop_fd};

	if (pool->epoll_fd < 0 ||
	    epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, context->listen_fd, &listener) < 0 ||
	    epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, context->stop_fd, &stop) < 0)
		return -errno;
	return 0;
}

static void release(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->ended = true;
	pthread_cond_broadcast(&pool->filled);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->workers; i++) {
		pthread_join(pool->worker[i].thread, NULL);
		desk_free(pool->worker[i].desk);
	}
	while (pool->all)
		pool_discard(pool, pool->all);
	if (pool->epoll_fd >= 0)
		close(pool->epoll_fd);
	if (!pool->stopping)
		close(pool->context->listen_fd);
	pthread_cond_destroy(&pool->filled);
	pthread_mutex_destroy(&pool->lock);
	free(pool->worker);
}

int model_pool_run(const struct model_context *context)
{
	struct pool pool = {.context = context,
	    .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
	    .calls_max = context->workers / 2};
	int err;

	pool.ready.last = &pool.ready.first;
	pool.held.last = &pool.held.first;
	pthread_mutex_init(&pool.lock, NULL);
	pthread_cond_init(&pool.filled, NULL);
	err = watch_listener(&pool);
	if (err == 0)
		err = start_workers(&pool);
	if (err == 0)
		accept_until_stopped(&pool);
	else
		log_message("error", "starting the pool: %s", strerror(-err));
	release(&pool);
	return err;
}
