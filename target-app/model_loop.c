// SPDX-License-Identifier: Apache-2.0
/*
 * One thread, one epoll: all requests interleave.
 *
 *   RECEIVING ─(whole request)─► BUSY ──(steps done)──► SENDING ─► RECEIVING, or DRAINING ─► closed
 *                                │  ▲
 *                    sleep: timer│  │ inventory call: curl multi
 *                                └──┘
 *
 * While a request is BUSY its socket is not watched: pipelined requests stay in the kernel until
 * their turn. SQLite statements run in the loop itself; they are short. DRAINING lets a refused
 * client read its answer before the connection is closed over bytes that were never read.
 */
#include "model.h"

#include "connection.h"
#include "log.h"
#include "multi_client.h"
#include "reactor.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_MS    1000
#define SEND_MS     10000
#define WAIT_MS     1000 /* upper bound of one wait for events */
#define ACCEPTS_MAX 64   /* per wake-up, so that clients already here get their turn */

enum connection_state {
	RECEIVING = 1,
	BUSY = 2,
	SENDING = 3,
	DRAINING = 4,
};

struct loop {
	struct reactor *reactor;
	struct multi_client *client;
	struct shop_tools tools;
	const struct model_context *context;
	struct reactor_source listener;
	struct reactor_source stop;
	struct connection *all;
	int connections;
	int active; /* BUSY or SENDING */
	bool stopping;
};

struct connection {
	struct reactor_source source; /* first: the reactor's pointer is ours */
	struct reactor_timer timer;   /* limit of the state; while BUSY the shop's sleep */
	struct loop *loop;
	enum connection_state state;
	int fd;
	struct http_input input;
	struct http_request head;
	struct shop_request request; /* while BUSY */
	uint64_t start_ns;           /* first byte of the request */
	char *out;
	size_t out_len;
	size_t out_sent;
	bool keep_alive;
	bool pipelined; /* input may hold the next request; the timer brings us back to it */
	struct connection *next;
	struct connection **link; /* what points here in the list of all */
};

static void wait_for_bytes(struct connection *connection);
static void take_step(struct connection *connection, enum shop_step step);

static void set_state(struct connection *connection, enum connection_state state)
{
	bool was_active = connection->state == BUSY || connection->state == SENDING;
	bool is_active = state == BUSY || state == SENDING;

	connection->loop->active += (int)is_active - (int)was_active;
	connection->state = state;
}

static void discard(struct connection *connection)
{
	struct loop *loop = connection->loop;

	set_state(connection, DRAINING);
	reactor_unwatch(loop->reactor, connection->fd, &connection->source);
	reactor_disarm(loop->reactor, &connection->timer);
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	loop->connections--;
	close(connection->fd);
	shop_request_release(&connection->request);
	http_input_release(&connection->input);
	free(connection->out);
	free(connection);
}

static void watch(struct connection *connection, uint32_t events)
{
	reactor_watch(connection->loop->reactor, connection->fd, &connection->source, events);
}

/* Sending ------------------------------------------------------------------------------------- */

static void end_answer(struct connection *connection)
{
	free(connection->out);
	connection->out = NULL;
	if (connection->keep_alive) {
		http_input_drop(&connection->input, &connection->head);
		connection->start_ns = log_clock_ns();
		set_state(connection, RECEIVING);
		connection->pipelined = connection->input.len > 0;
		if (connection->pipelined)
			reactor_arm(connection->loop->reactor, &connection->timer, 0);
		else
			wait_for_bytes(connection);
		return;
	}
	set_state(connection, DRAINING);
	shutdown(connection->fd, SHUT_WR);
	reactor_arm(connection->loop->reactor, &connection->timer, DRAIN_MS);
	watch(connection, EPOLLIN);
}

static void send_some(struct connection *connection)
{
	while (connection->out_sent < connection->out_len) {
		ssize_t n = send(connection->fd, connection->out + connection->out_sent,
		    connection->out_len - connection->out_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			reactor_arm(connection->loop->reactor, &connection->timer, SEND_MS);
			watch(connection, EPOLLOUT);
			return;
		}
		if (n <= 0) {
			discard(connection);
			return;
		}
		connection->out_sent += (size_t)n;
	}
	end_answer(connection);
}

/* Sends the finished request's answer. */
static void answer(struct connection *connection, bool keep_alive)
{
	connection->keep_alive = keep_alive && !connection->loop->stopping;
	connection->out_sent = 0;
	connection->out = connection_answer(&connection->request, connection->keep_alive,
	    connection->start_ns, &connection->out_len);
	shop_request_release(&connection->request);
	if (!connection->out) {
		discard(connection);
		return;
	}
	set_state(connection, SENDING);
	send_some(connection);
}

/* Serving ------------------------------------------------------------------------------------- */

static void on_reply(void *arg, const struct shop_reply *reply)
{
	struct connection *connection = arg;

	take_step(connection, shop_called(&connection->request, &connection->loop->tools, reply));
}

static void call_inventory(struct connection *connection)
{
	static const struct shop_reply unreachable = {.status = 0};

	if (multi_client_post(
		connection->loop->client, connection->request.call_body, on_reply, connection) < 0)
		on_reply(connection, &unreachable);
}

static void take_step(struct connection *connection, enum shop_step step)
{
	if (step == SHOP_SLEEP)
		reactor_arm(
		    connection->loop->reactor, &connection->timer, connection->request.sleep_ms);
	else if (step == SHOP_CALL)
		call_inventory(connection);
	else
		answer(connection, connection->head.keep_alive);
}

