// SPDX-License-Identifier: Apache-2.0
/*
 * Phases that run SQLite statements; see phases.h. Each connection has databases of its own, open as long as it is. The statements
 * that a phase is about are told one by one, as their step took; what else it runs waits for the disk, if for anything.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "phases.h"

#define STRING(macro) STRING_(macro)
#define STRING_(text) #text

#define COLD_ROWS 1000

/* So many rows, each a page. */
#define FILL(rows)                                                          \
	"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n " \
	"WHERE i < " STRING(rows) ") INSERT INTO t SELECT zeroblob(3500) FROM n"

static void sqlite_must(sqlite3 *db, bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
	sqlite_must(db, sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static void path_of(const struct worker *worker, const char *kind, char *ret, size_t room)
{
	snprintf(ret, room, "%s/%u-%s.db", worker->setup->dir, worker->number, kind);
}

static sqlite3 *open_database(const struct worker *worker, const char *kind, const char *sql)
{
	sqlite3 *db = NULL;
	char path[256];

	path_of(worker, kind, path, sizeof(path));
	sqlite_must(db, sqlite3_open(path, &db) == SQLITE_OK, path);
	sqlite3_busy_timeout(db, 10000);
	run(db, sql);
	return db;
}

void sqlite_open(struct worker *worker)
{
	char path[256];

	worker->synced = open_database(worker, "synced",
	    "PRAGMA journal_mode = persist; PRAGMA synchronous = full; CREATE TABLE t (a);"
	    "INSERT INTO t VALUES (zeroblob(1000000)); DELETE FROM t");
	worker->logged = open_database(worker, "logged",
	    "PRAGMA locking_mode = exclusive; PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0;"
	    "CREATE TABLE t (a)");
	worker->cold = open_database(worker, "cold",
	    "PRAGMA synchronous = off; PRAGMA cache_size = 10; CREATE TABLE t (a);" FILL(
		COLD_ROWS));
	worker->busy = open_database(worker, "busy",
	    "PRAGMA journal_mode = memory; PRAGMA synchronous = off; CREATE TABLE t (a);"
	    "INSERT INTO t SELECT 1");
	worker->holder = open_database(worker, "busy", "PRAGMA journal_mode = memory");
	path_of(worker, "cold", path, sizeof(path));
	worker->cold_file = open(path, O_RDWR | O_CLOEXEC);
	phase_must(worker->cold_file >= 0 && fdatasync(worker->cold_file) == 0, path);
	/* Once, so that they have what memory they need. */
	phase_insert(worker, "once", 1);
	phase_checkpoint(worker, "once", 2);
	phase_select(worker, "once", 1);
	phase_busy(worker, "once", 0);
}

void sqlite_close(const struct worker *worker)
{
	sqlite3_close(worker->synced);
	sqlite3_close(worker->logged);
	sqlite3_close(worker->cold);
	sqlite3_close(worker->busy);
	sqlite3_close(worker->holder);
	if (worker->cold_file >= 0)
		close(worker->cold_file);
}

/* Its first step, told as a part. */
static void step(
    struct worker *worker, const char *name, sqlite3 *db, const char *sql, enum state state)
{
	sqlite3_stmt *stmt = NULL;
	int result;

	sqlite_must(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, sql);
	account_waited(worker, STATE_DISK);
	result = sqlite3_step(stmt);
	account_part(worker, name, account_waited(worker, state));
	sqlite_must(db, result == SQLITE_DONE || result == SQLITE_ROW, sql);
	sqlite3_finalize(stmt);
}

void phase_insert(struct worker *worker, const char *name, unsigned value)
{
	for (unsigned i = 0; i < value; i++)
		step(worker, name, worker->synced, "INSERT INTO t VALUES (zeroblob(1000000))",
		    STATE_DISK);
	run(worker->synced, "DELETE FROM t");
	account_waited(worker, STATE_DISK);
}

void phase_checkpoint(struct worker *worker, const char *name, unsigned value)
{
	run(worker->logged, "PRAGMA synchronous = off");
	for (unsigned i = 0; i < value; i++)
		run(worker->logged, "INSERT INTO t SELECT zeroblob(1000000)");
	run(worker->logged, "DELETE FROM t; PRAGMA synchronous = full");
	step(worker, name, worker->logged, "PRAGMA wal_checkpoint(FULL)", STATE_DISK);
}

void phase_select(struct worker *worker, const char *name, unsigned value)
{
	for (unsigned i = 0; i < value; i++) {
		phase_must(
		    posix_fadvise(worker->cold_file, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
		step(worker, name, worker->cold, "SELECT sum(length(a)) FROM t WHERE a > 7",
		    STATE_DISK);
	}
}

void phase_busy(struct worker *worker, const char *name, unsigned value)
{
	partner_hold_database(worker->partner, worker->holder, value);
	account_waited(worker, STATE_LOCK);
	step(worker, name, worker->busy, "UPDATE t SET a = a + 1", STATE_SQLITE_BUSY);
}
