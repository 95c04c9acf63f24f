/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compilation units of debug information, looked at before libdw is: libdw keeps what it parses
 * and takes some 20 times the bytes for it, so a file made for the purpose could take all memory.
 * Here it is settled how much a unit can cost, and whether the whole is within reason. Pure.
 */
#ifndef ZS_STACK_DEBUG_UNITS_H
#define ZS_STACK_DEBUG_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"
#include "stack/debug_image.h"

enum {
	/* Debian's C library has 2000, and libdw takes 1 KB for each. */
	DEBUG_UNITS_MAX = 1 << 15,
	/* Bytes of a unit's abbreviations; SQLite's have 4 KB. */
	DEBUG_ABBREVS_MAX = 64 << 10,
	/* Bytes of all units', shared ones as often as they are used; Debian's C library: 1 MB. */
	DEBUG_MEASURED_MAX = 64 << 20,
	/* Bytes of what stands in them before the units' own; compilers put that first. */
	DEBUG_SEARCHED_MAX = 8 << 20,
};

struct debug_unit {
	uint64_t offset;  /* of its header in .debug_info */
	uint64_t die;     /* of its first entry */
	uint32_t abbrevs; /* bytes of its abbreviations */
	bool seen;        /* parsed by libdw; for whoever counts */
};

struct debug_units {
	struct debug_unit *items; /* by offset */
	size_t n;
};

/*
 * List the units. Returns 0, -EFBIG when they are beyond the limits, -EBADMSG when they are
 * damaged, -ENOENT when there is none, -ENOMEM.
 */
int debug_units_list(const struct debug_sections *sections, struct debug_units *ret_units);

void debug_units_release(struct debug_units *units);

/* The unit that holds an offset of .debug_info, or NULL. */
struct debug_unit *debug_units_at(struct debug_units *units, uint64_t offset);

#endif
