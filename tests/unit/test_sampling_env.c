// SPDX-License-Identifier: Apache-2.0
/* OTEL_TRACES_SAMPLER: what each sampler comes to beside the rules of a file, and bad values. */
#include "base/log.h"
#include "config/sampling_env.h"
#include "proto/ot_state.h"
#include "support.h"

static const char *sampler, *arg; /* the environment of the current case */

static const char *fake_getenv(const char *name)
{
	if (strcmp(name, "OTEL_TRACES_SAMPLER") == 0)
		return sampler;
	return strcmp(name, "OTEL_TRACES_SAMPLER_ARG") == 0 ? arg : NULL;
}

static void count_warning(void *ctx, enum log_level level, const char *text)
{
	(void)text;
	*(int *)ctx += level == LOG_LEVEL_WARN;
}

static const struct sampling_policy file = {
    .on = true, .errors = 0, .client_errors = OT_NEVER, .otherwise = OT_NEVER / 8};

/* What becomes of a policy, and how many warnings there are. */
static struct sampling_policy take(
    struct sampling_policy policy, const char *name, const char *value, int want_warnings)
{
	int warnings = 0;

	sampler = name;
	arg = value;
	log_set_observer(count_warning, &warnings);
	sampling_from_env(&policy, fake_getenv);
	log_set_observer(NULL, NULL);
	assert_int_equal(warnings, want_warnings);
	return policy;
}

static void samplers(void **state)
{
	static const struct {
		const char *name, *arg;
		uint64_t otherwise;
		bool ignore_parent;
		int warnings;
	} rows[] = {
	    {"always_on", "0.5", 0, true, 0},
	    {"always_off", NULL, OT_NEVER, true, 0},
	    {"traceidratio", "0.5", OT_NEVER / 2, true, 0},
	    {"TraceIdRatio", "0.25", OT_NEVER / 4 * 3, true, 0},
	    {"parentbased_always_on", NULL, 0, false, 0},
	    {"parentbased_always_off", NULL, OT_NEVER, false, 0},
	    {"parentbased_traceidratio", "0.05", 0xf3333000000000, false, 0},
	    {"traceidratio", NULL, 0, true, 0},
	    {"traceidratio", "", 0, true, 0},
	    {"traceidratio", "0", OT_NEVER, true, 0},
	    {"traceidratio", "1.5", 0, true, 1},
	    {"traceidratio", "-0.5", 0, true, 1},
	    {"parentbased_traceidratio", "half", 0, false, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sampling_policy policy = take((struct sampling_policy){.errors = OT_NEVER},
		    rows[i].name, rows[i].arg, rows[i].warnings);

		assert_true(policy.on);
		assert_true(policy.otherwise == rows[i].otherwise);
		assert_int_equal(policy.ignore_parent, rows[i].ignore_parent);
		policy = take(file, rows[i].name, rows[i].arg, rows[i].warnings);
		assert_true(policy.errors == 0); /* the file's other rules stay */
		assert_true(policy.otherwise == rows[i].otherwise);
	}
}

static void none(void **state)
{
	static const struct {
		const char *name;
		int warnings;
	} rows[] = {{NULL, 0}, {"", 0}, {"jaeger_remote", 1}, {"ratio", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sampling_policy policy =
		    take((struct sampling_policy){0}, rows[i].name, "0.5", rows[i].warnings);

		assert_false(policy.on);
		policy = take(file, rows[i].name, "0.5", rows[i].warnings);
		assert_true(policy.otherwise == file.otherwise);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(samplers),
	    cmocka_unit_test(none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
