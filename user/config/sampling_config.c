// SPDX-License-Identifier: Apache-2.0
/* Reading of the key `sampling`; see sampling_config.h. */
#include "config/sampling_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/option_values.h"
#include "proto/ot_state.h"

enum {
	ROUTE_MAX = 512, /* bytes: a method and a pattern */
	NUMBER_MAX = 32, /* bytes of a number and its unit */
};

void sampling_config_init(struct sampling_policy *policy)
{
	*policy = (struct sampling_policy){.errors = OT_NEVER, .client_errors = OT_NEVER};
}

void sampling_config_release(struct sampling_policy *policy)
{
	for (size_t i = 0; i < policy->n_rates; i++)
		free((char *)(uintptr_t)policy->rates[i].route.p);
	sampling_config_init(policy);
}

/* A text as a C string; what is too long for a number becomes an empty one, which is none. */
static const char *number_text(struct sv text, char ret_copy[NUMBER_MAX])
{
	if (text.len >= NUMBER_MAX || sv_find(text, '\0') < text.len)
		text.len = 0;
	if (text.len)
		memcpy(ret_copy, text.p, text.len);
	ret_copy[text.len] = '\0';
	return ret_copy;
}

/* --- probabilities --- */

static int read_threshold(struct value value, uint64_t *ret_threshold)
{
	char copy[NUMBER_MAX];
	struct sv text;
	double probability;
	int err = value_text(value, &text);

	if (err)
		return err;
	if (option_part(number_text(text, copy), &probability))
		return value_wrong(value,
		    "\"%.*s\" is no part of all; expected a number from 0 to 1, such as 0.05",
		    SV_ARG(text));
	*ret_threshold = ot_threshold(probability);
	return 0;
}

static int read_errors(void *ctx, struct value value)
{
	struct sampling_policy *policy = ctx;

	return read_threshold(value, &policy->errors);
}

static int read_client_errors(void *ctx, struct value value)
{
	struct sampling_policy *policy = ctx;

	return read_threshold(value, &policy->client_errors);
}

static int read_default(void *ctx, struct value value)
{
	struct sampling_policy *policy = ctx;

	return read_threshold(value, &policy->otherwise);
}

/* "p99" as the share of the others, 0.01, which is exact in millionths. */
static bool read_percentile(const char *text, double *ret_share)
{
	double percent;

	if (*text != 'p' || strchr(text, '%') || option_percent(text + 1, &percent) ||
	    percent < SAMPLING_PERCENTILE_MIN || percent > SAMPLING_PERCENTILE_MAX)
		return false;
	*ret_share = (double)(uint64_t)((100 - percent) * 1e4 + 0.5) / 1e6;
	return true;
}

static int read_slower(void *ctx, struct sv key, struct value value)
{
	struct sampling_policy *policy = ctx;
	struct sampling_slower *slower = &policy->slower[policy->n_slower];
	char copy[NUMBER_MAX];
	int err;

	if (policy->n_slower == SAMPLING_MAX_SLOWER)
		return value_wrong(value, "more than %d of them", SAMPLING_MAX_SLOWER);
	*slower = (struct sampling_slower){0};
	number_text(key, copy);
	if (!read_percentile(copy, &slower->share) && option_duration(copy, &slower->ns))
		return value_wrong(value,
		    "\"%.*s\" is no time; expected one such as 500ms or 2s, or a percentile from p50 to p99.9",
		    SV_ARG(key));
	err = read_threshold(value, &slower->threshold);
	policy->n_slower += !err;
	return err;
}

static int read_slower_than(void *ctx, struct value value)
{
	return value_pairs(value, read_slower, ctx);
}

/* --- rates --- */

