/* SPDX-License-Identifier: Apache-2.0 */
/* The commands run and trace: everything put together, run until the end is asked for, taken apart. */
#ifndef ZS_OBSERVE_H
#define ZS_OBSERVE_H

#include "config/config.h"
#include "config/options.h"

/* Returns the program's exit status. */
int observe_main(const struct options *options, struct config *config);

#endif
