// SPDX-License-Identifier: Apache-2.0
/* SQLite executions as spans: results, texts and names, and the table of texts. */
#include <stdio.h>

#include "span/statement.h"
#include "span_fixture.h"

static struct service *service;
static struct statement_texts *texts;
static struct span_builder builder;

static struct span *make_in(
    const char *sql, int result, uint32_t rows, const char *database, enum parent_basis basis)
{
	size_t len = strlen(sql);
	struct zsp_statement *s = calloc(1, sizeof(*s) + len);
	struct span *span;

	assert_non_null(s);
	s->stmt = 1;
	s->start_ns = 100;
	s->end_ns = 200;
	s->inside_ns = 100;
	s->h.time_ns = 300;
	s->result = result;
	s->rows = rows;
	s->text_bytes = (uint32_t)len;
	memcpy(s->text, sql, len);
	span = statement_span_build(
	    &builder, texts, s, &(struct statement_facts){.database = sv_cstr(database)}, service);
	free(s);
	assert_non_null(span);
	span_set_basis(span, basis);
	assert_int_equal(builder.n_attrs, 0);
	assert_int_equal(span->kind, SPAN_KIND_CLIENT);
	assert_int_equal(span->start_ns, 100);
	assert_int_equal(span->end_ns, 200);
	assert_int_equal(span->basis, basis);
	assert_true(span->name.len > 0);
	return span;
}

static struct statement_facts facts = {.database = SV("shop.db")}; /* those of the next span */
static enum zsp_sqlite_detail detail;                              /* likewise */

/* The span of a record with these two fields; result 1. */
static struct span *make_of(const char *sql, uint64_t stmt, uint64_t inside_ns)
{
	size_t len = strlen(sql);
	struct zsp_statement *s = calloc(1, sizeof(*s) + len);
	struct span *span;

	assert_non_null(s);
	s->stmt = stmt;
	s->detail = (uint8_t)detail;
	s->start_ns = 1000000;
	s->end_ns = 5000000;
	s->inside_ns = inside_ns;
	s->result = 1;
	s->text_bytes = (uint32_t)len;
	memcpy(s->text, sql, len);
	span = statement_span_build(&builder, texts, s, &facts, service);
	free(s);
	assert_non_null(span);
	return span;
}

static struct span *make(const char *sql, int result)
{
	return make_in(sql, result, 0, "shop.db", PARENT_BASIS_NONE);
}

static void expect_attr(const struct span *span, const char *key, const char *value)
{
	const struct attr *attr = span_attr(span, key);

	if (!value) {
		assert_null(attr);
		return;
	}
	assert_non_null(attr);
	assert_int_equal(attr->type, ATTR_STRING);
	if (!sv_eq(attr->string, sv_cstr(value)))
		fail_msg("%s is '%.*s' instead of '%s'", key, SV_ARG(attr->string), value);
}

