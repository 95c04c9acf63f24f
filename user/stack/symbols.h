/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of an image by address, from one of its symbol tables. Addresses and sizes are kept,
 * sorted; names are read when one is asked for. Names are given as they stand in the table:
 * demangling them needs a C++ library.
 */
#ifndef ZS_STACK_SYMBOLS_H
#define ZS_STACK_SYMBOLS_H

#include "stack/image.h"

enum {
	SYMBOLS_MAX = 1 << 19, /* functions of a table, 12 MB of memory; node has 180 000 symbols */
	SYMBOL_NAME_SIZE = 256, /* longer names (C++ templates) are cut */
};

enum symbols_table {
	SYMBOLS_TABLE_INVALID = 0,
	SYMBOLS_TABLE_FULL = 1,    /* .symtab */
	SYMBOLS_TABLE_DYNAMIC = 2, /* .dynsym: what a stripped library still exports */
};

struct symbols;

/*
 * Read a table. image is borrowed until symbols_free(). Returns 0, -ENOENT when it is not there or
 * has no function, -EFBIG, -EBADMSG, -ENOMEM.
 */
int symbols_new(const struct image *image, enum symbols_table table, struct symbols **ret_symbols);

void symbols_free(struct symbols *symbols); /* NULL is fine */

/*
 * The function that an address lies in; of several names for one function the plainest
 * ("nanosleep", not "__nanosleep"). Returns 0 or -ENOENT.
 */
int symbols_find(const struct symbols *symbols, uint64_t address, char ret_name[SYMBOL_NAME_SIZE],
    uint64_t *ret_start);

/* Bytes of memory. */
size_t symbols_memory(const struct symbols *symbols);

#endif
