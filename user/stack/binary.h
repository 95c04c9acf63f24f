/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program or library file with all that is known of its code: unwind tables, symbols, debug
 * information. Each part is read when it is first asked for and can be dropped to save memory; what
 * cannot be had is tried once. Addresses are the file's own, unrelocated.
 */
#ifndef ZS_STACK_BINARY_H
#define ZS_STACK_BINARY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stack/cfi_search.h"
#include "stack/debug_info.h"
#include "stack/image.h"
#include "stack/symbols.h"

struct binary;

/* Where a process has the file, for finding its separate debug file. */
struct binary_user {
	pid_t pid;
	const char *path; /* as the process sees it; "" for none */
};

/* The image moves to the binary, also on failure. NULL: no memory. */
struct binary *binary_new(struct image *image);
void binary_free(struct binary *binary); /* NULL is fine */

const struct image *binary_image(const struct binary *binary);

/*
 * The unwind table entry of an address. The result borrows from memory and from the binary until
 * the next call. Returns 0, -ENOENT when no table covers the address, -EBADMSG, -ENOMEM.
 */
int binary_find_rules(struct binary *binary, const struct binary_user *user, uint64_t address,
    struct cfi_memory *memory, struct cfi_found *ret_found);

/* debug_info_find() in the binary's own debug information or its separate debug file's. */
size_t binary_find_places(struct binary *binary, const struct binary_user *user, uint64_t address,
    struct debug_place *places, size_t max);

/* symbols_find() in the fullest table there is. */
int binary_find_symbol(struct binary *binary, const struct binary_user *user, uint64_t address,
    char ret_name[SYMBOL_NAME_SIZE], uint64_t *ret_start);

/* Bytes of memory, about; and give up what can be read again. */
size_t binary_memory(const struct binary *binary);
void binary_trim(struct binary *binary);

/* Debug information that was there and beyond the limits. */
bool binary_is_too_large(const struct binary *binary);

#endif
