/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling as OpenTelemetry's variables say it; they come before the configuration file, for what they can say. */
#ifndef ZS_CONFIG_SAMPLING_ENV_H
#define ZS_CONFIG_SAMPLING_ENV_H

#include "base/env.h"
#include "proto/sampling_policy.h"

/*
 * Take OTEL_TRACES_SAMPLER (always_on, always_off, traceidratio, and each with parentbased_ before it) and, for ratios,
 * OTEL_TRACES_SAMPLER_ARG (0 to 1; 1 if unset or bad): what is kept by default, and whether the parent is asked. Other
 * rules of the policy stay. Unset, empty and unknown samplers leave it as it is, and unknown ones are warned of.
 *
 * Source: opentelemetry-specification v1.60.0, configuration/sdk-environment-variables.md, "General SDK Configuration".
 */
void sampling_from_env(struct sampling_policy *policy, env_fn *get);

#endif