static void serve(struct connection *connection)
{
	struct loop *loop = connection->loop;

	set_state(connection, BUSY);
	reactor_unwatch(loop->reactor, connection->fd, &connection->source);
	reactor_disarm(loop->reactor, &connection->timer);
	connection_begin(&connection->request, &connection->head, &connection->input);
	take_step(connection, shop_begin(&connection->request, &loop->tools));
}

/* Receiving ----------------------------------------------------------------------------------- */

static void wait_for_bytes(struct connection *connection)
{
	uint64_t limit_ms = connection->input.len > 0 ? MODEL_READ_MS : MODEL_IDLE_MS;
	uint64_t passed_ms = (log_clock_ns() - connection->start_ns) / 1000000;

	reactor_arm(connection->loop->reactor, &connection->timer,
	    passed_ms < limit_ms ? limit_ms - passed_ms : 0);
	watch(connection, EPOLLIN);
}

/* Acts on what has been received. May discard the connection. */
static void look_for_request(struct connection *connection)
{
	int progress = http_input_next(&connection->input, &connection->head);

	connection->pipelined = false;
	if (progress == HTTP_SEND_CONTINUE) {
		/* 25 bytes on an otherwise empty send queue: they fit, or the client is gone. */
		send(connection->fd, HTTP_CONTINUE_TEXT, sizeof(HTTP_CONTINUE_TEXT) - 1,
		    MSG_NOSIGNAL);
		progress = HTTP_INCOMPLETE;
	}
	if (progress == HTTP_INCOMPLETE) {
		wait_for_bytes(connection);
	} else if (progress < 0 || connection->head.refusal) {
		connection_refuse(
		    &connection->request, &connection->head, progress < 0 ? progress : 0);
		answer(connection, false);
	} else {
		serve(connection);
	}
}

static void receive(struct connection *connection)
{
	bool idle = connection->input.len == 0;
	int n = connection_receive(connection->fd, &connection->input);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		discard(connection);
		return;
	}
	if (idle)
		connection->start_ns = log_clock_ns();
	look_for_request(connection);
}

static void drain(struct connection *connection)
{
	char sink[4096];
	ssize_t n = recv(connection->fd, sink, sizeof(sink), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		discard(connection);
}

static void on_ready(struct reactor_source *source, uint32_t events)
{
	struct connection *connection = (struct connection *)source;

	(void)events;
	if (connection->state == RECEIVING)
		receive(connection);
	else if (connection->state == SENDING)
		send_some(connection);
	else if (connection->state == DRAINING)
		drain(connection);
}

static void on_timer(struct reactor_timer *timer)
{
	struct connection *connection =
	    (struct connection *)((char *)timer - offsetof(struct connection, timer));

	if (connection->state == BUSY)
		take_step(connection, shop_slept(&connection->request, &connection->loop->tools));
	else if (connection->state == RECEIVING && connection->pipelined)
		look_for_request(connection);
	else
		discard(connection);
}

/* The loop ------------------------------------------------------------------------------------ */

static void add_connection(struct loop *loop, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection || loop->connections >= MODEL_CONNECTIONS_MAX) {
		close(fd);
		free(connection);
		return;
	}
	connection->source.ready = on_ready;
	connection->timer.fire = on_timer;
	connection->loop = loop;
	connection->fd = fd;
	connection->state = RECEIVING;
	connection->start_ns = log_clock_ns();
	connection->next = loop->all;
	connection->link = &loop->all;
	if (loop->all)
		loop->all->link = &connection->next;
	loop->all = connection;
	loop->connections++;
	wait_for_bytes(connection);
}

static void on_listener(struct reactor_source *source, uint32_t events)
{
	struct loop *loop = (struct loop *)((char *)source - offsetof(struct loop, listener));

	(void)events;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = connection_accept(loop->context->listen_fd);

		if (fd < 0)
			break;
		add_connection(loop, fd);
	}
}

static void on_stop(struct reactor_source *source, uint32_t events)
{
	struct loop *loop = (struct loop *)((char *)source - offsetof(struct loop, stop));

	(void)events;
	loop->stopping = true;
	reactor_unwatch(loop->reactor, loop->context->stop_fd, &loop->stop);
	reactor_unwatch(loop->reactor, loop->context->listen_fd, &loop->listener);
	close(loop->context->listen_fd);
}

static int start(struct loop *loop)
{
	const struct model_context *context = loop->context;
	int err;

	loop->listener.ready = on_listener;
	loop->stop.ready = on_stop;
	loop->tools.audit = context->desk.audit;
	loop->tools.store = store_new(&context->desk.store);
	loop->reactor = reactor_new();
	if (!loop->tools.store || !loop->reactor)
		return -ENOMEM;
	loop->client = multi_client_new(loop->reactor, context->desk.inventory_url);
	if (!loop->client)
		return -ENOMEM;
	err = reactor_watch(loop->reactor, context->listen_fd, &loop->listener, EPOLLIN);
	return err ? err : reactor_watch(loop->reactor, context->stop_fd, &loop->stop, EPOLLIN);
}

int model_loop_run(const struct model_context *context)
{
	struct loop loop = {.context = context};
	uint64_t end_ns = 0;
	int err = start(&loop);

	if (err)
		log_message("error", "starting the event loop failed");
	while (!err && (end_ns == 0 || (loop.active > 0 && log_clock_ns() < end_ns))) {
		reactor_run_once(loop.reactor, loop.stopping ? 10 : WAIT_MS);
		if (loop.stopping && end_ns == 0)
			end_ns = log_clock_ns() + MODEL_STOP_MS * 1000000ull;
	}
	multi_client_free(loop.client);
	while (loop.all)
		discard(loop.all);
	reactor_free(loop.reactor);
	store_free(loop.tools.store);
	if (!loop.stopping)
		close(context->listen_fd);
	return err;
}
