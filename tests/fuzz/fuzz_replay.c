// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a recording, through the whole pipeline and into an encoder. Checksums are put right first, or
 * nothing behind them would ever be reached.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "export/exporters.h"
#include "journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *data, size_t size)
{
	struct recording_head head;
	struct recording_block block;
	size_t at = sizeof(head);

	if (size < sizeof(head))
		return;
	memcpy(&head, data, sizeof(head));
	head.crc = (uint32_t)crc32(0, data, offsetof(struct recording_head, crc));
	memcpy(data, &head, sizeof(head));
	while (size - at >= sizeof(block)) {
		memcpy(&block, data + at, sizeof(block));
		if (block.bytes > size - at - sizeof(block))
			return;
		block.crc = (uint32_t)crc32(0, data + at + offsetof(struct recording_block, bytes),
		    (uInt)(sizeof(block) - offsetof(struct recording_block, bytes) + block.bytes));
		memcpy(data + at, &block, sizeof(block));
		at += sizeof(block) + block.bytes;
	}
}

static size_t encode(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	const struct clock_base clock = {0};
	size_t spans = 0;
	struct buf out;

	(void)driver;
	(void)sink;
	buf_init(&out);
	encode_otlp_json(&out, traces, n, &clock);
	for (size_t i = 0; i < n; i++) {
		encode_tree(&out, traces[i], true);
		spans += traces[i]->n_spans;
	}
	buf_release(&out);
	*ret_failed = 0;
	return spans;
}

static void play(struct recording *recording)
{
	static const struct sink_driver driver = {.name = "fuzz", .deliver = encode};
	/* All in one batch at the end: the fewer hand-overs between threads, the more inputs per second. */
	static const struct sink_options queue = {
	    .max_queue_spans = 65536, .max_batch_spans = 4096, .linger_ns = 3600 * NS_PER_S};
	struct player player;
	struct pipeline_options options = {
	    .metrics = metrics_new(), .database_path = player_database_path, .ctx = &player};
	struct pipeline *pipeline;
	struct metric_snapshot *snapshot;
	struct sink *sink = NULL;
	struct buf text;

	player_init(&player, recording);
	if (player_start(&player) == 0) {
		rng_seed(&options.rng, player.start.seed);
		pipeline = pipeline_new(&options);
		sink = sink_new(&driver, NULL, &queue);
		sink_set_patient(sink);
		pipeline_add_sink(pipeline, sink);
		while (player_step(&player, pipeline) > 0)
			;
		pipeline_free(pipeline, player.end_ns);
	}
	sink_free(sink);
	buf_init(&text);
	snapshot = metrics_snapshot(options.metrics);
	encode_prometheus_text(&text, snapshot);
	metric_snapshot_free(snapshot);
	buf_release(&text);
	metrics_free(options.metrics);
	player_release(&player);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);
	uint8_t *copy = malloc(size ? size : 1);
	struct recording *recording;

	memcpy(copy, data, size);
	seal(copy, size);
	if (fd < 0 || write(fd, copy, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	free(copy);
	recording = recording_new(fd);
	play(recording);
	recording_free(recording);
	return 0;
}
