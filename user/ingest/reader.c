// SPDX-License-Identifier: Apache-2.0
/* Ring consumer with its wake-up policy; see reader.h. */
#include "ingest/reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "ingest/ring.h"

/*
 * Pause between looks while records flow: a long one (options.pause_ms) while little comes, a short one as soon as a look finds more than this
 * part of the ring in use, and where statements ran lately: which file a database handle has open can be asked only while it has. At 70 MB/s a
 * ring of 8 MiB fills in 120 ms.
 */
#define READER_SHORT_PAUSE_MS 5
#define READER_BUSY_PART      32
#define READER_STATEMENTS_NS  NS_PER_S
/* Ring empty for this long: sleep until woken. */
#define READER_IDLE_NS (100 * NS_PER_MS)

struct reader {
	struct reader_options options;
	struct ring ring;
	int epoll_fd;
	uint64_t drained_ns;        /* of the last look */
	bool statements;            /* came in it */
	bool busy;                  /* more come soon */
	uint64_t last_statement_ns; /* when a look last found one */
	uint64_t last_record_ns;    /* when a look last found something */
	uint64_t records, bad_records;
};

static void reader_record(void *ctx, const void *record, size_t size)
{
	struct reader *reader = ctx;
	struct event event;

	reader->records++;
	if (!record || event_decode(record, size, &event)) {
		reader->bad_records++;
		return;
	}
	reader->statements |= event.h->kind == ZSP_KIND_STATEMENT;
	reader->options.event(reader->options.ctx, &event);
}

/*
 * The ring is watched for edges: it always has records while they flow, but only those that are to wake the reader make an
 * edge.
 */
static int watch_fds(struct reader *reader)
{
	struct epoll_event ring = {.events = EPOLLIN | EPOLLET};
	struct epoll_event wake = {.events = EPOLLIN, .data.fd = reader->options.wake_fd};

	reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (reader->epoll_fd < 0)
		return -errno;
	if (epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, reader->options.ring_fd, &ring))
		return -errno;
	if (reader->options.wake_fd >= 0 &&
	    epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, reader->options.wake_fd, &wake))
		return -errno;
	return 0;
}

struct reader *reader_new(const struct reader_options *options)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int err;

	if (!reader)
		return NULL;
	reader->options = *options;
	reader->epoll_fd = -1;
	reader->drained_ns =
	    clock_monotonic_ns(); /* nothing has come yet: the first record is to wake us */
	err = ring_map(&reader->ring, options->ring_fd);
	if (!err)
		err = watch_fds(reader);
	if (err) {
		reader_free(reader);
		errno = -err;
		return NULL;
	}
	return reader;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	if (reader->epoll_fd >= 0)
		close(reader->epoll_fd);
	ring_unmap(&reader->ring);
	free(reader);
}

size_t reader_drain(struct reader *reader)
{
	const unsigned long before = *reader->ring.consumer;
	size_t n;

	reader->statements = false;
	n = ring_consume(&reader->ring, reader_record, reader);
	reader->drained_ns = clock_monotonic_ns();
	if (n > 0)
		reader->last_record_ns = reader->drained_ns;
	if (reader->statements)
		reader->last_statement_ns = reader->drained_ns;
	reader->busy = *reader->ring.consumer - before > reader->ring.size / READER_BUSY_PART ||
	    reader->drained_ns - reader->last_statement_ns < READER_STATEMENTS_NS;
	return n;
}

/* Is wake_fd readable? */
static bool wait_ms(const struct reader *reader, int ms)
{
	struct epoll_event events[2];
	int n = epoll_wait(reader->epoll_fd, events, 2, ms);

	for (int i = 0; i < n; i++)
		if (events[i].data.fd)
			return true;
	return false;
}

/* Nothing came for a while: the next record is to wake us. */
static bool sleep_until_woken(struct reader *reader, int timeout_ms)
{
	bool woken;

	*reader->options.waits = 1;
	__sync_synchronize();
	/* If there is something, it came before the flag was seen. */
	woken = wait_ms(reader, ring_is_empty(&reader->ring) ? timeout_ms : 0);
	*reader->options.waits = 0;
	return woken;
}

bool reader_wait(struct reader *reader, int timeout_ms)
{
	int pause_ms = reader->busy ? READER_SHORT_PAUSE_MS : reader->options.pause_ms;

	if (reader->drained_ns - reader->last_record_ns >= READER_IDLE_NS)
		return sleep_until_woken(reader, timeout_ms);
	return wait_ms(reader, timeout_ms < pause_ms ? timeout_ms : pause_ms);
}

uint64_t reader_records(const struct reader *reader)
{
	return reader->records;
}

uint64_t reader_bad_records(const struct reader *reader)
{
	return reader->bad_records;
}
