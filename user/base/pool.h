/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of one size that come and go all the time: those given back are kept, up to a bound, and handed out again. For one
 * thread. Cheaper than the allocator, whose own quick lists hold only a handful per size.
 */
#ifndef ZS_BASE_POOL_H
#define ZS_BASE_POOL_H

#include <stddef.h>

struct pool {
	size_t size; /* of an object, at least a pointer's */
	size_t kept, max_kept;
	void *first; /* of those kept, linked through their first word */
};

/* size: of an object, at least a pointer's; max_kept: how many to keep for later. */
void pool_init(struct pool *pool, size_t size, size_t max_kept);
void pool_release(struct pool *pool); /* frees those kept; objects handed out are their owners' */

/* An object with any contents; NULL without memory. */
void *pool_take(struct pool *pool);

/* Give an object back; NULL is fine. */
void pool_give(struct pool *pool, void *object);

#endif
