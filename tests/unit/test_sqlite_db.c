// SPDX-License-Identifier: Apache-2.0
/* sqlite_db.h: the files behind live handles of this process and of another one. */
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "discover/sqlite_db.h"
#include "sqlite_dl.h"

struct fixture {
	struct sqlite_dl s;
	char dir[PATH_MAX]; /* without symbolic links: SQLite resolves them */
};

static int set_up(void **state)
{
	static struct fixture f;
	char template[] = "/tmp/zerospan-unit-db-XXXXXX";

	assert_non_null(mkdtemp(template));
	assert_non_null(realpath(template, f.dir));
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	return 0;
}

/* The fixture with the library loaded, or skip. */
static struct fixture *fixture_of(void **state)
{
	struct fixture *f = *state;

	f->s = sqlite_dl_open("libsqlite3.so.0");
	return f;
}

/* Open a database below the directory; its path goes to path. */
static void *open_db(struct fixture *f, const char *name, char *path)
{
	void *db;

	snprintf(path, PATH_MAX, "%.3000s/%s", f->dir, name);
	assert_int_equal(f->s.open(path, &db), 0);
	assert_int_equal(
	    f->s.exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)", NULL, NULL, NULL), 0);
	return db;
}

static void check(void *db, const char *expected)
{
	char path[PATH_MAX];

	assert_int_equal(sqlite_db_path(getpid(), (uint64_t)(uintptr_t)db, path, sizeof(path)), 0);
	assert_string_equal(path, expected);
}

static int failure(uint64_t db)
{
	char path[PATH_MAX] = "untouched";
	int err = sqlite_db_path(getpid(), db, path, sizeof(path));

	assert_string_equal(path, "untouched");
	return err;
}

static void finds_the_file_of_each_handle(void **state)
{
	struct fixture *f = fixture_of(state);
	char one[PATH_MAX], two[PATH_MAX], path[8];
	void *a = open_db(f, "one.db", one), *b = open_db(f, "two.db", two), *again;

	assert_int_equal(f->s.open(one, &again), 0);
	assert_int_equal(f->s.exec(again, "SELECT * FROM t", NULL, NULL, NULL), 0);
	check(a, one);
	check(b, two);
	check(again, one);
	assert_int_equal(
	    sqlite_db_path(getpid(), (uint64_t)(uintptr_t)a, path, sizeof(path)), -ENAMETOOLONG);
	f->s.close(a);
	f->s.close(b);
	f->s.close(again);
}

static void finds_it_inside_a_transaction_in_every_journal_mode(void **state)
{
	static const char *const modes[] = {"delete", "persist", "wal", "memory"};
	struct fixture *f = fixture_of(state);

	for (size_t i = 0; i < 4; i++) {
		char path[PATH_MAX], name[32], sql[64];
		void *db;

		snprintf(name, sizeof(name), "mode-%s.db", modes[i]);
		db = open_db(f, name, path);
		snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s", modes[i]);
		assert_int_equal(f->s.exec(db, sql, NULL, NULL, NULL), 0);
		assert_int_equal(
		    f->s.exec(db, "BEGIN; INSERT INTO t VALUES(2)", NULL, NULL, NULL), 0);
		check(db, path);
		assert_int_equal(f->s.exec(db, "COMMIT", NULL, NULL, NULL), 0);
		check(db, path);
		f->s.close(db);
	}
}

/* A name like a journal's is a database all the same, and no other's. */
static void is_not_fooled_by_names(void **state)
{
	struct fixture *f = fixture_of(state);
	char plain[PATH_MAX], journal[PATH_MAX], wal[PATH_MAX];
	void *a = open_db(f, "x.db", plain);
	void *b = open_db(f, "y.db-journal", journal);
	void *c = open_db(f, "y.db-wal", wal);

	check(a, plain);
	check(b, journal);
	check(c, wal);
	f->s.close(a);
	f->s.close(b);
	f->s.close(c);
}

static void attached_databases_do_not_count(void **state)
{
	struct fixture *f = fixture_of(state);
	char main_path[PATH_MAX], other[PATH_MAX], sql[PATH_MAX + 64];
	void *db = open_db(f, "main.db", main_path), *b = open_db(f, "other.db", other);

	snprintf(sql, sizeof(sql), "ATTACH '%s' AS o; SELECT * FROM o.t", other);
	assert_int_equal(f->s.exec(db, sql, NULL, NULL, NULL), 0);
	check(db, main_path);
	f->s.close(db);
	f->s.close(b);
}

