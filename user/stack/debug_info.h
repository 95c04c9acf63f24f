/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions and source lines of an address, inlined calls included, from debug information, whose
 * tree of functions libdw reads. libdw gets a copy of the sections (debug_image.h), looks only at
 * units that are within limits (debug_units.h), and is started afresh when what it keeps has grown.
 * Debug information that takes too long is given up for good. Knows nothing of processes and of
 * where the file came from.
 */
#ifndef ZS_STACK_DEBUG_INFO_H
#define ZS_STACK_DEBUG_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/image.h"

enum {
	DEBUG_PATH_SIZE = 192, /* longer paths lose their beginning */
	/* Address ranges of all units; with -ffunction-sections one per function. */
	DEBUG_RANGES_MAX = 1 << 18,
	DEBUG_INLINED_MAX = 32,      /* calls inlined into one another; deeper ones are not told */
	DEBUG_KEPT_MAX = 32 << 20,   /* estimated bytes that libdw may keep between two addresses */
	DEBUG_ENTRIES_MAX = 1 << 20, /* looked at for one address */
	DEBUG_LIST_MS_MAX = 2000,    /* for the ranges of all units, once */
	DEBUG_FIND_MS_MAX = 500,     /* for one address; in SQLite as one file 5 */
};

struct debug_info;

/* One function, or one inlined into the next. Names are borrowed until the next call. */
struct debug_place {
	/* As linkers know it where that differs (C++, Rust); NULL: not known; borrowed. */
	const char *function;
	bool linked;                /* it does differ */
	char file[DEBUG_PATH_SIZE]; /* as the compiler was given it, or its end; "": not known */
	uint32_t line;              /* 0: not known */
};

/*
 * Read debug information from an image: the program's own, or its separate debug file. alternate:
 * the file that several debug files share (.gnu_debugaltlink), or NULL. Both may be closed
 * afterwards. Returns 0, -ENOENT when there is none, -EFBIG beyond the limits, -ENOTSUP, -EBADMSG,
 * -ENOMEM.
 */
int debug_info_new(
    const struct image *image, const struct image *alternate, struct debug_info **ret_info);

void debug_info_free(struct debug_info *info); /* NULL is fine */

/* Fill up to max places, innermost first. Returns how many, 0 when the address is not covered. */
size_t debug_info_find(
    struct debug_info *info, uint64_t address, struct debug_place *places, size_t max);

/* Bytes of memory, about. */
size_t debug_info_memory(const struct debug_info *info);

#endif
