// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a recording, through the whole pipeline and into the encoders. Checksums are put right
 * first (recording_seal.h).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "export/exporters.h"
#include "journal/journal.h"
#include "recording_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* Every rule, and thresholds at which about half is kept: seeds decide whether it is used. */
static const struct sampling_policy sampling = {.on = true,
    .client_errors = 1ULL << 54,
    .otherwise = 1ULL << 55,
    .slower = {{.share = 0.5}, {.ns = NS_PER_MS, .threshold = 1ULL << 54}},
    .n_slower = 2,
    .other_rate = 2};

static size_t encode_logs(
    void *driver, struct sink *sink, struct log_batch *const *batches, size_t n, size_t *ret_failed)
{
	const struct clock_base clock = {0};
	size_t records = 0;
	struct buf out;

	(void)driver;
	(void)sink;
	buf_init(&out);
	encode_otlp_logs_json(&out, batches, n, &clock);
	encode_otlp_logs_protobuf(&out, batches, n, &clock);
	for (size_t i = 0; i < n; i++) {
		encode_logs_text(&out, batches[i], &clock);
		records += batches[i]->n_records;
	}
	buf_release(&out);
	*ret_failed = 0;
	return records;
}

static void play(struct recording *recording)
{
	static const struct sink_driver driver = {.name = "fuzz", .deliver = encode};
	static const struct sink_driver logs_driver = {.name = "fuzz", .deliver_logs = encode_logs};
	/* All in one batch at the end: the fewer hand-overs between threads, the more inputs per second. */
	static const struct sink_options queue = {
	    .max_queue_items = 65536, .max_batch_items = 4096, .linger_ns = 3600 * NS_PER_S};
	struct player player;
	struct pipeline_options options = {.metrics = metrics_new(),
	    .database_path = player_database_path,
	    .ctx = &player,
	    .logs = {.per_second = 100, .burst = 100}};
	struct pipeline *pipeline;
	struct metric_snapshot *snapshot;
	struct sink *sink = NULL, *logs = NULL;
	struct buf text;

	player_init(&player, recording);
	if (player_start(&player) == 0) {
		rng_seed(&options.rng, player.start.seed);
		options.slow_us = player_slow_us(&player);
		options.sampling = player.start.seed & 1 ? &sampling : NULL;
		pipeline = pipeline_new(&options);
		sink = sink_new(&driver, NULL, &queue);
		sink_set_patient(sink);
		pipeline_add_sink(pipeline, sink);
		logs = sink_new(&logs_driver, NULL, &queue);
		sink_set_patient(logs);
		pipeline_add_log_sink(pipeline, logs, false);
		while (player_step(&player, pipeline) > 0)
			;
		pipeline_free(pipeline, player.end_ns);
	}
	sink_free(sink);
	sink_free(logs);
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
	recording_seal(copy, size);
	if (fd < 0 || write(fd, copy, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	free(copy);
	recording = recording_new(fd);
	play(recording);
	recording_free(recording);
	return 0;
}
