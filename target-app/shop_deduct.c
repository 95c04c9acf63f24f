// SPDX-License-Identifier: Apache-2.0
/*
 * POST /inventory/deduct: takes pieces off the stock. Large smartphone orders wait for a slow
 * supplier system; large laptop orders often collide with a running stock audit, which holds the
 * write lock.
 */
#include "shop_parts.h"

#include "audit.h"
#include "store.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/random.h>

#define SLOW_QUANTITY          3 /* smartphones per order from which the supplier is asked */
#define SLOW_MIN_MS            1000
#define SLOW_MAX_MS            2500
#define CONTESTED_QUANTITY     2 /* laptops per order from which an audit is due */
#define CONTESTED_PER_THOUSAND 600

/* A random number below `limit`. */
static unsigned random_below(unsigned limit)
{
	uint64_t value = 0;

	if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		return 0;
	return (unsigned)(value % limit);
}

enum shop_step shop_deduct_begin(struct shop_request *request, const struct shop_tools *tools)
{
	const struct shop_order *order = &request->order;

	if (!shop_read_order(request, false))
		return SHOP_DONE;
	if (strcmp(order->item, "smartphone") == 0 && order->quantity >= SLOW_QUANTITY) {
		request->sleep_ms = SLOW_MIN_MS + random_below(SLOW_MAX_MS - SLOW_MIN_MS + 1);
		return SHOP_SLEEP;
	}
	return shop_deduct_slept(request, tools);
}

static bool is_contested(const struct shop_order *order)
{
	return strcmp(order->item, "laptop") == 0 && order->quantity >= CONTESTED_QUANTITY &&
	    random_below(1000) < CONTESTED_PER_THOUSAND;
}

/* Takes the stock, if contested while an audit holds the write lock. Result as store_take_stock().
 */
static int take_stock(const struct shop_order *order, const struct shop_tools *tools)
{
	int rc;

	if (!is_contested(order) || !audit_enter(tools->audit))
		return store_take_stock(tools->store, order->item, order->quantity);
	rc = store_take_stock_contested(tools->store, order->item, order->quantity);
	audit_leave(tools->audit);
	return rc;
}

enum shop_step shop_deduct_slept(struct shop_request *request, const struct shop_tools *tools)
{
	const struct shop_order *order = &request->order;
	int64_t stock = 0;
	int rc = store_read_stock(tools->store, order->item, &stock);

	if (rc == -SQLITE_NOTFOUND || (rc == 0 && stock < order->quantity))
		return shop_refuse(request, 400, "Insufficient stock");
	if (rc == 0)
		rc = take_stock(order, tools);
	if (rc == -SQLITE_BUSY)
		return shop_refuse(request, 500, "Database deadlock conflict during write");
	if (rc < 0)
		return shop_refuse(request, 500, "Database error: %s", store_error(tools->store));
	if (rc == 0)
		return shop_refuse(request, 400, "Insufficient stock");
	return shop_answer(request, 200,
	    json_pack("{ss sI}", "status", "SUCCESS", "remaining_stock",
		(json_int_t)(stock - order->quantity)));
}
