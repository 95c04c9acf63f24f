// SPDX-License-Identifier: Apache-2.0
/* The key `sampling` of configuration files: what it comes to, and how what is wrong is named. */
#include "base/clock.h"
#include "config_fixture.h"
#include "proto/ot_state.h"

#define NO_ROUTES "0 routes, other paths are inferred"

static void all_keys(void **state)
{
	struct config config;
	const struct sampling_policy *policy = &config.sampling;

	(void)state;
	take(&config,
	    "sampling:\n  errors: 1.0\n  client_errors: 0.5\n"
	    "  slower_than: {500ms: 1.0, p99: 0.25, p99.9: 1}\n  default: 0.05\n"
	    "  rate: {POST /checkout: 10/s, \"*\": 100/s}\n  parent: ignore\n",
	    NO_ROUTES
	    ", sampling: 100 % of errors, 50 % of client errors, 100 % above 500 ms, 25 % above p99, "
	    "100 % above p99.9, 5 % of others, POST /checkout 10/s, other routes 100/s, "
	    "whatever the parent says");
	assert_true(policy->on);
	assert_true(policy->errors == 0);
	assert_true(policy->client_errors == OT_NEVER / 2);
	assert_true(policy->otherwise == 0xf3333000000000);
	assert_int_equal(policy->n_slower, 3);
	assert_true(policy->slower[0].ns == 500 * NS_PER_MS && policy->slower[0].threshold == 0);
	assert_true(policy->slower[1].ns == 0 && policy->slower[1].share == 0.01);
	assert_true(policy->slower[1].threshold == OT_NEVER / 4 * 3);
	assert_true(policy->slower[2].share == 0.001);
	assert_int_equal(policy->n_rates, 1);
	assert_true(sv_eq(policy->rates[0].route, SV("POST /checkout")));
	assert_int_equal(policy->rates[0].per_s, 10);
	assert_int_equal(policy->other_rate, 100);
	assert_true(policy->ignore_parent);
	config_release(&config);
	assert_false(policy->on);
}

static void what_is_left_out(void **state)
{
	struct config config;

	(void)state;
	take(&config, "routes: []", NO_ROUTES);
	assert_false(config.sampling.on);
	config_release(&config);
	take(&config, "sampling: {}", NO_ROUTES ", sampling: 100 % of others");
	assert_true(config.sampling.on);
	assert_true(config.sampling.errors == OT_NEVER);
	assert_true(config.sampling.client_errors == OT_NEVER);
	assert_true(config.sampling.otherwise == 0);
	assert_false(config.sampling.ignore_parent);
	config_release(&config);
	took("sampling: {default: 0, errors: 1}",
	    NO_ROUTES ", sampling: 100 % of errors, 0 % of others");
	took("sampling: {parent: follow, slower_than: {}, rate: {}}",
	    NO_ROUTES ", sampling: 100 % of others");
}

static void which_command(void **state)
{
	struct options run = {.command = COMMAND_RUN}, trace = {.command = COMMAND_TRACE},
		       asked = {.command = COMMAND_REPLAY, .sampling = true};
	struct config config;

	(void)state;
	take(&config, "sampling: {default: 0.5}", NULL);
	assert_ptr_equal(config_sampling(&config, &run), &config.sampling);
	assert_null(config_sampling(&config, &trace));
	assert_ptr_equal(config_sampling(&config, &asked), &config.sampling);
	config_release(&config);
	take(&config, "routes: []", NULL);
	assert_null(config_sampling(&config, &run));
	config_release(&config);
}

static const char *sampler_off(const char *name)
{
	return strcmp(name, "OTEL_TRACES_SAMPLER") == 0 ? "always_off" : NULL;
}

static int ready(void *ctx, const struct config *next, struct buf *message)
{
	(void)next;
	(void)message;
	return *(const int *)ctx;
}

/* The file again: what it says now, the environment before it; nothing of a file that is refused. */
static void read_again(void **state)
{
	static const char again[] = "sampling: {default: 0.25, errors: 1, rate: {GET /b: 2/s}}";
	struct config config;
	struct buf message;
	int refusal = 0;

	(void)state;
	buf_init(&message);
	take(&config, "sampling: {default: 0.5, rate: {GET /: 1/s}}", NULL);
	write_file(again, strlen(again));
	assert_int_equal(config_reload(&config, path, ready, &refusal, &message), 0);
	assert_true(config.sampling.otherwise == OT_NEVER / 4 * 3);
	assert_true(sv_eq(config.sampling.rates[0].route, SV("GET /b")));
	config.sampling_env = sampler_off;
	assert_int_equal(config_reload(&config, path, ready, &refusal, &message), 0);
	assert_true(config.sampling.otherwise == OT_NEVER);
	assert_true(config.sampling.errors == 0);
	config.sampling_env = NULL;
	refusal = -EINVAL;
	assert_int_equal(config_reload(&config, path, ready, &refusal, &message), -EINVAL);
	assert_true(config.sampling.otherwise == OT_NEVER);
	write_file("routes: []", 10);
	refusal = 0;
	assert_int_equal(config_reload(&config, path, ready, &refusal, &message), 0);
	assert_false(config.sampling.on);
	config_release(&config);
	buf_release(&message);
}

