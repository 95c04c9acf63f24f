// SPDX-License-Identifier: Apache-2.0
/*
 * The shop's settings: defaults, then environment, then command line.
 */
#ifndef SHOP_SETTINGS_H
#define SHOP_SETTINGS_H

#include <stdbool.h>

#define SETTINGS_TEXT_MAX 1024

struct settings {
	int port;                              /* 0 = any free port */
	int workers;                           /* threads of the pool, 2 to 1024 */
	bool wal;                              /* journal mode WAL */
	char bind[SETTINGS_TEXT_MAX];          /* numeric address */
	char database[SETTINGS_TEXT_MAX];      /* file name */
	char inventory_url[SETTINGS_TEXT_MAX]; /* "" = this shop itself */
	char model[32];
};

/*
 * Fills *ret_settings. Returns 0 to go on, 1 when the help was printed, -EINVAL for wrong usage
 * (explained on stderr).
 */
int settings_read(int argc, char **argv, struct settings *ret_settings);

#endif
