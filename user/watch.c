// SPDX-License-Identifier: Apache-2.0
/* The observed processes and what must follow them; see watch.h. */
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/log.h"
#include "discover/proc.h"
#include "discover/target.h"
#include "resource.h"

enum {
	WATCH_DESCRIBE_MAX = 8
};

struct watched {
	struct hnode node; /* by pid, which is its own hash */
	struct list link;
	uint32_t pid;
	bool born;   /* observed since its first instruction */
	bool rescan; /* mapped code since the last look for SQLite */
	char exe[TARGET_PATH_SIZE];
};

struct watch {
	struct target_set targets;
	struct target_pids found; /* when the watch was made, until it starts */
	struct probes *probes;
	struct sqlite_probes *sqlite;
	struct pipeline *pipeline;
	struct resources *resources;
	struct process_facts facts; /* of who is told to the pipeline now */
	struct hmap by_pid;
	struct list all;
	size_t total;
	bool rescan;
};

static struct watched *watched_find(const struct watch *watch, uint32_t pid)
{
	struct hnode *node = hmap_first(&watch->by_pid, pid);

	return node ? container_of(node, struct watched, node) : NULL;
}

/* --- what is told to the pipeline ---------------------------------------------------------------- */

/* The facts of a running process; fallback_exe for one that is gone already or has not begun. */
static void tell_pipeline(struct watch *watch, struct watched *w, const char *fallback_exe)
{
	struct service_facts facts = resources_of(watch->resources, (pid_t)w->pid, &watch->facts);

	if (proc_exe((pid_t)w->pid, w->exe, sizeof(w->exe)) && fallback_exe)
		snprintf(w->exe, sizeof(w->exe), "%s", fallback_exe);
	facts.exe = w->exe;
	if (pipeline_process(watch->pipeline, &facts))
		log_warn("no memory to observe pid %u", w->pid);
}

/* --- coming and going ---------------------------------------------------------------------------- */

static struct watched *watched_add(struct watch *watch, uint32_t pid)
{
	struct watched *w = watched_find(watch, pid);

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w || hmap_add(&watch->by_pid, pid, &w->node)) {
		free(w);
		return NULL;
	}
	w->pid = pid;
	list_add_tail(&watch->all, &w->link);
	watch->total++;
	return w;
}

static void watched_remove(struct watch *watch, struct watched *w)
{
	hmap_remove(&watch->by_pid, &w->node);
	list_remove(&w->link);
	free(w);
}

/* Observe a process that is running. Kernel side first, so that children it makes meanwhile count. */
static int observe(struct watch *watch, uint32_t pid)
{
	struct watched *w;
	int err;

	if (watched_find(watch, pid))
		return 0;
	err = probes_target_add(watch->probes, pid);
	if (err && err != -EEXIST) {
		log_warn("cannot observe pid %u: %s", pid, strerror(-err));
		return err;
	}
	w = watched_add(watch, pid);
	if (!w) {
		probes_target_remove(watch->probes, pid);
		return -ENOMEM;
	}
	tell_pipeline(watch, w, NULL);
	sqlite_probes_scan(watch->sqlite, pid, false);
	log_debug("observing pid %u, '%s'", pid, w->exe);
	return 0;
}

struct descendants {
	struct watch *watch;
	bool found;
};

static int observe_if_child(pid_t pid, void *arg)
{
	struct descendants *d = arg;
	struct proc_stat stat;

	if (proc_read_stat(pid, &stat) || watched_find(d->watch, (uint32_t)pid) ||
	    pid == d->watch->targets.self || !watched_find(d->watch, (uint32_t)stat.ppid))
		return 0;
	if (observe(d->watch, (uint32_t)pid) == 0)
		d->found = true;
	return 0;
}

/* Children that targets had before we came, and theirs: whoever names a master means its workers. */
static void observe_descendants(struct watch *watch)
{
	struct descendants d = {.watch = watch};

	do {
		d.found = false;
		proc_each(observe_if_child, &d);
	} while (d.found);
}

/* --- events -------------------------------------------------------------------------------------- */

