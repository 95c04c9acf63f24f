// SPDX-License-Identifier: Apache-2.0
/*
 * POST /checkout: records the order as PENDING, has the inventory service deduct the stock, and
 * then sets the order COMPLETED or FAILED.
 */
#include "shop_parts.h"

#include "store.h"

#include <stdlib.h>
#include <string.h>

#define REASON_MAX 300 /* bytes of the inventory's reason that are passed on */

enum shop_step shop_checkout_begin(struct shop_request *request, const struct shop_tools *tools)
{
	const struct shop_order *order = &request->order;
	json_t *call;

	if (!shop_read_order(request, true))
		return SHOP_DONE;
	if (store_insert_order(
		tools->store, order->item, order->quantity, order->price, &request->order_id) < 0)
		return shop_refuse(request, 500, "Database error: %s", store_error(tools->store));
	call = json_pack("{ss sI}", "item", order->item, "quantity", (json_int_t)order->quantity);
	request->call_body = call ? json_dumps(call, 0) : NULL;
	json_decref(call);
	if (request->call_body)
		return SHOP_CALL;
	store_fail_order(tools->store, request->order_id);
	return shop_refuse(request, 500, "Out of memory");
}

/* The reason in the inventory's answer: its "detail" if it is our JSON, else the start of its text.
 */
static void copy_reason(const struct shop_reply *reply, char *reason, size_t size)
{
	json_t *body = json_loadb(reply->body ? reply->body : "", reply->body_len, 0, NULL);
	const char *detail = json_string_value(json_object_get(body, "detail"));
	size_t len = detail ? strlen(detail) : reply->body_len;

	if (len > size - 1)
		len = size - 1;
	if (len > 0)
		memcpy(reason, detail ? detail : reply->body, len);
	reason[len] = '\0';
	json_decref(body);
}

static enum shop_step fail(
    struct shop_request *request, const struct shop_tools *tools, const struct shop_reply *reply)
{
	char reason[REASON_MAX];

	store_fail_order(tools->store, request->order_id);
	if (reply->status < 400)
		return shop_refuse(request, 502, "Inventory service network error");
	copy_reason(reply, reason, sizeof(reason));
	return shop_refuse(request, reply->status, "Inventory deduction rejected: %s", reason);
}

enum shop_step shop_checkout_called(
    struct shop_request *request, const struct shop_tools *tools, const struct shop_reply *reply)
{
	const struct shop_order *order = &request->order;
	double total = order->price * (double)order->quantity;
	json_t *total_price;

	if (reply->status != 200)
		return fail(request, tools, reply);
	if (store_complete_order(tools->store, request->order_id) < 0)
		return shop_refuse(request, 500, "Database error: %s", store_error(tools->store));
	total_price = order->whole_price ? json_integer((json_int_t)total) : json_real(total);
	return shop_answer(request, 200,
	    json_pack("{sI ss ss so}", "order_id", (json_int_t)request->order_id, "status",
		"COMPLETED", "item", order->item, "total_price", total_price));
}
