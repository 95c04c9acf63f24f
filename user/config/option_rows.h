/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of commands and options, of which options.c makes the parser and options_help.c the help text; they are in option_rows.c. */
#ifndef ZS_CONFIG_OPTION_ROWS_H
#define ZS_CONFIG_OPTION_ROWS_H

#include "config/options.h"

#define OBSERVE (COMMAND_RUN | COMMAND_TRACE | COMMAND_WHY)
#define TRACES  (COMMAND_RUN | COMMAND_TRACE | COMMAND_REPLAY)
#define REPORT  (COMMAND_WHY | COMMAND_REPLAY)
#define SHOW    (OBSERVE | COMMAND_REPLAY)
#define ALL     (SHOW | COMMAND_CHECK | COMMAND_CONFIG)

struct command_row {
	enum command command;
	const char *name, *usage, *summary;
};

struct option_row {
	const char *section;        /* heading before this row */
	char letter;                /* 0: none */
	const char *name, *metavar; /* metavar NULL: a switch */
	unsigned int of;            /* commands that take it */
	int (*set)(struct options *o, const char *value);
	const char *help;
};

/* The parser has room for so many. */
#define OPTION_ROWS_MAX 64

extern const struct command_row command_rows[];
extern const size_t n_command_rows;
extern const struct option_row option_rows[];
extern const size_t n_option_rows;

#endif