static void wrong_parts(void **state)
{
	static const char *const texts[] = {
	    "2", "-0.1", "1.01", "5%", "all", "0x1", "1e-3", "nan", "''", ".", "1.0.0"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[64], words[192];

		snprintf(text, sizeof(text), "sampling:\n  errors: %s\n", texts[i]);
		snprintf(words, sizeof(words),
		    ":2: sampling.errors: \"%s\" is no part of all; expected a number from 0 to 1, such as 0.05",
		    strcmp(texts[i], "''") == 0 ? "" : texts[i]);
		refuse(text, words);
	}
	refuse("sampling: {default: [1]}", ":1: sampling.default: expected a text");
	refuse("sampling: {client_errors: 7}",
	    ":1: sampling.client_errors: \"7\" is no part of all; expected a number from 0 to 1, "
	    "such as 0.05");
	refuse("sampling:\n  errors: 1.0000000000000000000000000000000000",
	    ":2: sampling.errors: \"1.0000000000000000000000000000000000\" is no part of all; "
	    "expected a number from 0 to 1, such as 0.05");
}

static void wrong_times(void **state)
{
	static const char *const texts[] = {
	    "500", "0ms", "fast", "p", "p49", "p100", "p99.99", "-1s", "p-60", "P99"};
	struct buf text;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char yaml[64], words[192];

		snprintf(yaml, sizeof(yaml), "sampling:\n  slower_than:\n    %s: 1\n", texts[i]);
		snprintf(words, sizeof(words),
		    ":3: sampling.slower_than: \"%s\" is no time; expected one such as 500ms or 2s, "
		    "or a percentile from p50 to p99.9",
		    texts[i]);
		refuse(yaml, words);
	}
	refuse("sampling: {slower_than: {1s: 2}}",
	    ":1: sampling.slower_than: \"2\" is no part of all; expected a number from 0 to 1, "
	    "such as 0.05");
	refuse("sampling: {slower_than: 1s}",
	    ":1: sampling.slower_than: expected a mapping (key: value)");
	buf_init(&text);
	buf_append_cstr(&text, "sampling:\n  slower_than:\n");
	for (int i = 1; i <= SAMPLING_MAX_SLOWER; i++)
		buf_printf(&text, "    %ds: 1\n", i);
	took(text.data, NULL);
	buf_append_cstr(&text, "    100s: 1\n");
	refuse(text.data, ":19: sampling.slower_than: more than 16 of them");
	buf_release(&text);
}

static void wrong_rates(void **state)
{
	static const char *const texts[] = {"10", "0/s", "1001/s", "1/m", "/s", "1.5/s", "-1/s"};
	struct buf text;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char yaml[64], words[128];

		snprintf(yaml, sizeof(yaml), "sampling:\n  rate:\n    '*': %s\n", texts[i]);
		snprintf(words, sizeof(words),
		    ":3: sampling.rate: \"%s\" is no rate; expected 1/s to 1000/s", texts[i]);
		refuse(yaml, words);
	}
	refuse("sampling: {rate: {'': 1/s}}",
	    ":1: sampling.rate: expected a route, such as \"POST /checkout\", or \"*\"");
	refuse("sampling: {rate: {GET /: 1/s, GET /: 2/s}}",
	    ":1: sampling.rate: key \"GET /\" stands twice");
	buf_init(&text);
	buf_append_cstr(&text, "sampling:\n  rate:\n");
	for (int i = 0; i < SAMPLING_MAX_RATES; i++)
		buf_printf(&text, "    GET /%d: 1/s\n", i);
	took(text.data, NULL);
	buf_append_cstr(&text, "    GET /more: 1/s\n");
	refuse(text.data, ":259: sampling.rate: more than 256 routes");
	buf_release(&text);
}

static void wrong_keys(void **state)
{
	(void)state;
	refuse("sampling: 0.05", ":1: sampling: expected a mapping (key: value)");
	refuse("sampling: {ratio: 0.05}",
	    ":1: sampling: unknown key \"ratio\", allowed: errors, client_errors, slower_than, "
	    "default, rate, parent");
	refuse("sampling: {default: 1, default: 0}", ":1: sampling: key \"default\" stands twice");
	refuse("sampling: {parent: obey}",
	    ":1: sampling.parent: bad value \"obey\", allowed: follow, ignore");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_keys),
	    cmocka_unit_test(what_is_left_out),
	    cmocka_unit_test(which_command),
	    cmocka_unit_test(read_again),
	    cmocka_unit_test(wrong_parts),
	    cmocka_unit_test(wrong_times),
	    cmocka_unit_test(wrong_rates),
	    cmocka_unit_test(wrong_keys),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
