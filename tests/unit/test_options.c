// SPDX-License-Identifier: Apache-2.0
/* The command line: what each option does, what is refused with which words, and the help text. */
#include "options_fixture.h"

static void commands(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "run -p 1");
	assert_int_equal(p.options.command, COMMAND_RUN);
	parsed_release(&p);
	take(&p, "trace -p 1");
	assert_int_equal(p.options.command, COMMAND_TRACE);
	parsed_release(&p);
	take(&p, "check");
	assert_int_equal(p.options.command, COMMAND_CHECK);
	parsed_release(&p);
	refuse("", "no command given");
	refuse("watch", "unknown command 'watch'");
	refuse("ru", "unknown command 'ru'");
	refuse("-", "unknown command '-'");
	refuse("run trace -p 1", "unexpected argument 'trace'");
}

static void defaults(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "run -p 1");
	assert_int_equal(p.options.format, FORMAT_DEFAULT);
	assert_null(p.options.output);
	assert_null(p.options.program);
	assert_int_equal(p.options.duration_ns, 0);
	assert_string_equal(p.options.listen_address, "127.0.0.1");
	assert_int_equal(p.options.listen_port, 9464);
	assert_false(p.options.verbose);
	assert_false(p.options.quiet);
	assert_false(p.options.help);
	assert_false(p.options.version);
	parsed_release(&p);
}

static void targets(void **state)
{
	static const char *const texts[] = {"1", "2", "shop", "nginx", "/usr/*", "8000"};
	static const enum option_target kinds[] = {OPTION_TARGET_PID, OPTION_TARGET_PID,
	    OPTION_TARGET_NAME, OPTION_TARGET_NAME, OPTION_TARGET_EXE, OPTION_TARGET_PORT};
	struct parsed p;

	(void)state;
	take(&p, "trace -p 1 --pid=2 -n shop --name nginx --exe /usr/* --port 8000");
	assert_int_equal(p.options.n_targets, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(p.options.targets[i].kind, kinds[i]);
		assert_string_equal(p.options.targets[i].text, texts[i]);
	}
	parsed_release(&p);
	take(&p, "--pid 1 trace"); /* before the command */
	assert_int_equal(p.options.n_targets, 1);
	parsed_release(&p);
	take(&p, "trace --name=a=b");
	assert_string_equal(p.options.targets[0].text, "a=b");
	parsed_release(&p);
	refuse("run", "needs a target: --pid, --name, --exe, --port or -- COMMAND");
	refuse("trace -v", "'zerospan trace' needs a target");
	refuse("trace --pid=", "bad value '' for '--pid': expected PID");
	refuse("trace --pid", "option '--pid' needs a value: PID");
	refuse("trace -p", "option '-p' needs a value: PID");
	refuse("check -p 1", "'zerospan check' takes no option '-p'");
}

static void recordings(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "replay a.rec --format none b.rec -v");
	assert_int_equal(p.options.command, COMMAND_REPLAY);
	assert_int_equal(p.options.n_files, 2);
	assert_string_equal(p.options.files[0], "a.rec");
	assert_string_equal(p.options.files[1], "b.rec");
	assert_true(p.options.verbose);
	parsed_release(&p);
	take(&p, "replay replay"); /* a file of that name */
	assert_string_equal(p.options.files[0], "replay");
	parsed_release(&p);
	take(&p, "run -p 1 --record x.rec");
	assert_string_equal(p.options.record, "x.rec");
	assert_false(p.options.record_payloads);
	parsed_release(&p);
	take(&p, "run -p 1 --record x.rec --record-payloads");
	assert_true(p.options.record_payloads);
	refuse("run -p 1 --record-payloads", "'--record-payloads' needs '--record FILE'");
	refuse("replay", "'zerospan replay' needs a recording: FILE");
	refuse("replay x -p 1", "'zerospan replay' takes no option '-p'");
	refuse("replay x --record y", "'zerospan replay' takes no option '--record'");
	refuse("replay x -- true", "'zerospan replay' takes no command to run");
	refuse("check --record y", "'zerospan check' takes no option '--record'");
	refuse("trace -p 1 --record=", "bad value '' for '--record'");
}

static void sampling(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "trace -p 1 --config x.yaml --sampling");
	assert_true(p.options.sampling);
	parsed_release(&p);
	take(&p, "replay x --config x.yaml");
	assert_false(p.options.sampling);
	parsed_release(&p);
	refuse("trace -p 1 --sampling", "'--sampling' needs '--config FILE'");
	refuse("run -p 1 --config x --sampling", "'zerospan run' takes no option '--sampling'");
	refuse("why -p 1 --config x --sampling", "'zerospan why' takes no option '--sampling'");
	refuse("replay x --config x --sampling --format why-json",
	    "'--sampling' is not for --format why-json, which looks at every trace");
}

