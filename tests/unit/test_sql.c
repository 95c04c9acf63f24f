// SPDX-License-Identifier: Apache-2.0
/* Tests of SQL sanitising, summaries and batches (proto/sql.h) and of the tokeniser below them. */
#include <stdlib.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "proto/sql.h"
#include "proto/sql_token.h"
#include "support.h"

struct pair {
	const char *in, *out;
};

static void check(void (*fn)(struct buf *out, struct sv text), const struct pair *row)
{
	struct edge edge = edge_copy(row->in, strlen(row->in));
	struct buf out;

	buf_init(&out);
	fn(&out, sv_from(edge.p, edge.len));
	if (strcmp(out.data ? out.data : "", row->out) != 0)
		fail_msg("\n%s\ngives    '%s'\nand not  '%s'", row->in, out.data ? out.data : "",
		    row->out);
	buf_release(&out);
	edge_free(&edge);
}

#define CHECK_ALL(fn, rows)                                           \
	for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) \
	check(fn, &(rows)[i])

/* --- sanitising --------------------------------------------------------------------------------*/

static void test_literals_become_marks(void **state)
{
	static const struct pair rows[] = {
	    {"SELECT * FROM t WHERE a='x''y' AND b=1.5e3", "SELECT * FROM t WHERE a=? AND b=?"},
	    {"SELECT 1 FROM t WHERE id IN (1, 2,3)", "SELECT ? FROM t WHERE id IN (?)"},
	    {"INSERT INTO t1 VALUES (X'0aFf', 0x1F, TRUE, NULL, -5)",
		"INSERT INTO t1 VALUES (?, ?, ?, NULL, -?)"},
	    {"SELECT 1 -- secret", "SELECT ?"},
	    {"/* secret */ SELECT 1", "SELECT ?"},
	    {"SELECT 'abc", "SELECT ?"},
	    {"SELECT 'abc''", "SELECT ?"},
	    {"SELECT x'0a", "SELECT ?"},
	    {"SELECT \"abc", "SELECT ?"},
	    {"SELECT [abc", "SELECT ?"},
	    {"SELECT `abc", "SELECT ?"},
	    {"SELECT 1 /* secret", "SELECT ?"},
	    {"SELECT .5, 5., 1e5, 1E-5, 1_000, 0XfF, 12abc", "SELECT ?, ?, ?, ?, ?, ?, ?"},
	    {"SELECT 1e, 1e+x, 0x1e+5", "SELECT ?, ?+x, ?+?"},
	    {"SELECT a+1,a-1,a.b-2", "SELECT a+?,a-?,a.b-?"},
	    {"SELECT 't' || 'u'", "SELECT ? || ?"},
	    {"a=false OR b = True", "a=? OR b = ?"},
	    {"SELECT t.true, true.x, NULL", "SELECT t.true, true.x, NULL"},
	    {"SELECT '-- no', 1 -- 'yes'\n, 2", "SELECT ?, ? , ?"},
	    {"SELECT '/*', 1, '*/'", "SELECT ?, ?, ?"},
	    {"SELECT json->>'$.a' FROM t", "SELECT json->>? FROM t"},
	    {"SELECT CURRENT_TIMESTAMP", "SELECT CURRENT_TIMESTAMP"},
	    {"INSERT INTO t VALUES (1,'a'), (2,'b')", "INSERT INTO t VALUES (?,?), (?,?)"},
	    {"SELECT 1/*traceparent='00-a'*/;", "SELECT ? ;"},
	};

	(void)state;
	CHECK_ALL(sql_sanitise, rows);
}

