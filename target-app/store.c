// SPDX-License-Identifier: Apache-2.0
/*
 * SQLite behind the shop. All statements are autocommit and prepared when the connection opens; a
 * run is bind, step, reset, so no lock outlives the call that took it. Ordinary statements wait for
 * other writers (STORE_WAIT_MS); only the contested one gives up early.
 */
#include "store.h"

#include "log.h"

#include <stdlib.h>

enum store_query {
	INSERT_ORDER,
	COMPLETE_ORDER,
	FAIL_ORDER,
	READ_STOCK,
	TAKE_STOCK,
	QUERIES,
};

static const char *const query_text[QUERIES] = {
    [INSERT_ORDER] = "INSERT INTO orders (item, quantity, price, status)"
		     " VALUES (?1, ?2, ?3, 'PENDING')",
    [COMPLETE_ORDER] = "UPDATE orders SET status = 'COMPLETED' WHERE id = ?1",
    [FAIL_ORDER] = "UPDATE orders SET status = 'FAILED' WHERE id = ?1",
    [READ_STOCK] = "SELECT quantity FROM inventory WHERE item = ?1",
    [TAKE_STOCK] = "UPDATE inventory SET quantity = quantity - ?2"
		   " WHERE item = ?1 AND quantity >= ?2",
};

static const char schema_text[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS orders ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL, quantity INTEGER NOT NULL,"
    " price REAL NOT NULL, status TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS inventory (item TEXT PRIMARY KEY, quantity INTEGER NOT NULL);"
    "INSERT INTO inventory (item, quantity)"
    " SELECT column1, column2 FROM (VALUES ('smartphone', 1000000), ('laptop', 1000000),"
    " ('headphones', 1000000), ('limited-edition', 5))"
    " WHERE NOT EXISTS (SELECT 1 FROM inventory);"
    "COMMIT;";

struct store {
	sqlite3 *db;
	sqlite3_stmt *query[QUERIES];
	int contested_wait_ms;
	struct turn *write_turn;
	struct turn *read_turn; /* the same, or NULL where readers need not wait for writers */
};

int store_connect(const struct store_config *config, sqlite3 **ret_db)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(config->path, &db, flags, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db, STORE_WAIT_MS);
	if (rc == SQLITE_OK && config->wal)
		rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		sqlite3_close(db);
		return -rc;
	}
	*ret_db = db;
	return 0;
}

int store_create_schema(const struct store_config *config)
{
	sqlite3 *db = NULL;
	int rc = store_connect(config, &db);

	if (rc < 0)
		return rc;
	rc = -sqlite3_exec(db, schema_text, NULL, NULL, NULL);
	sqlite3_close(db);
	return rc;
}

struct store *store_new(const struct store_config *config)
{
	struct store *store = calloc(1, sizeof(*store));
	int rc = SQLITE_NOMEM;

	if (!store)
		goto out;
	store->contested_wait_ms = config->contested_wait_ms;
	store->write_turn = config->write_turn;
	store->read_turn = config->wal ? NULL : config->write_turn;
	turn_take(config->write_turn);
	rc = -store_connect(config, &store->db);
	for (int i = 0; i < QUERIES && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(store->db, query_text[i], -1, SQLITE_PREPARE_PERSISTENT,
		    &store->query[i], NULL);
	turn_pass(config->write_turn);
out:
	if (rc == SQLITE_OK)
		return store;
	log_message("error", "opening database '%s': %s", config->path, sqlite3_errstr(rc));
	store_free(store);
	return NULL;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < QUERIES; i++)
		sqlite3_finalize(store->query[i]);
	sqlite3_close(store->db);
	free(store);
}

/* Steps a statement without result rows to its end and makes it ready for the next run. */
static int run(sqlite3_stmt *query)
{
	int rc = sqlite3_step(query);

	sqlite3_reset(query);
	sqlite3_clear_bindings(query);
	return rc == SQLITE_DONE ? 0 : -rc;
}

/* Runs a statement when it is this store's turn to write. */
static int run_in_turn(struct store *store, sqlite3_stmt *query)
{
	int rc;

	turn_take(store->write_turn);
	rc = run(query);
	turn_pass(store->write_turn);
	return rc;
}

int store_insert_order(
    struct store *store, const char *item, int64_t quantity, double price, int64_t *ret_id)
{
	sqlite3_stmt *query = store->query[INSERT_ORDER];
	int rc;

	sqlite3_bind_text(query, 1, item, -1, SQLITE_STATIC);
	sqlite3_bind_int64(query, 2, quantity);
	sqlite3_bind_double(query, 3, price);
	rc = run_in_turn(store, query);
	if (rc == 0)
		*ret_id = sqlite3_last_insert_rowid(store->db);
	return rc;
}

int store_complete_order(struct store *store, int64_t id)
{
	sqlite3_bind_int64(store->query[COMPLETE_ORDER], 1, id);
	return run_in_turn(store, store->query[COMPLETE_ORDER]);
}

int store_fail_order(struct store *store, int64_t id)
{
	sqlite3_bind_int64(store->query[FAIL_ORDER], 1, id);
	return run_in_turn(store, store->query[FAIL_ORDER]);
}

/* Steps the stock query to its end. As store_read_stock(). */
static int fetch_stock(sqlite3_stmt *query, int64_t *ret_quantity)
{
	int64_t quantity = 0;
	int rc = sqlite3_step(query);

	if (rc == SQLITE_DONE)
		return -SQLITE_NOTFOUND;
	if (rc != SQLITE_ROW)
		return -rc;
	quantity = sqlite3_column_int64(query, 0);
	rc = sqlite3_step(query);
	if (rc != SQLITE_DONE)
		return -rc;
	*ret_quantity = quantity;
	return 0;
}

int store_read_stock(struct store *store, const char *item, int64_t *ret_quantity)
{
	sqlite3_stmt *query = store->query[READ_STOCK];
	int rc;

	sqlite3_bind_text(query, 1, item, -1, SQLITE_STATIC);
	if (store->read_turn)
		turn_take(store->read_turn);
	rc = fetch_stock(query, ret_quantity);
	sqlite3_reset(query);
	if (store->read_turn)
		turn_pass(store->read_turn);
	sqlite3_clear_bindings(query);
	return rc;
}

static void bind_stock(sqlite3_stmt *query, const char *item, int64_t quantity)
{
	sqlite3_bind_text(query, 1, item, -1, SQLITE_STATIC);
	sqlite3_bind_int64(query, 2, quantity);
}

int store_take_stock(struct store *store, const char *item, int64_t quantity)
{
	int rc;

	bind_stock(store->query[TAKE_STOCK], item, quantity);
	rc = run_in_turn(store, store->query[TAKE_STOCK]);
	return rc < 0 ? rc : sqlite3_changes(store->db) > 0;
}

int store_take_stock_contested(struct store *store, const char *item, int64_t quantity)
{
	int rc;

	sqlite3_busy_timeout(store->db, store->contested_wait_ms);
	bind_stock(store->query[TAKE_STOCK], item, quantity);
	rc = run(store->query[TAKE_STOCK]);
	sqlite3_busy_timeout(store->db, STORE_WAIT_MS);
	return rc < 0 ? rc : sqlite3_changes(store->db) > 0;
}

const char *store_error(struct store *store)
{
	return sqlite3_errmsg(store->db);
}