/* "10/s". */
static int read_per_second(struct value value, uint32_t *ret_per_s)
{
	char copy[NUMBER_MAX];
	struct sv text, number;
	uint64_t n;
	int err = value_text(value, &text);

	if (err)
		return err;
	number = sv_from(text.p, sv_find(text, '/'));
	if (!sv_eq(sv_skip(text, number.len), SV("/s")) ||
	    option_count(number_text(number, copy), SAMPLING_RATE_MAX, &n))
		return value_wrong(value, "\"%.*s\" is no rate; expected 1/s to %d/s", SV_ARG(text),
		    SAMPLING_RATE_MAX);
	*ret_per_s = (uint32_t)n;
	return 0;
}

static int read_rate(void *ctx, struct sv key, struct value value)
{
	struct sampling_policy *policy = ctx;
	struct sampling_rate *rate = &policy->rates[policy->n_rates];
	char *copy;
	int err;

	if (sv_eq(key, SV("*")))
		return read_per_second(value, &policy->other_rate);
	if (policy->n_rates == SAMPLING_MAX_RATES)
		return value_wrong(value, "more than %d routes", SAMPLING_MAX_RATES);
	if (!key.len || key.len > ROUTE_MAX)
		return value_wrong(value, "expected a route, such as \"POST /checkout\", or \"*\"");
	err = read_per_second(value, &rate->per_s);
	if (err)
		return err;
	copy = malloc(key.len);
	if (!copy)
		return -ENOMEM;
	rate->route = sv_from(memcpy(copy, key.p, key.len), key.len);
	policy->n_rates++;
	return 0;
}

static int read_rates(void *ctx, struct value value)
{
	return value_pairs(value, read_rate, ctx);
}

static int read_parent(void *ctx, struct value value)
{
	static const char *const words[] = {"follow", "ignore"};
	struct sampling_policy *policy = ctx;
	size_t word = 0;
	int err = value_word(value, words, 2, &word);

	if (!err)
		policy->ignore_parent = word == 1;
	return err;
}

int sampling_config_read(struct sampling_policy *policy, struct value value)
{
	static const struct value_key keys[] = {
	    {"errors", "sampling.errors", read_errors},
	    {"client_errors", "sampling.client_errors", read_client_errors},
	    {"slower_than", "sampling.slower_than", read_slower_than},
	    {"default", "sampling.default", read_default},
	    {"rate", "sampling.rate", read_rates},
	    {"parent", "sampling.parent", read_parent},
	};
	int err = value_mapping(value, keys, sizeof(keys) / sizeof(keys[0]), policy);

	policy->on = !err;
	return err;
}

/* --- for people --- */

static double in_percent(uint64_t threshold)
{
	return 100 * ot_probability(threshold);
}

void sampling_config_describe(const struct sampling_policy *policy, struct buf *out)
{
	if (!policy->on)
		return;
	buf_append_cstr(out, ", sampling: ");
	if (policy->errors < OT_NEVER)
		buf_printf(out, "%.4g %% of errors, ", in_percent(policy->errors));
	if (policy->client_errors < OT_NEVER)
		buf_printf(out, "%.4g %% of client errors, ", in_percent(policy->client_errors));
	for (size_t i = 0; i < policy->n_slower; i++) {
		const struct sampling_slower *slower = &policy->slower[i];

		buf_printf(out, "%.4g %% above ", in_percent(slower->threshold));
		if (slower->ns)
			buf_printf(out, "%g ms, ", (double)slower->ns / 1e6);
		else
			buf_printf(out, "p%g, ", 100 - 100 * slower->share);
	}
	buf_printf(out, "%.4g %% of others", in_percent(policy->otherwise));
	for (size_t i = 0; i < policy->n_rates; i++)
		buf_printf(out, ", %.*s %u/s", SV_ARG(policy->rates[i].route),
		    (unsigned int)policy->rates[i].per_s);
	if (policy->other_rate)
		buf_printf(out, ", other routes %u/s", (unsigned int)policy->other_rate);
	if (policy->ignore_parent)
		buf_append_cstr(out, ", whatever the parent says");
}
