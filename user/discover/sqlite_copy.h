/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the copies of SQLite that a process runs, or that a program about to start will run, and
 * says for each where to put probes and how to read its statements. A copy is a file: the shared
 * library, or a program with SQLite linked in. Each is opened through /proc/PID/map_files, which
 * reaches files in other mount namespaces and deleted ones. What cannot be proved is reported with
 * its reason and not traced. Attaches nothing.
 */
#ifndef ZS_DISCOVER_SQLITE_COPY_H
#define ZS_DISCOVER_SQLITE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sqlite_copy_state {
	SQLITE_COPY_INVALID = 0,
	SQLITE_COPY_TRACEABLE = 1,
	SQLITE_COPY_REFUSED = 2,  /* has symbols, but see reason */
	SQLITE_COPY_STRIPPED = 3, /* linked in without symbols, known by its source id */
	SQLITE_COPY_NAMELESS = 4, /* no symbols of SQLite, which may be linked in without */
};

/* The functions of interest. Step, reset and finalize exist in every traceable copy. */
enum sqlite_function {
	SQLITE_FN_STEP = 0,
	SQLITE_FN_RESET = 1,
	SQLITE_FN_FINALIZE = 2,
	SQLITE_FN_PREPARE_V2 = 3,
	SQLITE_FN_PREPARE_V3 = 4,
	SQLITE_FN_EXEC = 5,
	SQLITE_FN_OPEN_V2 = 6,
	SQLITE_FN_CLOSE = 7,
	SQLITE_FN_CLOSE_V2 = 8,
	/* Where every statement ends, sqlite3_exec's own too. If it is known it stands for SQLITE_FN_FINALIZE, which has no probe then. */
	SQLITE_FN_VDBE_DELETE = 9,
	/* What all preparing functions call; known only where its return is cheaper to probe than theirs. */
	SQLITE_FN_LOCK_AND_PREPARE = 10,
	SQLITE_FN_COUNT = 11,
};

/* Where to probe one function; offsets in the file, as uprobes take them. */
struct sqlite_probe {
	uint64_t entry;    /* first byte; 0: the copy lacks this function. Return probes go here */
	uint64_t cheapest; /* entry probes go here: the arguments they read still stand */
	bool entry_cheap;  /* the kernel emulates the instruction at entry ... */
	bool cheapest_cheap; /* ... and at cheapest */
};

struct sqlite_copy {
	enum sqlite_copy_state state;
	uint64_t dev, inode; /* as stat() of the open file says */
	char *path;          /* as the process sees it, for messages */
	char *attach_path;   /* opens the same file from here; a map_files link lives as long as the
	                      * mapping */
	struct sqlite_probe probe[SQLITE_FN_COUNT];
	uint32_t sql_offset; /* of the SQL text's pointer in a statement (sqlite3_stmt) */
	uint32_t db_offset;  /* of the connection's pointer (sqlite3 *) in a statement */
	uint32_t
	    autocommit_offset; /* of the byte in a connection that is 0 in a transaction; 0: unknown */
	/* Of the int in a connection that is the extended result code of its last call; 0: unknown. */
	uint32_t errcode_offset;
	uint32_t row_offset; /* of the pointer in a statement that is NULL at no row; 0: unknown */
	/* Where sqlite3_exec calls what sqlite3_prepare_v2 calls, and the instruction behind it; 0: it calls
	 * sqlite3_prepare_v2 itself. */
	uint64_t exec_prepare_call, exec_prepare_return;
	bool exec_prepare_return_cheap; /* the kernel emulates the latter */
	const char *reason;             /* static text: why not traceable; NULL when it is */
	const char *limit; /* static text: "traceable, but ..."; NULL when nothing is missed */
};

struct sqlite_copies {
	struct sqlite_copy *items;
	size_t n;
	size_t unreadable; /* mapped files that could not be opened, so nothing is known of them */
};

/* Flags of sqlite_copy_scan(). */
enum {
	/* Also search files without symbols for SQLite's source id: reads up to 256 MiB of each
	 * executable mapped file, for `zerospan check`. */
	SQLITE_COPY_SEARCH_STRIPPED = 1,
	/* List them unsearched, as SQLITE_COPY_NAMELESS. */
	SQLITE_COPY_LIST_NAMELESS = 2,
};

struct sqlite_copy_cache;

/*
 * The copies mapped executable by pid now. cache (may be NULL, see sqlite_copy_cache.h) saves reading
 * known files again. Returns 0 (maybe with none), -ESRCH, -EACCES, -ENOMEM.
 * The caller releases the result.
 */
int sqlite_copy_scan(
    struct sqlite_copy_cache *cache, pid_t pid, unsigned flags, struct sqlite_copies *ret_copies);

/*
 * The copies that the program at path will map when it starts: itself, the shared library it needs,
 * and always the system's library, for programs that load it by dlopen. Run paths and
 * LD_LIBRARY_PATH are not followed: scan the process after its start for those. Returns 0 or what
 * open() of path says; a script is no error.
 */
int sqlite_copy_for_program(struct sqlite_copy_cache *cache, const char *path, unsigned flags,
    struct sqlite_copies *ret_copies);

/* Whether the open program loads the shared library: it may name its source id, too, to compare the two. */
bool sqlite_copy_loads_library(int fd);

void sqlite_copies_release(struct sqlite_copies *copies);

/* "sqlite3_step", ... */
const char *sqlite_function_name(enum sqlite_function function);

#endif
