// SPDX-License-Identifier: Apache-2.0
/*
 * What test_sqlite_copies.py observes: a fixed list of statements, run by every way that SQLite offers, on one or more databases in
 * turn. It is built with SQLite in it in many ways; with LOADER, SQLite comes from a file by dlopen().
 *
 *	workload FILE...			linked in or shared
 *	loader FILE LIBRARY [FILE LIBRARY]...	each database with a copy of its own
 *
 * Each line on standard input does one part and is answered by a line: "prepare" opens the databases and prepares the statements
 * that are run later; "run" runs everything; "close" closes and ends.
 */
#include <sqlite3.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DATABASES_MAX = 4
};

#define FUNCTIONS(with)                                                                            \
	with(open) with(close) with(exec) with(prepare_v2) with(prepare_v3) with(step) with(reset) \
	    with(finalize) with(bind_int) with(bind_text) with(column_int) with(get_table)         \
		with(free_table) with(errmsg)

#ifdef LOADER
#define POINTER(name)  __typeof__(sqlite3_##name) *name;
#define CALL(db, name) (db)->api.name
#else
#define CALL(db, name) sqlite3_##name
#endif

struct database {
	const char *file, *library;
	sqlite3 *handle;
	sqlite3_stmt *insert, *select;
#ifdef LOADER
	struct {
		FUNCTIONS(POINTER)
	} api;
#endif
};

static void expect(const struct database *db, const char *what, int got, int want)
{
	if (got == want)
		return;
	fprintf(stderr, "%s: %s: %d, not %d: %s\n", db->file, what, got, want,
	    db->handle ? CALL(db, errmsg)(db->handle) : "");
	exit(1);
}

static void load(struct database *db)
{
#ifdef LOADER
	void *library = dlopen(db->library, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
#define FIND(name) *(void **)&db->api.name = dlsym(library, "sqlite3_" #name);
	FUNCTIONS(FIND)
#else
	(void)db;
#endif
}

static void exec(const struct database *db, const char *sql, int want)
{
	expect(db, sql, CALL(db, exec)(db->handle, sql, NULL, NULL, NULL), want);
}

static sqlite3_stmt *prepared(const struct database *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	expect(db, sql, CALL(db, prepare_v2)(db->handle, sql, -1, &stmt, NULL), SQLITE_OK);
	return stmt;
}

static void prepare(struct database *db)
{
	load(db);
	expect(db, "open", CALL(db, open)(db->file, &db->handle), SQLITE_OK);
	exec(db, "create table t (a integer primary key, b text)", SQLITE_OK);
	db->insert = prepared(db, "insert into t values (?, ?)");
	db->select = prepared(db, "select a, 's3cr3t' from t where a >= ? order by a");
}

static void insert(const struct database *db, int a, int want)
{
	CALL(db, bind_int)(db->insert, 1, a);
	CALL(db, bind_text)(db->insert, 2, "s3cr3t", -1, SQLITE_STATIC);
	expect(db, "insert", CALL(db, step)(db->insert), want);
	expect(db, "reset", CALL(db, reset)(db->insert), want == SQLITE_DONE ? SQLITE_OK : want);
}

/* Up to most rows; what is left is abandoned. */
static void select_from(const struct database *db, int a, int rows, int most)
{
	int n = 0;

	CALL(db, bind_int)(db->select, 1, a);
	while (n < most && CALL(db, step)(db->select) == SQLITE_ROW)
		n++;
	expect(db, "rows", n, rows);
	expect(db, "reset", CALL(db, reset)(db->select), SQLITE_OK);
}

static int stop_at_second(void *arg, int n, char **values, char **names)
{
	int *rows = arg;

	(void)n;
	(void)values;
	(void)names;
	return ++*rows == 2;
}

/* A callback of sqlite3_exec() that wants no more. */
static void exec_and_stop(const struct database *db, const char *sql)
{
	int rows = 0;

	expect(db, sql, CALL(db, exec)(db->handle, sql, stop_at_second, &rows, NULL), SQLITE_ABORT);
	expect(db, "rows", rows, 2);
}

static void once(const struct database *db)
{
	sqlite3_stmt *stmt = NULL;
	char **table;
	int rows, columns;

	expect(db, "prepare_v3",
	    CALL(db, prepare_v3)(
		db->handle, "select count(*), 4711 from t; select 'never run'", -1, 0, &stmt, NULL),
	    SQLITE_OK);
	expect(db, "step", CALL(db, step)(stmt), SQLITE_ROW);
	expect(db, "count", CALL(db, column_int)(stmt, 0), 4);
	expect(db, "finalize", CALL(db, finalize)(stmt), SQLITE_OK);
	expect(db, "get_table",
	    CALL(db, get_table)(
		db->handle, "select b from t where a < 3", &table, &rows, &columns, NULL),
	    SQLITE_OK);
	expect(db, "rows", rows, 2);
	CALL(db, free_table)(table);
}

/* The list in the test's WORKLOAD has the same order. */
static void run(struct database *dbs, int n, void (*part)(const struct database *db))
{
	for (int i = 0; i < n; i++)
		part(&dbs[i]);
}

static void part_prepared(const struct database *db)
{
	for (int a = 1; a <= 3; a++)
		insert(db, a, SQLITE_DONE);
	select_from(db, 1, 3, 99);
	select_from(db, 1, 2, 2);
	select_from(db, 4, 0, 99);
	insert(db, 2, SQLITE_CONSTRAINT);
}

static void part_exec(const struct database *db)
{
	exec(db,
	    "insert into t values (4, 's3cr3t'); update t set b = 'x' where a > 2; select * from t",
	    SQLITE_OK);
	exec_and_stop(db, "select a from t where a < 99");
	exec_and_stop(db, "select a from t where a < 99");
	exec(db, "select b from t limit 1", SQLITE_OK);
	exec(db, "select * from nowhere where a = 's3cr3t'", SQLITE_ERROR);
	exec(db, "begin; delete from t; rollback", SQLITE_OK);
}

static int take_line(const char *expected)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin))
		return 0;
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, expected) == 0;
}

static int answer(const char *text)
{
	puts(text);
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	struct database dbs[DATABASES_MAX] = {0};
	int n = 0;

	for (int i = 1; i < argc && n < DATABASES_MAX; i++, n++) {
		dbs[n].file = argv[i];
#ifdef LOADER
		dbs[n].library = argv[++i];
#endif
	}
	if (!take_line("prepare"))
		return 2;
	for (int i = 0; i < n; i++)
		prepare(&dbs[i]);
	answer("prepared");
	if (!take_line("run"))
		return 2;
	run(dbs, n, part_prepared);
	run(dbs, n, part_exec);
	run(dbs, n, once);
	answer("ran");
	if (!take_line("close"))
		return 2;
	for (int i = 0; i < n; i++) {
		CALL(&dbs[i], finalize)(dbs[i].insert);
		CALL(&dbs[i], finalize)(dbs[i].select);
		expect(&dbs[i], "close", CALL(&dbs[i], close)(dbs[i].handle), SQLITE_OK);
	}
	return 0;
}
