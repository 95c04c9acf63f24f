// SPDX-License-Identifier: Apache-2.0
/* Any writes of some threads: all bytes but the ends of lines are told once, in the lines or as missing, and no line has an end in it. */
#include "fuzz.h"
#include "logs/lines.h"

struct sums {
	uint64_t told;
	size_t lines;
};

static void on_line(void *ctx, const struct log_line *line)
{
	struct sums *sums = ctx;

	REQUIRE(line->text.len <= LINES_MAX_BYTES && (line->text.len || line->missing));
	REQUIRE(sv_find(line->text, '\n') == line->text.len);
	REQUIRE(line->first_ns <= line->last_ns);
	sums->told += line->text.len + line->missing;
	sums->lines++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices choices = {data, size};
	struct sums sums = {0};
	struct lines *lines = lines_new(on_line, &sums);
	uint64_t written = 0, now_ns = 1, ends = 0;

	while (choices.left) {
		uint8_t how = fuzz_byte(&choices), more = fuzz_byte(&choices);
		struct sv text = fuzz_bytes(&choices, fuzz_byte(&choices));
		struct zsp_log *log = calloc(1, sizeof(*log) + text.len);

		log->h.pid = 1 + (how & 1);
		log->h.tid = 1 + (how >> 1 & 3);
		log->h.time_ns = now_ns += more * NS_PER_MS;
		log->stream = how & 8 ? ZSP_STDERR : ZSP_STDOUT;
		log->captured = (uint32_t)text.len;
		log->bytes = log->captured + (how & 16 ? more : 0);
		log->last_known = 1;
		log->last = how & 32 ? '\n' : 'x';
		if (log->bytes == log->captured && text.len)
			log->last = (uint8_t)text.p[text.len - 1];
		if (text.len)
			memcpy(log->text, text.p, text.len);
		for (size_t i = 0; i < text.len; i++)
			ends += text.p[i] == '\n' || text.p[i] == '\r';
		ends += log->bytes > log->captured && log->last == '\n';
		written += log->bytes;
		if (log->bytes)
			REQUIRE(lines_write(lines, log));
		if (how & 64)
			lines_tick(lines, now_ns);
		free(log);
	}
	lines_tick(lines, UINT64_MAX);
	REQUIRE(sums.told <= written && sums.told + ends >= written);
	lines_free(lines);
	return 0;
}
