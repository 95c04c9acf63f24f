/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: one table of options, from which parsing, checking and the help text come. Knows
 * what was asked for, not what it means for processes or probes.
 */
#ifndef ZS_CONFIG_OPTIONS_H
#define ZS_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

enum command {
	COMMAND_INVALID = 0,
	COMMAND_RUN = 1,
	COMMAND_TRACE = 2,
	COMMAND_CHECK = 4,
	COMMAND_REPLAY = 8,
	COMMAND_CONFIG = 16,
	COMMAND_WHY = 32, /* bits: the table says which commands an option belongs to */
};

enum option_target {
	OPTION_TARGET_INVALID = 0,
	OPTION_TARGET_PID = 1,
	OPTION_TARGET_NAME = 2,
	OPTION_TARGET_EXE = 3,
	OPTION_TARGET_PORT = 4,
};

enum output_format {
	FORMAT_DEFAULT = 0, /* tree; run with an OTLP endpoint: none; why: its report as text */
	FORMAT_TREE = 1,
	FORMAT_OTLP_JSON = 2,
	FORMAT_NONE = 3,
	FORMAT_WHY_TEXT = 4, /* the report of why */
	FORMAT_WHY_JSON = 5,
};

#define OPTIONS_MAX_TARGETS 64
#define OPTIONS_MAX_FILES   256
#define OPTIONS_MAX_ROUTES  64
#define OPTIONS_MAX_OTLP    4

/* Unless --duration says otherwise, or a command to run whose end is awaited. */
#define OPTIONS_WHY_SECONDS 10

/* Unless --budget says otherwise. */
#define OPTIONS_BUDGET_PCT 10.0

/* Fewest digits of --trace-id. */
#define OPTIONS_TRACE_ID_MIN 4

/* Unless --stack-over says otherwise. */
#define OPTIONS_STACK_OVER_NS (10 * NS_PER_MS)

/* Unless --output-keep says otherwise, and what it may say. */
#define OPTIONS_OUTPUT_KEEP     5
#define OPTIONS_OUTPUT_KEEP_MAX 1000

struct options {
	enum command command;
	struct {
		enum option_target kind;
		const char *text; /* from argv */
	} targets[OPTIONS_MAX_TARGETS];
	size_t n_targets;
	const char *config; /* configuration file, to use or to check; NULL none */
	const char *files[OPTIONS_MAX_FILES]; /* recordings to replay, from argv */
	size_t n_files;
	char **program;          /* after "--": NULL-terminated, points into argv; NULL none */
	const char *format_name; /* as given, from argv; NULL none */
	enum output_format format;
	/* Files for OTLP/JSON lines of one signal each, NULL none. */
	const char *output, *output_metrics, *output_logs;
	const char *otlp[OPTIONS_MAX_OTLP]; /* endpoints instead of the environment's, from argv */
	size_t n_otlp;
	uint64_t output_max_bytes;              /* rotate them by this size; 0: never */
	unsigned int output_keep;               /* old files that stay; 0: as many as by default */
	const char *record;                     /* file to record to, NULL none */
	bool record_payloads;                   /* with bodies and secrets */
	uint64_t duration_ns;                   /* 0: until interrupted */
	uint64_t slower_than_ns;                /* why: what counts as slow; 0: it decides */
	const char *routes[OPTIONS_MAX_ROUTES]; /* why: patterns of routes, from argv; none: all */
	size_t n_routes;
	double budget_pct; /* of a process' CPU time, for its SQLite probes: above 0, up to 100 */
	uint64_t stack_over_ns;     /* requests that last longer are looked at: in what they wait */
	const char *listen_address; /* points into listen_text */
	int listen_port;
	bool listen_given; /* by --listen: the environment has no say */
	char listen_text[64];
	bool span_metrics; /* run: Tempo's series, too */
	bool sampling;     /* trace, replay: the configuration's sampling, as run does it */
	bool logs;         /* lines of stdout and stderr, too */
	char trace_id[33]; /* only traces whose id begins so: lower-case hex; "": all */
	bool config_check; /* `config` was followed by `check`, the only thing it can do */
	bool verbose, quiet;
	bool help, version;
};

/*
 * Parse argv (argv[0] is the program). Returns 0; -EINVAL with one sentence in message. With --help or
 * --version nothing else is required.
 */
int options_parse(int argc, char **argv, struct options *ret_options, struct buf *message);

/* Append the help text: of one command, or the overview for COMMAND_INVALID. */
void options_help(struct buf *out, enum command command);

#endif
