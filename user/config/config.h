/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the configuration file (--config) and the environment say of how requests and services are named, of which logs are taken, of what
 * payloads mean, and which traces are kept. Read before anything else is opened or started, so that a mistake costs nothing; the same for
 * every command that shows traces. The file can be read again later.
 */
#ifndef ZS_CONFIG_CONFIG_H
#define ZS_CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/env.h"
#include "base/names.h"
#include "config/logs_config.h"
#include "config/options.h"
#include "proto/http_naming.h"
#include "proto/sampling_policy.h"
#include "rule/rules.h"

/* The environment variable that replaces the list of known methods. */
#define CONFIG_KNOWN_METHODS "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"

struct config {
	struct http_naming naming; /* points into this struct: do not copy it */
	struct http_methods methods;
	struct route_patterns *patterns; /* NULL: none configured */
	struct logs_config logs;
	struct buf resource; /* attributes of all observed processes, as base/pairs.h has them */
	struct sampling_policy sampling;
	/* Asked for what comes before the file's sampling (config/sampling_env.h), each time that is read; NULL: nobody is; the caller's to set. */
	env_fn *sampling_env;
	struct rules *rules;     /* NULL: none */
	struct names *names;     /* of all rules, ever; NULL: none were read */
	rule_state_name *states; /* what rules call the ledger's states; the caller's to set */
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

/*
 * Take what the file says now in place of what it said, without what the environment says. On failure nothing has changed. ready, with ctx, is
 * asked last, while all that holds until now still lives: its negative errno and message refuse it, too.
 */
int config_reload(struct config *config, const char *path,
    int (*ready)(void *ctx, const struct config *next, struct buf *message), void *ctx,
    struct buf *message);

/* Take what the environment says, which beats the file. Returns 0, or -EINVAL with a message. */
int config_read_environment(struct config *config, struct buf *message);

/*
 * What the command samples by; NULL: it keeps every trace. `run` does as the file says, for all its destinations; `trace` and
 * `replay` show everything unless --sampling asks for the same, and `why` always looks at everything.
 */
const struct sampling_policy *config_sampling(
    const struct config *config, const struct options *options);

/* Append what a file that was read asks for, as one line without its end. */
void config_describe(const struct config *config, struct buf *out);

#endif
