// SPDX-License-Identifier: Apache-2.0
/* zerospan: parse the command line, read the configuration and hand over to a command. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "check/check.h"
#include "config/config.h"
#include "config/listen_env.h"
#include "config/log_env.h"
#include "config/options.h"
#include "exit_status.h"
#include "observe.h"
#include "pipeline.h"
#include "replay.h"
#include "span/ledger.h"

static const char *env(const char *name)
{
	return getenv(name);
}

static int show_help(enum command command)
{
	struct buf text;

	buf_init(&text);
	options_help(&text, command);
	fputs(text.data ? text.data : "", stdout);
	buf_release(&text);
	return EXIT_DONE;
}

/* What files and environment say, before anything is started. False: it is said what is wrong. */
static bool configure(struct config *config, const struct options *options)
{
	struct buf message;
	int err = 0;

	buf_init(&message);
	if (options->config)
		err = config_read_file(config, options->config, &message);
	if (!err)
		err = config_read_environment(config, &message);
	if (err)
		log_error("%s", message.len ? message.data : strerror(-err));
	buf_release(&message);
	config->logs.wanted |= options->logs;
	config->logs.wanted &= options->command != COMMAND_WHY; /* whose report has no lines */
	return err == 0;
}

static int show_config(const struct config *config, const char *path)
{
	struct buf text;
	int err;

	buf_init(&text);
	err = pipeline_check_rules(config->rules, &text);
	if (err) {
		log_error("%s: %s", path, text.len ? text.data : strerror(-err));
	} else {
		config_describe(config, &text);
		printf("%s: %s\n", path, text.data ? text.data : "");
	}
	buf_release(&text);
	return err ? EXIT_USAGE : EXIT_DONE;
}

/* --verbose of check has more to show, not to log. */
static void set_log_level(const struct options *options)
{
	if (options->verbose && options->command != COMMAND_CHECK)
		log_set_level(LOG_LEVEL_DEBUG);
	else if (options->quiet)
		log_set_level(LOG_LEVEL_WARN);
	else
		log_set_level(log_level_from_env(env));
}

static int run_command(const struct options *options)
{
	struct config config;
	int status = EXIT_USAGE;

	if (options->command == COMMAND_CHECK)
		return check_main(options);
	config_init(&config);
	config.states = ledger_state_names;
	config.sampling_env = options->command == COMMAND_RUN ? env : NULL;
	if (configure(&config, options)) {
		if (options->command == COMMAND_CONFIG)
			status = show_config(&config, options->config);
		else if (options->command == COMMAND_REPLAY)
			status = replay_main(options, &config);
		else
			status = observe_main(options, &config);
	}
	config_release(&config);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct buf message;
	int err;

	/* What one thread makes, another one frees: with one heap for all, the memory is used again. */
	mallopt(M_ARENA_MAX, 1);
	buf_init(&message);
	err = options_parse(argc, argv, &options, &message);
	if (err)
		log_error("%s", message.data ? message.data : "bad command line");
	buf_release(&message);
	if (err)
		return EXIT_USAGE;
	if (options.help)
		return show_help(options.command);
	if (options.version) {
		puts("zerospan " ZEROSPAN_VERSION);
		return EXIT_DONE;
	}
	set_log_level(&options);
	if (options.command == COMMAND_RUN)
		listen_from_env(&options, env);
	return run_command(&options);
}