static void logs(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "run -p 1");
	assert_false(p.options.logs);
	parsed_release(&p);
	take(&p, "replay x --logs --trace-id 53E6a709");
	assert_true(p.options.logs);
	assert_string_equal(p.options.trace_id, "53e6a709");
	parsed_release(&p);
	take(&p, "trace -p 1 --logs --trace-id 0123456789abcdef0123456789abcdef");
	assert_string_equal(p.options.trace_id, "0123456789abcdef0123456789abcdef");
	parsed_release(&p);
	refuse("trace -p 1 --trace-id 0123456789abcdef0123456789abcdef0", "bad value");
	refuse("trace -p 1 --trace-id 012",
	    "bad value '012' for '--trace-id': expected ID, only this");
	refuse("trace -p 1 --trace-id 0123x", "bad value");
	refuse("run -p 1 --trace-id 0123", "takes no option '--trace-id'");
	refuse("why -p 1 --logs", "takes no option '--logs'");
	refuse("trace -p 1 --logs=on", "option '--logs' takes no value");
}

/* As getopt has it: what stands behind the letter is the value. */
static void values_attached_to_a_letter(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "-p123 trace -nshop");
	assert_int_equal(p.options.n_targets, 2);
	assert_int_equal(p.options.targets[0].kind, OPTION_TARGET_PID);
	assert_string_equal(p.options.targets[0].text, "123");
	assert_int_equal(p.options.targets[1].kind, OPTION_TARGET_NAME);
	assert_string_equal(p.options.targets[1].text, "shop");
	parsed_release(&p);
	refuse("trace -pq 1", "unexpected argument '1'");
	refuse("check -p123", "'zerospan check' takes no option '-p'");
}

static void as_many_targets_as_fit(void **state)
{
	char line[2048] = "run";
	struct parsed p;

	(void)state;
	for (int i = 0; i < OPTIONS_MAX_TARGETS; i++)
		strcat(line, " --pid=7");
	take(&p, line);
	assert_int_equal(p.options.n_targets, OPTIONS_MAX_TARGETS);
	parsed_release(&p);
	strcat(line, " --pid=7");
	parse(&p, line);
	assert_int_equal(p.err, -EINVAL);
	parsed_release(&p);
}

/* The remedy for too many is not another value. */
static void too_many_targets_are_called_so(void **state)
{
	char line[2048] = "run";

	(void)state;
	for (int i = 0; i <= OPTIONS_MAX_TARGETS; i++)
		strcat(line, " --pid=7");
	refuse(line, "too many targets: at most 64");
}

static void endpoints_of_otlp(void **state)
{
	static const char four[] =
	    "run -p 1 --otlp-endpoint http://a --otlp-endpoint=http://b --otlp-endpoint c "
	    "--otlp-endpoint d";
	struct parsed p;
	char five[256];

	(void)state;
	take(&p, four);
	assert_int_equal(p.options.n_otlp, OPTIONS_MAX_OTLP);
	assert_string_equal(p.options.otlp[0], "http://a");
	assert_string_equal(p.options.otlp[1], "http://b");
	parsed_release(&p);
	snprintf(five, sizeof(five), "%s --otlp-endpoint e", four);
	refuse(five, "too many OTLP endpoints: at most 4");
	refuse("run -p 1 --otlp-endpoint=", "bad value");
	refuse("trace -p 1 --otlp-endpoint http://a", "takes no option '--otlp-endpoint'");
}

static void program(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "trace -- shop --port 1 -- -x");
	assert_string_equal(p.options.program[0], "shop");
	assert_string_equal(p.options.program[1], "--port");
	assert_string_equal(p.options.program[3], "--");
	assert_string_equal(p.options.program[4], "-x");
	assert_null(p.options.program[5]);
	assert_int_equal(p.options.n_targets, 0);
	parsed_release(&p);
	refuse("trace --", "a command is missing after '--'");
	refuse("check -- shop", "'zerospan check' takes no command");
	refuse("-- shop", "no command given");
}

