// SPDX-License-Identifier: Apache-2.0
/* A list of objects for later; see pool.h. */
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>

struct kept {
	struct kept *next;
};

void pool_init(struct pool *pool, size_t size, size_t max_kept)
{
	assert(size >= sizeof(struct kept));
	*pool = (struct pool){.size = size, .max_kept = max_kept};
}

void pool_release(struct pool *pool)
{
	while (pool->first) {
		struct kept *object = pool->first;

		pool->first = object->next;
		free(object);
	}
	pool->kept = 0;
}

void *pool_take(struct pool *pool)
{
	struct kept *object = pool->first;

	if (!object)
		return malloc(pool->size);
	pool->first = object->next;
	pool->kept--;
	return object;
}

void pool_give(struct pool *pool, void *object)
{
	struct kept *kept = object;

	if (!object || pool->kept == pool->max_kept) {
		free(object);
		return;
	}
	kept->next = pool->first;
	pool->first = kept;
	pool->kept++;
}
