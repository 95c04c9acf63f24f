// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the shop's business share: the two POST routes and the answer helpers. Private
 * to shop*.c.
 */
#ifndef SHOP_SHOP_PARTS_H
#define SHOP_SHOP_PARTS_H

#include "shop.h"

#include <jansson.h>

/* Ends a request with `answer`, whose ownership moves here; NULL answers 500. */
enum shop_step shop_answer(struct shop_request *request, int status, json_t *answer);

/* Reads and checks the body. True if request->order is filled; false: answered with 422. */
bool shop_read_order(struct shop_request *request, bool with_price);

enum shop_step shop_checkout_begin(struct shop_request *request, const struct shop_tools *tools);
enum shop_step shop_checkout_called(
    struct shop_request *request, const struct shop_tools *tools, const struct shop_reply *reply);

enum shop_step shop_deduct_begin(struct shop_request *request, const struct shop_tools *tools);
enum shop_step shop_deduct_slept(struct shop_request *request, const struct shop_tools *tools);

#endif
