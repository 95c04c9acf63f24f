// SPDX-License-Identifier: Apache-2.0
/* Ring consumer with its wake-up policy; see reader.h. */
#include "ingest/reader.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"

/* Pause between looks while records flow: at 50 MB/s a ring of 8 MiB holds 160 ms. */
#define READER_PAUSE_MS 5
/* Ring empty for this long: sleep until woken. */
#define READER_IDLE_NS (100 * NS_PER_MS)

struct reader {
	struct reader_options options;
	struct ring_buffer *ring;
	uint64_t last_record_ns; /* when a look last found something */
	uint64_t bad_records;
};

static int reader_record(void *ctx, void *record, size_t size)
{
	struct reader *reader = ctx;
	struct event event;

	if (event_decode(record, size, &event))
		reader->bad_records++;
	else
		reader->options.event(reader->options.ctx, &event);
	return 0;
}

struct reader *reader_new(const struct reader_options *options)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->options = *options;
	reader->ring = ring_buffer__new(options->ring_fd, reader_record, reader, NULL);
	if (!reader->ring) {
		int err = errno;

		free(reader);
		errno = err;
		return NULL;
	}
	return reader;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	ring_buffer__free(reader->ring);
	free(reader);
}

int reader_drain(struct reader *reader)
{
	int n = ring_buffer__consume(reader->ring);

	return n > 0 ? n : 0;
}

int reader_run(struct reader *reader, int timeout_ms, int wake_fd)
{
	struct pollfd fds[2] = {
	    {.fd = ring_buffer__epoll_fd(reader->ring), .events = POLLIN},
	    {.fd = wake_fd, .events = POLLIN},
	};
	int n = reader_drain(reader);
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
