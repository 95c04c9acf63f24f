/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of files that were examined for SQLite, so that each is read once and not once for every
 * process that maps it: a process that has just started is waited for by nobody. A file is known by
 * device, inode, size and time of change; one that was written to is another file.
 */
#ifndef ZS_DISCOVER_SQLITE_COPY_CACHE_H
#define ZS_DISCOVER_SQLITE_COPY_CACHE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "discover/sqlite_copy.h"

/* Files remembered; when full, all are forgotten and examined again. */
#define SQLITE_COPY_CACHE_MAX 4096

struct sqlite_copy_cache *sqlite_copy_cache_new(void);        /* NULL: no memory */
void sqlite_copy_cache_free(struct sqlite_copy_cache *cache); /* NULL is fine */

/*
 * Is the file known? *ret_copy is what was found in it, without paths; state SQLITE_COPY_INVALID: no
 * SQLite. A NULL cache knows nothing.
 */
bool sqlite_copy_cache_get(
    const struct sqlite_copy_cache *cache, const struct stat *st, struct sqlite_copy *ret_copy);

/* Remember; without memory it is simply not remembered. */
void sqlite_copy_cache_put(
    struct sqlite_copy_cache *cache, const struct stat *st, const struct sqlite_copy *copy);

#endif
