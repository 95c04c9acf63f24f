/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the set of observed processes true while processes fork, exec, load libraries and end: the
 * kernel side's targets, the SQLite probes and the pipeline's services move together here.
 */
#ifndef ZS_WATCH_H
#define ZS_WATCH_H

#include "base/buf.h"
#include "config/options.h"
#include "pipeline.h"
#include "probe/probes.h"
#include "probe/sqlite_probes.h"

struct watch;

/* What the kernel side must be told before load: which events the selectors need. */
struct probes_options watch_probes_options(const struct options *options);

/*
 * Take the selectors of the command line and find what they mean now. Nothing is observed yet, so that what
 * cannot be is refused at once. Returns 0; -ESRCH with a message when a selector means no process, -EINVAL
 * when it cannot mean one; other negative errno. resource is as resources_new() has it.
 */
int watch_new(const struct options *options, struct sv resource, struct watch **ret_watch,
    struct buf *message);

/* What the file says of all processes, as of those that appear from now on. Borrowed. */
void watch_set_resource(struct watch *watch, struct sv resource);

/*
 * Observe what was found, and what it starts and what matches from now on. program_pid and program_path (0, NULL:
 * none) are the held child. All pointers are borrowed. Returns 0 or negative errno.
 */
int watch_start(struct watch *watch, struct probes *probes, struct sqlite_probes *sqlite,
    struct pipeline *pipeline, uint32_t program_pid, const char *program_path);
void watch_free(struct watch *watch); /* NULL is fine */

/* Take a ZSP_KIND_PROC_* or ZSP_KIND_LISTEN event. */
void watch_event(struct watch *watch, const struct event *event);

/* Do what events asked for and what is cheaper done once for many of them. */
void watch_settle(struct watch *watch);

/* CPU time of a process, or (pid 0) of all that were observed from their first instruction on; see probe/sqlite_probes.h. */
uint64_t watch_cpu_ns(const struct watch *watch, uint32_t pid);

/* Visit observed processes, at most so many at a time: all get their turn. */
void watch_each(struct watch *watch, size_t max, void (*visit)(void *ctx, uint32_t pid), void *ctx);

/* Observed processes now, and ever. */
size_t watch_count(const struct watch *watch);
size_t watch_total(const struct watch *watch);

/* Append "nginx (pid 17, 18), shop (pid 20)" of the processes observed now, cut after a few. */
void watch_describe(const struct watch *watch, struct buf *out);

#endif
