/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the configuration file (--config) and the environment say of how requests and services are named, and which logs are taken. Read before anything
 * else is opened or started, so that a mistake costs nothing; the same for every command that shows traces.
 */
#ifndef ZS_CONFIG_CONFIG_H
#define ZS_CONFIG_CONFIG_H

#include "base/buf.h"
#include "config/logs_config.h"
#include "proto/http_naming.h"

/* The environment variable that replaces the list of known methods. */
#define CONFIG_KNOWN_METHODS "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"

struct config {
	struct http_naming naming; /* points into this struct: do not copy it */
	struct http_methods methods;
	struct route_patterns *patterns; /* NULL: none configured */
	struct logs_config logs;
	struct buf resource; /* attributes of all observed processes, as base/pairs.h has them */
};

/* Bytes of config.resource: it goes out with every batch of every process. */
#define CONFIG_RESOURCE_MAX_BYTES 4096

/* What holds without file and environment. */
void config_init(struct config *config);
void config_release(struct config *config);

/*
 * Take what a file says. Returns 0; -EINVAL or another negative errno with one sentence in message, which names file,
 * line, key and what is allowed.
 */
int config_read_file(struct config *config, const char *path, struct buf *message);

/* Take what the environment says, which beats the file. Returns 0, or -EINVAL with a message. */
int config_read_environment(struct config *config, struct buf *message);

/* Append what a file that was read asks for, as one line without its end. */
void config_describe(const struct config *config, struct buf *out);

#endif
