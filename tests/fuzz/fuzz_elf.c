// SPDX-License-Identifier: Apache-2.0
/* Any bytes as an ELF file: what is found lies in the file, and names are strings. */
#include <sys/mman.h>
#include <unistd.h>

#include "discover/elf.h"
#include "fuzz.h"

enum {
	NEEDED_MAX = 8, /* of those listed; a file may list its whole string table */
	CODE_BYTES = 64,
};

static void check_functions(struct elf_file *file, size_t size)
{
	struct elf_function f[] = {{.name = "sqlite3_step"}, {.name = "sqlite3_sql"}, {.name = ""}};
	uint8_t *code = malloc(CODE_BYTES);
	size_t found = elf_file_find(file, f, 3), n = 0;

	for (size_t i = 0; i < 3; i++) {
		int got = f[i].offset ? elf_file_read(file, &f[i], code, CODE_BYTES) : 0;

		n += f[i].offset != 0;
		REQUIRE(got <= CODE_BYTES);
		REQUIRE(got <= 0 || ((uint64_t)got <= size && f[i].offset <= size - (uint64_t)got));
		REQUIRE(got <= 0 || !f[i].size || (uint64_t)got <= f[i].size);
	}
	REQUIRE(found == n);
	free(code);
}

static void check_file(struct elf_file *file, size_t size)
{
	char id[ELF_BUILD_ID_HEX];
	const char *needed;

	REQUIRE(elf_file_machine(file) >= ELF_MACHINE_X86_64);
	REQUIRE(elf_file_machine(file) <= ELF_MACHINE_OTHER);
	check_functions(file, size);
	for (size_t i = 0; i < NEEDED_MAX && (needed = elf_file_needed(file, i)); i++)
		REQUIRE(strlen(needed) <= size);
	if (elf_file_build_id(file, id) == 0)
		REQUIRE(strspn(id, "0123456789abcdef") == strlen(id) && strlen(id) % 2 == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct elf_file *file;

	if (fd < 0)
		fd = memfd_create("program", MFD_CLOEXEC);
	REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	if (elf_file_open_fd(fd, &file) == 0) {
		check_file(file, size);
		elf_file_close(file);
	}
	return 0;
}
