/* SPDX-License-Identifier: Apache-2.0 */
/* Part of debug_info: from a unit and an address to the functions around it. */
#ifndef ZS_STACK_DEBUG_WALK_H
#define ZS_STACK_DEBUG_WALK_H

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "stack/debug_info.h"
#include "stack/debug_units.h"

/* One file as libdw has it. */
struct debug_file {
	struct buf bytes; /* of the image that libdw reads */
	struct debug_sections sections;
	struct debug_units units;
	Elf *elf;
	Dwarf *dwarf;
	size_t kept; /* bytes that libdw keeps, estimated */
};

/* Time that the calling thread has spent on a CPU: a limit in it holds on a busy host, too. */
uint64_t debug_cpu_ns(void);

/*
 * Fill up to max places, innermost first. Returns how many (0: none there), or -ETIME when it took
 * too long or too much.
 */
int debug_walk(struct debug_file *own, struct debug_file *alternate, size_t unit, uint64_t address,
    struct debug_place *places, size_t max);

#endif