static void test_names_and_placeholders_stay(void **state)
{
	static const struct pair rows[] = {
	    {"SELECT \"col\", [c 2], `c3` FROM t2 WHERE x=?1 AND y=:n AND z=@m AND w=$v",
		"SELECT \"col\", [c 2], `c3` FROM t2 WHERE x=?1 AND y=:n AND z=@m AND w=$v"},
	    {"SELECT a1, t2.b3, _4 FROM x5", "SELECT a1, t2.b3, _4 FROM x5"},
	    {"SELECT x FROM t WHERE id IN (?, ?,?)", "SELECT x FROM t WHERE id IN (?, ?,?)"},
	    {"SELECT x FROM t WHERE id IN (SELECT \"a\" FROM u)",
		"SELECT x FROM t WHERE id IN (SELECT \"a\" FROM u)"},
	    {"SELECT \"two  words\"  FROM  t", "SELECT \"two  words\" FROM t"},
	    {"UPDATE t SET a=:a$1 WHERE ?", "UPDATE t SET a=:a$1 WHERE ?"},
	    {"SELECT \xc3\xa9t\xc3\xa9 FROM t", "SELECT \xc3\xa9t\xc3\xa9 FROM t"},
	    {"CREATE TABLE \"t\" (\"a\" TEXT, PRIMARY KEY (\"a\"))",
		"CREATE TABLE \"t\" (\"a\" TEXT, PRIMARY KEY (\"a\"))"},
	    {"INSERT INTO \"t\" (\"a\", \"b\") VALUES (?, ?)",
		"INSERT INTO \"t\" (\"a\", \"b\") VALUES (?, ?)"},
	    {"INSERT INTO t(\"a\") VALUES (?) ON CONFLICT(\"a\") DO UPDATE SET \"b\" = ?",
		"INSERT INTO t(\"a\") VALUES (?) ON CONFLICT(\"a\") DO UPDATE SET \"b\" = ?"},
	    {"SELECT * FROM a JOIN b ON \"a\".\"x\" = \"b\".\"y\" WHERE \"z\" > ? ORDER BY \"z\"",
		"SELECT * FROM a JOIN b ON \"a\".\"x\" = \"b\".\"y\" WHERE \"z\" > ? ORDER BY \"z\""},
	    {"WITH c(\"n\") AS (SELECT ?) SELECT \"n\" FROM c WHERE (\"n\" > ? AND \"n\" < ?)",
		"WITH c(\"n\") AS (SELECT ?) SELECT \"n\" FROM c WHERE (\"n\" > ? AND \"n\" < ?)"},
	};

	(void)state;
	CHECK_ALL(sql_sanitise, rows);
}

static void test_double_quotes_where_values_stand(void **state)
{
	static const struct pair rows[] = {
	    {"SELECT a FROM t WHERE b = \"secret\"", "SELECT a FROM t WHERE b = ?"},
	    {"SELECT a FROM t WHERE b <> \"s\" AND \"c\" LIKE \"%s%\"",
		"SELECT a FROM t WHERE b <> ? AND \"c\" LIKE ?"},
	    {"INSERT INTO t VALUES (\"a\", \"b\"), (\"c\", \"d\")",
		"INSERT INTO t VALUES (?, ?), (?, ?)"},
	    {"SELECT a FROM t WHERE b IN (\"x\", \"y\")", "SELECT a FROM t WHERE b IN (?)"},
	    {"SELECT a FROM t WHERE b IN (\"x\", ?)", "SELECT a FROM t WHERE b IN (?, ?)"},
	    {"UPDATE t SET \"a\" = \"s\", \"b\"=\"t\"", "UPDATE t SET \"a\" = ?, \"b\"=?"},
	    {"SELECT lower(\"s\"), x || \"s\"", "SELECT lower(?), x || ?"},
	    {"SELECT a BETWEEN \"b\" AND \"c\" AND \"d\" = 1",
		"SELECT a BETWEEN ? AND ? AND \"d\" = ?"},
	    {"SELECT CASE WHEN \"a\" THEN \"s\" ELSE \"t\" END",
		"SELECT CASE WHEN \"a\" THEN ? ELSE ? END"},
	    {"ATTACH \"file\" AS x KEY \"s\"", "ATTACH ? AS x KEY ?"},
	    {"PRAGMA key=\"s\"; PRAGMA key(\"s\")", "PRAGMA key=?; PRAGMA key(?)"},
	};

	(void)state;
	CHECK_ALL(sql_sanitise, rows);
}

