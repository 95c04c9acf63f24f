// SPDX-License-Identifier: Apache-2.0
/* The words of OTEL_LOG_LEVEL, and what is none of them. */
#include <stdio.h>

#include "config/log_env.h"
#include "support.h"

static const char *value; /* of the current case; NULL: unset */

static const char *fake_getenv(const char *name)
{
	return strcmp(name, "OTEL_LOG_LEVEL") == 0 ? value : NULL;
}

static void keep(void *ctx, enum log_level level, const char *text)
{
	assert_int_equal(level, LOG_LEVEL_WARN);
	snprintf(ctx, 128, "%s", text);
}

/* warning: "" for none. */
static void expect(const char *text, enum log_level want, const char *warning)
{
	char warned[128] = "";

	value = text;
	log_set_observer(keep, warned);
	assert_int_equal(log_level_from_env(fake_getenv), want);
	log_set_observer(NULL, NULL);
	assert_string_equal(warned, warning);
}

static void words(void **state)
{
	(void)state;
	expect(NULL, LOG_LEVEL_INFO, "");
	expect("", LOG_LEVEL_INFO, "");
	expect("error", LOG_LEVEL_ERROR, "");
	expect("WARN", LOG_LEVEL_WARN, "");
	expect("Info", LOG_LEVEL_INFO, "");
	expect("debug", LOG_LEVEL_DEBUG, "");
}

static void others(void **state)
{
	(void)state;
	expect("verbose", LOG_LEVEL_INFO,
	    "OTEL_LOG_LEVEL='verbose' is ignored: expected info, error, warn or debug");
	expect("warn ", LOG_LEVEL_INFO,
	    "OTEL_LOG_LEVEL='warn ' is ignored: expected info, error, warn or debug");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words),
	    cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
