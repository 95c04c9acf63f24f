// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a line: a level that OpenTelemetry has, in words that the line has, colours left out, or none. */
#include "fuzz.h"
#include "proto/log_level.h"

static bool contains(struct sv line, struct sv text)
{
	for (size_t i = 0; i + text.len <= line.len; i++)
		if (sv_starts(sv_skip(line, i), text))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv line = fuzz_copy(data, size);
	struct log_level_found level = log_level_find(line);
	struct sv text = sv_from(level.text, level.text_len);

	REQUIRE(level.number >= 0 && level.number <= 24);
	REQUIRE((level.number == 0) == (text.len == 0));
	REQUIRE(text.len <= LOG_LEVEL_TEXT_MAX && utf8_valid(text));
	REQUIRE(contains(line, text) || sv_find(line, '\x1b') < line.len);
	fuzz_free(line);
	return 0;
}
