/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of a whole .eh_frame or .debug_frame section, sorted, for programs whose linker
 * made no table of them (static ones) and for tables that exist for debuggers only. Held in memory,
 * within bounds.
 */
#ifndef ZS_STACK_CFI_INDEX_H
#define ZS_STACK_CFI_INDEX_H

#include "stack/cfi_search.h"

enum {
	CFI_INDEX_BYTES_MAX = 16 << 20, /* of a section; the LLVM library has 5 MB */
	CFI_INDEX_ENTRIES_MAX = 1 << 18,
};

struct cfi_index;

/*
 * Read the section of an image: ".eh_frame" or ".debug_frame" as kind says. Returns 0, -ENOENT when
 * it is not there or empty, -EFBIG, -EBADMSG, -ENOTSUP, -ENOMEM.
 */
int cfi_index_new(const struct image *image, enum cfi_kind kind, struct cfi_index **ret_index);

void cfi_index_free(struct cfi_index *index); /* NULL is fine */

/* Returns 0 or -ENOENT. The result borrows from the index. */
int cfi_index_find(const struct cfi_index *index, uint64_t address, struct cfi_found *ret_found);

/* Bytes of memory. */
size_t cfi_index_memory(const struct cfi_index *index);

#endif
