// SPDX-License-Identifier: Apache-2.0
/* The command line of why and its report, and the numbers with units. */
#include "config/option_values.h"
#include "options_fixture.h"

static void why(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "why -p 1");
	assert_int_equal(p.options.command, COMMAND_WHY);
	assert_int_equal(p.options.duration_ns, 10 * NS_PER_S);
	assert_int_equal(p.options.slower_than_ns, 0);
	assert_int_equal(p.options.n_routes, 0);
	parsed_release(&p);
	take(&p, "why -- shop"); /* until it ends */
	assert_int_equal(p.options.duration_ns, 0);
	parsed_release(&p);
	take(&p, "why -p 1 --duration 3 --slower-than 500ms --route /a --route POST*");
	assert_int_equal(p.options.duration_ns, 3 * NS_PER_S);
	assert_int_equal(p.options.slower_than_ns, 500 * NS_PER_MS);
	assert_int_equal(p.options.n_routes, 2);
	assert_string_equal(p.options.routes[1], "POST*");
	parsed_release(&p);
	take(&p, "replay x --format why --slower-than 1.5s");
	assert_int_equal(p.options.slower_than_ns, 1500 * NS_PER_MS);
	parsed_release(&p);
	refuse("why", "'zerospan why' needs a target");
	refuse("why -p 1 --output x", "'zerospan why' takes no option '--output'");
	refuse("trace -p 1 --route /a", "'zerospan trace' takes no option '--route'");
	refuse("replay x --route /a", "are for --format why or why-json");
	refuse("why -p 1 --route=", "bad value '' for '--route'");
	refuse("why -p 1 --slower-than 5", "bad value '5' for '--slower-than': expected DURATION");
	for (size_t i = 0; i < 5; i++) {
		static const char *const bad[] = {"0ms", "-1s", "1h", "ms", "1e3s"};
		char line[64];

		snprintf(line, sizeof(line), "why -p 1 --slower-than %s", bad[i]);
		refuse(line, "bad value");
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
	} cases[] = {
	    {"1us", 1000},
	    {"500ms", 500 * NS_PER_MS},
	    {"1.5s", 1500 * NS_PER_MS},
	    {"2m", 120 * NS_PER_S},
	    {".5ms", 500 * NS_PER_US},
	    {"", 0},
	    {"ms", 0},
	    {"5", 0},
	    {"5 ms", 0},
	    {"1..5s", 0},
	    {"0.0001us", 0},
	    {"99999999999m", 0},
	    {"0x10s", 0},
	    {"nans", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ns = 0;
		int err = option_duration(cases[i].text, &ns);

		assert_int_equal(ns, cases[i].ns);
		assert_int_equal(err, cases[i].ns ? 0 : -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(why),
	    cmocka_unit_test(durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
