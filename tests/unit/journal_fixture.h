/* SPDX-License-Identifier: Apache-2.0 */
/* A pipeline that is fed from any bytes as a journal, and what it publishes, as text. */
#ifndef ZS_TESTS_JOURNAL_FIXTURE_H
#define ZS_TESTS_JOURNAL_FIXTURE_H

#include "export/exporters.h"
#include "pipeline_fixture.h"
#include "recording_fixture.h"

static inline struct buf json_of(const struct kept *kept)
{
	struct clock_base clock = {.offset_ns = 5};
	struct buf out;

	buf_init(&out);
	for (size_t i = 0; i < kept->n; i++) {
		encode_otlp_json(&out, kept->traces + i, 1, &clock);
		buf_append_char(&out, '\n');
	}
	return out;
}

/* Replays what there is; the error, the player and the traces. */
static inline int replay(
    const uint8_t *p, size_t len, struct player *ret_player, struct buf *ret_json, char why[128])
{
	struct recording *recording = recording_of(p, len);
	struct player player;
	struct pipeline_options options = {.database_path = player_database_path, .ctx = &player};
	struct world *w = world_empty(1, NULL);
	uint64_t offset;
	int err;

	pipeline_free(w->pipeline, 0);
	player_init(&player, recording);
	err = player_start(&player);
	options.metrics = w->metrics;
	rng_seed(&options.rng, player.start.seed);
	options.slow_us = player_slow_us(&player);
	w->pipeline = pipeline_new(&options);
	assert_int_equal(pipeline_add_sink(w->pipeline, w->sink), 0);
	while (!err || err == 1) {
		err = player_step(&player, w->pipeline);
		if (err == 0)
			break;
	}
	if (err)
		pipeline_end(w->pipeline, player.end_ns);
	snprintf(why, 128, "%s", recording_error(recording, &offset));
	world_end(w);
	*ret_json = json_of(&w->kept);
	world_free(w);
	*ret_player = player;
	player_release(&player);
	recording_free(recording);
	return err;
}

#endif
