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

#include "base/sv.h"

/* Whether s starts with a source id: date, time, and 64 hex digits (40 before version 3.19). */
bool sqlite_source_id_at(struct sv s);

/* 1 when the open file holds SQLite, 0 when not, a negative errno when it cannot be read. Reads at
 * most the first 256 MiB. */
int sqlite_source_id_in_file(int fd);

#endif
