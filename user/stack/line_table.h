/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source lines of addresses, from .debug_line (DWARF 2 to 5; DWARF 5, section 6.2). Pure, without
 * memory of its own: the table is run through for each address. libdw's reader builds a list of all
 * rows and a path for each file, of which a table of 2 MB can ask for 100 GB; hence this one.
 */
#ifndef ZS_STACK_LINE_TABLE_H
#define ZS_STACK_LINE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"

enum {
	LINE_TABLE_MAX = 16 << 20, /* bytes of one unit's; of SQLite as one file 0.8 MB */
};

/* The sections; borrowed. */
struct line_sections {
	struct sv line;     /* .debug_line */
	struct sv line_str; /* .debug_line_str */
	struct sv str;      /* .debug_str */
};

struct line_row {
	uint64_t file; /* as line_table_file() takes it */
	uint64_t line; /* 0: no line of the source */
};

/*
 * The row for an address in the table at an offset of .debug_line. Returns 0, -ENOENT when no row
 * covers it, -EBADMSG, -EFBIG.
 */
int line_table_find(const struct line_sections *sections, uint64_t offset, uint64_t address,
    struct line_row *ret_row);

/*
 * Path of a file of that table. directory: of the compilation (DW_AT_comp_dir), or NULL. A path
 * that does not fit loses its beginning. Returns 0, -ENOENT, -EBADMSG.
 */
int line_table_file(const struct line_sections *sections, uint64_t offset, const char *directory,
    uint64_t file, char *ret_path, size_t size);

#endif
