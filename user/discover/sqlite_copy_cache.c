// SPDX-License-Identifier: Apache-2.0
/* Examined files; see sqlite_copy_cache.h. */
#include "discover/sqlite_copy_cache.h"

#include <stdlib.h>

#include "base/hmap.h"
#include "base/list.h"

struct known_file {
	struct hnode node;
	dev_t dev;
	ino_t inode;
	off_t size;
	struct timespec changed;
	struct sqlite_copy copy;
};

struct sqlite_copy_cache {
	struct hmap files;
};

struct sqlite_copy_cache *sqlite_copy_cache_new(void)
{
	struct sqlite_copy_cache *cache = calloc(1, sizeof(*cache));

	if (cache)
		hmap_init(&cache->files);
	return cache;
}

static void cache_clear(struct sqlite_copy_cache *cache)
{
	struct hnode *node;
	size_t slot = 0;

	while ((node = hmap_pop(&cache->files, &slot)))
		free(container_of(node, struct known_file, node));
}

void sqlite_copy_cache_free(struct sqlite_copy_cache *cache)
{
	if (!cache)
		return;
	cache_clear(cache);
	hmap_release(&cache->files);
	free(cache);
}

static uint64_t file_hash(const struct stat *st)
{
	return hash_combine((uint64_t)st->st_dev, (uint64_t)st->st_ino);
}

bool sqlite_copy_cache_get(
    const struct sqlite_copy_cache *cache, const struct stat *st, struct sqlite_copy *ret_copy)
{
	if (!cache)
		return false;
	hmap_for_each_hash (node, &cache->files, file_hash(st)) {
		const struct known_file *file = container_of(node, struct known_file, node);

		if (file->dev == st->st_dev && file->inode == st->st_ino &&
		    file->size == st->st_size && file->changed.tv_sec == st->st_ctim.tv_sec &&
		    file->changed.tv_nsec == st->st_ctim.tv_nsec) {
			*ret_copy = file->copy;
			return true;
		}
	}
	return false;
}

void sqlite_copy_cache_put(
    struct sqlite_copy_cache *cache, const struct stat *st, const struct sqlite_copy *copy)
{
	struct known_file *file = cache ? calloc(1, sizeof(*file)) : NULL;

	if (!file)
		return;
	if (cache->files.count >= SQLITE_COPY_CACHE_MAX)
		cache_clear(cache);
	file->dev = st->st_dev;
	file->inode = st->st_ino;
	file->size = st->st_size;
	file->changed = st->st_ctim;
	file->copy = *copy;
	if (hmap_add(&cache->files, file_hash(st), &file->node))
		free(file);
}
