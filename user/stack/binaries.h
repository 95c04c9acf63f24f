/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of code that are open, each once however many processes run it, known by device, inode,
 * size and time of change. Their number and their memory are bounded: of those not used lately the
 * parts that can be read again are dropped first.
 */
#ifndef ZS_STACK_BINARIES_H
#define ZS_STACK_BINARIES_H

#include <stddef.h>

#include "stack/binary.h"

enum {
	BINARIES_MAX = 256,              /* each holds a descriptor or two */
	BINARIES_MEMORY_MAX = 160 << 20, /* bytes of all, checked between traces */
};

struct binaries;

struct binaries *binaries_new(void);           /* NULL: no memory */
void binaries_free(struct binaries *binaries); /* NULL is fine; no reference may be left */

/*
 * The binary of an open file; the descriptor moves. The caller gets a reference. Returns 0,
 * -EBADMSG, -ENOTSUP (see image_open), -ENOMEM, -ENFILE when all places are taken by binaries in
 * use.
 */
int binaries_open(struct binaries *binaries, int fd, struct binary **ret_binary);

/* The same for an image that is in memory only. Equal bytes are one binary. */
int binaries_copy(
    struct binaries *binaries, const void *bytes, size_t len, struct binary **ret_binary);

/* Give a reference back; NULL is fine. The binary stays for the next who wants it. */
void binaries_unref(struct binaries *binaries, struct binary *binary);

/* Say that a binary is used now. */
void binaries_touch(struct binaries *binaries, struct binary *binary);

/* How many have debug information beyond the limits. */
size_t binaries_too_large(const struct binaries *binaries);

/* Close those to which there is no reference. */
void binaries_drop_unused(struct binaries *binaries);

/* Bring memory below the limit. Binaries stay valid, what was borrowed from them does not. */
void binaries_trim(struct binaries *binaries);

#endif
