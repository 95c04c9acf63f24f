/* SPDX-License-Identifier: Apache-2.0 */
/* Where /metrics is served, as OpenTelemetry's variables say it; the command line comes first. */
#ifndef ZS_CONFIG_LISTEN_ENV_H
#define ZS_CONFIG_LISTEN_ENV_H

#include "base/env.h"
#include "config/options.h"

/*
 * Set listen_address and listen_port from OTEL_EXPORTER_PROMETHEUS_HOST (an IP address or localhost) and _PORT (0 to
 * 65535; 0: any free one), unless --listen was given. Unset and empty variables leave what is there, and so do bad ones,
 * which are warned of. The address may point into options->listen_text.
 *
 * Source: opentelemetry-specification, configuration/sdk-environment-variables.md, "Prometheus Exporter".
 */
void listen_from_env(struct options *options, env_fn *get);

#endif
