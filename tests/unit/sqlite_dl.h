/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's libsqlite3.so.0 for unit tests, loaded by dlopen so that nothing links against it. A
 * test on a host without it skips, with the reason; so call this from tests, not from set-ups.
 */
#ifndef ZS_TESTS_SQLITE_DL_H
#define ZS_TESTS_SQLITE_DL_H

#include <dlfcn.h>
#include <stdio.h>

#include "discover/elf.h"
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

/* The file that the library was loaded from. */
static inline struct elf_file *sqlite_dl_file(const struct sqlite_dl *s)
{
	struct elf_file *file;
	Dl_info info;

	assert_true(dladdr(dlsym(s->library, "sqlite3_sql"), &info));
	assert_int_equal(elf_file_open(info.dli_fname, &file), 0);
	return file;
}

/* The beginning of a function's machine code in that file, which is what was loaded; its length. */
static inline size_t sqlite_dl_code(
    const struct sqlite_dl *s, struct elf_file *file, const char *name, uint8_t *code, size_t room)
{
	struct elf_function function = {.name = name};
	int len;

	assert_int_equal(elf_file_find(file, &function, 1), 1);
	len = elf_file_read(file, &function, code, room);
	assert_true(len > 0);
	assert_memory_equal(code, dlsym(s->library, name), (size_t)len);
	return (size_t)len;
}

#endif