static void formats(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "trace -p 1 --format tree");
	assert_int_equal(p.options.format, FORMAT_TREE);
	parsed_release(&p);
	take(&p, "trace -p 1 --format=otlp-json");
	assert_int_equal(p.options.format, FORMAT_OTLP_JSON);
	parsed_release(&p);
	take(&p, "trace -p 1 --format tree --format none"); /* the last one counts */
	assert_int_equal(p.options.format, FORMAT_NONE);
	parsed_release(&p);
	take(&p, "--format json why -p 1");
	assert_int_equal(p.options.format, FORMAT_WHY_JSON);
	parsed_release(&p);
	take(&p, "why -p 1 --format text");
	assert_int_equal(p.options.format, FORMAT_WHY_TEXT);
	parsed_release(&p);
	take(&p, "replay x --format why-json");
	assert_int_equal(p.options.format, FORMAT_WHY_JSON);
	parsed_release(&p);
	refuse("trace -p 1 --format json",
	    "bad value 'json' for '--format': expected one of tree, otlp-json, none");
	refuse("why -p 1 --format tree", "expected one of text, json");
	refuse("replay x --format json", "expected one of tree, otlp-json, none, why, why-json");
	refuse("trace -p 1 --format=", "bad value ''");
	refuse("trace -p 1 --format", "needs a value: FORMAT");
	refuse("check --format tree", "takes no option '--format'");
}

static void output(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "trace -p 1 --output /tmp/x");
	assert_string_equal(p.options.output, "/tmp/x");
	parsed_release(&p);
	take(&p, "trace -p 1 --output x --output-max-size=1.5K --output-keep 1000");
	assert_int_equal(p.options.output_max_bytes, 1536);
	assert_int_equal(p.options.output_keep, 1000);
	parsed_release(&p);
	take(&p, "run -p 1 --output-metrics m --output-logs l --output-max-size 1M");
	assert_null(p.options.output);
	assert_string_equal(p.options.output_metrics, "m");
	assert_string_equal(p.options.output_logs, "l");
	take(&p, "trace -p 1 --output t --output-metrics m --output-logs l");
	refuse("run -p 1 --output x --output-metrics y --output-logs x", "need a file each");
	refuse("run -p 1 --output-metrics y --output y", "need a file each");
	refuse("run -p 1 --output-metrics y --output-logs y", "need a file each");
	refuse("run -p 1 --output-logs=", "bad value '' for '--output-logs': expected FILE");
	refuse("replay x --output-metrics y", "takes no option '--output-metrics'");
	refuse("trace -p 1 --output-max-size 1M", "'--output-max-size' needs '--output FILE'");
	refuse("trace -p 1 --output x --output-keep 3", "needs '--output-max-size SIZE'");
	refuse("trace -p 1 --output x --output-max-size 1T", "bad value '1T'");
	refuse("trace -p 1 --output x --output-max-size 1MB", "bad value '1MB'");
	refuse("trace -p 1 --output x --output-max-size 0", "bad value '0'");
	refuse("trace -p 1 --output x --output-max-size 1M --output-keep 0", "bad value '0'");
	refuse("trace -p 1 --output x --output-max-size 1M --output-keep 1001", "bad value '1001'");
	refuse("trace -p 1 --output=", "bad value '' for '--output': expected FILE");
	refuse("trace -p 1 --output", "needs a value: FILE");
}

static void config(void **state)
{
	static const char *const words[] = {"run -p 1", "trace -p 1", "replay x"};
	struct parsed p;
	char line[64];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "%s --config shop.yaml", words[i]);
		take(&p, line);
		assert_string_equal(p.options.config, "shop.yaml");
		parsed_release(&p);
		take(&p, words[i]);
		assert_null(p.options.config);
		parsed_release(&p);
	}
	refuse("run -p 1 --config=", "bad value '' for '--config': expected FILE");
	refuse("run -p 1 --config", "option '--config' needs a value: FILE");
	refuse("check --config x", "'zerospan check' takes no option '--config'");
}

static void config_check(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "config check shop.yaml");
	assert_int_equal(p.options.command, COMMAND_CONFIG);
	assert_string_equal(p.options.config, "shop.yaml");
	parsed_release(&p);
	take(&p, "config check check"); /* a file of that name */
	assert_string_equal(p.options.config, "check");
	parsed_release(&p);
	take(&p, "config --help");
	parsed_release(&p);
	refuse("config", "'zerospan config' needs more: check FILE");
	refuse("config check", "'zerospan config' needs more: check FILE");
	refuse("config shop.yaml", "unexpected argument 'shop.yaml'");
	refuse("config check a b", "unexpected argument 'b'");
	refuse("config check --config a", "'zerospan config' takes no option '--config'");
	refuse("config check a -p 1", "'zerospan config' takes no option '-p'");
	refuse("config check a -- true", "'zerospan config' takes no command to run");
}

