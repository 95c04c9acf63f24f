// SPDX-License-Identifier: Apache-2.0
/* Reading of the key `logs`; see logs_config.h. */
#include "config/logs_config.h"

#include <errno.h>

struct logs_config logs_config_default(void)
{
	return (struct logs_config){.rate = LOGS_CONFIG_RATE, .burst = LOGS_CONFIG_RATE};
}

static int read_count(struct value value, uint32_t *ret_count)
{
	struct sv text = {0};
	uint32_t count = 0;
	int err = value_text(value, &text);

	if (err)
		return err;
	for (size_t i = 0; i < text.len && count <= LOGS_CONFIG_RATE_MAX; i++) {
		if (text.p[i] < '0' || text.p[i] > '9') {
			count = 0;
			break;
		}
		count = count * 10 + (uint32_t)(text.p[i] - '0');
	}
	if (count < 1 || count > LOGS_CONFIG_RATE_MAX)
		return value_wrong(value, "\"%.*s\" is no number from 1 to %d", SV_ARG(text),
		    LOGS_CONFIG_RATE_MAX);
	*ret_count = count;
	return 0;
}

static int read_rate(void *ctx, struct value value)
{
	struct logs_config *logs = ctx;

	return read_count(value, &logs->rate);
}

static int read_burst(void *ctx, struct value value)
{
	struct logs_config *logs = ctx;

	return read_count(value, &logs->burst);
}

int logs_config_read(struct logs_config *logs, struct value value)
{
	static const struct value_key keys[] = {
	    {"rate", "logs.rate", read_rate},
	    {"burst", "logs.burst", read_burst},
	};
	static const char *const words[] = {"on", "off"};
	struct logs_config read = {.wanted = true};
	size_t word = 0;
	int err;

	if (value_kind(value) == VALUE_TEXT) {
		err = value_word(value, words, 2, &word);
		logs->wanted = !err && word == 0;
		return err;
	}
	if (value_kind(value) != VALUE_MAPPING)
		return value_wrong(
		    value, "expected on, off, or a mapping with the keys rate and burst");
	err = value_mapping(value, keys, sizeof(keys) / sizeof(keys[0]), &read);
	if (err)
		return err;
	if (!read.rate)
		read.rate = LOGS_CONFIG_RATE;
	if (!read.burst)
		read.burst = read.rate;
	*logs = read;
	return 0;
}

bool logs_config_differ(const struct logs_config *logs, const struct logs_config *next)
{
	return next->wanted &&
	    (!logs->wanted || logs->rate != next->rate || logs->burst != next->burst);
}

void logs_config_describe(const struct logs_config *logs, struct buf *out)
{
	if (logs->wanted)
		buf_printf(out, ", lines of stdout and stderr: %u/s and process, %u at once",
		    logs->rate, logs->burst);
}
