// SPDX-License-Identifier: Apache-2.0
/*
 * The workers of the pool: take a readable connection, receive and parse, serve, send, give it
 * back.
 */
#include "pool.h"

#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define SEND_TIMEOUT_MS 10000
#define LINGER_MS       500
#define LINGER_BYTES    (1024 * 1024)

static bool send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd writable = {.fd = fd, .events = POLLOUT};

			if (poll(&writable, 1, SEND_TIMEOUT_MS) <= 0)
				return false;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Lets a refused client read its answer although bytes it sent were not read: a reset would discard
 * it. */
static void linger(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	size_t total = 0;
	char sink[4096];

	shutdown(fd, SHUT_WR);
	while (total < LINGER_BYTES && poll(&readable, 1, LINGER_MS) > 0) {
		ssize_t n = recv(fd, sink, sizeof(sink), 0);

		if (n <= 0)
			break;
		total += (size_t)n;
	}
}

/* Sends the answer of a served or refused request. True if the connection can go on. */
static bool answer(struct pool *pool, struct pool_connection *connection,
    const struct shop_request *request, bool keep_alive)
{
	size_t len = 0;
	char *text;
	bool sent;

	pthread_mutex_lock(&pool->lock);
	keep_alive = keep_alive && !pool->stopping;
	pthread_mutex_unlock(&pool->lock);
	text = connection_answer(request, keep_alive, connection->since_ns, &len);
	sent = text && send_all(connection->fd, text, len);
	free(text);
	return sent && keep_alive;
}

static void refuse(
    struct pool *pool, struct pool_connection *connection, struct http_request *head, int err)
{
	struct shop_request request;

	connection_refuse(&request, head, err);
	answer(pool, connection, &request, false);
	shop_request_release(&request);
	linger(connection->fd);
}

/* May this worker block in a call now? If not, the connection is held. */
static bool admit(struct pool *pool, struct pool_connection *connection)
{
	bool admitted = true;

	pthread_mutex_lock(&pool->lock);
	if (!connection->may_call && pool->calls >= pool->calls_max) {
		pool_queue_put(&pool->held, connection);
		admitted = false;
	} else if (!connection->may_call) {
		connection->may_call = true;
		pool->calls++;
	}
	pthread_mutex_unlock(&pool->lock);
	return admitted;
}

static void end_call(struct pool *pool, struct pool_connection *connection)
{
	if (!connection->may_call)
		return;
	pthread_mutex_lock(&pool->lock);
	connection->may_call = false;
	pool->calls--;
	if (pool->held.first)
		pthread_cond_signal(&pool->filled);
	pthread_mutex_unlock(&pool->lock);
}

static bool serve(struct pool *pool, struct desk *desk, struct pool_connection *connection,
    const struct http_request *head)
{
	struct shop_request request;
	bool keep_alive;

	connection_begin(&request, head, &connection->input);
	desk_serve(desk, &request);
	end_call(pool, connection);
	keep_alive = answer(pool, connection, &request, head->keep_alive);
	shop_request_release(&request);
	http_input_drop(&connection->input, head);
	return keep_alive;
}

/* Receives more of a request. True to go on; false: the connection has been given back or
 * discarded. */
static bool receive(struct pool *pool, struct pool_connection *connection)
{
	bool idle = connection->input.len == 0;
	int n = connection_receive(connection->fd, &connection->input);

	if (n > 0) {
		if (idle)
			connection->since_ns = log_clock_ns();
		return true;
	}
	if (n == -EAGAIN)
		pool_watch(pool, connection, EPOLL_CTL_MOD);
	else
		pool_discard(pool, connection);
	return false;
}

/* Works on a connection until it has to wait for its client, or for others, or is closed. */
static void work_on(struct pool *pool, struct desk *desk, struct pool_connection *connection)
{
	struct http_request head;

	for (;;) {
		int progress = http_input_next(&connection->input, &head);

		if (progress == HTTP_SEND_CONTINUE) {
			send_all(
			    connection->fd, HTTP_CONTINUE_TEXT, sizeof(HTTP_CONTINUE_TEXT) - 1);
		} else if (progress == HTTP_INCOMPLETE) {
			if (!receive(pool, connection))
				return;
		} else if (progress < 0 || head.refusal) {
			refuse(pool, connection, &head, progress < 0 ? progress : 0);
			pool_discard(pool, connection);
			return;
		} else {
			if (shop_is_checkout(head.method, head.path) && !admit(pool, connection))
				return;
			if (!serve(pool, desk, connection, &head)) {
				pool_discard(pool, connection);
				return;
			}
			connection->since_ns = log_clock_ns();
			if (connection->input.len == 0) {
				pool_watch(pool, connection, EPOLL_CTL_MOD);
				return;
			}
		}
	}
}

/* Waits for work; NULL when the pool has ended. */
static struct pool_connection *take_work(struct pool *pool)
{
	struct pool_connection *connection = NULL;

	pthread_mutex_lock(&pool->lock);
	while (!connection && !pool->ended) {
		if (pool->held.first && pool->calls < pool->calls_max) {
			connection = pool_queue_take(&pool->held);
			connection->may_call = true;
			pool->calls++;
		} else {
			connection = pool_queue_take(&pool->ready);
		}
		if (!connection)
			pthread_cond_wait(&pool->filled, &pool->lock);
	}
	if (connection)
		pool->busy++;
	pthread_mutex_unlock(&pool->lock);
	return connection;
}

void *pool_worker_main(void *arg)
{
	struct pool_worker *worker = arg;
	struct pool *pool = worker->pool;
	struct pool_connection *connection;

	prctl(PR_SET_NAME, "worker");
	while ((connection = take_work(pool))) {
		work_on(pool, worker->desk, connection);
		pthread_mutex_lock(&pool->lock);
		pool->busy--;
		pthread_mutex_unlock(&pool->lock);
	}
	return NULL;
}
