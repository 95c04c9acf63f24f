// SPDX-License-Identifier: Apache-2.0
/* Attaching SQLite probes; see sqlite_probes.h. */
#include "probe/sqlite_probes.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/list.h"
#include "base/log.h"
#include "discover/proc.h"
#include "discover/sqlite_copy.h"
#include "discover/sqlite_copy_cache.h"
#include "probe/sqlite_plan.h"
#include "probe/sqlite_untraced.h"

/* One attachment: a copy in a process, or in every process. */
struct attachment {
	struct list link;
	uint32_t pid;            /* 0: every process */
	uint32_t index;          /* of the copy */
	struct sqlite_copy copy; /* with paths of its own */
	struct sqlite_process *process;
	struct sqlite_plan_row rows[SQLITE_PLAN_MAX];
	struct bpf_link *links[SQLITE_PLAN_MAX]; /* by row; NULL: not attached */
	size_t n_rows;
};

struct known_copy {
	uint64_t dev, inode;
};

struct sqlite_probes {
	struct probes *probes;
	struct list attachments;
	struct known_copy copies[ZSP_SQLITE_COPIES_MAX]; /* index as in the kernel side's map */
	uint32_t n_copies;
	uint64_t refused, late;
	struct sqlite_copy_cache *cache; /* NULL without memory: files are read again */
	struct sqlite_untraced *untraced;
	struct sqlite_budget *budget;
	uint64_t next_tick_ns;
};

struct sqlite_probes *sqlite_probes_new(struct probes *probes, double budget_pct)
{
	struct sqlite_probes *sqlite = calloc(1, sizeof(*sqlite));

	if (!sqlite)
		return NULL;
	list_init(&sqlite->attachments);
	sqlite->probes = probes;
	sqlite->cache = sqlite_copy_cache_new();
	sqlite->budget = sqlite_budget_new(probes, budget_pct);
	sqlite->untraced = sqlite_untraced_new();
	if (!sqlite->budget || !sqlite->untraced) {
		sqlite_probes_free(sqlite);
		return NULL;
	}
	return sqlite;
}

/* Detach what is needed only in more detail than this. */
static void detach_rows(struct sqlite_probes *sqlite, struct attachment *a, unsigned detail)
{
	for (size_t i = a->n_rows;
	     i-- > 0;) { /* what is dropped last is detached first: the dearest */
		if (!a->links[i] || detail <= a->rows[i].until)
			continue;
		probes_drop_link(sqlite->probes, a->links[i], a->process ? a->process->number : 0);
		a->links[i] = NULL;
	}
}

static void attachment_free(struct sqlite_probes *sqlite, struct attachment *attachment)
{
	list_remove(&attachment->link);
	detach_rows(sqlite, attachment, ZSP_SQLITE_OFF + 1);
	sqlite_budget_release(sqlite->budget, attachment->process);
	free(attachment->copy.path);
	free(attachment->copy.attach_path);
	free(attachment);
}

void sqlite_probes_free(struct sqlite_probes *sqlite)
{
	if (!sqlite)
		return;
	sqlite_probes_detach(sqlite);
	sqlite_budget_free(sqlite->budget);
	sqlite_copy_cache_free(sqlite->cache);
	sqlite_untraced_free(sqlite->untraced);
	free(sqlite);
}

void sqlite_probes_detach(struct sqlite_probes *sqlite)
{
	list_for_each (at, &sqlite->attachments) {
		attachment_free(sqlite, container_of(at, struct attachment, link));
	}
}

static bool is_attached(
    const struct sqlite_probes *sqlite, uint32_t pid, const struct sqlite_copy *copy)
{
	list_for_each (at, &sqlite->attachments) {
		const struct attachment *a = container_of(at, struct attachment, link);

		if ((a->pid == pid || a->pid == 0) && a->copy.dev == copy->dev &&
		    a->copy.inode == copy->inode)
			return true;
	}
	return false;
}