static void test_white_space_and_lists(void **state)
{
	static const struct pair rows[] = {
	    {"", ""},
	    {" \n\t ", ""},
	    {"-- only", ""},
	    {"  SELECT\t\n  a \r\n FROM   t  ", "SELECT a FROM t"},
	    {"SELECT/*c*/a/**/FROM/*c*/t", "SELECT a FROM t"},
	    {"a IN(1)", "a IN (?)"},
	    {"a NOT IN ( -1 , +2, 'x' ) AND b", "a NOT IN (?) AND b"},
	    {"a IN (1, NULL)", "a IN (?, NULL)"},
	    {"a IN (1, b)", "a IN (?, b)"},
	    {"a IN ()", "a IN ()"},
	    {"a IN (1, 2", "a IN (?, ?"},
	    {"a IN (1+1)", "a IN (?+?)"},
	    {"a in (TRUE, x'00' /* c */)", "a in (?)"},
	    {"a\xff'\xff'\xfe", "a\xef\xbf\xbd?\xef\xbf\xbd"},
	};

	(void)state;
	CHECK_ALL(sql_sanitise, rows);
}

static void test_nothing_leaks_when_cut(void **state)
{
	static const char text[] =
	    "INSERT INTO t (a) VALUES ('zq zq''zq', x'22', 777, \"zq\", "
	    "'zq' /* zq */); SELECT a FROM t WHERE b=\"zq\" AND c IN ('zq', 'zq') -- zq";
	struct buf out;

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct edge edge = edge_copy(text, cut);

		buf_init(&out);
		buf_append_cstr(&out, "|");
		sql_sanitise(&out, sv_from(edge.p, cut));
		if (strpbrk(out.data, "zq72"))
			fail_msg("cut at %zu: %s", cut, out.data);
		buf_release(&out);
		edge_free(&edge);
	}
}

static void assert_no_literal(struct sv text)
{
	struct sql_token token;

	while ((token = sql_next_token(&text)).kind != SQL_END) {
		assert_true(token.text.len > 0);
		assert_false(token.open);
		assert_false(token.kind == SQL_STRING || token.kind == SQL_BLOB ||
		    token.kind == SQL_NUMBER || token.kind == SQL_COMMENT);
	}
}

/* Any bytes give valid UTF-8 in which the tokeniser finds no literal any more. */
static void test_any_bytes(void **state)
{
	static const char alphabet[] = "'\"`[]()x,;.-*/ \n1aISNLECT=?:@$\xc3\xa9\xff";
	struct rng rng;
	char text[64];

	(void)state;
	rng_seed(&rng, 1);
	for (int round = 0; round < 20000; round++) {
		size_t len = rng_next(&rng) % sizeof(text);
		struct buf out, text_out, summary;
		struct edge edge;

		for (size_t i = 0; i < len; i++)
			text[i] = alphabet[rng_next(&rng) % (sizeof(alphabet) - 1)];
		edge = edge_copy(text, len);
		buf_init(&out);
		buf_init(&text_out);
		buf_init(&summary);
		sql_sanitise(&out, sv_from(edge.p, len));
		assert_true(utf8_valid(buf_sv(&out)));
		assert_no_literal(buf_sv(&out));
		sql_batch(&text_out, &summary, sv_from(edge.p, len));
		assert_true(utf8_valid(buf_sv(&text_out)) && utf8_valid(buf_sv(&summary)));
		assert_true(summary.len <= SQL_SUMMARY_MAX);
		buf_release(&summary);
		buf_release(&text_out);
		buf_release(&out);
		edge_free(&edge);
	}
}

