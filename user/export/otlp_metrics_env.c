// SPDX-License-Identifier: Apache-2.0
/*
 * What the environment says of metrics, by the rules of the OpenTelemetry specification v1.60.0
 * (configuration/sdk-environment-variables.md, metrics/sdk_exporters/otlp.md): an empty value is unset, names of choices
 * are of any case, what is wrong is warned of and ignored.
 */
#include "export/otlp_metrics.h"

enum {
	DEFAULT_INTERVAL_MS = 60000,
	DEFAULT_TIMEOUT_MS = 30000,
};

/* Longest interval or timeout, a year: sums of times stay far from their limits. */
#define MAX_MS (366ULL * 24 * 3600 * 1000)

struct otlp_metrics_env otlp_metrics_from_env(env_fn *get)
{
	static const struct env_choice temporalities[] = {
	    {"cumulative", METRIC_TEMPORALITY_CUMULATIVE},
	    {"delta", METRIC_TEMPORALITY_DELTA},
	    {"lowmemory", METRIC_TEMPORALITY_LOWMEMORY},
	};
	static const struct env_choice aggregations[] = {
	    {"explicit_bucket_histogram", false},
	    {"base2_exponential_bucket_histogram", true},
	};
	static const struct env_choice filters[] = {
	    {"trace_based", METRIC_EXEMPLAR_TRACE_BASED},
	    {"always_on", METRIC_EXEMPLAR_ALWAYS_ON},
	    {"always_off", METRIC_EXEMPLAR_ALWAYS_OFF},
	};

	return (struct otlp_metrics_env){
	    .interval_ms =
		env_number(get, "OTEL_METRIC_EXPORT_INTERVAL", 1, MAX_MS, DEFAULT_INTERVAL_MS),
	    .timeout_ms =
		env_number(get, "OTEL_METRIC_EXPORT_TIMEOUT", 0, MAX_MS, DEFAULT_TIMEOUT_MS),
	    .temporality = (enum metric_temporality)env_choice(
		get, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporalities, 3),
	    .exponential = env_choice(
		get, "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", aggregations, 2),
	    .exemplars = (enum metric_exemplar_filter)env_choice(
		get, "OTEL_METRICS_EXEMPLAR_FILTER", filters, 3),
	};
}
