/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which spans of a trace make up which request. Knows spans and their parents, not what they say.
 */
#ifndef ZS_WHY_FAMILY_H
#define ZS_WHY_FAMILY_H

#include <stdbool.h>
#include <stddef.h>

#include "span/span.h"

/* No span of the trace. */
#define FAMILY_NONE ((size_t)-1)

/* Numbers are those of spans in their trace. */
struct family_span {
	size_t parent;
	size_t owner;       /* the request it is a part of; its own number: it is one itself */
	size_t first, last; /* requests: their parts, linked by next */
	size_t next;        /* the next part of the same owner */
	size_t answered_by; /* calls: the server's span */
};

struct family {
	struct family_span *spans; /* as many as the trace has */
	size_t *by_id;
	size_t cap;
};

/* Look at a trace, all zero at first; 0 or -ENOMEM. */
int family_read(struct family *family, const struct trace *trace);
void family_release(struct family *family);

#endif
