// SPDX-License-Identifier: Apache-2.0
/*
 * Desks, the blocking way through the shop's steps, and the rack that lends desks to threads.
 */
#include "desk.h"

#include "log.h"

#include <pthread.h>
#include <stdlib.h>

struct desk_rack {
	const struct desk_config *config;
	pthread_mutex_t lock;
	struct desk *free;
};

struct desk *desk_new(const struct desk_config *config)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	if (!desk)
		return NULL;
	desk->tools.audit = config->audit;
	desk->tools.store = store_new(&config->store);
	desk->client = inventory_client_new(config->inventory_url);
	if (desk->tools.store && desk->client)
		return desk;
	log_message("error", "setting up a desk failed");
	desk_free(desk);
	return NULL;
}

void desk_free(struct desk *desk)
{
	if (!desk)
		return;
	inventory_client_free(desk->client);
	store_free(desk->tools.store);
	free(desk);
}

void desk_serve(struct desk *desk, struct shop_request *request)
{
	enum shop_step step = shop_begin(request, &desk->tools);
	struct shop_reply reply;

	while (step != SHOP_DONE) {
		if (step == SHOP_SLEEP) {
			simulate_latency(request->sleep_ms);
			step = shop_slept(request, &desk->tools);
		} else {
			reply = inventory_client_post(desk->client, request->call_body);
			step = shop_called(request, &desk->tools, &reply);
		}
	}
}

struct desk_rack *desk_rack_new(const struct desk_config *config, int ready)
{
	struct desk_rack *rack = calloc(1, sizeof(*rack));

	if (!rack)
		return NULL;
	rack->config = config;
	pthread_mutex_init(&rack->lock, NULL);
	for (int i = 0; i < ready; i++) {
		struct desk *desk = desk_new(config);

		if (!desk) {
			desk_rack_free(rack);
			return NULL;
		}
		desk_rack_put(rack, desk);
	}
	return rack;
}

void desk_rack_free(struct desk_rack *rack)
{
	if (!rack)
		return;
	while (rack->free) {
		struct desk *desk = rack->free;

		rack->free = desk->next;
		desk_free(desk);
	}
	pthread_mutex_destroy(&rack->lock);
	free(rack);
}

struct desk *desk_rack_take(struct desk_rack *rack)
{
	struct desk *desk;

	pthread_mutex_lock(&rack->lock);
	desk = rack->free;
	if (desk)
		rack->free = desk->next;
	pthread_mutex_unlock(&rack->lock);
	return desk ? desk : desk_new(rack->config);
}

void desk_rack_put(struct desk_rack *rack, struct desk *desk)
{
	pthread_mutex_lock(&rack->lock);
	desk->next = rack->free;
	rack->free = desk;
	pthread_mutex_unlock(&rack->lock);
}
