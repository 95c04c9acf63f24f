/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite probes per process and copy. They are attached for one process at a time, so that other users of
 * the same library pay nothing; a copy is one file, told by device and inode.
 */
#ifndef ZS_PROBE_SQLITE_PROBES_H
#define ZS_PROBE_SQLITE_PROBES_H

#include <stdint.h>

#include "probe/probes.h"

struct sqlite_probes_stats {
	uint64_t processes; /* with at least one attached copy, now */
	uint64_t copies;    /* distinct files seen */
	uint64_t refused;   /* copies that could not be traced, with a reason logged */
};

struct sqlite_probes;

struct sqlite_probes *sqlite_probes_new(struct probes *probes); /* NULL: no memory */
void sqlite_probes_free(struct sqlite_probes *sqlite);          /* detaches all; NULL is fine */

/* Detach from all processes. */
void sqlite_probes_detach(struct sqlite_probes *sqlite);

/* Attach to the copies that the process has mapped now and that are not attached yet. */
void sqlite_probes_scan(struct sqlite_probes *sqlite, uint32_t pid);

/* Attach ahead to the copies that a process which starts the program at path will map. */
void sqlite_probes_expect(struct sqlite_probes *sqlite, uint32_t pid, const char *path);

/* The process ended, or runs another program now. */
void sqlite_probes_forget(struct sqlite_probes *sqlite, uint32_t pid);

void sqlite_probes_stats(const struct sqlite_probes *sqlite, struct sqlite_probes_stats *ret_stats);

#endif
