/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the SQLite probes cost each process, and how closely it is to be observed for that: hits as the kernel side counts
 * them, times what a hit costs here, against the CPU time of the process, handed to tier.h. Attaches nothing.
 */
#ifndef ZS_PROBE_SQLITE_BUDGET_H
#define ZS_PROBE_SQLITE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "discover/sqlite_copy.h"
#include "probe/probes.h"
#include "probe/tier.h"

/* How often costs are looked at. */
#define SQLITE_BUDGET_PERIOD_NS 1000000000ull

struct sqlite_budget_stats {
	uint64_t processes[ZSP_SQLITE_OFF + 1]; /* by detail, now */
	uint64_t lowered[ZSP_SQLITE_OFF + 1];   /* changes to this detail from a richer one */
	uint64_t raised[ZSP_SQLITE_OFF + 1];    /* and from a poorer one */
	uint64_t unobserved_ns;                 /* time that processes were in off, summed */
	uint64_t cut;     /* executions not told, because the detail changed meanwhile */
	uint64_t hits;    /* of probes in observed processes */
	uint64_t cost_ns; /* CPU time that they took */
};

struct sqlite_budget;

/* A process with SQLite probes, or (pid 0) all that a command has started. */
struct sqlite_process {
	struct list link;
	uint32_t pid;
	uint32_t
	    number; /* in the kernel side's table; 0: no room, observed in full and not counted */
	uint32_t refs;
	struct tier tier;
	/* Shapes that its copies' functions have, bit n for enum probe_shape n: the dearest counts. */
	unsigned step_shapes, end_shapes, prepare_shapes;
	struct zsp_sqlite_process last,
	    full;                    /* counters as last seen; sums of what was counted in full */
	uint64_t sampled_ns, cpu_ns; /* when, and the CPU time until then; 0: not yet */
};

/* budget_pct: above 0, up to 100 (TIER_BUDGET_NONE). NULL: no memory. */
struct sqlite_budget *sqlite_budget_new(struct probes *probes, double budget_pct);
void sqlite_budget_free(struct sqlite_budget *budget); /* processes must be gone; NULL is fine */

/*
 * The process, made if need be, with one more reference. A new one begins like parent (NULL: in full). NULL: no memory.
 */
struct sqlite_process *sqlite_budget_process(
    struct sqlite_budget *budget, uint32_t pid, const struct sqlite_process *parent);
void sqlite_budget_release(
    struct sqlite_budget *budget, struct sqlite_process *process); /* NULL is fine */

/* The process has this copy of SQLite, too. */
void sqlite_budget_copy(struct sqlite_process *process, const struct sqlite_copy *copy);

/* The cookie of the process' probes in the copy with this index. */
uint32_t sqlite_budget_cookie(const struct sqlite_process *process, uint32_t copy);

/*
 * Take what was hit since the last call; cpu_ns: CPU time of the process since its start, 0 when that cannot be told. Returns true
 * when process->tier.detail has changed: then the caller acts on it and ends with sqlite_budget_enter().
 */
bool sqlite_budget_sample(
    struct sqlite_budget *budget, struct sqlite_process *process, uint64_t now_ns, uint64_t cpu_ns);

/* Tell the kernel side of the process' detail: a new era begins. */
void sqlite_budget_enter(struct sqlite_budget *budget, struct sqlite_process *process);

/* All processes, by their link. */
struct list *sqlite_budget_processes(struct sqlite_budget *budget);

double sqlite_budget_pct(const struct sqlite_budget *budget);

void sqlite_budget_stats(const struct sqlite_budget *budget, struct sqlite_budget_stats *ret_stats);

#endif
