/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive chained hash map. The map stores nodes that callers embed in their objects, knows only
 *the 64-bit hash of a key and leaves equality to the caller, who walks the nodes of one hash:
 *
 *	hmap_for_each_hash(node, &map, hash) {
 *		struct thing *t = container_of(node, struct thing, node);
 *		if (t->key == key) ...
 *	}
 *
 * Growing is best effort: when memory is short the chains get longer and nothing is lost.
 */
#ifndef ZS_BASE_HMAP_H
#define ZS_BASE_HMAP_H

#include <stddef.h>
#include <stdint.h>

struct hnode {
	struct hnode *next;
	uint64_t hash;
};

struct hmap {
	struct hnode **buckets; /* NULL until the first insertion */
	size_t mask;            /* number of buckets - 1 */
	size_t count;           /* nodes in the map */
};

void hmap_init(struct hmap *map);

/* Free the bucket array. The nodes belong to the caller and are not touched. */
void hmap_release(struct hmap *map);

/* Insert node under hash; equal hashes may repeat. Returns 0 or -ENOMEM (only for the first bucket
 * array). */
int hmap_add(struct hmap *map, uint64_t hash, struct hnode *node);

/* Remove node, which must be in the map. */
void hmap_remove(struct hmap *map, struct hnode *node);

/* First node with this hash, or NULL. */
struct hnode *hmap_first(const struct hmap *map, uint64_t hash);

/* Next node with the same hash, or NULL. */
struct hnode *hmap_next_same(const struct hnode *node);

/* Any order; *slot starts at 0. NULL at the end. The map must not change between calls. */
struct hnode *hmap_iterate(const struct hmap *map, size_t *slot, struct hnode *prev);

/* Take any node out, NULL when the map is empty; for emptying a map. *slot starts at 0. */
struct hnode *hmap_pop(struct hmap *map, size_t *slot);

#define hmap_for_each_hash(pos, map, h)                                   \
	for (struct hnode *pos = hmap_first(map, h),                      \
			  *pos##_next = pos ? hmap_next_same(pos) : NULL; \
	     pos; pos = pos##_next, pos##_next = pos ? hmap_next_same(pos) : NULL)

/* Mix of one integer key: the finaliser of MurmurHash3 (public domain). */
static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	x ^= x >> 33;
	return x;
}

static inline uint64_t hash_combine(uint64_t a, uint64_t b)
{
	return hash_u64(a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2)));
}

/* Eight bytes per step, then mixed. Not for untrusted keys in unbounded maps: every map here is
 * bounded. */
uint64_t hash_bytes(const void *p, size_t len);

#endif
