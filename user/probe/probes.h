/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side, loaded and attached: which processes it observes, its ring, its counters. All of it
 * hangs on this process' descriptors, so that nothing stays behind however the process ends.
 */
#ifndef ZS_PROBE_PROBES_H
#define ZS_PROBE_PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "event.h"

/*
 * Sizes of what grows with the host: so much per CPU, within these bounds. nginx at the full speed of two CPUs fills about 50 MB of
 * the ring per second; its 8 MiB then hold 160 ms; a power of two. Of tables whose least recently used entries go first (SQLite's), the kernel hands
 * up to 128 entries to each CPU in advance: with no more than that, entries in use would go.
 */
#define PROBES_RING_BYTES_PER_CPU (4u << 20)
#define PROBES_RING_BYTES_MAX     (64u << 20)
#define PROBES_CONNS_PER_CPU      5100u
#define PROBES_CONNS_MAX          262144u
#define PROBES_THREADS_PER_CPU    5100u
#define PROBES_THREADS_MAX        131072u
#define PROBES_STMTS_PER_CPU      512u /* executions of statements that are under way */
#define PROBES_STMTS_MAX          32768u
#define PROBES_FILES_PER_CPU      256u /* databases that are open, or wanted by several */
#define PROBES_FILES_MAX          8192u

struct probes_options {
	bool watch_exec;   /* report every exec of the host */
	bool watch_listen; /* report every new TCP listener of the host */
	bool logs;         /* report what observed processes write to stdout and stderr */
};

struct probes;

/*
 * Load and attach what serves all processes. Returns 0; -EPERM when privileges are missing, -ENOTSUP when the
 * kernel lacks something that is required, other negative errno; message then says it in one sentence
 * with the remedy.
 */
int probes_open(
    const struct probes_options *options, struct probes **ret_probes, struct buf *message);

/* Detach and unload; NULL is fine. */
void probes_close(struct probes *probes);

/* The kernel side reports nothing from now on; the ring can still be drained. At once. */
void probes_silence(struct probes *probes);

/*
 * Observe a process with all its threads; what they start is observed by itself. Returns 0, -ESRCH when
 * it is gone, -E2BIG when the thread table is full (then it is not observed at all).
 */
int probes_target_add(struct probes *probes, uint32_t pid);

/* Observe it no more. */
void probes_target_remove(struct probes *probes, uint32_t pid);

/* For kernels without attach cookies: the cookie of the copy whose probes the process hits; pid 0
 * speaks for all that nothing else is said of. */
int probes_target_set_cookie(struct probes *probes, uint32_t pid, uint32_t cookie);

/* Tell the kernel side where copy number index keeps things. */
int probes_set_copy(struct probes *probes, uint32_t index, const struct zsp_sqlite_copy *copy);

/* Does the kernel give attach cookies (Linux 5.15)? */
bool probes_have_cookies(const struct probes *probes);

/* How often an SQLite connection at this address of the process was closed under observation. */
uint32_t probes_db_closes(const struct probes *probes, uint32_t pid, uint64_t db);

struct thread_away;

/* See thread_view_each_away(). */
void probes_each_away(struct probes *probes, uint64_t before_ns,
    void (*away)(void *ctx, const struct thread_away *thread), void *ctx);

/* See thread_view_away(). */
bool probes_thread_away(struct probes *probes, uint32_t tid, struct thread_away *ret_thread);

/*
 * Nobody looks any more. While somebody does, the table is mapped, and its pages count as ours; the next look maps it again.
 */
void probes_look_no_more(struct probes *probes);

/* Who runs on a CPU now. */
struct zsp_running probes_running(const struct probes *probes, uint32_t cpu);

/*
 * Report who ends this wait for a lock (ZSP_KIND_WAKE). From the first one on until probes_watch_none() a program runs at every wake-up of
 * the host. Returns 0, or negative errno when the kernel does not let it.
 */
int probes_watch(struct probes *probes, const struct thread_away *thread);
void probes_watch_none(struct probes *probes);

int probes_ring_fd(const struct probes *probes);
volatile uint32_t *probes_reader_waits(struct probes *probes);

/* The kernel side's counters. */
void probes_counters(const struct probes *probes, uint64_t ret_counters[ZSP_COUNT_MAX]);

/* Observation begins: what the kernel skipped until now was nobody's. */
void probes_begin(struct probes *probes);

/*
 * Runs that the kernel skipped since then, because a program was interrupted on the same CPU, and that no other program made up for; as
 * of the last call but one.
 */
uint64_t probes_lost_runs(struct probes *probes);

/* Visit the programs that are loaded: the name is without prefix and, like the descriptor, borrowed from probes. */
void probes_each_program(const struct probes *probes,
    void (*visit)(void *ctx, const char *name, int program_fd), void *ctx);

/* The programs that are attached per process; for probe/sqlite_probes.c. */
enum probes_program {
	PROBES_SQLITE_STEP = 0,
	PROBES_SQLITE_STEP_RETURN = 1,
	PROBES_SQLITE_END = 2,
	PROBES_SQLITE_CLOSE = 3,
	PROBES_SQLITE_PREPARE = 4,
	PROBES_SQLITE_PREPARE_RETURN = 5,
};

struct bpf_link;
struct bpf_program;

/* Detach a link and free it, without waiting. owner: for probes_drops_links(); 0: nobody. */
void probes_drop_link(struct probes *probes, struct bpf_link *link, uint32_t owner);

/* Are links of this owner still attached although they were dropped? */
bool probes_drops_links(const struct probes *probes, uint32_t owner);

/* What the kernel side is told of SQLite process number (below ZSP_SQLITE_PROCESSES), and counts for it. Mapped memory. */
volatile struct zsp_sqlite_process *probes_sqlite_process(struct probes *probes, uint32_t number);

struct bpf_program *probes_program(struct probes *probes, enum probes_program which);

/* How system calls are hooked. */
enum probes_calls {
	PROBES_CALLS_TRACEPOINTS = 1,
	PROBES_CALLS_FUNCTIONS = 2,
	PROBES_CALLS_SKIPPING =
	    3, /* by tracepoints, and the kernel skips some runs: see program_run_skipped */
};

enum probes_calls probes_calls(const struct probes *probes);

/* Names of the tracepoints of system calls that this kernel lacks, separated by spaces; "" when none. */
const char *probes_missing_events(const struct probes *probes);

#endif
