// SPDX-License-Identifier: Apache-2.0
/* Command line parsing from one table; see options.h. */
#include "config/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sv.h"
#include "config/option_rows.h"
#include "config/option_values.h"

const struct command_row command_rows[] = {
    {COMMAND_RUN, "run", "TARGET... [options]",
	"observe: traces to OTLP if configured, else to the terminal; /metrics"},
    {COMMAND_TRACE, "trace", "TARGET... [options]",
	"live traces on the terminal, or machine-readable on stdout"},
    {COMMAND_WHY, "why", "TARGET... [options]",
	"watch for some seconds, then say where the time goes and who is to blame"},
    {COMMAND_REPLAY, "replay", "FILE... [options]",
	"the traces of recordings (--record), made again; no privileges needed"},
    {COMMAND_CHECK, "check", "[options]",
	"what this host offers, what is degraded and why, which processes are traceable"},
    {COMMAND_CONFIG, "config", "check FILE", "is this configuration file right? status 0 or 2"},
};

#define N_COMMANDS (sizeof(command_rows) / sizeof(command_rows[0]))

const size_t n_command_rows = N_COMMANDS;

/* The same report is called by its command where that has others as well. */
static const struct {
	const char *name;
	enum output_format format;
	unsigned int of; /* commands that take it */
} formats[] = {
    {"tree", FORMAT_TREE, COMMAND_RUN | COMMAND_TRACE | COMMAND_REPLAY},
    {"otlp-json", FORMAT_OTLP_JSON, COMMAND_RUN | COMMAND_TRACE | COMMAND_REPLAY},
    {"none", FORMAT_NONE, COMMAND_RUN | COMMAND_TRACE | COMMAND_REPLAY},
    {"text", FORMAT_WHY_TEXT, COMMAND_WHY},
    {"json", FORMAT_WHY_JSON, COMMAND_WHY},
    {"why", FORMAT_WHY_TEXT, COMMAND_REPLAY},
    {"why-json", FORMAT_WHY_JSON, COMMAND_REPLAY},
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

/* --- setters: 0, -EINVAL when the value is not allowed, -E2BIG when the option came too often ------ */

static int add_target(struct options *o, enum option_target kind, const char *value)
{
	if (!*value)
		return -EINVAL;
	if (o->n_targets == OPTIONS_MAX_TARGETS)
		return -E2BIG;
	o->targets[o->n_targets].kind = kind;
	o->targets[o->n_targets++].text = value;
	return 0;
}

static int set_pid(struct options *o, const char *value)
{
	return add_target(o, OPTION_TARGET_PID, value);
}

static int set_name(struct options *o, const char *value)
{
	return add_target(o, OPTION_TARGET_NAME, value);
}

static int set_exe(struct options *o, const char *value)
{
	return add_target(o, OPTION_TARGET_EXE, value);
}

static int set_port(struct options *o, const char *value)
{
	return add_target(o, OPTION_TARGET_PORT, value);
}

static int set_config(struct options *o, const char *value)
{
	o->config = value;
	return *value ? 0 : -EINVAL;
}

/* Which commands it is for, is looked at when the command is known. */
static int set_format(struct options *o, const char *value)
{
	o->format_name = value;
	return 0;
}

static int set_output(struct options *o, const char *value)
{
	o->output = value;
	return *value ? 0 : -EINVAL;
}

static int set_output_max_size(struct options *o, const char *value)
{
	return option_size(value, &o->output_max_bytes);
}

static int set_output_keep(struct options *o, const char *value)
{
	uint64_t n;

	if (option_count(value, OPTIONS_OUTPUT_KEEP_MAX, &n))
		return -EINVAL;
	o->output_keep = (unsigned int)n;
	return 0;
}

static int set_record(struct options *o, const char *value)
{
	o->record = value;
	return *value ? 0 : -EINVAL;
}

static int set_record_payloads(struct options *o, const char *value)
{
	(void)value;
	o->record_payloads = true;
	return 0;
}

static int set_duration(struct options *o, const char *value)
{
	return option_seconds(value, &o->duration_ns);
}

static int set_slower_than(struct options *o, const char *value)
{
	return option_duration(value, &o->slower_than_ns);
}

static int add_route(struct options *o, const char *value)
{
	if (!*value)
		return -EINVAL;
	if (o->n_routes == OPTIONS_MAX_ROUTES)
		return -E2BIG;
	o->routes[o->n_routes++] = value;
	return 0;
}

static int add_otlp(struct options *o, const char *value)
{
	if (!*value)
		return -EINVAL;
	if (o->n_otlp == OPTIONS_MAX_OTLP)
		return -E2BIG;
	o->otlp[o->n_otlp++] = value;
	return 0;
}

static int set_budget(struct options *o, const char *value)
{
	return option_percent(value, &o->budget_pct);
}

static int set_stack_over(struct options *o, const char *value)
{
	return option_duration(value, &o->stack_over_ns);
}

/* ADDR:PORT, [V6]:PORT or :PORT. */
static int set_listen(struct options *o, const char *value)
{
	size_t len = strlen(value);
	char *address = o->listen_text, *colon;
	int port;

	if (len >= sizeof(o->listen_text))
		return -EINVAL;
	memcpy(address, value, len + 1);
	colon = strrchr(address, ':');
	port = colon ? option_port(colon + 1) : -EINVAL;
	if (port < 0)
		return port;
	*colon = '\0';
	if (*address == '[' && colon - address > 2 && colon[-1] == ']') {
		address++;
		colon[-1] = '\0';
	} else if (strpbrk(
		       address, "[]:")) { /* where would an IPv6 address without brackets end? */
		return -EINVAL;
	}
	o->listen_address = *address ? address : "0.0.0.0";
	o->listen_port = port;
	o->listen_given = true;
	return 0;
}

static int set_verbose(struct options *o, const char *value)
{
	(void)value;
	o->verbose = true;
	return 0;
}

static int set_span_metrics(struct options *o, const char *value)
{
	(void)value;
	o->span_metrics = true;
	return 0;
}

static int set_logs(struct options *o, const char *value)
{
	(void)value;
	o->logs = true;
	return 0;
}

static int set_trace_id(struct options *o, const char *value)
{
	return option_hex(value, OPTIONS_TRACE_ID_MIN, o->trace_id, sizeof(o->trace_id));
}

static int set_quiet(struct options *o, const char *value)
{
	(void)value;
	o->quiet = true;
	return 0;
}

static int set_help(struct options *o, const char *value)
{
	(void)value;
	o->help = true;
	return 0;
}

static int set_version(struct options *o, const char *value)
{
	(void)value;
	o->version = true;
	return 0;
}

const struct option_row option_rows[] = {
    {"Targets (repeatable; children and re-executions are followed, later starts that match too)",
	'p', "pid", "PID", OBSERVE, set_pid, "this process"},
    {NULL, 'n', "name", "COMM", OBSERVE, set_name, "processes with this name"},
    {NULL, 0, "exe", "GLOB", OBSERVE, set_exe, "processes whose executable's path matches"},
    {NULL, 0, "port", "PORT", OBSERVE, set_port, "the process that listens on this TCP port"},
    {"Output", 0, "format", "FORMAT", SHOW, set_format,
	"tree, otlp-json (one TracesData object per trace and line) or none; why: text or json; replay also: why or why-json"},
    {NULL, 0, "logs", NULL, TRACES, set_logs,
	"also what processes write to stdout and stderr, as log records of their requests; trees show them below"},
    {NULL, 0, "trace-id", "ID", COMMAND_TRACE | COMMAND_REPLAY, set_trace_id,
	"only this trace (and its lines): 32 hexadecimal digits, or the first of them, at least 4"},
    {NULL, 0, "slower-than", "DURATION", REPORT, set_slower_than,
	"in why's report, compare requests that took longer (500ms, 2s) with the others"},
    {NULL, 0, "route", "PATTERN", REPORT, add_route,
	"in why's report, only such routes and what they wait for ('/checkout', 'POST /*'); repeatable"},
    {NULL, 0, "output", "FILE", TRACES, set_output,
	"write OTLP/JSON lines to FILE (with --format otlp-json: instead of stdout)"},
    {NULL, 0, "otlp-endpoint", "URL", COMMAND_RUN, add_otlp,
	"send OTLP there instead of where OTEL_EXPORTER_OTLP_ENDPOINT says; repeatable, each with its own queue"},
    {NULL, 0, "output-max-size", "SIZE", TRACES, set_output_max_size,
	"begin a new FILE when it would get larger (64K, 100M, 2G): the old ones are FILE.1, FILE.2 and so on"},
    {NULL, 0, "output-keep", "N", TRACES, set_output_keep,
	"of the old ones, keep so many (default 5, at most 1000)"},
    {NULL, 0, "record", "FILE", OBSERVE, set_record,
	"record everything for zerospan replay but bodies, secrets in heads and SQL literals (mode 0600)"},
    {NULL, 0, "record-payloads", NULL, OBSERVE, set_record_payloads,
	"with --record: those, too; a replay can then apply rules to bodies"},
    {NULL, 0, "listen", "ADDR:PORT", COMMAND_RUN, set_listen,
	"where /metrics is served (default: OTEL_EXPORTER_PROMETHEUS_HOST and _PORT, else 127.0.0.1:9464)"},
    {NULL, 0, "span-metrics", NULL, COMMAND_RUN, set_span_metrics,
	"also count spans and the edges of a service graph, under Tempo's names: traces_spanmetrics_*, traces_service_graph_*"},
    {"General", 0, "duration", "SECONDS", OBSERVE, set_duration,
	"stop by itself after this time (why: 10, or when its COMMAND ends)"},
    {NULL, 0, "budget", "PERCENT", OBSERVE, set_budget,
	"most of a process' CPU time for its SQLite probes, above 0 (default 10; 100: no limit)"},
    {NULL, 0, "stack-over", "DURATION", OBSERVE, set_stack_over,
	"look at what requests wait in, stacks too, that take longer, and what else their process does (default 10ms)"},
    {NULL, 0, "config", "FILE", SHOW, set_config,
	"routes and what else is configured, in YAML; replay: the same file gives the same names"},
    {NULL, 'v', "verbose", NULL, ALL, set_verbose,
	"say more; check: the probes of each copy of SQLite and what a hit costs here"},
    {NULL, 'q', "quiet", NULL, SHOW, set_quiet, "only warnings and errors; no summary"},
    {NULL, 'h', "help", NULL, ALL, set_help, "this text"},
    {NULL, 'V', "version", NULL, ALL, set_version, "the version"},
};

#define N_ROWS (sizeof(option_rows) / sizeof(option_rows[0]))

const size_t n_option_rows = N_ROWS;

/* The command line while it is read. */
struct parser {
	int argc;
	char **argv;
	int at;
	struct options options;
	struct sv
	    given[N_ROWS]; /* each option as it was written, without its value; empty: not yet */
	struct buf *message;
};

/* "--name", "--name=value". *ret_value is NULL when none is attached. */
static const struct option_row *find_long(
    const char *arg, struct sv *ret_name, const char **ret_value)
{
	size_t len = strcspn(arg, "=");

	for (size_t i = 0; i < N_ROWS; i++) {
		if (!sv_eq(sv_from(arg + 2, len - 2), sv_cstr(option_rows[i].name)))
			continue;
		*ret_name = sv_from(arg, len);
		*ret_value = arg[len] ? arg + len + 1 : NULL;
		return &option_rows[i];
	}
	return NULL;
}

/* "-p", "-pvalue". Switches stand alone. */
static const struct option_row *find_short(
    const char *arg, struct sv *ret_name, const char **ret_value)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (option_rows[i].letter != arg[1] || (arg[2] && !option_rows[i].metavar))
			continue;
		*ret_name = sv_from(arg, 2);
		*ret_value = arg[2] ? arg + 2 : NULL;
		return &option_rows[i];
	}
	return NULL;
}

