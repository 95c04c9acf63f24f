// SPDX-License-Identifier: Apache-2.0
/* OTEL_LOG_LEVEL; see log_env.h. */
#include "config/log_env.h"

enum log_level log_level_from_env(env_fn *get)
{
	static const struct env_choice levels[] = {
	    {"info", LOG_LEVEL_INFO},
	    {"error", LOG_LEVEL_ERROR},
	    {"warn", LOG_LEVEL_WARN},
	    {"debug", LOG_LEVEL_DEBUG},
	};

	return (enum log_level)env_choice(
	    get, "OTEL_LOG_LEVEL", levels, sizeof(levels) / sizeof(levels[0]));
}
