// SPDX-License-Identifier: Apache-2.0
/* Open transactions by connection; see transaction.h. */
#include "span/transaction.h"

#include <stdlib.h>

#include "base/hmap.h"
#include "base/list.h"
#include "proto/sql_token.h"

/* An open transaction. A connection is known by its address and by how many were closed there before. */
struct transaction {
	struct hnode node; /* by connection */
	struct list link;  /* among all open ones */
	uint32_t pid, closes;
	uint64_t db;
	uint64_t id;
	uint64_t start_ns;
	uint8_t era; /* struct zsp_statement */
	bool begun;  /* its first statement was seen */
};

struct transactions {
	struct hmap by_connection;
	struct list open;
	uint64_t last_id;
};

struct transactions *transactions_new(void)
{
	struct transactions *transactions = calloc(1, sizeof(*transactions));

	if (!transactions)
		return NULL;
	hmap_init(&transactions->by_connection);
	list_init(&transactions->open);
	return transactions;
}

static void transaction_end(struct transactions *transactions, struct transaction *transaction)
{
	hmap_remove(&transactions->by_connection, &transaction->node);
	list_remove(&transaction->link);
	free(transaction);
}

void transactions_free(struct transactions *transactions)
{
	if (!transactions)
		return;
	list_for_each (at, &transactions->open) {
		transaction_end(transactions, container_of(at, struct transaction, link));
	}
	hmap_release(&transactions->by_connection);
	free(transactions);
}

static uint64_t connection_hash(const struct zsp_statement *statement)
{
	return hash_combine(hash_combine(statement->h.pid, statement->db), statement->db_closes);
}

static struct transaction *transaction_find(
    const struct transactions *transactions, const struct zsp_statement *statement)
{
	hmap_for_each_hash (node, &transactions->by_connection, connection_hash(statement)) {
		struct transaction *transaction = container_of(node, struct transaction, node);

		if (transaction->pid == statement->h.pid && transaction->db == statement->db &&
		    transaction->closes == statement->db_closes)
			return transaction;
	}
	return NULL;
}

/* Is the statement's first word one of these? */
static bool begins_with(
    const struct zsp_statement *statement, const char *const *keywords, size_t n)
{
	struct sv text = sv_from(statement->text, statement->text_bytes);
	struct sql_token token = sql_next_significant(&text);

	return sql_token_is_any(&token, keywords, n);
}

static struct transaction *transaction_begin(
    struct transactions *transactions, const struct zsp_statement *statement)
{
	static const char *const words[] = {"BEGIN", "SAVEPOINT"};
	struct transaction *transaction;

	if (transactions->by_connection.count >= TRANSACTIONS_MAX)
		return NULL;
	transaction = calloc(1, sizeof(*transaction));
	if (!transaction)
		return NULL;
	transaction->pid = statement->h.pid;
	transaction->db = statement->db;
	transaction->closes = statement->db_closes;
	transaction->start_ns = statement->start_ns;
	transaction->era = statement->era;
	transaction->begun = begins_with(statement, words, 2);
	if (hmap_add(
		&transactions->by_connection, connection_hash(statement), &transaction->node)) {
		free(transaction);
		return NULL;
	}
	list_add_tail(&transactions->open, &transaction->link);
	transaction->id = ++transactions->last_id;
	return transaction;
}

/* COMMIT, its other name END, and RELEASE of the outermost savepoint commit; whatever else ends one has undone it. */
static struct sv outcome_of(const struct zsp_statement *statement)
{
	static const char *const words[] = {"COMMIT", "END", "RELEASE"};

	return begins_with(statement, words, 3) ? SV("commit") : SV("rollback");
}

struct transaction_part transactions_execution(
    struct transactions *transactions, const struct zsp_statement *statement)
{
	struct transaction_part part = {0};
	struct transaction *transaction;

	if (!statement->db || statement->transaction == ZSP_TRANSACTION_UNKNOWN)
		return part;
	transaction = transaction_find(transactions, statement);
	if (transaction && transaction->era != statement->era) {
		transaction_end(transactions, transaction); /* its end may have gone unseen */
		transaction = NULL;
	}
	if (!transaction && statement->transaction == ZSP_TRANSACTION_OPEN)
		transaction = transaction_begin(transactions, statement);
	/* An execution that was over before may be told late: when its statement is reset. */
	if (!transaction || statement->end_ns < transaction->start_ns)
		return part;
	part.id = transaction->id;
	if (statement->transaction == ZSP_TRANSACTION_OPEN)
		return part;
	part.outcome = outcome_of(statement);
	if (transaction->begun)
		part.duration_ns = statement->end_ns - transaction->start_ns;
	transaction_end(transactions, transaction);
	return part;
}

void transactions_forget(struct transactions *transactions, uint32_t pid)
{
	list_for_each (at, &transactions->open) {
		struct transaction *transaction = container_of(at, struct transaction, link);

		if (transaction->pid == pid)
			transaction_end(transactions, transaction);
	}
}