static const char *command_name(enum command command)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (command_rows[i].command == command)
			return command_rows[i].name;
	return "";
}

static int add_file(struct parser *p, const char *name)
{
	struct options *o = &p->options;

	if (o->n_files == OPTIONS_MAX_FILES) {
		buf_printf(p->message, "too many recordings: at most %d", OPTIONS_MAX_FILES);
		return -EINVAL;
	}
	o->files[o->n_files++] = name;
	return 0;
}

/* The options so far belong to the command, if it is known by now. */
static int check_given(const struct parser *p)
{
	enum command command = p->options.command;

	for (size_t i = 0; command && i < N_ROWS; i++) {
		if (p->given[i].len == 0 || (option_rows[i].of & command))
			continue;
		buf_printf(p->message, "'zerospan %s' takes no option '%.*s'",
		    command_name(command), SV_ARG(p->given[i]));
		return -EINVAL;
	}
	return 0;
}

static int set_value(struct parser *p, const struct option_row *row, const char *value)
{
	int err = row->set(&p->options, value);

	if (err == -E2BIG && row->set == add_route)
		buf_printf(p->message, "too many routes: at most %d", OPTIONS_MAX_ROUTES);
	else if (err == -E2BIG && row->set == add_otlp)
		buf_printf(p->message, "too many OTLP endpoints: at most %d", OPTIONS_MAX_OTLP);
	else if (err == -E2BIG)
		buf_printf(p->message, "too many targets: at most %d", OPTIONS_MAX_TARGETS);
	else if (err)
		buf_printf(p->message, "bad value '%s' for '--%s': expected %s, %s", value,
		    row->name, row->metavar, row->help);
	return err ? -EINVAL : 0;
}

