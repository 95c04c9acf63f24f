/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to stdout and stderr as the kernel side tells them. */
#ifndef ZS_TESTS_LOG_FIXTURE_H
#define ZS_TESTS_LOG_FIXTURE_H

#include "event_fixture.h"

/* A write of bytes bytes, of which text was captured; its last byte is known. */
static inline void feed_write_cut(struct feed *feed, const struct actor *actor,
    enum zsp_stream stream, struct sv text, uint32_t bytes, char last)
{
	size_t len = sizeof(struct zsp_log) + text.len;
	struct zsp_log *record = calloc(1, len);

	assert_non_null(record);
	record->h = feed_header(feed, ZSP_KIND_LOG, actor, 0);
	record->bytes = bytes;
	record->captured = (uint32_t)text.len;
	record->stream = (uint8_t)stream;
	record->last = (uint8_t)last;
	record->last_known = 1;
	if (feed->waits)
		record->woken_ns = feed->waits->woken_ns;
	memcpy(record->text, text.p, text.len);
	feed_record(feed, record, len);
	free(record);
}

static inline void feed_write(
    struct feed *feed, const struct actor *actor, enum zsp_stream stream, struct sv text)
{
	feed_write_cut(feed, actor, stream, text, (uint32_t)text.len, text.p[text.len - 1]);
}

static inline void feed_line(struct feed *feed, const struct actor *actor, const char *text)
{
	feed_write(feed, actor, ZSP_STDOUT, sv_cstr(text));
}

#endif
