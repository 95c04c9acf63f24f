// SPDX-License-Identifier: Apache-2.0
/* What the environment says of metrics: defaults, choices of any case, and what is wrong is ignored. */
#include "base/log.h"
#include "export/otlp_metrics.h"
#include "support.h"

#include <string.h>

static const char *wanted_name, *wanted_value;

static const char *one(const char *name)
{
	return wanted_name && strcmp(name, wanted_name) == 0 ? wanted_value : NULL;
}

/* With this variable alone. */
static struct otlp_metrics_env with(const char *name, const char *value)
{
	wanted_name = name;
	wanted_value = value;
	return otlp_metrics_from_env(one);
}

static void test_defaults(void **state)
{
	struct otlp_metrics_env env = with(NULL, NULL);

	(void)state;
	assert_int_equal(env.interval_ms, 60000);
	assert_int_equal(env.timeout_ms, 30000);
	assert_int_equal(env.temporality, METRIC_TEMPORALITY_CUMULATIVE);
	assert_false(env.exponential);
	assert_int_equal(env.exemplars, METRIC_EXEMPLAR_TRACE_BASED);
}

static void test_times(void **state)
{
	static const char *const wrong[] = {
	    "", "x", "-1", "1s", "1.5", "99999999999999999999", "40000000000"};

	(void)state;
	assert_int_equal(with("OTEL_METRIC_EXPORT_INTERVAL", "1500").interval_ms, 1500);
	assert_int_equal(with("OTEL_METRIC_EXPORT_TIMEOUT", "1500").timeout_ms, 1500);
	assert_int_equal(with("OTEL_METRIC_EXPORT_TIMEOUT", "0").timeout_ms, 0); /* no limit */
	assert_int_equal(with("OTEL_METRIC_EXPORT_INTERVAL", "0").interval_ms, 60000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(with("OTEL_METRIC_EXPORT_INTERVAL", wrong[i]).interval_ms, 60000);
		assert_int_equal(with("OTEL_METRIC_EXPORT_TIMEOUT", wrong[i]).timeout_ms, 30000);
	}
}

static void test_choices(void **state)
{
	static const char temporality[] = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
	static const char aggregation[] =
	    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
	static const char filter[] = "OTEL_METRICS_EXEMPLAR_FILTER";

	(void)state;
	assert_int_equal(
	    with(temporality, "Cumulative").temporality, METRIC_TEMPORALITY_CUMULATIVE);
	assert_int_equal(with(temporality, "DELTA").temporality, METRIC_TEMPORALITY_DELTA);
	assert_int_equal(with(temporality, "lowmemory").temporality, METRIC_TEMPORALITY_LOWMEMORY);
	assert_int_equal(with(temporality, "").temporality, METRIC_TEMPORALITY_CUMULATIVE);
	assert_int_equal(with(temporality, "delta ").temporality, METRIC_TEMPORALITY_CUMULATIVE);
	assert_true(with(aggregation, "Base2_Exponential_Bucket_Histogram").exponential);
	assert_false(with(aggregation, "explicit_bucket_histogram").exponential);
	assert_false(with(aggregation, "base2").exponential);
	assert_int_equal(with(filter, "always_OFF").exemplars, METRIC_EXEMPLAR_ALWAYS_OFF);
	assert_int_equal(with(filter, "trace_based").exemplars, METRIC_EXEMPLAR_TRACE_BASED);
	assert_int_equal(with(filter, "always_on").exemplars, METRIC_EXEMPLAR_ALWAYS_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_choices),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