/* Take the current argument (and its value) as an option. */
static int parse_option(struct parser *p)
{
	const char *arg = p->argv[p->at], *value;
	struct sv name;
	const struct option_row *row =
	    arg[1] == '-' ? find_long(arg, &name, &value) : find_short(arg, &name, &value);
	int err;

	if (!row) {
		buf_printf(p->message, "unknown option '%s', see zerospan --help", arg);
		return -EINVAL;
	}
	p->given[row - option_rows] = name;
	err = check_given(p);
	if (err)
		return err;
	if (!row->metavar && value) {
		buf_printf(p->message, "option '--%s' takes no value", row->name);
		return -EINVAL;
	}
	if (row->metavar && !value) {
		if (p->at + 1 >= p->argc) {
			buf_printf(p->message, "option '%s' needs a value: %s", arg, row->metavar);
			return -EINVAL;
		}
		value = p->argv[++p->at];
	}
	return set_value(p, row, value);
}

/* config: check, then a file. */
static bool take_config_word(struct options *o, const char *word)
{
	if (!o->config_check && strcmp(word, "check") == 0)
		o->config_check = true;
	else if (o->config_check && !o->config && *word)
		o->config = word;
	else
		return false;
	return true;
}

static int parse_command(struct parser *p)
{
	const char *name = p->argv[p->at];

	if (p->options.command == COMMAND_REPLAY)
		return add_file(p, name);
	if (p->options.command == COMMAND_CONFIG && take_config_word(&p->options, name))
		return 0;
	if (p->options.command) {
		buf_printf(p->message, "unexpected argument '%s', see zerospan %s --help", name,
		    command_name(p->options.command));
		return -EINVAL;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(command_rows[i].name, name) == 0) {
			p->options.command = command_rows[i].command;
			return check_given(p);
		}
	}
	buf_printf(p->message, "unknown command '%s', see zerospan --help", name);
	return -EINVAL;
}

