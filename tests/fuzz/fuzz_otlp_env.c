// SPDX-License-Identifier: Apache-2.0
/*
 * The lines of any text as values of the OTEL_* variables: each signal is left out, or has a URL for HTTP and header
 * lines that no value can break out of.
 */
#include "export/otlp_options.h"
#include "fuzz.h"

static const char *const names[] = {"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_INSECURE", "OTEL_BSP_MAX_QUEUE_SIZE"};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

static char *values[N_NAMES]; /* getenv() has no context */

static const char *get(const char *name)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (strcmp(names[i], name) == 0)
			return values[i];
	return NULL;
}

static void check_accepted(const struct otlp_options *options)
{
	const char *url = options->url;

	REQUIRE(!url || strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);
	for (size_t i = 0; i < options->n_headers; i++) {
		const char *line = options->headers[i], *colon = strstr(line, ": ");

		REQUIRE(colon && colon > line);
		for (const char *p = line; *p; p++)
			REQUIRE(((unsigned char)*p >= 0x20 && *p != 0x7f) || *p == '\t');
		REQUIRE(strcspn(line, " \t\",;/()<>@[]{}?=\\") >= (size_t)(colon - line));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	struct otlp_settings settings = {0};

	for (size_t i = 0; i < N_NAMES; i++) {
		struct sv value = fuzz_part(&c, '\n');

		value.len = sv_find(value, '\0');
		values[i] = value.len ? fuzz_string(value.p, value.len) : NULL;
	}
	REQUIRE(otlp_settings_from_env(&settings, get, NULL) == 0);
	for (int i = 0; i < OTLP_SIGNALS; i++)
		check_accepted(&settings.signals[i]);
	otlp_settings_release(&settings);
	for (size_t i = 0; i < N_NAMES; i++)
		free(values[i]);
	return 0;
}
