/* SPDX-License-Identifier: Apache-2.0 */
/* Zeroed memory for small objects that come and go with every event. */
#ifndef ZS_BASE_ALLOC_H
#define ZS_BASE_ALLOC_H

#include <stdlib.h>
#include <string.h>

/*
 * As calloc(1, size); NULL without memory. glibc's calloc passes by the per-thread cache that its malloc and free
 * use (until 2.41), which costs some 150 instructions for each object, and as much again when it is freed.
 */
static inline void *alloc_zeroed(size_t size)
{
	void *p = malloc(size);

	__asm__("" : "+r"(p)); /* or the compiler makes calloc of it */
	if (p)
		memset(p, 0, size);
	return p;
}

#endif