/* "tree, otlp-json, none", of the command. */
static void list_formats(struct buf *out, enum command command)
{
	const char *before = "";

	for (size_t i = 0; i < N_FORMATS; i++) {
		if (!(formats[i].of & command))
			continue;
		buf_printf(out, "%s%s", before, formats[i].name);
		before = ", ";
	}
}

/* The format that the command has under that name; its options only with the report of why. */
static int find_format(struct options *o, struct buf *message)
{
	const char *name = o->format_name;
	size_t i = 0;

	while (name && i < N_FORMATS &&
	    !((formats[i].of & o->command) && strcmp(formats[i].name, name) == 0))
		i++;
	if (name && i == N_FORMATS) {
		buf_printf(message, "bad value '%s' for '--format': expected one of ", name);
		list_formats(message, o->command);
		return -EINVAL;
	}
	if (name)
		o->format = formats[i].format;
	if ((o->slower_than_ns || o->n_routes) && o->command == COMMAND_REPLAY &&
	    o->format != FORMAT_WHY_TEXT && o->format != FORMAT_WHY_JSON) {
		buf_append_cstr(
		    message, "'--slower-than' and '--route' are for --format why or why-json");
		return -EINVAL;
	}
	return 0;
}

/* Options that say how something is done need the option that says what. */
static int check_output(const struct options *o, struct buf *message)
{
	if (o->output_max_bytes && !o->output)
		buf_append_cstr(message, "'--output-max-size' needs '--output FILE'");
	else if (o->output_keep && !o->output_max_bytes)
		buf_append_cstr(message, "'--output-keep' needs '--output-max-size SIZE'");
	else if (o->record_payloads && !o->record)
		buf_append_cstr(message, "'--record-payloads' needs '--record FILE'");
	else
		return 0;
	return -EINVAL;
}

