// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as the memory of a process, walked from a handle at its beginning: an answer is the one file that
 * is open, or ":memory:". Words below the size of the input are made addresses in it, or no walk would get far.
 * The memory ends at one that is not mapped.
 */
#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include "discover/sqlite_db.h"
#include "fuzz.h"

enum {
	ARENA_BYTES = 8192,
};

/* As /proc shows a memfd named db: an open regular file. */
#define OPEN_FILE "/memfd:db"

static uint8_t *arena(void)
{
	static uint8_t *memory;

	if (!memory) {
		REQUIRE(memfd_create("db", MFD_CLOEXEC) >= 0);
		memory = mmap(NULL, ARENA_BYTES + 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		REQUIRE(memory != MAP_FAILED);
		REQUIRE(mprotect(memory + ARENA_BYTES, 4096, PROT_NONE) == 0);
	}
	return memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t used = (size < ARENA_BYTES ? size : ARENA_BYTES) & ~(size_t)7;
	uint8_t *base = arena() + ARENA_BYTES - used;
	char path[64] = "unchanged";
	int err;

	memcpy(base, data, used);
	for (size_t at = 0; at < used; at += 8) {
		uint64_t word;

		memcpy(&word, base + at, sizeof(word));
		if (word < used) {
			word += (uintptr_t)base;
			memcpy(base + at, &word, sizeof(word));
		}
	}
	err = sqlite_db_path(getpid(), (uintptr_t)base, path, sizeof(path));
	REQUIRE(err == 0 || err == -ENOENT || err == -ENAMETOOLONG);
	if (err == 0)
		REQUIRE(strcmp(path, OPEN_FILE) == 0 || strcmp(path, ":memory:") == 0);
	else
		REQUIRE(strcmp(path, "unchanged") == 0);
	return 0;
}
