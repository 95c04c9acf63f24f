/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database file behind an sqlite3* handle of a running process, found without knowing the
 * layout of its version: by walking the few words that every SQLite 3 places first, and proved by
 * content at each step. The walk (names of SQLite's source):
 *
 *	sqlite3  word 0..15   -> aDb    one of the first words points to the list of databases
 *	aDb[0]   word 0       -> "main"                                              [proof]
 *	         word 1       -> Btree
 *	Btree    word 0       =  the handle itself                                   [proof]
 *	         word 1       -> BtShared
 *	BtShared word 0       -> Pager
 *	Pager    word 0..63   -> zFilename: equals the path of a file the process has open  [proof]
 *
 * The memory is only read (process_vm_readv, else /proc/PID/mem), while the process runs on: a torn read fails a proof
 * and gives no answer, never a wrong one.
 */
#ifndef ZS_DISCOVER_SQLITE_DB_H
#define ZS_DISCOVER_SQLITE_DB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Path of the main database of the handle at address db of pid, as the process sees it; ":memory:"
 * for one in memory. Returns 0; -ENOENT when it cannot be proved (closed handle, temporary
 * database, renamed "main"); -ENAMETOOLONG; -ESRCH; -EPERM.
 */
int sqlite_db_path(pid_t pid, uint64_t db, char *ret_path, size_t len);

#endif
