// SPDX-License-Identifier: Apache-2.0
/*
 * Calls to the inventory service from the event loop: many at a time, none blocking, over shared
 * kept connections.
 */
#ifndef SHOP_MULTI_CLIENT_H
#define SHOP_MULTI_CLIENT_H

#include "reactor.h"
#include "shop.h"

struct multi_client;

/* Receives the reply, which is borrowed for the duration of the callback. */
typedef void (*multi_client_done)(void *arg, const struct shop_reply *reply);

/* Both arguments are borrowed. NULL on failure. */
struct multi_client *multi_client_new(struct reactor *reactor, const char *base_url);

/* Ends all calls without telling anybody. */
void multi_client_free(struct multi_client *client);

/* Starts a call; `body` must stay until `done` is called, which never happens before this returns.
 */
int multi_client_post(
    struct multi_client *client, const char *body, multi_client_done done, void *arg);

#endif
