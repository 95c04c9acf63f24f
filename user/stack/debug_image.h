/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts together what libdw is shown: an ELF image in memory that holds copies of the debug sections
 * that are needed for functions and lines, inflated, each followed by zeros, and nothing else. So
 * nothing of a foreign file's ELF structure, compression, sizes or references to further files
 * (.dwo, .gnu_debugaltlink) ever reaches libelf and libdw, and a read that goes a few bytes too far
 * hits zeros.
 */
#ifndef ZS_STACK_DEBUG_IMAGE_H
#define ZS_STACK_DEBUG_IMAGE_H

#include "base/buf.h"
#include "base/sv.h"
#include "stack/image.h"
#include "stack/line_table.h"

enum {
	DEBUG_IMAGE_MAX = 64 << 20, /* bytes; of Debian's C library 8 MB, read in 80 ms */
};

/* Sections that are looked into without libdw; borrowed from the image. */
struct debug_sections {
	struct sv info, abbrev;
	struct line_sections lines;
};

/*
 * Build the image. Returns 0, -ENOENT when there is no debug information, -EFBIG beyond
 * DEBUG_IMAGE_MAX, -ENOTSUP (a compression other than zlib), -EBADMSG, -ENOMEM. The caller releases
 * the buffer, also after failure.
 */
int debug_image_build(
    const struct image *image, struct buf *out, struct debug_sections *ret_sections);

#endif