static int check_complete(const struct options *o, struct buf *message)
{
	if (o->help || o->version)
		return 0;
	if (check_output(o, message))
		return -EINVAL;
	if (!o->command) {
		buf_append_cstr(message, "no command given, see zerospan --help");
		return -EINVAL;
	}
	if ((o->command & OBSERVE) && o->n_targets == 0 && !o->program) {
		buf_printf(message,
		    "'zerospan %s' needs a target: --pid, --name, --exe, --port or -- COMMAND",
		    command_name(o->command));
		return -EINVAL;
	}
	if (o->command == COMMAND_REPLAY && o->n_files == 0) {
		buf_append_cstr(message, "'zerospan replay' needs a recording: FILE");
		return -EINVAL;
	}
	if (o->command == COMMAND_CONFIG && !o->config) {
		buf_append_cstr(message, "'zerospan config' needs more: check FILE");
		return -EINVAL;
	}
	if (!(o->command & OBSERVE) && o->program) {
		buf_printf(
		    message, "'zerospan %s' takes no command to run", command_name(o->command));
		return -EINVAL;
	}
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options, struct buf *message)
{
	struct parser p = {.argc = argc,
	    .argv = argv,
	    .options = {.listen_port = 9464,
		.budget_pct = OPTIONS_BUDGET_PCT,
		.stack_over_ns = OPTIONS_STACK_OVER_NS},
	    .message = message};
	const struct options *o = &p.options;
	int err = 0;

	for (p.at = 1; p.at < argc && !err; p.at++) {
		const char *arg = argv[p.at];

		if (strcmp(arg, "--") == 0) {
			if (p.at + 1 >= argc) {
				buf_append_cstr(message, "a command is missing after '--'");
				return -EINVAL;
			}
			p.options.program = argv + p.at + 1;
			break;
		}
		err = arg[0] == '-' && arg[1] ? parse_option(&p) : parse_command(&p);
	}
	if (!err)
		err = check_complete(o, message);
	if (!err)
		err = find_format(&p.options, message);
	if (err)
		return err;
	*ret_options = *o;
	if (o->command == COMMAND_WHY && !o->duration_ns && !o->program)
		ret_options->duration_ns = OPTIONS_WHY_SECONDS * NS_PER_S;
	if (!o->listen_address)
		ret_options->listen_address = "127.0.0.1";
	else if (o->listen_address >= o->listen_text &&
	    o->listen_address < o->listen_text + sizeof(o->listen_text))
		ret_options->listen_address =
		    ret_options->listen_text + (o->listen_address - o->listen_text);
	return 0;
}
