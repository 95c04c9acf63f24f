// SPDX-License-Identifier: Apache-2.0
/* Ring consumer with its wake-up policy; see reader.h. */
#include "ingest/reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ingest/ring.h"

/* Pause between looks while records flow: at 50 MB/s a ring of 8 MiB holds 160 ms. */
#define READER_PAUSE_MS 5
/* Ring empty for this long: sleep until woken. */
#define READER_IDLE_NS (100 * NS_PER_MS)

struct reader {
	struct reader_options options;
	struct ring ring;
	uint64_t last_record_ns; /* when a look last found something */
	uint64_t bad_records;
};

static void reader_record(void *ctx, const void *record, size_t size)
{
	struct reader *reader = ctx;
	struct event event;

	if (!record || event_decode(record, size, &event))
		reader->bad_records++;
	else
		reader->options.event(reader->options.ctx, &event);
}

struct reader *reader_new(const struct reader_options *options)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int err;

	if (!reader)
		return NULL;
	reader->options = *options;
	err = ring_map(&reader->ring, options->ring_fd);
	if (err) {
		free(reader);
		errno = -err;
		return NULL;
	}
	return reader;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	ring_unmap(&reader->ring);
	free(reader);
}

size_t reader_drain(struct reader *reader)
{
	return ring_consume(&reader->ring, reader_record, reader);
}

size_t reader_run(struct reader *reader, int timeout_ms, int wake_fd)
{
	struct pollfd fds[2] = {
	    {.fd = reader->options.ring_fd, .events = POLLIN},
	    {.fd = wake_fd, .events = POLLIN},
	};
	size_t n = reader_drain(reader);
	uint64_t now = clock_monotonic_ns();

	if (n > 0)
		reader->last_record_ns = now;
	if (now - reader->last_record_ns < READER_IDLE_NS) {
		fds[0].fd = -1;
		poll(fds, 2, timeout_ms < READER_PAUSE_MS ? timeout_ms : READER_PAUSE_MS);
		return n;
	}
	*reader->options.waits = 1;
	__sync_synchronize();
	n += reader_drain(reader); /* what came before the flag was seen */
	if (n == 0)
		poll(fds, 2, timeout_ms);
	*reader->options.waits = 0;
	return n;
}

uint64_t reader_bad_records(const struct reader *reader)
{
	return reader->bad_records;
}
