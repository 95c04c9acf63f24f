// SPDX-License-Identifier: Apache-2.0
/* SQLite executions as spans (semantic conventions v1.44.0, database spans); see statement.h. */
#include "span/statement.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hmap.h"
#include "base/list.h"
#include "proto/sql.h"
#include "span/semconv.h"

/* https://www.sqlite.org/rescode.html: results that are no errors; an extended code's last byte is the primary one. */
enum {
	SQLITE_OK_CODE = 0,
	SQLITE_ROW_CODE = 100,
	SQLITE_DONE_CODE = 101,
	PRIMARY_CODE_MAX = 0xff,
};

struct statement_text {
	struct hnode node;                 /* by raw text */
	struct sv raw, sanitised, summary; /* point into bytes */
	char bytes[];
};

struct statement_texts {
	struct hmap by_raw;
	struct buf sanitised,
	    summary; /* scratch; also the answer when memory for an entry is short */
};

struct statement_texts *statement_texts_new(void)
{
	struct statement_texts *texts = calloc(1, sizeof(*texts));

	if (!texts)
		return NULL;
	hmap_init(&texts->by_raw);
	buf_init(&texts->sanitised);
	buf_init(&texts->summary);
	return texts;
}

static void texts_forget(struct statement_texts *texts)
{
	struct hnode *node;
	size_t slot = 0;

	while ((node = hmap_pop(&texts->by_raw, &slot)))
		free(container_of(node, struct statement_text, node));
}

void statement_texts_free(struct statement_texts *texts)
{
	if (!texts)
		return;
	texts_forget(texts);
	hmap_release(&texts->by_raw);
	buf_release(&texts->sanitised);
	buf_release(&texts->summary);
	free(texts);
}

/* Copy view to *at, which moves behind it; the copy. */
static struct sv text_put(char **at, struct sv view)
{
	struct sv copy = sv_from(*at, view.len);

	if (view.len) /* an empty view may have no address */
		memcpy(*at, view.p, view.len);
	*at += view.len;
	return copy;
}

static struct statement_text *text_new(struct sv raw, struct sv sanitised, struct sv summary)
{
	struct statement_text *text =
	    malloc(sizeof(*text) + raw.len + sanitised.len + summary.len + 1);
	char *at;

	if (!text)
		return NULL;
	at = text->bytes;
	text->raw = text_put(&at, raw);
	text->sanitised = text_put(&at, sanitised);
	text->summary = text_put(&at, summary);
	return text;
}

/* Sanitised form and summary of raw; borrowed until the next call. */
static void texts_lookup(
    struct statement_texts *texts, struct sv raw, struct sv *ret_sanitised, struct sv *ret_summary)
{
	uint64_t hash = hash_bytes(raw.p, raw.len);
	struct statement_text *text;

	hmap_for_each_hash (node, &texts->by_raw, hash) {
		text = container_of(node, struct statement_text, node);
		if (sv_eq(text->raw, raw)) {
			*ret_sanitised = text->sanitised;
			*ret_summary = text->summary;
			return;
		}
	}
	buf_clear(&texts->sanitised);
	buf_clear(&texts->summary);
	sql_sanitise(&texts->sanitised, raw);
	sql_summary(&texts->summary, raw);
	*ret_sanitised = buf_sv(&texts->sanitised);
	*ret_summary = buf_sv(&texts->summary);
	if (texts->by_raw.count >= STATEMENT_TEXTS_MAX)
		texts_forget(texts);
	text = raw.len ? text_new(raw, *ret_sanitised, *ret_summary) : NULL;
	if (text && hmap_add(&texts->by_raw, hash, &text->node))
		free(text);
}

static void add_transaction(struct span_builder *builder, const struct transaction_part *part)
{
	if (!part->id)
		return;
	span_builder_int(builder, semconv_zerospan_sqlite_transaction_id, (int64_t)part->id);
	if (!part->outcome.len)
		return;
	span_builder_constant(builder, semconv_zerospan_sqlite_transaction_outcome, part->outcome);
	if (part->duration_ns)
		span_builder_double(builder, semconv_zerospan_sqlite_transaction_duration_ms,
		    (double)part->duration_ns / 1e6);
}

int statement_error_code(const struct zsp_statement *statement)
{
	int result = statement->result, extended = statement->errcode;
	bool primary = result > 0 && result <= PRIMARY_CODE_MAX;

	return primary && extended > 0 && (extended & PRIMARY_CODE_MAX) == result ? extended
										  : result;
}