static void process_forks(struct watch *watch, const struct zsp_proc *proc)
{
	struct watched *parent = watched_find(watch, proc->parent_pid);
	struct watched *w = watched_add(watch, proc->h.pid);

	if (!w) {
		log_warn("no memory to observe pid %u", proc->h.pid);
		return;
	}
	w->born = true;
	sqlite_probes_inherit(watch->sqlite, proc->parent_pid, w->pid);
	tell_pipeline(watch, w, parent ? parent->exe : NULL);
}

static void process_execs(struct watch *watch, const struct zsp_proc *proc)
{
	struct watched *w = watched_find(watch, proc->h.pid);
	const struct target_selector *why;
	struct target_facts facts;

	if (w) {
		tell_pipeline(watch, w, (const char *)proc->comm);
		sqlite_probes_expect(watch->sqlite, w->pid, w->exe);
		return;
	}
	if (target_facts_read((pid_t)proc->h.pid, false, &facts) == 0 &&
	    target_match(&watch->targets, &facts, &why))
		observe(watch, proc->h.pid);
}

static void process_listens(struct watch *watch, const struct zsp_proc *proc)
{
	for (size_t i = 0; i < watch->targets.n; i++) {
		const struct target_selector *selector = &watch->targets.items[i];

		if (selector->kind == TARGET_PORT && selector->number == proc->value &&
		    proc->h.pid != (uint32_t)watch->targets.self)
			observe(watch, proc->h.pid);
	}
}

static void process_exits(struct watch *watch, const struct zsp_proc *proc)
{
	struct watched *w = watched_find(watch, proc->h.pid);

	if (!w)
		return;
	sqlite_probes_forget(watch->sqlite, w->pid);
	pipeline_process_end(watch->pipeline, w->pid, proc->h.time_ns);
	watched_remove(watch, w);
}

static void process_maps(struct watch *watch, const struct zsp_proc *proc)
{
	struct watched *w = watched_find(watch, proc->h.pid);

	if (w)
		w->rescan = watch->rescan = true;
}

void watch_event(struct watch *watch, const struct event *event)
{
	switch (event->h->kind) {
	case ZSP_KIND_PROC_FORK:
		process_forks(watch, event->proc);
		break;
	case ZSP_KIND_PROC_EXEC:
		process_execs(watch, event->proc);
		break;
	case ZSP_KIND_PROC_EXIT:
		process_exits(watch, event->proc);
		break;
	case ZSP_KIND_PROC_MAP:
		process_maps(watch, event->proc);
		break;
	case ZSP_KIND_LISTEN:
		process_listens(watch, event->proc);
		break;
	default:
		break;
	}
}

void watch_settle(struct watch *watch)
{
	if (!watch->rescan)
		return;
	watch->rescan = false;
	list_for_each (at, &watch->all) {
		struct watched *w = container_of(at, struct watched, link);

		if (w->rescan)
			sqlite_probes_scan(watch->sqlite, w->pid, w->born);
		w->rescan = false;
	}
}

/* --- cost ---------------------------------------------------------------------------------------- */

static uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

uint64_t watch_cpu_ns(const struct watch *watch, uint32_t pid)
{
	struct proc_stat stat;
	uint64_t ticks = 0;

	if (pid)
		return proc_read_stat((pid_t)pid, &stat)
		    ? 0
		    : ticks_to_ns(stat.user_ticks + stat.system_ticks);
	list_for_each (at, &watch->all) {
		const struct watched *w = container_of(at, struct watched, link);

		/* Who has ended since the last time is in its parent's figure. */
		if (w->born && proc_read_stat((pid_t)w->pid, &stat) == 0)
			ticks += stat.user_ticks + stat.system_ticks + stat.children_cpu_ticks;
	}
	return ticks_to_ns(ticks);
}

/* --- life cycle ---------------------------------------------------------------------------------- */

struct probes_options watch_probes_options(const struct options *options)
{
	struct probes_options probes = {0};

	for (size_t i = 0; i < options->n_targets; i++) {
		probes.watch_exec |= options->targets[i].kind == OPTION_TARGET_NAME ||
		    options->targets[i].kind == OPTION_TARGET_EXE;
		probes.watch_listen |= options->targets[i].kind == OPTION_TARGET_PORT;
	}
	return probes;
}

