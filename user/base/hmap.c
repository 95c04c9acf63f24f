// SPDX-License-Identifier: Apache-2.0
/* Intrusive chained hash map; see hmap.h. Doubles when there are as many nodes as buckets. */
#include "base/hmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HMAP_MIN_BUCKETS = 16
};

void hmap_init(struct hmap *map)
{
	map->buckets = NULL;
	map->mask = 0;
	map->count = 0;
}

void hmap_release(struct hmap *map)
{
	free(map->buckets);
	hmap_init(map);
}

static int hmap_resize(struct hmap *map, size_t buckets)
{
	struct hnode **fresh = calloc(buckets, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; map->buckets && i <= map->mask; i++) {
		struct hnode *node = map->buckets[i];

		while (node) {
			struct hnode *next = node->next;
			struct hnode **slot = &fresh[node->hash & (buckets - 1)];

			node->next = *slot;
			*slot = node;
			node = next;
		}
	}
	free(map->buckets);
	map->buckets = fresh;
	map->mask = buckets - 1;
	return 0;
}

int hmap_add(struct hmap *map, uint64_t hash, struct hnode *node)
{
	if (!map->buckets) {
		int err = hmap_resize(map, HMAP_MIN_BUCKETS);

		if (err)
			return err;
	} else if (map->count > map->mask) {
		(void)hmap_resize(map, (map->mask + 1) * 2);
	}
	node->hash = hash;
	node->next = map->buckets[hash & map->mask];
	map->buckets[hash & map->mask] = node;
	map->count++;
	return 0;
}

void hmap_remove(struct hmap *map, struct hnode *node)
{
	struct hnode **slot = &map->buckets[node->hash & map->mask];

	while (*slot != node)
		slot = &(*slot)->next;
	*slot = node->next;
	node->next = NULL;
	map->count--;
}

struct hnode *hmap_first(const struct hmap *map, uint64_t hash)
{
	struct hnode *node = map->buckets ? map->buckets[hash & map->mask] : NULL;

	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct hnode *hmap_next_same(const struct hnode *node)
{
	struct hnode *next = node->next;

	while (next && next->hash != node->hash)
		next = next->next;
	return next;
}

struct hnode *hmap_iterate(const struct hmap *map, size_t *slot, struct hnode *prev)
{
	if (prev && prev->next)
		return prev->next;
	if (!map->buckets)
		return NULL;
	for (; *slot <= map->mask; (*slot)++) {
		if (map->buckets[*slot])
			return map->buckets[(*slot)++];
	}
	return NULL;
}

struct hnode *hmap_pop(struct hmap *map, size_t *slot)
{
	struct hnode *node;

	if (!map->buckets)
		return NULL;
	while (*slot <= map->mask && !map->buckets[*slot])
		++*slot;
	if (*slot > map->mask)
		return NULL;
	node = map->buckets[*slot];
	map->buckets[*slot] = node->next;
	node->next = NULL;
	map->count--;
	return node;
}

uint64_t hash_bytes(const void *p, size_t len)
{
	const unsigned char *at = p;
	uint64_t h = len * 0x9e3779b97f4a7c15ULL, word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		h = (h ^ word) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	for (word = 0; len; len--)
		word = word << 8 | at[len - 1];
	return hash_u64(h ^ word);
}
