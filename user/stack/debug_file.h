/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds separate debug files by the conventions of GDB and Debian:
 * /usr/lib/debug/.build-id/xx/yyyy.debug by the build id; the name in .gnu_debuglink beside the
 * program, in .debug/ beside it and below /usr/lib/debug; what several debug files share, by
 * .gnu_debugaltlink (below /usr/lib/debug). The process' root comes first, then ours, where only a
 * build id counts. A file is taken only if it is the right one: same build id, else the checksum
 * that the link gives. Nothing is asked of a server (debuginfod).
 */
#ifndef ZS_STACK_DEBUG_FILE_H
#define ZS_STACK_DEBUG_FILE_H

#include <sys/types.h>

#include "stack/image.h"

enum {
	DEBUG_FILE_SUMMED_MAX = 256 << 20, /* bytes of a file whose checksum is computed: 0.1 s */
};

/*
 * The debug file of an image; pid: the process that runs it, path: as that process sees it ("" for
 * none). Returns 0, -ENOENT, -ENOMEM. The caller closes the result.
 */
int debug_file_open(
    const struct image *image, pid_t pid, const char *path, struct image **ret_debug);

/* What a debug file, or an image with debug information, shares with others. Likewise. */
int debug_file_open_shared(const struct image *debug, pid_t pid, struct image **ret_shared);

#endif
