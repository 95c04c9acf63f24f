// SPDX-License-Identifier: Apache-2.0
/*
 * What the acceptor (model_pool.c) and the workers (pool_worker.c) of the pool share; its essay is
 * in model_pool.c.
 */
#ifndef SHOP_POOL_H
#define SHOP_POOL_H

#include "connection.h"
#include "model.h"

#include <pthread.h>

struct pool_connection {
	int fd;
	struct http_input input;
	uint64_t since_ns; /* start of the current request, or of idleness */
	bool may_call;     /* admitted as one of the checkouts in progress */
	bool watched;      /* with epoll */
	struct pool_connection *next_queued;
	struct pool_connection *next;
	struct pool_connection **link; /* what points here in the list of all */
};

struct pool_queue {
	struct pool_connection *first;
	struct pool_connection **last;
};

struct pool {
	const struct model_context *context;
	int epoll_fd;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct pool_queue ready;
	struct pool_queue held;
	struct pool_connection *all;
	int connections;
	int calls; /* checkouts in progress */
	int calls_max;
	int busy;      /* connections with a worker */
	bool stopping; /* no keep-alive any more */
	bool ended;    /* workers leave */
	int workers;   /* running */
	struct pool_worker *worker;
};

struct pool_worker {
	struct pool *pool;
	struct desk *desk;
	pthread_t thread;
};

/* Both queue functions are called with the lock held. */
void pool_queue_put(struct pool_queue *queue, struct pool_connection *connection);
struct pool_connection *pool_queue_take(struct pool_queue *queue);

/* Puts a connection under epoll's watch (EPOLL_CTL_ADD or _MOD); from then on it is the acceptor's.
 */
void pool_watch(struct pool *pool, struct pool_connection *connection, int operation);

/* Closes and frees a connection that the caller holds. */
void pool_discard(struct pool *pool, struct pool_connection *connection);

/* A worker thread's main function; `arg` is its struct pool_worker. */
void *pool_worker_main(void *arg);

#endif
