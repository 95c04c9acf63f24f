// SPDX-License-Identifier: Apache-2.0
/*
 * What the environment says of metrics, by the rules of the OpenTelemetry specification v1.60.0
 * (configuration/sdk-environment-variables.md, metrics/sdk_exporters/otlp.md): an empty value is unset, names of choices
 * are of any case, what is wrong is warned of and ignored.
 */
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "export/otlp_metrics.h"

enum {
	DEFAULT_INTERVAL_MS = 60000,
	DEFAULT_TIMEOUT_MS = 30000,
};

/* Longest interval or timeout, a year: sums of times stay far from their limits. */
#define MAX_MS (366LL * 24 * 3600 * 1000)

typedef const char *getenv_like(const char *name);

/* Milliseconds, at least min. */
static uint64_t read_ms(getenv_like *getenv_fn, const char *name, long long min, uint64_t fallback)
{
	const char *text = getenv_fn(name);
	long long value;
	char *end;

	if (!text || !*text)
		return fallback;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end || errno || value < min || value > MAX_MS) {
		log_warn("%s: \"%s\" is no number of milliseconds from %lld to %lld, using %llu",
		    name, text, min, MAX_MS, (unsigned long long)fallback);
		return fallback;
	}
	return (uint64_t)value;
}

struct choice {
	const char *name;
	int value;
};

/* The first choice is the default. */
static int read_choice(
    getenv_like *getenv_fn, const char *name, const struct choice *choices, size_t n)
{
	const char *text = getenv_fn(name);

	if (!text || !*text)
		return choices[0].value;
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(text, choices[i].name) == 0)
			return choices[i].value;
	log_warn("%s: \"%s\" is not supported, using \"%s\"", name, text, choices[0].name);
	return choices[0].value;
}

struct otlp_metrics_env otlp_metrics_from_env(const char *(*getenv_fn)(const char *name))
{
	static const struct choice temporalities[] = {
	    {"cumulative", METRIC_TEMPORALITY_CUMULATIVE},
	    {"delta", METRIC_TEMPORALITY_DELTA},
	    {"lowmemory", METRIC_TEMPORALITY_LOWMEMORY},
	};
	static const struct choice aggregations[] = {
	    {"explicit_bucket_histogram", false},
	    {"base2_exponential_bucket_histogram", true},
	};
	static const struct choice filters[] = {
	    {"trace_based", METRIC_EXEMPLAR_TRACE_BASED},
	    {"always_on", METRIC_EXEMPLAR_ALWAYS_ON},
	    {"always_off", METRIC_EXEMPLAR_ALWAYS_OFF},
	};

	return (struct otlp_metrics_env){
	    .interval_ms =
		read_ms(getenv_fn, "OTEL_METRIC_EXPORT_INTERVAL", 1, DEFAULT_INTERVAL_MS),
	    .timeout_ms = read_ms(getenv_fn, "OTEL_METRIC_EXPORT_TIMEOUT", 0, DEFAULT_TIMEOUT_MS),
	    .temporality = (enum metric_temporality)read_choice(
		getenv_fn, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporalities, 3),
	    .exponential = read_choice(getenv_fn,
		"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", aggregations, 2),
	    .exemplars = (enum metric_exemplar_filter)read_choice(
		getenv_fn, "OTEL_METRICS_EXEMPLAR_FILTER", filters, 3),
	};
}
