// SPDX-License-Identifier: Apache-2.0
/*
 * The shop's database: one store is one SQLite connection with its statements prepared once and
 * reused. A store serves one thread at a time. Knows orders and stock; knows nothing of HTTP.
 *
 * The connections of this process take turns (with a write-ahead log only those that write):
 * SQLite's own way to wait, poll and back off, is unfair among many threads. It remains for other
 * processes and for the contested update, which takes no turn.
 */
#ifndef SHOP_STORE_H
#define SHOP_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "turn.h"

/* How long an ordinary statement waits for another writer; more than the longest wanted lock. */
#define STORE_WAIT_MS 8000

struct store;

/* How a shop's connections are opened. */
struct store_config {
	const char *path;        /* database file, borrowed for the store's life */
	bool wal;                /* write-ahead log instead of the rollback journal */
	int contested_wait_ms;   /* wait of store_take_stock_contested(); 0 = none */
	struct turn *write_turn; /* of this process, see above; borrowed */
};

/* Opens a plain connection with the shop's settings. 0, or a negative SQLite code and *ret_db NULL.
 */
int store_connect(const struct store_config *config, sqlite3 **ret_db);

/* Creates the tables and the first stock where they are missing. 0 or a negative SQLite code. */
int store_create_schema(const struct store_config *config);

/* Opens a store and prepares its statements. NULL on failure, which is logged. */
struct store *store_new(const struct store_config *config);
void store_free(struct store *store);

/* Inserts a PENDING order. 0 and its id, or a negative SQLite code. */
int store_insert_order(
    struct store *store, const char *item, int64_t quantity, double price, int64_t *ret_id);

/* Sets an order COMPLETED or FAILED. 0 or a negative SQLite code. */
int store_complete_order(struct store *store, int64_t id);
int store_fail_order(struct store *store, int64_t id);

/* Reads the stock of an item: 0, -SQLITE_NOTFOUND for an unknown item, or another negative SQLite
 * code. */
int store_read_stock(struct store *store, const char *item, int64_t *ret_quantity);

/*
 * Takes `quantity` (> 0) off an item's stock if there is enough. Returns 1 if taken, 0 if the stock
 * is too small, or a negative SQLite code. The contested form gives up on a locked database after
 * contested_wait_ms with -SQLITE_BUSY.
 */
int store_take_stock(struct store *store, const char *item, int64_t quantity);
int store_take_stock_contested(struct store *store, const char *item, int64_t quantity);

/* What SQLite says about the last failure; borrowed until the next call. */
const char *store_error(struct store *store);

#endif
