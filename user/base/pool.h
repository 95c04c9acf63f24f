/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freed objects of one size, kept for the next ones: for objects that are made and freed in waves, which malloc's own
 * cache (7 of a size) does not catch. Not for several threads.
 */
#ifndef ZS_BASE_POOL_H
#define ZS_BASE_POOL_H

#include <stddef.h>

struct pool {
	void *free; /* chain through the first word of each */
	size_t n;
	size_t size; /* of an object, at least that of a pointer */
	size_t
	    max; /* keep at most so many; under a sanitizer none, or it would see no use after free */
};

void pool_init(struct pool *pool, size_t size, size_t max);

/* Free what is kept. Objects in use are the caller's. */
void pool_release(struct pool *pool);

/* A zeroed object, NULL without memory; given back with pool_put() or free(). */
void *pool_get(struct pool *pool);
void pool_put(struct pool *pool, void *object); /* NULL is fine */

#endif
