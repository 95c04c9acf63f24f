// SPDX-License-Identifier: Apache-2.0
/* Where /metrics is served: the command line before the environment before the default, and bad variables. */
#include "base/log.h"
#include "config/listen_env.h"
#include "options_fixture.h"

static const char *host, *port; /* the environment of the current case */

static const char *fake_getenv(const char *name)
{
	if (strcmp(name, "OTEL_EXPORTER_PROMETHEUS_HOST") == 0)
		return host;
	return strcmp(name, "OTEL_EXPORTER_PROMETHEUS_PORT") == 0 ? port : NULL;
}

static void count_warning(void *ctx, enum log_level level, const char *text)
{
	(void)text;
	if (level == LOG_LEVEL_WARN)
		++*(int *)ctx;
}

struct expected {
	const char *host, *port; /* NULL: unset */
	const char *address;
	int number;
	int warnings;
};

static void expect(const char *line, const struct expected *want)
{
	struct parsed p;
	int warnings = 0;

	take(&p, line);
	host = want->host;
	port = want->port;
	log_set_observer(count_warning, &warnings);
	listen_from_env(&p.options, fake_getenv);
	log_set_observer(NULL, NULL);
	assert_string_equal(p.options.listen_address, want->address);
	assert_int_equal(p.options.listen_port, want->number);
	assert_int_equal(warnings, want->warnings);
	parsed_release(&p);
}

static void test_environment(void **state)
{
	static const struct expected cases[] = {
	    {NULL, NULL, "127.0.0.1", 9464, 0},
	    {"", "", "127.0.0.1", 9464, 0},
	    {"0.0.0.0", NULL, "0.0.0.0", 9464, 0},
	    {"::1", "1234", "::1", 1234, 0},
	    {"localhost", "0", "127.0.0.1", 0, 0},
	    {NULL, "65535", "127.0.0.1", 65535, 0},
	    {"127.0.0.2", "65536", "127.0.0.2", 9464, 1},
	    {"[::1]", "1", "127.0.0.1", 1, 1},
	    {"nowhere.example", "http", "127.0.0.1", 9464, 2},
	    {"127.0.0.1:80", "-1", "127.0.0.1", 9464, 2},
	    {"00000000000000000000000000000000000000000000000000000000000000001", " 1", "127.0.0.1",
		9464, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect("run -p 1", &cases[i]);
}

static void test_command_line_comes_first(void **state)
{
	(void)state;
	expect("run -p 1 --listen 10.0.0.1:80",
	    &(struct expected){"0.0.0.0", "1234", "10.0.0.1", 80, 0});
	expect("run -p 1 --listen :80", &(struct expected){"127.0.0.1", "bad", "0.0.0.0", 80, 0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_command_line_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
