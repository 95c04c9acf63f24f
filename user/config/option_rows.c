// SPDX-License-Identifier: Apache-2.0
/* The tables of commands and options, and what each option sets; see option_rows.h. */
#include "config/option_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sv.h"
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

static int set_output_metrics(struct options *o, const char *value)
{
	o->output_metrics = value;
	return *value ? 0 : -EINVAL;
}

static int set_output_logs(struct options *o, const char *value)
{
	o->output_logs = value;
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

static int set_sampling(struct options *o, const char *value)
{
	(void)value;
	o->sampling = true;
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
	"write traces as OTLP/JSON lines to FILE (with --format otlp-json: instead of stdout)"},
    {NULL, 0, "output-metrics", "FILE", COMMAND_RUN | COMMAND_TRACE, set_output_metrics,
	"write metrics as OTLP/JSON lines to FILE, every OTEL_METRIC_EXPORT_INTERVAL ms (default 60000) and at the end"},
    {NULL, 0, "output-logs", "FILE", COMMAND_RUN | COMMAND_TRACE, set_output_logs,
	"write log records as OTLP/JSON lines to FILE"},
    {NULL, 0, "otlp-endpoint", "URL", COMMAND_RUN, add_otlp,
	"send OTLP there instead of where OTEL_EXPORTER_OTLP_ENDPOINT says; repeatable, each with its own queue"},
    {NULL, 0, "output-max-size", "SIZE", TRACES, set_output_max_size,
	"begin a new FILE when one of these would get larger (64K, 100M, 2G): the old ones are FILE.1, FILE.2 and so on"},
    {NULL, 0, "output-keep", "N", TRACES, set_output_keep,
	"of the old ones of each, keep so many (default 5, at most 1000)"},
    {NULL, 0, "sampling", NULL, COMMAND_TRACE | COMMAND_REPLAY, set_sampling,
	"only the traces that the sampling in --config keeps, as run does it; otherwise every trace is shown"},
    {NULL, 0, "record", "FILE", OBSERVE, set_record,
	"record everything for zerospan replay but bodies, secrets in heads and SQL literals (mode 0600)"},
    {NULL, 0, "record-payloads", NULL, OBSERVE, set_record_payloads,
	"with --record: those, too; a replay can then apply rules to bodies"},
    {NULL, 0, "listen", "ADDR:PORT", COMMAND_RUN, set_listen,
	"where /metrics is served (default: OTEL_EXPORTER_PROMETHEUS_HOST and _PORT, else 127.0.0.1:9464)"},
    {NULL, 0, "span-metrics", NULL, COMMAND_RUN, set_span_metrics,
	"also count spans and the edges of a service graph, under Tempo's names: traces_spanmetrics_*, traces_service_graph_*, traces_target_info"},
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

_Static_assert(N_ROWS <= OPTION_ROWS_MAX, "room for each");