/* The copy's number; a new one is told to the kernel side first. */
static int copy_index(struct sqlite_probes *sqlite, const struct sqlite_copy *copy)
{
	struct zsp_sqlite_copy offsets = {
	    .sql_offset = copy->sql_offset,
	    .db_offset = copy->db_offset,
	    .autocommit_offset = copy->autocommit_offset,
	    .errcode_offset = copy->errcode_offset,
	    .row_offset = copy->row_offset,
	};
	uint32_t i;
	int err;

	for (i = 0; i < sqlite->n_copies; i++)
		if (sqlite->copies[i].dev == copy->dev && sqlite->copies[i].inode == copy->inode)
			return (int)i;
	if (i == ZSP_SQLITE_COPIES_MAX)
		return -E2BIG;
	err = probes_set_copy(sqlite->probes, i, &offsets);
	if (err)
		return err;
	sqlite->copies[i] = (struct known_copy){.dev = copy->dev, .inode = copy->inode};
	sqlite->n_copies++;
	return (int)i;
}

static int attach_row(struct sqlite_probes *sqlite, struct attachment *a, size_t i)
{
	const struct sqlite_plan_row *row = &a->rows[i];
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = row->on_return);

	if (probes_have_cookies(sqlite->probes))
		opts.bpf_cookie = sqlite_budget_cookie(a->process, a->index);
	a->links[i] = bpf_program__attach_uprobe_opts(probes_program(sqlite->probes, row->program),
	    a->pid ? (pid_t)a->pid : -1, a->copy.attach_path, row->offset, &opts);
	return a->links[i] ? 0 : -errno;
}

/* Attach what this detail needs and is not attached yet. */
static int attach_rows(
    struct sqlite_probes *sqlite, struct attachment *a, enum zsp_sqlite_detail detail)
{
	int err = 0;

	for (size_t i = 0; i < a->n_rows && !err; i++)
		if (!a->links[i] && detail <= a->rows[i].until)
			err = attach_row(sqlite, a, i);
	return err;
}

/* parent: the process that this one was forked from, if it is to be observed like that; or NULL. */
static int attach_copy(struct sqlite_probes *sqlite, uint32_t pid, const struct sqlite_copy *copy,
    const struct sqlite_process *parent)
{
	struct attachment *a;
	int index = copy_index(sqlite, copy), err = 0;

	if (index < 0)
		return index;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->pid = pid;
	a->index = (uint32_t)index;
	a->copy = *copy;
	a->n_rows = sqlite_plan(copy, a->rows);
	a->copy.path = strdup(copy->path);
	a->copy.attach_path = strdup(copy->attach_path);
	a->process = sqlite_budget_process(sqlite->budget, pid, parent);
	list_add_tail(&sqlite->attachments, &a->link);
	if (!a->copy.path || !a->copy.attach_path || !a->process)
		err = -ENOMEM;
	if (!err)
		sqlite_budget_copy(a->process, &a->copy);
	if (!err && !probes_have_cookies(sqlite->probes))
		err = probes_target_set_cookie(
		    sqlite->probes, pid, sqlite_budget_cookie(a->process, a->index));
	if (!err)
		err = attach_rows(sqlite, a, a->process->tier.detail);
	if (err)
		attachment_free(sqlite, a);
	return err;
}

/* What is known of the process at the time of an attachment. */
enum moment {
	MOMENT_RUNNING, /* it ran before it was observed, or shares its parent's past */
	MOMENT_AHEAD,   /* observed from its first instruction, and expected to map the copy */
	MOMENT_MAPPED,  /* observed from its first instruction, and has mapped the copy already */
};

static int map_is_copy(const struct proc_map *map, void *arg)
{
	const struct sqlite_copy *copy = arg;

	return map->executable && map->inode == copy->inode;
}

/* Attached, but were we in time? */
static bool is_late(uint32_t pid, struct sqlite_copy *copy, enum moment moment)
{
	if (moment == MOMENT_AHEAD && pid)
		return proc_each_map((pid_t)pid, map_is_copy, copy) > 0;
	return moment == MOMENT_MAPPED;
}

