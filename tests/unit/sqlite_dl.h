/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's libsqlite3.so.0 for unit tests, loaded by dlopen so that nothing links against it. A
 * test on a host without it skips, with the reason; so call this from tests, not from set-ups.
 */
#ifndef ZS_TESTS_SQLITE_DL_H
#define ZS_TESTS_SQLITE_DL_H

#include <dlfcn.h>
#include <stdio.h>

#include "support.h"

struct sqlite_dl {
	void *library;
	int (*open)(const char *path, void **ret_db);
	int (*close)(void *db);
	int (*exec)(void *db, const char *sql, void *callback, void *arg, char **ret_error);
	int (*prepare)(void *db, const char *sql, int len, void **ret_stmt, const char **ret_tail);
	int (*finalize)(void *stmt);
};

static inline struct sqlite_dl sqlite_dl_open(const char *path)
{
	struct sqlite_dl s = {.library = dlopen(path, RTLD_NOW | RTLD_LOCAL)};

	if (!s.library) {
		print_message("skipped: %s\n", dlerror());
		skip();
	}
	*(void **)&s.open = dlsym(s.library, "sqlite3_open");
	*(void **)&s.close = dlsym(s.library, "sqlite3_close");
	*(void **)&s.exec = dlsym(s.library, "sqlite3_exec");
	*(void **)&s.prepare = dlsym(s.library, "sqlite3_prepare_v2");
	*(void **)&s.finalize = dlsym(s.library, "sqlite3_finalize");
	assert_true(s.open && s.close && s.exec && s.prepare && s.finalize);
	return s;
}

#endif
