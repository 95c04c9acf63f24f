/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of SQLite that observed processes have and that are not traced: each file is told of once, and counted.
 * Files without SQLite's symbols are searched for it piece by piece, when there is time: a program may have
 * 100 MB, and nobody waits for it to be searched.
 */
#ifndef ZS_PROBE_SQLITE_UNTRACED_H
#define ZS_PROBE_SQLITE_UNTRACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/sqlite_copy.h"

struct sqlite_untraced;

struct sqlite_untraced *sqlite_untraced_new(void);           /* NULL: no memory */
void sqlite_untraced_free(struct sqlite_untraced *untraced); /* NULL is fine */

/* A process has this copy, which is refused for its reason. */
void sqlite_untraced_refused(
    struct sqlite_untraced *untraced, uint32_t pid, const struct sqlite_copy *copy);

/* A process has this file without SQLite's symbols: it is opened now and searched later. */
void sqlite_untraced_look(
    struct sqlite_untraced *untraced, uint32_t pid, const struct sqlite_copy *file);

/* Search some bytes; whether more is to be searched. */
bool sqlite_untraced_work(struct sqlite_untraced *untraced, size_t bytes);

struct sqlite_untraced_stats {
	uint64_t refused;    /* files with symbols, but see the warning */
	uint64_t stripped;   /* files with SQLite linked in without symbols */
	uint64_t unsearched; /* files that could not be searched, or not yet */
};

void sqlite_untraced_stats(
    const struct sqlite_untraced *untraced, struct sqlite_untraced_stats *ret_stats);

#endif
