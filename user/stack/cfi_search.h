/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the unwind table entry of an address through .eh_frame_hdr, the sorted table that linkers
 * put into almost every program: a few small reads, nothing kept.
 */
#ifndef ZS_STACK_CFI_SEARCH_H
#define ZS_STACK_CFI_SEARCH_H

#include "base/buf.h"
#include "stack/cfi.h"
#include "stack/image.h"

struct cfi_search {
	uint64_t address; /* of .eh_frame_hdr, to which its words are relative */
	uint64_t count;   /* functions; 0: no table of the usual form */
};

/* An entry with what it refers to. */
struct cfi_found {
	struct cfi_common common;
	struct cfi_function function;
};

/* Memory for entries read from a file. Results borrow from it until its next use. */
struct cfi_memory {
	struct buf common, function;
};

void cfi_memory_release(struct cfi_memory *memory);

struct cfi_search cfi_search_from(const struct image *image);

/* Returns 0, -ENOENT when no entry covers the address, -EBADMSG, -ENOMEM. */
int cfi_search_find(const struct cfi_search *search, const struct image *image, uint64_t address,
    struct cfi_memory *memory, struct cfi_found *ret_found);

#endif
