/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole section in memory, inflated where it is compressed. Sizes come from outside: the caller's
 * limit holds for both.
 */
#ifndef ZS_STACK_SECTION_H
#define ZS_STACK_SECTION_H

#include "base/buf.h"
#include "stack/image.h"

/* Bytes of a section once loaded, 0 when it cannot be: compressed with something else than zlib. */
uint64_t section_size(const struct image *image, const struct image_section *section);

/*
 * Append the section's contents to out. Returns 0, -EFBIG beyond max bytes, -EBADMSG when it is
 * damaged, -ENOTSUP for another compression, -ENOMEM.
 */
int section_load(
    const struct image *image, const struct image_section *section, size_t max, struct buf *out);

#endif
