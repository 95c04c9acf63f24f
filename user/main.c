// SPDX-License-Identifier: Apache-2.0
/* zerospan: parse the command line and hand over to a command. */
#include <stdio.h>

#include "base/log.h"
#include "check.h"
#include "config/options.h"
#include "exit_status.h"
#include "observe.h"
#include "replay.h"

static int show_help(enum command command)
{
	struct buf text;

	buf_init(&text);
	options_help(&text, command);
	fputs(text.data ? text.data : "", stdout);
	buf_release(&text);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct buf message;
	int err;

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
	if (options.verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	else if (options.quiet)
		log_set_level(LOG_LEVEL_WARN);
	if (options.command == COMMAND_REPLAY)
		return replay_main(&options);
	return options.command == COMMAND_CHECK ? check_main(&options) : observe_main(&options);
}