static void test_depth_is_bounded(void **state)
{
	struct buf in, out;

	(void)state;
	buf_init(&in);
	buf_init(&out);
	buf_append_cstr(&in, "SELECT a FROM t WHERE ");
	for (int i = 0; i < 5000; i++)
		buf_append_char(&in, '(');
	buf_append_cstr(&in, "\"s\", 's'");
	for (int i = 0; i < 5001; i++)
		buf_append_char(&in, ')');
	buf_append_cstr(&in, " AND \"b\"");
	sql_sanitise(&out, buf_sv(&in));
	assert_non_null(strstr(out.data, "(?, ?)"));
	assert_non_null(strstr(out.data, "\"b\""));
	buf_clear(&out);
	sql_summary(&out, buf_sv(&in));
	assert_string_equal(out.data, "SELECT t");
	buf_release(&in);
	buf_release(&out);
}

/* --- summaries ---------------------------------------------------------------------------------*/

static void test_summaries_of_the_convention(void **state)
{
	static const struct pair rows[] = {
	    {"SELECT * FROM wuser_table WHERE username = ?", "SELECT wuser_table"},
	    {"INSERT INTO shipping_details (order_id, address) SELECT order_id, address FROM orders "
	     "WHERE order_id = ?",
		"INSERT shipping_details SELECT orders"},
	    {"SELECT * FROM songs, artists WHERE songs.artist_id == artists.id",
		"SELECT songs artists"},
	    {"SELECT order_date FROM (SELECT * FROM orders o JOIN customers c ON o.customer_id = "
	     "c.customer_id)",
		"SELECT SELECT orders customers"},
	    {"SELECT * FROM \"song list\", 'artists'", "SELECT \"song list\" 'artists'"},
	};

	(void)state;
	CHECK_ALL(sql_summary, rows);
}

static void test_summaries(void **state)
{
	static const struct pair rows[] = {
	    {"", ""},
	    {"nonsense", ""},
	    {"SELECT 1", "SELECT"},
	    {"select a.b as c from Main.T as x where y = 'from z'", "select Main.T"},
	    {"SELECT a FROM main . [my t] JOIN `u` USING (id), v", "SELECT main.[my t] `u` v"},
	    {"SELECT a, b FROM t x, u AS y ORDER BY a, b", "SELECT t u"},
	    {"SELECT a FROM t GROUP BY b, c LIMIT 1, 2", "SELECT t"},
	    {"SELECT a FROM (t JOIN u), v", "SELECT t u v"},
	    {"SELECT (SELECT max(a) FROM t), b FROM u WHERE c IN (SELECT d FROM v)",
		"SELECT SELECT t u SELECT v"},
	    {"SELECT a FROM t UNION ALL SELECT b FROM u", "SELECT t SELECT u"},
	    {"SELECT a IS DISTINCT FROM b FROM t", "SELECT t"},
	    {"SELECT trim(both 'x' FROM 'secret')", "SELECT"},
	    {"SELECT t.select, t.from FROM t", "SELECT t"},
	    {"/* c */ INSERT OR REPLACE INTO t VALUES (1)", "INSERT t"},
	    {"REPLACE INTO t(a) VALUES (replace(a, 'b', 'c'))", "REPLACE t"},
	    {"INSERT INTO t(a) VALUES (1) ON CONFLICT(a) DO UPDATE SET a = 2", "INSERT t"},
	    {"UPDATE OR IGNORE t SET a = 1, b = 2 FROM u WHERE c", "UPDATE t u"},
	    {"DELETE FROM t WHERE a = 1", "DELETE t"},
	    {"WITH c AS (SELECT a FROM t) INSERT INTO u SELECT * FROM c",
		"SELECT t INSERT u SELECT c"},
	    {"CREATE TABLE IF NOT EXISTS t (a REFERENCES u(b) ON DELETE CASCADE)",
		"CREATE TABLE t"},
	    {"create temp table t as select * from u", "create table t select u"},
	    {"CREATE UNIQUE INDEX i ON t (a, b)", "CREATE INDEX i"},
	    {"DROP VIEW IF EXISTS v", "DROP VIEW v"},
	    {"ALTER TABLE t RENAME TO u", "ALTER TABLE t"},
	    {"CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE u SET a = 1; DELETE FROM v; END",
		"CREATE TRIGGER r UPDATE u DELETE v"},
	    {"BEGIN IMMEDIATE", "BEGIN"},
	    {"COMMIT", "COMMIT"},
	    {"ROLLBACK TO SAVEPOINT s", "ROLLBACK"},
	    {"PRAGMA main.journal_mode = wal", "PRAGMA main.journal_mode"},
	    {"PRAGMA key = 'secret'", "PRAGMA key"},
	    {"ATTACH 'secret' AS x", "ATTACH"},
	    {"VACUUM INTO 'secret'", "VACUUM"},
	    {"EXPLAIN QUERY PLAN SELECT a FROM t", "EXPLAIN SELECT t"},
	    {"VALUES (1, 2)", "VALUES"},
	    {"SELECT a FROM 'cut", "SELECT"},
	    {"SELECT a FROM caf\xe9", "SELECT caf\xef\xbf\xbd"},
	    {"SELECT a FROM t; DELETE FROM u", "SELECT t DELETE u"},
	};

	(void)state;
	CHECK_ALL(sql_summary, rows);
}