static void duration(void **state)
{
	static const char *const bad[] = {
	    "0", "-1", "x", "1x", "1m", "nan", "inf", "1e300", "", "1ss", "s"};
	struct parsed p;
	char line[64];

	(void)state;
	take(&p, "trace -p 1 --duration 2");
	assert_int_equal(p.options.duration_ns, 2 * NS_PER_S);
	parsed_release(&p);
	take(&p, "trace -p 1 --duration=0.5s");
	assert_int_equal(p.options.duration_ns, NS_PER_S / 2);
	parsed_release(&p);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "trace -p 1 --duration=%s", bad[i]);
		refuse(line, "for '--duration': expected SECONDS");
	}
	refuse("check --duration 1", "takes no option '--duration'");
}

static void budget(void **state)
{
	static const char *const bad[] = {"0", "0.0", "-1", "101", "100.1", "x", "5x", "5%%", "nan",
	    "inf", "1e1", "0x5", ".", "%", "none"};
	struct parsed p;
	char line[64];

	(void)state;
	take(&p, "trace -p 1");
	assert_true(p.options.budget_pct == OPTIONS_BUDGET_PCT);
	parsed_release(&p);
	take(&p, "run -p 1 --budget 2.5");
	assert_true(p.options.budget_pct == 2.5);
	parsed_release(&p);
	take(&p, "trace -p 1 --budget=5%");
	assert_true(p.options.budget_pct == 5);
	parsed_release(&p);
	take(&p, "trace -p 1 --budget 100");
	assert_true(p.options.budget_pct == 100);
	parsed_release(&p);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "trace -p 1 --budget=%s", bad[i]);
		refuse(line, "for '--budget': expected PERCENT");
	}
	refuse("replay x --budget 5", "takes no option '--budget'");
}

/* 0 nanoseconds mean "until interrupted"; no positive duration may become that. */
static void shortest_duration(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, "trace -p 1 --duration 1e-12");
	assert_true(p.err == -EINVAL || p.options.duration_ns > 0);
	parsed_release(&p);
}

static void listen_forms(void **state)
{
	static const struct {
		const char *value, *address;
		int port;
	} rows[] = {
	    {"127.0.0.1:1", "127.0.0.1", 1},
	    {"0.0.0.0:65535", "0.0.0.0", 65535},
	    {":9464", "0.0.0.0", 9464},
	    {"[::1]:80", "::1", 80},
	    {"[::]:0", "::", 0},
	    {"localhost:8080", "localhost", 8080},
	};
	static const char *const bad[] = {"9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
	    "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:1x", ":", "", "[::1]", "[::1]80",
	    "a-name-that-is-so-long-that-it-can-be-no-address-at-all-whatever-is-meant:1"};
	struct parsed p;
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line), "run -p 1 --listen %s", rows[i].value);
		take(&p, line);
		assert_string_equal(p.options.listen_address, rows[i].address);
		assert_int_equal(p.options.listen_port, rows[i].port);
		parsed_release(&p);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "run -p 1 --listen=%s", bad[i]);
		refuse(line, "for '--listen': expected ADDR:PORT");
	}
	refuse("trace -p 1 --listen :1", "'zerospan trace' takes no option '--listen'");
}

/* Brackets with nothing inside, or only one of them, and an IPv6 address without. */
static void listen_forms_that_mean_nothing(void **state)
{
	(void)state;
	refuse("run -p 1 --listen=[]:80", "for '--listen'");
	refuse("run -p 1 --listen=[::1:80", "for '--listen'");
	refuse("run -p 1 --listen=::1:80", "for '--listen'");
	refuse("run -p 1 --listen=::1]:80", "for '--listen'");
	refuse("run -p 1 --listen=a[::1]:80", "for '--listen'");
	refuse("run -p 1 --listen=127.0.0.1:+80", "for '--listen'");
	refuse("run -p 1 --listen=127.0.0.1:99999999999999999999", "for '--listen'");
}

static void switches(void **state)
{
	struct parsed p;

	(void)state;
	take(&p, "trace -p 1 -v -q");
	assert_true(p.options.verbose);
	assert_true(p.options.quiet);
	parsed_release(&p);
	take(&p, "check --verbose");
	assert_true(p.options.verbose);
	parsed_release(&p);
	refuse("trace -p 1 --verbose=1", "option '--verbose' takes no value");
	refuse("trace -p 1 --quiet=", "option '--quiet' takes no value");
	refuse("check -q", "takes no option '-q'");
}

