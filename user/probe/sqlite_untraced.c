// SPDX-License-Identifier: Apache-2.0
/* Files that were refused or are searched; see sqlite_untraced.h. */
#include "probe/sqlite_untraced.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hmap.h"
#include "base/list.h"
#include "base/log.h"
#include "discover/sqlite_source_id.h"

enum {
	FILES_MAX =
	    4096, /* remembered; a desktop's programs map some 2000. Later ones are not searched */
	WAITING_MAX = 64, /* open at a time; for one more the first is searched at once */
};

struct file {
	struct hnode node;
	struct list waiting; /* while it is searched */
	uint64_t dev, inode;
	uint32_t pid; /* the first that had it */
	char *path;
	struct sqlite_source_search search;
};

struct sqlite_untraced {
	struct hmap files;
	struct list waiting;
	size_t n_waiting;
	struct sqlite_untraced_stats stats;
};

struct sqlite_untraced *sqlite_untraced_new(void)
{
	struct sqlite_untraced *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	hmap_init(&u->files);
	list_init(&u->waiting);
	return u;
}

static void stop_waiting(struct sqlite_untraced *u, struct file *file)
{
	list_remove(&file->waiting);
	u->n_waiting--;
	close(file->search.fd);
	free(file->path);
	file->path = NULL;
}

void sqlite_untraced_free(struct sqlite_untraced *u)
{
	struct hnode *node;
	size_t slot = 0;

	if (!u)
		return;
	list_for_each (at, &u->waiting) {
		stop_waiting(u, container_of(at, struct file, waiting));
	}
	while ((node = hmap_pop(&u->files, &slot)))
		free(container_of(node, struct file, node));
	hmap_release(&u->files);
	free(u);
}

static bool is_known(const struct sqlite_untraced *u, const struct sqlite_copy *copy)
{
	hmap_for_each_hash (node, &u->files, hash_combine(copy->dev, copy->inode)) {
		const struct file *file = container_of(node, struct file, node);

		if (file->dev == copy->dev && file->inode == copy->inode)
			return true;
	}
	return false;
}

/* Remember a file; NULL without memory or room. */
static struct file *file_add(struct sqlite_untraced *u, const struct sqlite_copy *copy)
{
	struct file *file = u->files.count < FILES_MAX ? calloc(1, sizeof(*file)) : NULL;

	if (!file)
		return NULL;
	file->dev = copy->dev;
	file->inode = copy->inode;
	if (hmap_add(&u->files, hash_combine(copy->dev, copy->inode), &file->node)) {
		free(file);
		return NULL;
	}
	return file;
}

void sqlite_untraced_refused(
    struct sqlite_untraced *u, uint32_t pid, const struct sqlite_copy *copy)
{
	if (is_known(u, copy) || !file_add(u, copy))
		return;
	u->stats.refused++;
	log_warn("SQLite in '%s' (pid %u) is not traced: %s", copy->path, pid, copy->reason);
}

static int open_same(const struct sqlite_copy *copy)
{
	int fd = open(copy->attach_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 &&
	    (fstat(fd, &st) != 0 || st.st_dev != copy->dev || st.st_ino != copy->inode)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void conclude(struct sqlite_untraced *u, struct file *file, int found)
{
	if (found < 0)
		u->stats.unsearched++;
	if (found > 0 && !sqlite_copy_loads_library(file->search.fd)) {
		u->stats.stripped++;
		log_warn(
		    "SQLite in '%s' (pid %u) is not traced: it is linked in without symbols; run the program as it was before strip, or with the shared library",
		    file->path, file->pid);
	}
	stop_waiting(u, file);
}

/* The first that waits, to its end. */
static void search_first(struct sqlite_untraced *u)
{
	struct file *file = container_of(u->waiting.next, struct file, waiting);

	conclude(u, file, sqlite_source_search(&file->search, SIZE_MAX));
}

void sqlite_untraced_look(struct sqlite_untraced *u, uint32_t pid, const struct sqlite_copy *copy)
{
	struct file *file;

	if (is_known(u, copy))
		return;
	if (u->n_waiting == WAITING_MAX)
		search_first(u);
	file = file_add(u, copy);
	if (!file) {
		u->stats.unsearched++;
		return;
	}
	file->pid = pid;
	file->path = strdup(copy->path);
	file->search.fd = file->path ? open_same(copy) : -1;
	if (file->search.fd < 0) {
		free(file->path);
		file->path = NULL;
		u->stats.unsearched++;
		return;
	}
	list_add_tail(&u->waiting, &file->waiting);
	u->n_waiting++;
}

bool sqlite_untraced_work(struct sqlite_untraced *u, size_t bytes)
{
	size_t done = 0;

	list_for_each (at, &u->waiting) {
		struct file *file = container_of(at, struct file, waiting);
		off_t from = file->search.at;
		int found;

		if (done >= bytes)
			break;
		found = sqlite_source_search(&file->search, bytes - done);
		done += (size_t)(file->search.at > from ? file->search.at - from : 0);
		if (found != -EAGAIN)
			conclude(u, file, found);
	}
	return u->n_waiting > 0;
}

void sqlite_untraced_stats(const struct sqlite_untraced *u, struct sqlite_untraced_stats *ret_stats)
{
	*ret_stats = u->stats;
	ret_stats->unsearched += u->n_waiting;
}