/* The code on the span of an execution that returned result while its connection kept errcode. */
static void expect_code(int result, int errcode, const char *code)
{
	struct zsp_statement s = {.stmt = 1, .result = result, .errcode = errcode};
	struct span *span =
	    statement_span_build(&builder, texts, &s, &(struct statement_facts){0}, service);

	assert_non_null(span);
	expect_attr(span, "db.response.status_code", code);
	expect_attr(span, "error.type", code);
	assert_int_equal(span->status, code ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
	span_free(span);
}

static void plain(void **state)
{
	struct span *span = make_in("SELECT * FROM orders WHERE id = 42 AND name = 'x'", 101, 3,
	    "/srv/shop.db", PARENT_BASIS_THREAD);

	(void)state;
	assert_true(sv_eq(span->name, SV("SELECT orders")));
	expect_attr(span, "db.system.name", "sqlite");
	expect_attr(span, "db.namespace", "/srv/shop.db");
	expect_attr(span, "db.query.summary", "SELECT orders");
	expect_attr(span, "db.query.text", "SELECT * FROM orders WHERE id = ? AND name = ?");
	expect_attr(span, "zerospan.parent.basis", "thread");
	expect_attr(span, "error.type", NULL);
	expect_attr(span, "db.response.status_code", NULL);
	expect_attr(span, "server.address", NULL);
	assert_int_equal(span_attr(span, "db.response.returned_rows")->integer, 3);
	assert_int_equal(span->status, SPAN_STATUS_UNSET);
	span_free(span);
}

static void result_codes(void **state)
{
	static const struct {
		int result;
		const char *error;
	} rows[] = {{0, NULL}, {100, NULL}, {101, NULL}, {1, "1"}, {5, "5"}, {6, "6"}, {19, "19"},
	    {21, "21"}, {26, "26"}, {261, "261"}, {2067, "2067"}, {-1, "-1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span *span = make("SELECT 1", rows[i].result);

		expect_attr(span, "error.type", rows[i].error);
		expect_attr(span, "db.response.status_code", rows[i].error);
		assert_int_equal(
		    span->status, rows[i].error ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET);
		span_free(span);
	}
}

/* The connection's code where it is of the same error, and never otherwise. */
static void extended_codes(void **state)
{
	(void)state;
	expect_code(19, 2067, "2067");
	expect_code(5, 517, "517");
	expect_code(5, 5, "5");
	expect_code(19, 0, "19");
	expect_code(19, 517, "19");
	expect_code(19, 101, "19");
	expect_code(2067, 1555, "2067");
	expect_code(19, -237, "19"); /* its last byte is 19 */
	expect_code(-1, 255, "-1");
	expect_code(101, 101, NULL);
	expect_code(101, 357, NULL);
	expect_code(100, 0, NULL);
	expect_code(0, 256, NULL);
}

static void unknown_database(void **state)
{
	struct span *span = make_in("SELECT a FROM t", 101, 0, "", PARENT_BASIS_NONE);

	(void)state;
	expect_attr(span, "db.namespace", NULL);
	expect_attr(span, "zerospan.parent.basis", NULL);
	span_free(span);
}

/* Texts without a summary, of which some have nothing left when they are sanitised. */
static void texts_without_summary(void **state)
{
	static const char *const odd[] = {"", "-- a comment", "/* secret */", ";", " ", "\xff\xfe"};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (int again = 0; again < 2; again++) {
			struct span *span = make(odd[i], 101);

			if (!span_attr(span, "db.query.summary"))
				assert_true(sv_eq(span->name, SV("sqlite")));
			if (span_attr(span, "db.query.text"))
				assert_true(span_attr(span, "db.query.text")->string.len > 0);
			span_free(span);
		}
	}
}

static void names(void **state)
{
	static const struct {
		const char *sql, *name;
	} rows[] = {
	    {"INSERT INTO orders(a) VALUES(1)", "INSERT orders"},
	    {"update inventory set quantity = 1", "update inventory"},
	    {"INSERT INTO a SELECT * FROM b", "INSERT a SELECT b"},
	    {"BEGIN IMMEDIATE", "BEGIN"},
	    {"COMMIT", "COMMIT"},
	    {"PRAGMA journal_mode", "PRAGMA journal_mode"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span *span = make(rows[i].sql, 101);

		if (!sv_eq(span->name, sv_cstr(rows[i].name)))
			fail_msg("'%s' is named '%.*s'", rows[i].sql, SV_ARG(span->name));
		expect_attr(span, "db.query.summary", rows[i].name);
		span_free(span);
	}
}

/* More texts than the table keeps: each gets its own, early and late. */
static void more_texts_than_are_kept(void **state)
{
	char sql[64], name[64];

	(void)state;
	for (int i = 0; i < STATEMENT_TEXTS_MAX + 100; i++) {
		struct span *span;
		int which = i % 3 ? i : i / 2; /* some again */

		snprintf(sql, sizeof(sql), "SELECT a FROM t%d_ WHERE b = %d", which, which);
		snprintf(name, sizeof(name), "SELECT t%d_", which);
		span = make(sql, 101);
		assert_true(sv_eq(span->name, sv_cstr(name)));
		span_free(span);
	}
}

/* The same words with another literal are another text, but read the same. */
static void texts_that_differ_in_literals(void **state)
{
	struct span *a = make("SELECT a FROM t WHERE b = 1", 101);
	struct span *b = make("SELECT a FROM t WHERE b = 2", 101);

	(void)state;
	expect_attr(a, "db.query.text", "SELECT a FROM t WHERE b = ?");
	expect_attr(b, "db.query.text", "SELECT a FROM t WHERE b = ?");
	span_free(a);
	span_free(b);
}

/* A text cut in the middle of a literal leaks nothing. */
static void truncated_text(void **state)
{
	struct span *span = make("INSERT INTO orders(name) VALUES('secr", 101);

	(void)state;
	expect_attr(span, "db.query.text", "INSERT INTO orders(name) VALUES(?");
	span_free(span);
}

static int setup(void **state)
{
	(void)state;
	service = fixture_service("shop", 10);
	span_builder_init(&builder);
	texts = statement_texts_new();
	return texts ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	statement_texts_free(texts);
	statement_texts_free(NULL);
	span_builder_release(&builder);
	service_unref(service);
	return 0;
}

/* What could not be prepared: the first statement of the text only, no rows, marked. */
static void preparation(void **state)
{
	struct span *span = make_of("drop table nope; insert into t values ('x')", 0, 4000000);

	(void)state;
	assert_true(sv_eq(span->name, SV("drop table nope")));
	expect_attr(span, "db.query.text", "drop table nope");
	expect_attr(span, "db.response.status_code", "1");
	expect_attr(span, "zerospan.sqlite.phase", "prepare");
	assert_null(span_attr(span, "db.response.returned_rows"));
	assert_int_equal(span->status, SPAN_STATUS_ERROR);
	span_free(span);
	span = make_of("", 0, 4000000);
	assert_true(sv_eq(span->name, SV("sqlite")));
	span_free(span);
	span = make_of("insert into t values (1)", 1, 4000000);
	expect_attr(span, "zerospan.sqlite.phase", NULL);
	span_free(span);
}

/* Told where it is not the whole duration: the rest is the caller's. */
static void time_inside(void **state)
{
	struct span *span = make_of("select a from t", 1, 1500000);

	(void)state;
	assert_non_null(span_attr(span, "zerospan.sqlite.inside_ms"));
	assert_true(span_attr(span, "zerospan.sqlite.inside_ms")->real == 1.5);
	span_free(span);
	span = make_of("select a from t", 1, 4000000);
	assert_null(span_attr(span, "zerospan.sqlite.inside_ms"));
	span_free(span);
}

static void in_a_transaction(void **state)
{
	struct span *span;

	(void)state;
	facts.part = (struct transaction_part){.id = 7};
	span = make_of("insert into t values (1)", 1, 4000000);
	assert_int_equal(span_attr(span, "zerospan.sqlite.transaction.id")->integer, 7);
	expect_attr(span, "zerospan.sqlite.transaction.outcome", NULL);
	assert_null(span_attr(span, "zerospan.sqlite.transaction.duration_ms"));
	span_free(span);
	facts.part.outcome = SV("commit");
	facts.part.duration_ns = 2500000;
	span = make_of("commit", 1, 4000000);
	expect_attr(span, "zerospan.sqlite.transaction.outcome", "commit");
	assert_true(span_attr(span, "zerospan.sqlite.transaction.duration_ms")->real == 2.5);
	span_free(span);
	facts.part = (struct transaction_part){0};
	span = make_of("insert into t values (1)", 1, 4000000);
	assert_null(span_attr(span, "zerospan.sqlite.transaction.id"));
	span_free(span);
}

/* Nothing is said of what was not seen. */
static void only_its_beginning(void **state)
{
	struct span *span;

	(void)state;
	detail = ZSP_SQLITE_STATEMENTS;
	span = make_of("insert into t values (1)", 1, 0);
	detail = ZSP_SQLITE_FULL;
	expect_attr(span, "zerospan.sqlite.detail", "statements");
	expect_attr(span, "db.query.text", "insert into t values (?)");
	expect_attr(span, "error.type", NULL);
	expect_attr(span, "db.response.status_code", NULL);
	assert_null(span_attr(span, "db.response.returned_rows"));
	assert_null(span_attr(span, "zerospan.sqlite.inside_ms"));
	assert_int_equal(span->status, SPAN_STATUS_UNSET);
	assert_true(span->untimed);
	span_free(span);
	detail =
	    ZSP_SQLITE_EXECUTIONS; /* whole, only that failed preparations are not told beside it */
	span = make_of("insert into t values (1)", 1, 0);
	detail = ZSP_SQLITE_FULL;
	expect_attr(span, "zerospan.sqlite.detail", NULL);
	assert_false(span->untimed);
	span_free(span);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(plain, setup, teardown),
	    cmocka_unit_test_setup_teardown(result_codes, setup, teardown),
	    cmocka_unit_test_setup_teardown(extended_codes, setup, teardown),
	    cmocka_unit_test_setup_teardown(unknown_database, setup, teardown),
	    cmocka_unit_test_setup_teardown(names, setup, teardown),
	    cmocka_unit_test_setup_teardown(more_texts_than_are_kept, setup, teardown),
	    cmocka_unit_test_setup_teardown(texts_that_differ_in_literals, setup, teardown),
	    cmocka_unit_test_setup_teardown(truncated_text, setup, teardown),
	    cmocka_unit_test_setup_teardown(texts_without_summary, setup, teardown),
	    cmocka_unit_test_setup_teardown(preparation, setup, teardown),
	    cmocka_unit_test_setup_teardown(time_inside, setup, teardown),
	    cmocka_unit_test_setup_teardown(in_a_transaction, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_its_beginning, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
