// SPDX-License-Identifier: Apache-2.0
/*
 * A desk is all that one request at a time needs to be served by a blocking thread: a database
 * connection and an inventory client. Desks are reused; threads that come and go borrow them from a
 * rack.
 */
#ifndef SHOP_DESK_H
#define SHOP_DESK_H

#include "inventory_client.h"
#include "shop.h"
#include "store.h"

struct desk {
	struct shop_tools tools;
	struct inventory_client *client;
	struct desk *next; /* in the rack */
};

/* What desks are made of; all borrowed. */
struct desk_config {
	struct store_config store;
	struct audit *audit;
	const char *inventory_url;
};

/* NULL on failure, which is logged. */
struct desk *desk_new(const struct desk_config *config);
void desk_free(struct desk *desk);

/* Serves a request to its end, sleeping and calling in this thread. */
void desk_serve(struct desk *desk, struct shop_request *request);

struct desk_rack;

/* A rack with `ready` desks made in advance. NULL on failure. `config` is borrowed. */
struct desk_rack *desk_rack_new(const struct desk_config *config, int ready);
void desk_rack_free(struct desk_rack *rack);

/* Borrows a desk, the last one returned first; makes one when all are out. NULL on failure. */
struct desk *desk_rack_take(struct desk_rack *rack);
void desk_rack_put(struct desk_rack *rack, struct desk *desk);

#endif