/* Attach unless it is so already; say what cannot be done. */
static void attach_if_new(struct sqlite_probes *sqlite, uint32_t pid,
    const struct sqlite_copy *copy, enum moment moment, const struct sqlite_process *parent)
{
	struct sqlite_copy wanted = *copy;
	uint32_t known = sqlite->n_copies;
	int err;

	if (is_attached(sqlite, pid, copy))
		return;
	if (copy->state != SQLITE_COPY_TRACEABLE) {
		if (copy->state == SQLITE_COPY_NAMELESS)
			sqlite_untraced_look(sqlite->untraced, pid, copy);
		else
			sqlite_untraced_refused(sqlite->untraced, pid, copy);
		return;
	}
	err = attach_copy(sqlite, pid, copy, parent);
	if (err == -ESRCH) { /* ended meanwhile */
		sqlite->late += moment == MOMENT_MAPPED;
		return;
	}
	sqlite->late += is_late(pid, &wanted, moment);
	if (err) {
		sqlite->refused++;
		log_warn("cannot attach to SQLite in '%s' (pid %u): %s", copy->path, pid,
		    strerror(-err));
	} else {
		log_debug("attached to SQLite in '%s' (pid %u)", copy->path, pid);
		if (copy->limit && sqlite->n_copies > known) /* once per file */
			log_warn("SQLite in '%s' (pid %u) is %s", copy->path, pid, copy->limit);
	}
}

static void attach_copies(struct sqlite_probes *sqlite, uint32_t pid,
    const struct sqlite_copies *copies, enum moment moment)
{
	for (size_t i = 0; i < copies->n; i++)
		attach_if_new(sqlite, pid, &copies->items[i], moment, NULL);
}

void sqlite_probes_scan(struct sqlite_probes *sqlite, uint32_t pid, bool born)
{
	struct sqlite_copies copies;

	if (sqlite_copy_scan(sqlite->cache, (pid_t)pid, SQLITE_COPY_LIST_NAMELESS, &copies))
		return;
	attach_copies(sqlite, pid, &copies, born ? MOMENT_MAPPED : MOMENT_RUNNING);
	sqlite_copies_release(&copies);
}

void sqlite_probes_expect(struct sqlite_probes *sqlite, uint32_t pid, const char *path)
{
	struct sqlite_copies copies;

	if (sqlite_copy_for_program(sqlite->cache, path, SQLITE_COPY_LIST_NAMELESS, &copies))
		return;
	attach_copies(sqlite, pid, &copies, MOMENT_AHEAD);
	sqlite_copies_release(&copies);
}

void sqlite_probes_expect_family(struct sqlite_probes *sqlite, const char *path)
{
	sqlite_probes_expect(sqlite, 0, path);
}

void sqlite_probes_inherit(struct sqlite_probes *sqlite, uint32_t parent_pid, uint32_t pid)
{
	/* New attachments go to the list's tail and are not of the parent: the walk ends. */
	list_for_each (at, &sqlite->attachments) {
		const struct attachment *a = container_of(at, struct attachment, link);

		if (a->pid == parent_pid)
			attach_if_new(sqlite, pid, &a->copy, MOMENT_RUNNING, a->process);
	}
}

void sqlite_probes_forget(struct sqlite_probes *sqlite, uint32_t pid)
{
	list_for_each (at, &sqlite->attachments) {
		struct attachment *a = container_of(at, struct attachment, link);

		if (a->pid == pid)
			attachment_free(sqlite, a);
	}
}

bool sqlite_probes_search(struct sqlite_probes *sqlite, size_t bytes)
{
	return sqlite_untraced_work(sqlite->untraced, bytes);
}

/* --- within the budget ---------------------------------------------------------------------------- */

static void describe_process(uint32_t pid, struct buf *out)
{
	struct proc_stat stat;

	if (pid == 0)
		buf_append_cstr(out, "the command and what it started");
	else if (proc_read_stat((pid_t)pid, &stat))
		buf_printf(out, "pid %u", pid);
	else
		buf_printf(out, "%s (pid %u)", stat.comm, pid);
}