static void add_culprit(struct span_builder *builder, const struct zsp_statement *statement,
    const struct lock_wait *wait)
{
	const struct write_hold *hold = wait->holder;
	bool released = !hold->held && hold->until_ns < statement->end_ns;
	uint64_t until_ns = released ? hold->until_ns : statement->end_ns;
	uint64_t held_ns = until_ns > hold->since_ns ? until_ns - hold->since_ns : 0;
	char connection[32] = "";

	span_builder_constant(builder, semconv_zerospan_culprit_kind, SV("sqlite_write_lock"));
	span_builder_constant(builder, semconv_zerospan_culprit_evidence,
	    wait->evidence == LOCK_EVIDENCE_REFUSED ? SV("refused") : SV("process"));
	span_builder_int(builder, semconv_zerospan_culprit_process_pid, hold->pid);
	span_builder_string(builder, semconv_zerospan_culprit_process_name, sv_cstr(hold->comm));
	span_builder_int(builder, semconv_zerospan_culprit_thread_id, hold->tid);
	span_builder_double(builder, semconv_zerospan_culprit_held_ms, (double)held_ns / 1e6);
	span_builder_string(builder, semconv_zerospan_culprit_query_summary, hold->facts.summary);
	span_builder_string(builder, semconv_zerospan_culprit_request, hold->facts.request);
	if (hold->db)
		snprintf(connection, sizeof(connection), "0x%llx", (unsigned long long)hold->db);
	span_builder_string(
	    builder, semconv_zerospan_culprit_sqlite_connection, sv_cstr(connection));
	if (hold->facts.transaction)
		span_builder_int(builder, semconv_zerospan_culprit_sqlite_transaction_id,
		    (int64_t)hold->facts.transaction);
}

/* Was it seen from its beginning to its end? */
static bool is_whole(const struct zsp_statement *statement)
{
	return statement->detail <= ZSP_SQLITE_EXECUTIONS;
}

/* The other attributes. */
static void add_details(struct span_builder *builder, const struct zsp_statement *statement,
    const struct statement_facts *facts, struct sv sanitised)
{
	bool prepared = statement->stmt != 0, whole = is_whole(statement);

	span_builder_string(builder, semconv_db_query_text, sanitised);
	if (!whole)
		span_builder_constant(builder, semconv_zerospan_sqlite_detail, SV("statements"));
	else if (prepared)
		span_builder_int(builder, semconv_db_response_returned_rows, statement->rows);
	else
		span_builder_constant(builder, semconv_zerospan_sqlite_phase, SV("prepare"));
	add_transaction(builder, &facts->part);
	if (facts->wait.holder)
		add_culprit(builder, statement, &facts->wait);
	if (whole && statement->inside_ns < statement->end_ns - statement->start_ns)
		span_builder_double(
		    builder, semconv_zerospan_sqlite_inside_ms, (double)statement->inside_ns / 1e6);
}

/* An SQL function may sleep as well: that is no waiting for a lock. */
static void take_ledger(
    struct ledger *ledger, const struct zsp_statement *statement, const struct lock_wait *wait)
{
	ledger_add(ledger, statement->end_ns - statement->start_ns, statement->waits, LEDGER_OTHER);
	if (!wait->backed_off_ns)
		ledger_slept(ledger, statement->waits[ZSP_WAIT_SQLITE_BUSY]);
}

struct span *statement_span_build(struct span_builder *builder, struct statement_texts *texts,
    const struct zsp_statement *statement, const struct statement_facts *facts,
    struct service *service)
{
	struct sv raw = sv_from(statement->text, statement->text_bytes);
	bool prepared = statement->stmt != 0;
	bool whole = is_whole(statement);
	int result = statement->result;
	bool failed = whole && result != SQLITE_OK_CODE && result != SQLITE_ROW_CODE &&
	    result != SQLITE_DONE_CODE;
	struct sv sanitised = {0}, summary = {0};
	struct span *span;
	char code[16];

	if (!prepared) /* the rest of the text was not looked at */
		raw = sql_next_statement(&raw);
	texts_lookup(texts, raw, &sanitised, &summary);
	span_builder_constant(builder, semconv_db_system_name, SV("sqlite"));
	span_builder_string(builder, semconv_db_namespace, facts->database);
	span_builder_string(builder, semconv_db_query_summary, summary);
	if (failed) {
		snprintf(code, sizeof(code), "%d", statement_error_code(statement));
		span_builder_string(builder, semconv_db_response_status_code, sv_cstr(code));
		span_builder_string(builder, semconv_error_type, sv_cstr(code));
	}
	span_builder_metric_end(builder);
	if (!builder->brief)
		add_details(builder, statement, facts, sanitised);
	span = span_builder_finish(
	    builder, service, summary.len ? summary : SV("sqlite"), (struct sv){0});
	if (!span)
		return NULL;
	span->kind = SPAN_KIND_CLIENT;
	span->status = failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET;
	span->start_ns = statement->start_ns;
	span->end_ns = statement->end_ns;
	span->untimed = !whole;
	span->measured = whole && prepared;
	span->returned_rows = statement->rows;
	if (whole)
		take_ledger(&span->ledger, statement, &facts->wait);
	return span;
}
