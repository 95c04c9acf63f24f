/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite statement executions as spans: sanitised text, summary and result by the database
 * conventions. */
#ifndef ZS_SPAN_STATEMENT_H
#define ZS_SPAN_STATEMENT_H

#include "event.h"
#include "span/builder.h"
#include "span/transaction.h"
#include "span/write_lock.h"

/* Distinct statement texts whose sanitised form is kept; when full, all are forgotten and made
 * again. */
#define STATEMENT_TEXTS_MAX 4096

struct statement_texts; /* sanitised texts and summaries by raw text */

struct statement_texts *statement_texts_new(void);        /* NULL: no memory */
void statement_texts_free(struct statement_texts *texts); /* NULL is fine */

/* The most specific result code that is known of an execution: the connection's, unless it is of another one. */
int statement_error_code(const struct zsp_statement *statement);

/* What is known of an execution beside its record. */
struct statement_facts {
	struct sv database;           /* path of the main database file, empty when it is unknown */
	struct transaction_part part; /* of the transaction it belongs to */
	struct lock_wait wait;
};

/*
 * The span of one execution; of one of which only the beginning was seen (ZSP_SQLITE_STATEMENTS) without duration, rows and
 * result, marked as such. It comes without ids, flags and parent; NULL without memory.
 */
struct span *statement_span_build(struct span_builder *builder, struct statement_texts *texts,
    const struct zsp_statement *statement, const struct statement_facts *facts,
    struct service *service);

#endif
