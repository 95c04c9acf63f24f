// SPDX-License-Identifier: Apache-2.0
/* Command line parsing from tables (option_rows.h); see options.h. */
#include "config/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sv.h"
#include "config/option_rows.h"

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

/* The command line while it is read. */
struct parser {
	int argc;
	char **argv;
	int at;
	struct options options;
	struct sv given
	    [OPTION_ROWS_MAX]; /* each option as it was written, without its value; empty: not yet */
	struct buf *message;
};

/* "--name", "--name=value". *ret_value is NULL when none is attached. */
static const struct option_row *find_long(
    const char *arg, struct sv *ret_name, const char **ret_value)
{
	size_t len = strcspn(arg, "=");

	for (size_t i = 0; i < n_option_rows; i++) {
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
	for (size_t i = 0; i < n_option_rows; i++) {
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
	for (size_t i = 0; i < n_command_rows; i++)
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

	for (size_t i = 0; command && i < n_option_rows; i++) {
		if (p->given[i].len == 0 || (option_rows[i].of & command))
			continue;
		buf_printf(p->message, "'zerospan %s' takes no option '%.*s'",
		    command_name(command), SV_ARG(p->given[i]));
		return -EINVAL;
	}
	return 0;
}

static void say_too_many(struct buf *message, const char *name)
{
	if (strcmp(name, "route") == 0)
		buf_printf(message, "too many routes: at most %d", OPTIONS_MAX_ROUTES);
	else if (strcmp(name, "otlp-endpoint") == 0)
		buf_printf(message, "too many OTLP endpoints: at most %d", OPTIONS_MAX_OTLP);
	else
		buf_printf(message, "too many targets: at most %d", OPTIONS_MAX_TARGETS);
}

static int set_value(struct parser *p, const struct option_row *row, const char *value)
{
	int err = row->set(&p->options, value);

	if (err == -E2BIG)
		say_too_many(p->message, row->name);
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
	for (size_t i = 0; i < n_command_rows; i++) {
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
	if (o->sampling && (o->format == FORMAT_WHY_TEXT || o->format == FORMAT_WHY_JSON)) {
		buf_printf(message,
		    "'--sampling' is not for --format %s, which looks at every trace", name);
		return -EINVAL;
	}
	return 0;
}

static bool is_same_file(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* Options that say how something is done need the option that says what. */
static int check_output(const struct options *o, struct buf *message)
{
	if (o->output_max_bytes && !o->output && !o->output_metrics && !o->output_logs)
		buf_append_cstr(message,
		    "'--output-max-size' needs '--output FILE', '--output-metrics FILE' or '--output-logs FILE'");
	else if (is_same_file(o->output, o->output_metrics) ||
	    is_same_file(o->output, o->output_logs) ||
	    is_same_file(o->output_metrics, o->output_logs))
		buf_append_cstr(message,
		    "'--output', '--output-metrics' and '--output-logs' need a file each: a file of OTLP/JSON lines has one signal");
	else if (o->output_keep && !o->output_max_bytes)
		buf_append_cstr(message, "'--output-keep' needs '--output-max-size SIZE'");
	else if (o->sampling && !o->config)
		buf_append_cstr(message, "'--sampling' needs '--config FILE'");
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
