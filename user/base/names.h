/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that are kept until the end, each once: names that a configuration brings and that spans, metrics and exporters then borrow
 * for good, whatever becomes of the configuration.
 */
#ifndef ZS_BASE_NAMES_H
#define ZS_BASE_NAMES_H

#include "base/sv.h"

struct names;

struct names *names_new(void);        /* NULL: no memory */
void names_free(struct names *names); /* and all texts; NULL is fine */

/* The text as a C string, borrowed until names_free(); NULL without memory. text has no NUL inside. */
const char *names_keep(struct names *names, struct sv text);

/* The same for other data, aligned for any type. */
const void *names_keep_bytes(struct names *names, const void *data, size_t size);

#endif
