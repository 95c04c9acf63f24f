/* SPDX-License-Identifier: Apache-2.0 */
/* The program's exit statuses, as --help states them. */
#ifndef ZS_EXIT_STATUS_H
#define ZS_EXIT_STATUS_H

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,      /* failed while running */
	EXIT_USAGE = 2,       /* wrong usage */
	EXIT_UNSUPPORTED = 3, /* not permitted, or not supported here */
};

#endif
