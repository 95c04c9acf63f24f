/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognises SQLite in a file without symbols. Every build holds its source id, the date and hash
 * of a check-in ("2022-12-28 14:03:47 df5c253c...", sqlite3_sourceid()), and the head of the
 * database files it writes ("SQLite format 3"). Both together count: a program that only prints
 * what it was compiled against has the first, a tool that recognises file types the second.
 */
#ifndef ZS_DISCOVER_SQLITE_SOURCE_ID_H
#define ZS_DISCOVER_SQLITE_SOURCE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/sv.h"

/* Whether s starts with a source id: date, time, and 64 hex digits (40 before version 3.19). */
bool sqlite_source_id_at(struct sv s);

/* A search that is done piece by piece; zero but for fd at first. */
struct sqlite_source_search {
	int fd;    /* borrowed */
	off_t at;  /* read up to here, for what is searched now */
	bool head; /* the head of a database file is there; now the source id is searched */
};

/*
 * Search at least bytes further. 1 when the file holds SQLite, 0 when not, -EAGAIN when that is not known yet, or
 * why it cannot be read. At most the first 256 MiB of the file are read.
 */
int sqlite_source_search(struct sqlite_source_search *search, size_t bytes);

/* The same at once: 1, 0 or a negative errno. */
int sqlite_source_id_in_file(int fd);

#endif