static void a_relative_path_becomes_absolute(void **state)
{
	struct fixture *f = fixture_of(state);
	char before[PATH_MAX], expected[PATH_MAX];
	void *db;

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(f->dir), 0);
	assert_int_equal(f->s.open("relative.db", &db), 0);
	assert_int_equal(f->s.exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL), 0);
	snprintf(expected, sizeof(expected), "%.3000s/relative.db", f->dir);
	check(db, expected);
	assert_int_equal(chdir(before), 0);
	check(db, expected);
	f->s.close(db);
}

static void memory_and_temporary_databases(void **state)
{
	struct fixture *f = fixture_of(state);
	char path[PATH_MAX];
	void *memory, *temporary, *file = open_db(f, "beside.db", path);

	assert_int_equal(f->s.open(":memory:", &memory), 0);
	assert_int_equal(f->s.exec(memory, "CREATE TABLE t(a)", NULL, NULL, NULL), 0);
	check(memory, ":memory:");
	assert_int_equal(f->s.open("", &temporary), 0);
	assert_int_equal(f->s.exec(temporary, "CREATE TABLE t(a)", NULL, NULL, NULL), 0);
	assert_int_equal(failure((uint64_t)(uintptr_t)temporary), -ENOENT);
	f->s.close(memory);
	f->s.close(temporary);
	f->s.close(file);
}

static void a_deleted_file_keeps_its_name(void **state)
{
	struct fixture *f = fixture_of(state);
	char path[PATH_MAX];
	void *db = open_db(f, "deleted.db", path);

	assert_int_equal(unlink(path), 0);
	check(db, path);
	f->s.close(db);
}

static void proves_nothing_about_other_memory(void **state)
{
	struct fixture *f = fixture_of(state);
	char path[PATH_MAX];
	void *db = open_db(f, "victim.db", path), *stmt;
	uint64_t block[64] = {0};
	struct edge edge;

	assert_int_equal(f->s.prepare(db, "SELECT * FROM t", -1, &stmt, NULL), 0);
	assert_int_equal(failure(0), -ENOENT);
	assert_int_equal(failure(1), -ENOENT);
	assert_int_equal(failure(UINT64_MAX - 7), -ENOENT);
	assert_int_equal(failure((uint64_t)(uintptr_t)stmt), -ENOENT);
	assert_int_equal(failure((uint64_t)(uintptr_t)db + 8), -ENOENT);
	assert_int_equal(failure((uint64_t)(uintptr_t)block), -ENOENT);
	/* A copy of the handle is not the handle: its Btree belongs to another one. */
	memcpy(block, db, sizeof(block));
	assert_int_equal(failure((uint64_t)(uintptr_t)block), -ENOENT);
	/* Pointers to themselves and to the end of memory. */
	for (size_t i = 0; i < 64; i++)
		block[i] = (uint64_t)(uintptr_t)block;
	assert_int_equal(failure((uint64_t)(uintptr_t)block), -ENOENT);
	edge = edge_copy(block, 32);
	assert_int_equal(failure((uint64_t)(uintptr_t)edge.p), -ENOENT);
	edge_free(&edge);
	assert_int_equal(
	    sqlite_db_path(2147483647, (uint64_t)(uintptr_t)db, path, sizeof(path)), -ESRCH);
	f->s.finalize(stmt);
	f->s.close(db);
}

static void reads_another_process(void **state)
{
	struct fixture *f = fixture_of(state);
	char path[PATH_MAX], expected[PATH_MAX];
	int ends[2], err;
	void *db = NULL;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		db = open_db(f, "child.db", path);
		if (write(ends[1], &db, sizeof(db)) != sizeof(db))
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ends[0], &db, sizeof(db)), sizeof(db));
	snprintf(expected, sizeof(expected), "%.3000s/child.db", f->dir);
	err = sqlite_db_path(pid, (uint64_t)(uintptr_t)db, path, sizeof(path));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(err, 0);
	assert_string_equal(path, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_the_file_of_each_handle),
	    cmocka_unit_test(finds_it_inside_a_transaction_in_every_journal_mode),
	    cmocka_unit_test(is_not_fooled_by_names),
	    cmocka_unit_test(attached_databases_do_not_count),
	    cmocka_unit_test(a_relative_path_becomes_absolute),
	    cmocka_unit_test(memory_and_temporary_databases),
	    cmocka_unit_test(a_deleted_file_keeps_its_name),
	    cmocka_unit_test(proves_nothing_about_other_memory),
	    cmocka_unit_test(reads_another_process),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
