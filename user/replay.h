/* SPDX-License-Identifier: Apache-2.0 */
/* The command replay: recordings through the pipeline, to the same outputs as live traces. */
#ifndef ZS_REPLAY_H
#define ZS_REPLAY_H

#include "config/config.h"
#include "config/options.h"

/* Returns the program's exit status: EXIT_FAILED when a recording could not be used to its end. */
int replay_main(const struct options *options, const struct config *config);

#endif
