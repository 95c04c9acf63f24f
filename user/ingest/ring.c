// SPDX-License-Identifier: Apache-2.0
/* Mapping and walking a BPF ring buffer; see ring.h. */
#include "ingest/ring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	HEADER_BYTES = 8
};

int ring_map(struct ring *ring, int map_fd)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	void *consumer, *producer;
	int err;

	*ring = (struct ring){0};
	if (bpf_obj_get_info_by_fd(map_fd, &info, &len))
		return -errno;
	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, page + info.max_entries, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	ring->scratch = malloc(RING_MAX_RECORD);
	if (producer == MAP_FAILED || !ring->scratch) {
		err = producer == MAP_FAILED ? -errno : -ENOMEM;
		if (producer != MAP_FAILED)
			munmap(producer, page + info.max_entries);
		munmap(consumer, page);
		free(ring->scratch);
		ring->scratch = NULL;
		return err;
	}
	ring->consumer = consumer;
	ring->producer = producer;
	ring->data = (unsigned char *)producer + page;
	ring->size = info.max_entries;
	return 0;
}

void ring_unmap(struct ring *ring)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!ring->consumer)
		return;
	munmap(ring->consumer, page);
	munmap((void *)(uintptr_t)ring->producer, page + ring->size);
	free(ring->scratch);
	*ring = (struct ring){0};
}

/* The payload at this position in one piece; NULL when it wraps and is too long for that. */
static const void *ring_payload(const struct ring *ring, unsigned long position, size_t n)
{
	size_t at = position & (ring->size - 1), left = ring->size - at;

	if (n <= left)
		return ring->data + at;
	if (n > RING_MAX_RECORD)
		return NULL;
	memcpy(ring->scratch, ring->data + at, left);
	memcpy(ring->scratch + left, ring->data, n - left);
	return ring->scratch;
}

size_t ring_consume(struct ring *ring, ring_record_fn record, void *ctx)
{
	unsigned long at = *ring->consumer;
	const unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	size_t n = 0;

	while (at < end) {
		const __u32 *header = (const void *)(ring->data + (at & (ring->size - 1)));
		__u32 word = __atomic_load_n(header, __ATOMIC_ACQUIRE);
		size_t size = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (word &
		    BPF_RINGBUF_BUSY_BIT) /* still being filled; what follows waits behind it */
			break;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			record(ctx, ring_payload(ring, at + HEADER_BYTES, size), size);
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
