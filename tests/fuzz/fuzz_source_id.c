// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a file that may hold SQLite: it does when the source id and the head of a database file are in it. */
#include <sys/mman.h>
#include <unistd.h>

#include "discover/sqlite_source_id.h"
#include "fuzz.h"

static bool has_id(struct sv s)
{
	for (; s.len; s = sv_skip(s, 1))
		if (sqlite_source_id_at(s))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct sv in = fuzz_copy(data, size);
	bool id = has_id(in), head = in.len && memmem(in.p, in.len, "SQLite format 3", 16);

	if (fd < 0)
		fd = memfd_create("program", MFD_CLOEXEC);
	if (id || head) { /* 1 MiB is set aside to read a file: too slow for every input */
		REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
		REQUIRE(sqlite_source_id_in_file(fd) == (id && head));
	}
	fuzz_free(in);
	return 0;
}
