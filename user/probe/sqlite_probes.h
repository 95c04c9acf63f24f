/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite probes per process and copy. They are attached for one process at a time, so that other users of
 * the same library pay nothing; a copy is one file, told by device and inode.
 */
#ifndef ZS_PROBE_SQLITE_PROBES_H
#define ZS_PROBE_SQLITE_PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/probes.h"
#include "probe/sqlite_budget.h"
#include "probe/sqlite_untraced.h"

struct sqlite_probes_stats {
	uint64_t processes; /* with at least one attached copy, now */
	uint64_t copies;    /* distinct files seen */
	uint64_t refused;   /* attachments that failed, with a reason logged */
	uint64_t late;      /* copies attached when a process born under observation had them mapped
	                     * already: its first statements may have gone unseen */
	struct sqlite_untraced_stats untraced;
	struct sqlite_budget_stats budget;
};

struct sqlite_probes;

/* budget_pct: how much of a process' CPU time its probes may take, see probe/tier.h. NULL: no memory. */
struct sqlite_probes *sqlite_probes_new(struct probes *probes, double budget_pct);
void sqlite_probes_free(struct sqlite_probes *sqlite); /* detaches all; NULL is fine */

/* Detach from all processes. */
void sqlite_probes_detach(struct sqlite_probes *sqlite);

/*
 * Attach to the copies that the process has mapped now and that are not attached yet. born: the process
 * was observed from its first instruction on, so that a new copy means that we are late.
 */
void sqlite_probes_scan(struct sqlite_probes *sqlite, uint32_t pid, bool born);

/*
 * Attach ahead to the copies that a process which starts the program at path will map. Attachments follow
 * the process through exec and stay: a file it maps no more costs nothing, and detaching takes so long
 * that the same file, attached again, would be hit twice meanwhile.
 */
void sqlite_probes_expect(struct sqlite_probes *sqlite, uint32_t pid, const char *path);

/*
 * The same for a command that is observed from its first instruction, with all it starts: for every
 * process of the host, since its children may come and go faster than anyone attaches to them. The
 * kernel side tells who is observed; others that run these copies pay for a hit.
 */
void sqlite_probes_expect_family(struct sqlite_probes *sqlite, const char *path);

/*
 * A child was forked: attach to the copies that its parent is attached to. Nothing is read or examined,
 * since the child may run to its first statement, or through exec into another program, at once.
 */
void sqlite_probes_inherit(struct sqlite_probes *sqlite, uint32_t parent_pid, uint32_t pid);

/* The process ended. */
void sqlite_probes_forget(struct sqlite_probes *sqlite, uint32_t pid);

/*
 * Search some bytes of files that observed processes have mapped for SQLite without symbols: for whenever there is
 * time. It takes about a millisecond for 2 MB. Whether more is to be searched.
 */
bool sqlite_probes_search(struct sqlite_probes *sqlite, size_t bytes);

/* CPU time of a process since its start; of pid 0, of the command and all that it started. 0: cannot be told. */
typedef uint64_t sqlite_probes_cpu_ns(void *ctx, uint32_t pid);

/*
 * Time passes: once a second costs are compared with the budget, and probes detached or attached accordingly. Each such change is
 * logged.
 */
void sqlite_probes_tick(
    struct sqlite_probes *sqlite, uint64_t now_ns, sqlite_probes_cpu_ns *cpu_ns, void *ctx);

/* Visit the processes with their detail; pid 0 is the command with all it started. */
void sqlite_probes_each(const struct sqlite_probes *sqlite,
    void (*visit)(void *ctx, uint32_t pid, enum zsp_sqlite_detail detail), void *ctx);

void sqlite_probes_stats(const struct sqlite_probes *sqlite, struct sqlite_probes_stats *ret_stats);

#endif
