/* SPDX-License-Identifier: Apache-2.0 */
/* The command check: what this host offers, what is degraded and why, which processes are traceable. */
#ifndef ZS_CHECK_CHECK_H
#define ZS_CHECK_CHECK_H

#include "config/options.h"

/* Returns the exit status: 0 when observing works here, 3 when something required is missing. */
int check_main(const struct options *options);

#endif