static void test_summary_ends_before_a_token_that_does_not_fit(void **state)
{
	struct buf in, out;

	(void)state;
	for (size_t extra = 0; extra < 20; extra++) {
		buf_init(&in);
		buf_init(&out);
		buf_append_cstr(&out, "kept ");
		buf_append_cstr(&in, "SELECT * FROM a");
		for (size_t i = 0; i < extra; i++)
			buf_append_char(&in, 'a');
		for (int i = 0; i < 100; i++)
			buf_append_cstr(&in, ", ten_bytes");
		buf_append_cstr(&in, ", t");
		sql_summary(&out, buf_sv(&in));
		assert_true(out.len - 5 <= SQL_SUMMARY_MAX);
		assert_true(out.len - 5 > SQL_SUMMARY_MAX - 10);
		assert_true(strcmp(out.data + out.len - 10, " ten_bytes") == 0);
		assert_int_equal(out.data[0], 'k');
		buf_release(&in);
		buf_release(&out);
	}
}

/* --- batches -----------------------------------------------------------------------------------*/

static void test_batches(void **state)
{
	static const struct {
		const char *in, *text, *summary;
		size_t n;
	} rows[] = {
	    {"", "", "BATCH", 0},
	    {" ; -- c\n ;", "", "BATCH", 0},
	    {"SELECT 1;", "SELECT ?", "SELECT", 1},
	    {"INSERT INTO t VALUES (1);INSERT INTO t VALUES (2);\n",
		"INSERT INTO t VALUES (?); INSERT INTO t VALUES (?)", "BATCH INSERT t", 2},
	    {"INSERT INTO t VALUES (';'); DELETE FROM t", "INSERT INTO t VALUES (?); DELETE FROM t",
		"BATCH", 2},
	    {"a; b", "a; b", "BATCH", 2},
	    {"CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM u; END; SELECT 1",
		"CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM u; END; SELECT ?",
		"BATCH", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].in, strlen(rows[i].in));
		struct buf text, summary;

		buf_init(&text);
		buf_init(&summary);
		assert_int_equal(sql_batch(&text, &summary, sv_from(edge.p, edge.len)), rows[i].n);
		assert_string_equal(text.data ? text.data : "", rows[i].text);
		assert_string_equal(summary.data ? summary.data : "", rows[i].summary);
		buf_release(&text);
		buf_release(&summary);
		edge_free(&edge);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_literals_become_marks),
	    cmocka_unit_test(test_names_and_placeholders_stay),
	    cmocka_unit_test(test_double_quotes_where_values_stand),
	    cmocka_unit_test(test_white_space_and_lists),
	    cmocka_unit_test(test_nothing_leaks_when_cut),
	    cmocka_unit_test(test_any_bytes),
	    cmocka_unit_test(test_depth_is_bounded),
	    cmocka_unit_test(test_summaries_of_the_convention),
	    cmocka_unit_test(test_summaries),
	    cmocka_unit_test(test_summary_ends_before_a_token_that_does_not_fit),
	    cmocka_unit_test(test_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