static void say_change(const struct sqlite_probes *sqlite, const struct sqlite_process *process,
    enum zsp_sqlite_detail before)
{
	static const char *const consequences[] = {
	    [ZSP_SQLITE_FULL] = "all is told again",
	    [ZSP_SQLITE_EXECUTIONS] =
		"executions are told whole, statements that cannot be prepared are not",
	    [ZSP_SQLITE_STATEMENTS] =
		"of executions only the beginning is told, without duration, rows and result, and nothing of statements that cannot be prepared",
	    [ZSP_SQLITE_OFF] = "its statements are not seen from now on",
	};
	enum zsp_sqlite_detail now = process->tier.detail;
	double share_pct = process->tier.share_pct, budget_pct = sqlite_budget_pct(sqlite->budget);
	struct buf what;

	buf_init(&what);
	buf_append_cstr(&what, "SQLite in ");
	describe_process(process->pid, &what);
	buf_printf(&what, ": detail %s -> %s, ", tier_name(before), tier_name(now));
	if (now > before)
		buf_printf(&what,
		    "its probes took %.3g %% of the CPU time, --budget is %.3g %%: %s", share_pct,
		    budget_pct, consequences[now]);
	else if (before == ZSP_SQLITE_OFF)
		buf_append_cstr(&what, "to see what it costs now");
	else if (share_pct < budget_pct)
		buf_printf(&what,
		    "its probes will take %.3g %% of the CPU time, --budget is %.3g %%: %s",
		    share_pct, budget_pct, consequences[now]);
	else
		buf_printf(&what, "it hardly runs now: %s", consequences[now]);
	if (what.data && now > before)
		log_warn("%s", what.data);
	else if (what.data)
		log_info("%s", what.data);
	buf_release(&what);
}

/*
 * Going up the kernel side is told when all is in place, going down before anything goes: either way it finds what the detail
 * needs.
 */
static void change_detail(
    struct sqlite_probes *sqlite, struct sqlite_process *process, enum zsp_sqlite_detail before)
{
	enum zsp_sqlite_detail now = process->tier.detail;
	int err = 0;

	if (now > before)
		sqlite_budget_enter(sqlite->budget, process);
	list_for_each (at, &sqlite->attachments) {
		struct attachment *a = container_of(at, struct attachment, link);

		if (a->process != process)
			continue;
		if (now > before)
			detach_rows(sqlite, a, now);
		else if (!err)
			err = attach_rows(sqlite, a, now);
	}
	if (now < before)
		sqlite_budget_enter(sqlite->budget, process);
	if (err == -ESRCH) /* it has ended: that will be told */
		return;
	say_change(sqlite, process, before);
	if (err)
		log_warn("not all probes of SQLite in pid %u are attached again: %s", process->pid,
		    strerror(-err));
}

void sqlite_probes_tick(
    struct sqlite_probes *sqlite, uint64_t now_ns, sqlite_probes_cpu_ns *cpu_ns, void *ctx)
{
	if (now_ns < sqlite->next_tick_ns)
		return;
	sqlite->next_tick_ns = now_ns + SQLITE_BUDGET_PERIOD_NS;
	list_for_each (at, sqlite_budget_processes(sqlite->budget)) {
		struct sqlite_process *process = container_of(at, struct sqlite_process, link);
		enum zsp_sqlite_detail before = process->tier.detail;

		if (sqlite_budget_sample(
			sqlite->budget, process, now_ns, cpu_ns(ctx, process->pid)))
			change_detail(sqlite, process, before);
	}
}

void sqlite_probes_each(const struct sqlite_probes *sqlite,
    void (*visit)(void *ctx, uint32_t pid, enum zsp_sqlite_detail detail), void *ctx)
{
	list_for_each (at, sqlite_budget_processes(sqlite->budget)) {
		const struct sqlite_process *process =
		    container_of(at, struct sqlite_process, link);

		visit(ctx, process->pid, process->tier.detail);
	}
}

void sqlite_probes_stats(const struct sqlite_probes *sqlite, struct sqlite_probes_stats *ret_stats)
{
	*ret_stats = (struct sqlite_probes_stats){
	    .copies = sqlite->n_copies,
	    .refused = sqlite->refused,
	    .late = sqlite->late,
	};
	sqlite_untraced_stats(sqlite->untraced, &ret_stats->untraced);
	list_for_each (at, &sqlite->attachments) {
		ret_stats->processes++;
	}
	sqlite_budget_stats(sqlite->budget, &ret_stats->budget);
}
