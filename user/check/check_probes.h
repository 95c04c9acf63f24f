/* SPDX-License-Identifier: Apache-2.0 */
/* The probes of each copy of SQLite as a table, for `zerospan check -v`: where, on which instruction, at what cost. */
#ifndef ZS_CHECK_CHECK_PROBES_H
#define ZS_CHECK_CHECK_PROBES_H

#include "discover/sqlite_copy.h"

struct check_probes;

struct check_probes *check_probes_new(void);        /* NULL: no memory */
void check_probes_free(struct check_probes *table); /* NULL is fine */

/* Note the traceable copies of a process that are not noted yet, while they can be read. */
void check_probes_note(struct check_probes *table, const struct sqlite_copies *copies);

/* Print a table per copy; cost is measured when not_measured is NULL, else that says why it is not. */
void check_probes_print(const struct check_probes *table, const char *not_measured);

#endif
