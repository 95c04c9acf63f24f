/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite transactions as they show in the executions of their statements: which transaction a statement
 * belongs to, and which statement ended it, and how. Each execution's record says whether its connection was
 * in a transaction afterwards; that alone decides, so that one which SQLite rolled back itself has ended,
 * too. A statement that commits by itself is in none.
 */
#ifndef ZS_SPAN_TRANSACTION_H
#define ZS_SPAN_TRANSACTION_H

#include <stdint.h>

#include "base/sv.h"
#include "event.h"

/* Transactions open at once that are followed; statements of others show none. */
#define TRANSACTIONS_MAX 4096

/* What one execution's part in a transaction is. */
struct transaction_part {
	uint64_t id; /* counts from 1, over all connections; 0: in none */
	struct sv
	    outcome; /* "commit" or "rollback": the execution ended the transaction; else empty */
	uint64_t duration_ns; /* of the ended transaction; 0: its beginning was not seen */
};

struct transactions;

struct transactions *transactions_new(void);               /* NULL: no memory */
void transactions_free(struct transactions *transactions); /* NULL is fine */

/* Executions are told in the order of their ends, per connection. */
struct transaction_part transactions_execution(
    struct transactions *transactions, const struct zsp_statement *statement);

/* The process has ended, and with it its connections. */
void transactions_forget(struct transactions *transactions, uint32_t pid);

#endif
