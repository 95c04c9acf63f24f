/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts of one ELF file, read with libelf: where functions lie in the file, their machine code, the
 * libraries it needs, its build id. Files belong to observed programs and are not trusted: damage
 * gives -EBADMSG or "not found", and the file is read, never mapped, because a mapped file that
 * shrinks kills its reader. Knows nothing of processes or probes.
 */
#ifndef ZS_DISCOVER_ELF_H
#define ZS_DISCOVER_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file;

enum elf_machine {
	ELF_MACHINE_INVALID = 0,
	ELF_MACHINE_X86_64 = 1,
	ELF_MACHINE_AARCH64 = 2, /* little endian */
	ELF_MACHINE_OTHER = 3,   /* every 32-bit program too */
};

/* A function wanted, and where it was found. */
struct elf_function {
	const char *name; /* set by the caller, borrowed */
	uint64_t offset;  /* of its first byte in the file; 0: not found */
	uint64_t size;    /* bytes as the symbol says; 0: unknown */
};

/*
 * Open the ELF file at path. Returns 0, -EBADMSG when it is no ELF file, -ENOMEM, or what open()
 * says. The caller closes it.
 */
int elf_file_open(const char *path, struct elf_file **ret_file);

/* The same for an open descriptor, which stays the caller's and may be closed at once. */
int elf_file_open_fd(int fd, struct elf_file **ret_file);

void elf_file_close(struct elf_file *file); /* NULL is fine */

enum elf_machine elf_file_machine(const struct elf_file *file);

/* The machine this program was built for. */
enum elf_machine elf_machine_host(void);

/*
 * Fill offset and size of n functions from .dynsym and .symtab. A global definition beats a local
 * one; a name with two different local definitions counts as not found. A function that link-time
 * optimisation made local is found by its own name ("f" as "f.lto_priv.0"); clones with other
 * arguments ("f.constprop.0") are not it. Returns how many were found; unfound ones have offset 0.
 */
size_t elf_file_find(struct elf_file *file, struct elf_function *functions, size_t n);

/*
 * Copy up to len bytes of the function's code to buf, no more than its size when that is known.
 * Returns the number of bytes or a negative errno.
 */
int elf_file_read(
    const struct elf_file *file, const struct elf_function *function, uint8_t *buf, size_t len);

/*
 * Words that the dynamic linker fills with the address of a function, through which the file's own code
 * may call it. Virtual addresses; 0: none.
 */
struct elf_slots {
	const char *name; /* set by the caller, borrowed */
	uint64_t address[2];
};

/* Fill the addresses of n functions' words from the relocations of data. */
void elf_file_find_slots(struct elf_file *file, struct elf_slots *slots, size_t n);

/* The virtual address of the code at an offset of the file, or 0. */
uint64_t elf_file_code_address(const struct elf_file *file, uint64_t offset);

/* The i-th DT_NEEDED name, borrowed until the file is closed, or NULL beyond the last. */
const char *elf_file_needed(struct elf_file *file, size_t i);

enum {
	ELF_BUILD_ID_MAX = 64, /* bytes; GNU ld writes 20, lld up to 20, by hand anything */
	ELF_BUILD_ID_HEX = 2 * ELF_BUILD_ID_MAX + 1,
};

/* The GNU build id in lower-case hex. Returns 0 or -ENOENT. */
int elf_file_build_id(struct elf_file *file, char ret_hex[ELF_BUILD_ID_HEX]);

#endif
