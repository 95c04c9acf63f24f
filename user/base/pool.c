// SPDX-License-Identifier: Apache-2.0
/* Kept objects in a chain, the last freed first: it is still in the CPU's cache. See pool.h. */
#include "base/pool.h"

#include "base/alloc.h"

void pool_init(struct pool *pool, size_t size, size_t max)
{
	*pool = (struct pool){.size = size, .max = max};
#ifdef __SANITIZE_ADDRESS__
	pool->max = 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	pool->max = 0;
#endif
#endif
}

void pool_release(struct pool *pool)
{
	while (pool->free) {
		void *object = pool->free;

		memcpy(&pool->free, object, sizeof(pool->free));
		free(object);
	}
	pool->n = 0;
}

void *pool_get(struct pool *pool)
{
	void *object = pool->free;

	if (!object)
		return alloc_zeroed(pool->size);
	memcpy(&pool->free, object, sizeof(pool->free));
	pool->n--;
	return memset(object, 0, pool->size);
}

void pool_put(struct pool *pool, void *object)
{
	if (!object || pool->n >= pool->max) {
		free(object);
		return;
	}
	memcpy(object, &pool->free, sizeof(pool->free));
	pool->free = object;
	pool->n++;
}
