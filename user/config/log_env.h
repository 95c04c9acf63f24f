/* SPDX-License-Identifier: Apache-2.0 */
/* How much zerospan says of itself, as OpenTelemetry's variable has it; the command line comes first. */
#ifndef ZS_CONFIG_LOG_ENV_H
#define ZS_CONFIG_LOG_ENV_H

#include "base/env.h"
#include "base/log.h"

/*
 * The level that OTEL_LOG_LEVEL names: error, warn, info or debug, of any case. Info when it is unset or empty, and when it is
 * none of these, which is warned of.
 *
 * Source: opentelemetry-specification v1.60.0, configuration/sdk-environment-variables.md, "General SDK Configuration".
 */
enum log_level log_level_from_env(env_fn *get);

#endif
