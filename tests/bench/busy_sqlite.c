// SPDX-License-Identifier: Apache-2.0
/*
 * A process that works with SQLite, in memory:  busy_sqlite
 *
 * A line "KIND SECONDS" on stdin runs statements of that kind for so long, and no less than one:
 *
 *	point	a query of one row by its key, prepared once: bind, step, reset
 *	anew	the same, prepared and finalized each time
 *	rows	a query of a million rows, stepped to its end
 *
 * Answers each line with one of JSON: executions; "requests", which are executions or, of rows, rows; seconds; CPU time per
 * request in microseconds.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ITEMS 1000 /* as fill() has it */
#define BATCH 100  /* executions from one look at the clock to the next */

#define POINT_SQL "SELECT price FROM item WHERE id = ?"
#define ROWS_SQL  "SELECT a.id FROM item a, item b" /* each with each: a million */

struct work {
	sqlite3 *db;
	sqlite3_stmt *point, *rows; /* prepared once */
};

static double clock_s(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int fill(struct work *w)
{
	return sqlite3_open(":memory:", &w->db) ||
	    sqlite3_exec(w->db,
		"CREATE TABLE item (id INTEGER PRIMARY KEY, price REAL);"
		"WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 1000) "
		"INSERT INTO item SELECT id, id / 100.0 FROM n",
		NULL, NULL, NULL) ||
	    sqlite3_prepare_v2(w->db, POINT_SQL, -1, &w->point, NULL) ||
	    sqlite3_prepare_v2(w->db, ROWS_SQL, -1, &w->rows, NULL);
}

/* Each kind runs some executions, from number i on; returns the rows, or -1. */

static int ask(sqlite3_stmt *stmt, uint64_t i)
{
	if (sqlite3_bind_int64(stmt, 1, (sqlite3_int64)(i % ITEMS) + 1) ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		return -1;
	return sqlite3_column_double(stmt, 0) > 0 ? 1 : -1;
}

static int run_point(struct work *w, uint64_t i)
{
	int rows = ask(w->point, i);

	sqlite3_reset(w->point);
	return rows;
}

static int run_anew(struct work *w, uint64_t i)
{
	sqlite3_stmt *stmt;
	int rows;

	if (sqlite3_prepare_v2(w->db, POINT_SQL, -1, &stmt, NULL))
		return -1;
	rows = ask(stmt, i);
	sqlite3_finalize(stmt);
	return rows;
}

static int run_rows(struct work *w, uint64_t i)
{
	int rows = 0, result;

	(void)i;
	while ((result = sqlite3_step(w->rows)) == SQLITE_ROW)
		rows++;
	sqlite3_reset(w->rows);
	return result == SQLITE_DONE ? rows : -1;
}

static const struct kind {
	const char *name;
	int (*run)(struct work *w, uint64_t i);
	uint64_t batch;
} kinds[] = {{"point", run_point, BATCH}, {"anew", run_anew, BATCH}, {"rows", run_rows, 1}};

static int work(struct work *w, const struct kind *kind, double seconds)
{
	double start_s = clock_s(CLOCK_MONOTONIC), start_cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t executions = 0, rows = 0;
	double end_s, cpu_s;

	do {
		for (uint64_t i = 0; i < kind->batch; i++) {
			int n = kind->run(w, executions++);

			if (n < 0)
				return -1;
			rows += (uint64_t)n;
		}
		end_s = clock_s(CLOCK_MONOTONIC);
	} while (end_s < start_s + seconds);
	cpu_s = clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_s;
	printf(
	    "{\"executions\": %llu, \"requests\": %llu, \"seconds\": %.6f, \"target_us\": %.6f}\n",
	    (unsigned long long)executions, (unsigned long long)rows, end_s - start_s,
	    cpu_s * 1e6 / (double)rows);
	return fflush(stdout);
}

int main(void)
{
	struct work w = {0};
	char line[64], name[16];
	double seconds;

	if (fill(&w))
		goto fail;
	while (fgets(line, sizeof(line), stdin)) {
		size_t k = 0, n = sizeof(kinds) / sizeof(kinds[0]);

		if (sscanf(line, "%15s %lf", name, &seconds) != 2)
			return 2;
		while (k < n && strcmp(kinds[k].name, name) != 0)
			k++;
		if (k == n)
			return 2;
		if (work(&w, &kinds[k], seconds))
			goto fail;
	}
	return 0;
fail:
	fprintf(stderr, "busy_sqlite: %s\n", sqlite3_errmsg(w.db));
	return 1;
}