static void help_and_version_need_nothing_else(void **state)
{
	static const char *const lines[] = {
	    "--help", "-h", "run --help", "trace -h", "check --help", "--version", "-V", "run -V"};
	struct parsed p;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		take(&p, lines[i]);
		assert_true(p.options.help || p.options.version);
		parsed_release(&p);
	}
}

static void unknown_options(void **state)
{
	(void)state;
	refuse("trace --pids 1", "unknown option '--pids', see zerospan --help");
	refuse("trace --pi 1", "unknown option '--pi'");
	refuse("trace --pid1", "unknown option");
	refuse("trace -x", "unknown option '-x'");
	refuse("trace -vq -p 1", "unknown option '-vq'");
	refuse("trace --=1", "unknown option");
}

/* An option that the command does not take is refused wherever it stands. */
static void options_before_the_command(void **state)
{
	(void)state;
	refuse("--listen :1 trace -p 1", "takes no option '--listen'");
	refuse("--duration 1 check", "takes no option '--duration'");
	refuse("-p 1 check", "'zerospan check' takes no option '-p'");
	refuse("--quiet -v check", "'zerospan check' takes no option '--quiet'");
}

static void failure_leaves_the_result_alone(void **state)
{
	const char *argv[] = {"zerospan", "run", "--listen", ":1", "--nope", NULL};
	struct options options = {.listen_port = 77};
	struct buf message;

	(void)state;
	buf_init(&message);
	assert_int_equal(options_parse(5, (char **)argv, &options, &message), -EINVAL);
	assert_int_equal(options.listen_port, 77);
	buf_release(&message);
}

static const char *const all_options[] = {"-p, --pid PID", "-n, --name COMM", "--exe GLOB",
    "--port PORT", "--format FORMAT", "--output FILE", "--config FILE", "--listen ADDR:PORT",
    "--duration SECONDS", "--budget PERCENT", "-v, --verbose", "-q, --quiet", "-h, --help",
    "-V, --version"};

static void help_mentions_everything(void **state)
{
	static const char *const words[] = {"zerospan run", "zerospan trace", "zerospan check",
	    "zerospan config check FILE", "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "-- COMMAND",
	    "Exit status: 0", "OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:9464"};
	struct buf help;

	(void)state;
	buf_init(&help);
	options_help(&help, COMMAND_INVALID);
	for (size_t i = 0; i < sizeof(all_options) / sizeof(all_options[0]); i++)
		if (!strstr(help.data, all_options[i]))
			fail_msg("'%s' is not in the help", all_options[i]);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strstr(help.data, words[i]))
			fail_msg("'%s' is not in the help", words[i]);
	buf_release(&help);
}

static void help_of_a_command(void **state)
{
	struct buf help;

	(void)state;
	buf_init(&help);
	options_help(&help, COMMAND_TRACE);
	assert_non_null(strstr(help.data, "usage: zerospan trace"));
	assert_null(strstr(help.data, "zerospan run"));
	assert_null(strstr(help.data, "--listen"));
	assert_non_null(strstr(help.data, "--pid"));
	buf_clear(&help);
	options_help(&help, COMMAND_CHECK);
	assert_null(strstr(help.data, "--pid"));
	assert_non_null(strstr(help.data, "--verbose"));
	buf_release(&help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands),
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(targets),
	    cmocka_unit_test(recordings),
	    cmocka_unit_test(sampling),
	    cmocka_unit_test(logs),
	    cmocka_unit_test(values_attached_to_a_letter),
	    cmocka_unit_test(as_many_targets_as_fit),
	    cmocka_unit_test(too_many_targets_are_called_so),
	    cmocka_unit_test(endpoints_of_otlp),
	    cmocka_unit_test(program),
	    cmocka_unit_test(formats),
	    cmocka_unit_test(output),
	    cmocka_unit_test(config),
	    cmocka_unit_test(config_check),
	    cmocka_unit_test(duration),
	    cmocka_unit_test(budget),
	    cmocka_unit_test(shortest_duration),
	    cmocka_unit_test(listen_forms),
	    cmocka_unit_test(listen_forms_that_mean_nothing),
	    cmocka_unit_test(switches),
	    cmocka_unit_test(help_and_version_need_nothing_else),
	    cmocka_unit_test(unknown_options),
	    cmocka_unit_test(options_before_the_command),
	    cmocka_unit_test(failure_leaves_the_result_alone),
	    cmocka_unit_test(help_mentions_everything),
	    cmocka_unit_test(help_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
