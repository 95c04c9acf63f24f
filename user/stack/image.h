/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ELF image, read where it is asked for: bytes at an address or in a section, never a whole
 * file. Images belong to observed programs and may be of any size and hostile: they are read, never
 * mapped (a mapped file that shrinks kills its reader), only headers are kept, and their number is
 * bounded. That is why discover/elf.h, which holds whole sections, does not do here. Knows nothing
 * of processes.
 */
#ifndef ZS_STACK_IMAGE_H
#define ZS_STACK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/elf.h"

enum {
	IMAGE_SEGMENTS_MAX = 32,    /* loadable ones; ld writes 4, some post-link tools a dozen */
	IMAGE_SECTIONS_MAX = 1024,  /* a program has 30 to 50; more are ignored */
	IMAGE_NAMES_MAX = 65536,    /* bytes of all section names; a program has 500 */
	IMAGE_MEMORY_MAX = 1 << 20, /* bytes of an image without a file; a vdso has 2 to 4 pages */
	IMAGE_ID_MAX = ELF_BUILD_ID_MAX,
};

struct image;

struct image_section {
	uint32_t type;    /* SHT_* */
	uint32_t link;    /* index of the section that this one refers to */
	uint64_t flags;   /* SHF_* */
	uint64_t address; /* virtual; 0: not loaded */
	uint64_t offset;  /* in the file */
	uint64_t size;    /* bytes in the file, all within it; SHT_NOBITS: 0 */
	uint32_t name;    /* place among the section names */
};

/* A part of the address space as the program headers say it, unrelocated. */
struct image_range {
	uint64_t address, size; /* size 0: there is none */
};

/*
 * Read the headers of an open file, which moves to the image, also on failure. Returns 0, -EBADMSG
 * when it is no ELF file, -ENOTSUP when it is not for this machine and 64 bits, -ENOMEM, or what
 * reading says.
 */
int image_open(int fd, struct image **ret_image);

/* The same for an image in memory (the vdso), which is copied. -EFBIG beyond IMAGE_MEMORY_MAX. */
int image_copy(const void *bytes, size_t len, struct image **ret_image);

void image_close(struct image *image); /* NULL is fine */

enum elf_machine image_machine(const struct image *image);

/* Bytes at an offset of the file; fewer than len at its end. */
size_t image_read(const struct image *image, uint64_t offset, void *buf, size_t len);

/* Bytes at a virtual address; fewer than len where the loaded part of the file ends, 0 outside. */
size_t image_read_address(const struct image *image, uint64_t address, void *buf, size_t len);

/* Bytes of a section from a place in it; fewer than len at its end. */
size_t image_read_section(const struct image *image, const struct image_section *section,
    uint64_t place, void *buf, size_t len);

/* The virtual address of executable code at an offset of the file; false when there is none. */
bool image_code_address(const struct image *image, uint64_t offset, uint64_t *ret_address);

/* A section by name, or by index as other sections refer to it. */
bool image_section_named(
    const struct image *image, const char *name, struct image_section *ret_section);
bool image_section_at(const struct image *image, size_t index, struct image_section *ret_section);

/* PT_GNU_EH_FRAME. */
struct image_range image_eh_frame_hdr(const struct image *image);

/* The GNU build id. Returns its length in bytes or -ENOENT. */
int image_build_id(const struct image *image, uint8_t ret_id[IMAGE_ID_MAX]);

/* Bytes of memory that the image holds. */
size_t image_memory(const struct image *image);

#endif
