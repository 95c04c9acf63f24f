// SPDX-License-Identifier: Apache-2.0
/*
 * libcurl's multi interface on the reactor: curl says which sockets it wants watched and when it
 * wants to be called; we tell it what happened and collect finished transfers.
 */
#include "multi_client.h"

#include "inventory_client.h"
#include "log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* An inventory client and the call it makes, or its place in the list of free ones. */
struct transfer {
	struct inventory_client *client;
	CURL *running; /* NULL when free */
	multi_client_done done;
	void *arg;
	struct transfer *next; /* of all */
	struct transfer *next_free;
};

struct multi_client {
	struct reactor *reactor;
	const char *base_url;
	CURLM *multi;
	struct reactor_timer timer;
	struct transfer *all;
	struct transfer *free;
};

/* A socket that curl wants watched. */
struct curl_source {
	struct reactor_source source; /* first: the reactor's pointer is ours */
	struct multi_client *client;
	curl_socket_t fd;
};

static void collect_finished(struct multi_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct transfer *transfer = NULL;
		struct shop_reply reply;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		curl_multi_remove_handle(client->multi, transfer->running);
		transfer->running = NULL;
		reply = inventory_client_finish(transfer->client, result);
		transfer->done(transfer->arg, &reply);
		transfer->next_free = client->free;
		client->free = transfer;
	}
}

static void on_socket_ready(struct reactor_source *source, uint32_t events)
{
	struct curl_source *watched = (struct curl_source *)source;
	struct multi_client *client = watched->client;
	int running;
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(client->multi, watched->fd, what, &running);
	collect_finished(client);
}

static void on_timer(struct reactor_timer *timer)
{
	struct multi_client *client =
	    (struct multi_client *)((char *)timer - offsetof(struct multi_client, timer));
	int running;

	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_finished(client);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct multi_client *client = arg;
	struct curl_source *watched = socket_arg;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watched)
			reactor_unwatch(client->reactor, fd, &watched->source);
		free(watched);
		return 0;
	}
	if (!watched) {
		watched = calloc(1, sizeof(*watched));
		if (!watched)
			return -1;
		watched->source.ready = on_socket_ready;
		watched->client = client;
		watched->fd = fd;
		curl_multi_assign(client->multi, fd, watched);
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	return reactor_watch(client->reactor, fd, &watched->source, events) < 0 ? -1 : 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct multi_client *client = arg;

	(void)multi;
	if (timeout_ms < 0)
		reactor_disarm(client->reactor, &client->timer);
	else
		reactor_arm(client->reactor, &client->timer, (uint64_t)timeout_ms);
	return 0;
}

struct multi_client *multi_client_new(struct reactor *reactor, const char *base_url)
{
	struct multi_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->reactor = reactor;
	client->base_url = base_url;
	client->timer.fire = on_timer;
	client->multi = curl_multi_init();
	if (!client->multi) {
		free(client);
		return NULL;
	}
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	return client;
}

void multi_client_free(struct multi_client *client)
{
	if (!client)
		return;
	while (client->all) {
		struct transfer *transfer = client->all;

		client->all = transfer->next;
		if (transfer->running)
			curl_multi_remove_handle(client->multi, transfer->running);
		inventory_client_free(transfer->client);
		free(transfer);
	}
	curl_multi_cleanup(client->multi);
	reactor_disarm(client->reactor, &client->timer);
	free(client);
}

static struct transfer *new_transfer(struct multi_client *client)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	if (!transfer)
		return NULL;
	transfer->client = inventory_client_new(client->base_url);
	if (!transfer->client) {
		free(transfer);
		return NULL;
	}
	transfer->next = client->all;
	client->all = transfer;
	return transfer;
}

int multi_client_post(
    struct multi_client *client, const char *body, multi_client_done done, void *arg)
{
	struct transfer *transfer = client->free;

	if (transfer)
		client->free = transfer->next_free;
	else
		transfer = new_transfer(client);
	if (!transfer)
		return -ENOMEM;
	transfer->done = done;
	transfer->arg = arg;
	transfer->running = inventory_client_prepare(transfer->client, body);
	curl_easy_setopt(transfer->running, CURLOPT_PRIVATE, transfer);
	if (curl_multi_add_handle(client->multi, transfer->running) == CURLM_OK)
		return 0;
	transfer->running = NULL;
	transfer->next_free = client->free;
	client->free = transfer;
	return -ENOMEM;
}
