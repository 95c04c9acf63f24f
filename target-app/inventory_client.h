// SPDX-License-Identifier: Apache-2.0
/*
 * The HTTP client to the inventory service: one libcurl handle that keeps its connection, and the
 * reply to its last call. Blocking here; the event loop drives the same handle through a curl multi
 * handle.
 */
#ifndef SHOP_INVENTORY_CLIENT_H
#define SHOP_INVENTORY_CLIENT_H

#include "shop.h"

#include <curl/curl.h>

#define INVENTORY_TIMEOUT_MS 5000L
#define INVENTORY_REPLY_MAX  65536 /* bytes; a longer reply counts as a network error */

struct inventory_client;

/* `base_url` without a slash at its end. NULL when out of memory. */
struct inventory_client *inventory_client_new(const char *base_url);
void inventory_client_free(struct inventory_client *client);

/* Sends `body` (JSON text) and waits. The reply is borrowed until the next call. */
struct shop_reply inventory_client_post(struct inventory_client *client, const char *body);

/* The two halves of a call for a caller that runs the transfer itself. `body` must outlive the
 * transfer. */
CURL *inventory_client_prepare(struct inventory_client *client, const char *body);
struct shop_reply inventory_client_finish(struct inventory_client *client, CURLcode result);

#endif