static int add_selectors(struct watch *watch, const struct options *options, struct buf *message)
{
	static const enum target_kind kinds[] = {
	    [OPTION_TARGET_PID] = TARGET_PID,
	    [OPTION_TARGET_NAME] = TARGET_NAME,
	    [OPTION_TARGET_EXE] = TARGET_EXE,
	    [OPTION_TARGET_PORT] = TARGET_PORT,
	};

	for (size_t i = 0; i < options->n_targets; i++) {
		int err = target_set_add(
		    &watch->targets, kinds[options->targets[i].kind], options->targets[i].text);

		if (err) {
			buf_printf(message, "'%s' cannot be a target: %s", options->targets[i].text,
			    err == -EINVAL ? "not a pid, port or name" : strerror(-err));
			return err;
		}
	}
	return 0;
}

static int observe_program(struct watch *watch, uint32_t pid, const char *path)
{
	int err = probes_target_add(watch->probes, pid);
	struct watched *w = err ? NULL : watched_add(watch, pid);
	struct service_facts facts;

	if (!w)
		return err ? err : -ENOMEM;
	/* Until it runs the program it is a copy of zerospan, whose facts are not the program's. */
	facts = (struct service_facts){.pid = pid, .exe = path};
	if (pipeline_process(watch->pipeline, &facts))
		return -ENOMEM;
	snprintf(w->exe, sizeof(w->exe), "%s", path);
	w->born = true;
	sqlite_probes_expect_family(watch->sqlite, path);
	return 0;
}

int watch_new(const struct options *options, struct sv resource, struct watch **ret_watch,
    struct buf *message)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return -ENOMEM;
	target_set_init(&watch->targets, getpid());
	hmap_init(&watch->by_pid);
	list_init(&watch->all);
	process_facts_init(&watch->facts);
	watch->resources = resources_new(resource);
	err = watch->resources ? add_selectors(watch, options, message) : -ENOMEM;
	if (!err && watch->targets.n)
		err = target_resolve(&watch->targets, &watch->found, message);
	if (err) {
		watch_free(watch);
		return err;
	}
	*ret_watch = watch;
	return 0;
}

int watch_start(struct watch *watch, struct probes *probes, struct sqlite_probes *sqlite,
    struct pipeline *pipeline, uint32_t program_pid, const char *program_path)
{
	watch->probes = probes;
	watch->sqlite = sqlite;
	watch->pipeline = pipeline;
	for (size_t i = 0; i < watch->found.n; i++)
		observe(watch, (uint32_t)watch->found.items[i]);
	target_pids_release(&watch->found);
	observe_descendants(watch);
	return program_pid ? observe_program(watch, program_pid, program_path) : 0;
}

void watch_set_resource(struct watch *watch, struct sv resource)
{
	resources_set_configured(watch->resources, resource);
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	list_for_each (at, &watch->all) {
		watched_remove(watch, container_of(at, struct watched, link));
	}
	hmap_release(&watch->by_pid);
	target_pids_release(&watch->found);
	target_set_release(&watch->targets);
	process_facts_release(&watch->facts);
	resources_free(watch->resources);
	free(watch);
}

void watch_each(struct watch *watch, size_t max, void (*visit)(void *ctx, uint32_t pid), void *ctx)
{
	size_t n = watch->by_pid.count < max ? watch->by_pid.count : max;

	while (n--) {
		struct watched *w = container_of(watch->all.next, struct watched, link);

		list_remove(&w->link);
		list_add_tail(&watch->all, &w->link);
		visit(ctx, w->pid);
	}
}

size_t watch_count(const struct watch *watch)
{
	return watch->by_pid.count;
}

size_t watch_total(const struct watch *watch)
{
	return watch->total;
}

void watch_describe(const struct watch *watch, struct buf *out)
{
	size_t shown = 0;

	list_for_each (at, &watch->all) {
		const struct watched *w = container_of(at, struct watched, link);
		const char *slash = strrchr(w->exe, '/');

		if (shown == WATCH_DESCRIBE_MAX) {
			buf_printf(out, " and %zu more", watch_count(watch) - shown);
			return;
		}
		buf_printf(
		    out, "%s%s (pid %u)", shown ? ", " : "", slash ? slash + 1 : w->exe, w->pid);
		shown++;
	}
}
