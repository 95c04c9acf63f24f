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

enum {
	ATTACHMENT_LINKS_MAX = 10
};

/* One attachment: a copy in a process, or in every process. */
struct attachment {
	struct list link;
	uint32_t pid;            /* 0: every process */
	struct sqlite_copy copy; /* with paths of its own */
	struct bpf_link *links[ATTACHMENT_LINKS_MAX];
	size_t n_links;
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
};

struct sqlite_probes *sqlite_probes_new(struct probes *probes)
{
	struct sqlite_probes *sqlite = calloc(1, sizeof(*sqlite));

	if (!sqlite)
		return NULL;
	sqlite->probes = probes;
	sqlite->cache = sqlite_copy_cache_new();
	list_init(&sqlite->attachments);
	return sqlite;
}

static void attachment_free(struct sqlite_probes *sqlite, struct attachment *attachment)
{
	list_remove(&attachment->link);
	while (attachment->n_links > 0)
		probes_drop_link(sqlite->probes, attachment->links[--attachment->n_links]);
	free(attachment->copy.path);
	free(attachment->copy.attach_path);
	free(attachment);
}

void sqlite_probes_free(struct sqlite_probes *sqlite)
{
	if (!sqlite)
		return;
	sqlite_probes_detach(sqlite);
	sqlite_copy_cache_free(sqlite->cache);
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

static int attach_one(struct sqlite_probes *sqlite, struct attachment *a,
    const struct sqlite_copy *copy, uint32_t index, enum probes_program program, uint64_t offset,
    bool on_return)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = on_return);
	struct bpf_link *link;

	if (offset == 0) /* this copy lacks the function */
		return 0;
	if (probes_have_cookies(sqlite->probes))
		opts.bpf_cookie = index;
	link = bpf_program__attach_uprobe_opts(probes_program(sqlite->probes, program),
	    a->pid ? (pid_t)a->pid : -1, copy->attach_path, offset, &opts);
	if (!link)
		return -errno;
	a->links[a->n_links++] = link;
	return 0;
}

static int attach_copy(struct sqlite_probes *sqlite, uint32_t pid, const struct sqlite_copy *copy)
{
	const struct {
		enum probes_program program;
		uint64_t offset;
		bool on_return;
	} plan[] = {
	    {PROBES_SQLITE_STEP, copy->probe[SQLITE_FN_STEP].cheapest, false},
	    {PROBES_SQLITE_STEP_RETURN, copy->probe[SQLITE_FN_STEP].entry, true},
	    {PROBES_SQLITE_END, copy->probe[SQLITE_FN_RESET].cheapest, false},
	    {PROBES_SQLITE_END, copy->probe[SQLITE_FN_FINALIZE].cheapest, false},
	    {PROBES_SQLITE_CLOSE, copy->probe[SQLITE_FN_CLOSE].cheapest, false},
	    {PROBES_SQLITE_CLOSE, copy->probe[SQLITE_FN_CLOSE_V2].cheapest, false},
	    {PROBES_SQLITE_PREPARE, copy->probe[SQLITE_FN_PREPARE_V2].cheapest, false},
	    {PROBES_SQLITE_PREPARE_RETURN, copy->probe[SQLITE_FN_PREPARE_V2].entry, true},
	    {PROBES_SQLITE_PREPARE, copy->probe[SQLITE_FN_PREPARE_V3].cheapest, false},
	    {PROBES_SQLITE_PREPARE_RETURN, copy->probe[SQLITE_FN_PREPARE_V3].entry, true},
	};

	_Static_assert(
	    sizeof(plan) / sizeof(plan[0]) <= ATTACHMENT_LINKS_MAX, "room for all links");
	struct attachment *a;
	int index = copy_index(sqlite, copy), err = 0;

	if (index < 0)
		return index;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->pid = pid;
	a->copy = *copy;
	a->copy.path = strdup(copy->path);
	a->copy.attach_path = strdup(copy->attach_path);
	list_add_tail(&sqlite->attachments, &a->link);
	if (!a->copy.path || !a->copy.attach_path)
		err = -ENOMEM;
	if (!err && !probes_have_cookies(sqlite->probes))
		err = probes_target_set_copy(sqlite->probes, pid, (uint32_t)index);
	for (size_t i = 0; i < sizeof(plan) / sizeof(plan[0]) && !err; i++)
		err = attach_one(sqlite, a, copy, (uint32_t)index, plan[i].program, plan[i].offset,
		    plan[i].on_return);
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
static void attach_if_new(
    struct sqlite_probes *sqlite, uint32_t pid, const struct sqlite_copy *copy, enum moment moment)
{
	struct sqlite_copy wanted = *copy;
	int err;

	if (is_attached(sqlite, pid, copy))
		return;
	if (copy->state != SQLITE_COPY_TRACEABLE) {
		sqlite->refused++;
		log_warn(
		    "SQLite in '%s' (pid %u) is not traced: %s", copy->path, pid, copy->reason);
		return;
	}
	err = attach_copy(sqlite, pid, copy);
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
	}
}

static void attach_copies(struct sqlite_probes *sqlite, uint32_t pid,
    const struct sqlite_copies *copies, enum moment moment)
{
	for (size_t i = 0; i < copies->n; i++)
		attach_if_new(sqlite, pid, &copies->items[i], moment);
}

void sqlite_probes_scan(struct sqlite_probes *sqlite, uint32_t pid, bool born)
{
	struct sqlite_copies copies;

	if (sqlite_copy_scan(sqlite->cache, (pid_t)pid, 0, &copies))
		return;
	attach_copies(sqlite, pid, &copies, born ? MOMENT_MAPPED : MOMENT_RUNNING);
	sqlite_copies_release(&copies);
}

void sqlite_probes_expect(struct sqlite_probes *sqlite, uint32_t pid, const char *path)
{
	struct sqlite_copies copies;

	if (sqlite_copy_for_program(sqlite->cache, path, &copies))
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
			attach_if_new(sqlite, pid, &a->copy, MOMENT_RUNNING);
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

void sqlite_probes_stats(const struct sqlite_probes *sqlite, struct sqlite_probes_stats *ret_stats)
{
	*ret_stats = (struct sqlite_probes_stats){
	    .copies = sqlite->n_copies,
	    .refused = sqlite->refused,
	    .late = sqlite->late,
	};
	list_for_each (at, &sqlite->attachments) {
		ret_stats->processes++;
	}
}
