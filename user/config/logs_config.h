/* SPDX-License-Identifier: Apache-2.0 */
/* The key `logs` of the configuration file: whether lines of stdout and stderr are taken, and how many; see config.c. */
#ifndef ZS_CONFIG_LOGS_CONFIG_H
#define ZS_CONFIG_LOGS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/document.h"

/* Unless the file says otherwise, and what it may say. */
#define LOGS_CONFIG_RATE     1000
#define LOGS_CONFIG_RATE_MAX 1000000

struct logs_config {
	bool wanted;
	uint32_t rate;  /* lines per second and process */
	uint32_t burst; /* lines at once, after it was quiet */
};

struct logs_config logs_config_default(void);

/* A value_key's read function; ctx is a struct logs_config. */
int logs_config_read(struct logs_config *logs, struct value value);

/* Does next, of a file that was read again, ask for something else than is done now? */
bool logs_config_differ(const struct logs_config *logs, const struct logs_config *next);

/* Append what the file asks for, for people, with a comma before it; nothing if it asks for none. */
void logs_config_describe(const struct logs_config *logs, struct buf *out);

#endif
