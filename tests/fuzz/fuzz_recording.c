// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a recording: every entry read lies in memory of its own length as far as it says, none is
 * larger than the file, and the end comes. Checksums are put right first (recording_seal.h).
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "ingest/decode.h"
#include "recording_seal.h"

static void check_entry(const struct recording_entry *entry, size_t size)
{
	struct event event;

	REQUIRE(entry->type != 0 && entry->body.len <= size);
	REQUIRE((uintptr_t)entry->body.p % 8 == 0 || entry->body.len == 0);
	if (event_decode(entry->body.p, entry->body.len, &event) == 0)
		REQUIRE(event.h->size <= entry->body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("recording", MFD_CLOEXEC), err;
	struct sv copy = fuzz_copy(data, size);
	struct recording_entry entry;
	struct recording *recording;
	size_t bytes = 0;
	uint64_t offset = 0;

	recording_seal((uint8_t *)(uintptr_t)copy.p, size);
	REQUIRE(fd >= 0 && pwrite(fd, copy.p, size, 0) == (ssize_t)size);
	fuzz_free(copy);
	recording = recording_new(fd);
	while ((err = recording_next(recording, &entry)) == 1) {
		check_entry(&entry, size);
		bytes += sizeof(struct recording_item) + entry.body.len;
		REQUIRE(bytes <= size);
	}
	REQUIRE(err == 0 || err == -EBADMSG);
	REQUIRE(recording_next(recording, &entry) == err);
	REQUIRE(err == 0 || (recording_error(recording, &offset) && offset <= size));
	recording_free(recording);
	return 0;
}
