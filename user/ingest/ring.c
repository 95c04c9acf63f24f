// SPDX-License-Identifier: Apache-2.0
/* Mapping and walking a BPF ring buffer; see ring.h. */
#include "ingest/ring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	HEADER_BYTES = 8
};

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

int ring_map(struct ring *ring, int map_fd)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	*ring = (struct ring){0};
	if (bpf_obj_get_info_by_fd(map_fd, &info, &len))
		return -errno;
	return ring_map_sized(ring, map_fd, info.max_entries);
}

int ring_map_sized(struct ring *ring, int fd, size_t size)
{
	const size_t page = page_bytes();
	void *consumer, *producer;

	*ring = (struct ring){0};
	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (producer == MAP_FAILED) {
		int err = -errno;

		munmap(consumer, page);
		return err;
	}
	*ring = (struct ring){.consumer = consumer, .producer = producer, .size = size, .fd = fd};
	return 0;
}

/* --- the window --- */

static size_t window_step(const struct ring *ring)
{
	return min_size(RING_WINDOW_BYTES, ring->size);
}

static size_t window_bytes(const struct ring *ring)
{
	return window_step(ring) + min_size(RING_MAX_RECORD, ring->size);
}

static void window_close(struct ring *ring)
{
	if (ring->window)
		munmap((void *)(uintptr_t)ring->window, window_bytes(ring));
	ring->window = NULL;
}

/* Have the window over what begins at this place of the data. False without memory for it. */
static bool window_move(struct ring *ring, size_t at)
{
	size_t begin = at & ~(window_step(ring) - 1);
	void *window;

	if (ring->window && ring->window_at == begin)
		return true;
	window_close(ring);
	window = mmap(NULL, window_bytes(ring), PROT_READ, MAP_SHARED, ring->fd,
	    (off_t)(2 * page_bytes() + begin));
	if (window == MAP_FAILED)
		return false;
	ring->window = window;
	ring->window_at = begin;
	return true;
}

void ring_unmap(struct ring *ring)
{
	if (!ring->consumer)
		return;
	window_close(ring);
	munmap(ring->consumer, page_bytes());
	munmap((void *)(uintptr_t)ring->producer, page_bytes());
	*ring = (struct ring){0};
}

size_t ring_consume(struct ring *ring, ring_record_fn record, void *ctx)
{
	unsigned long at = *ring->consumer;
	const unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	size_t n = 0;

	while (at < end && window_move(ring, at & (ring->size - 1))) {
		size_t offset = (at & (ring->size - 1)) - ring->window_at;
		const __u32 *header = (const void *)(ring->window + offset);
		__u32 word = __atomic_load_n(header, __ATOMIC_ACQUIRE);
		size_t size = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (word &
		    BPF_RINGBUF_BUSY_BIT) /* still being filled; what follows waits behind it */
			break;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			bool whole = HEADER_BYTES + size <= window_bytes(ring) - offset;

			record(ctx, whole ? (const char *)header + HEADER_BYTES : NULL, size);
			n++;
		}
		at += (HEADER_BYTES + size + 7) & ~(size_t)7;
		__atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
	}
	return n;
}

bool ring_is_empty(const struct ring *ring)
{
	return *ring->consumer == __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}
