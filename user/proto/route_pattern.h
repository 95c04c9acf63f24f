/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configured routes: a set of patterns, and which of them a path matches. Pure.
 *
 *	/                 the root and nothing else
 *	/checkout         this path
 *	/users/{id}       any one segment that is not empty in the braces' place
 *	/static/...       written with a final "*" segment: whatever follows, nothing too
 *
 * Paths are compared as they were sent, byte by byte: case, escapes (%41) and a final slash make a
 * difference. Where several patterns match, they are compared segment by segment from the left, and there
 * text comes before a placeholder, a placeholder before "*".
 *
 * The patterns are a tree, one node per segment; looking a path up visits each node at most once, and finds a
 * child by bisection.
 */
#ifndef ZS_PROTO_ROUTE_PATTERN_H
#define ZS_PROTO_ROUTE_PATTERN_H

#include <stddef.h>

#include "base/buf.h"
#include "base/sv.h"

/* Routes are labels of metrics, whose sets are bounded (METRIC_MAX_SETS). */
#define ROUTE_PATTERNS_MAX         1000
#define ROUTE_PATTERN_MAX_BYTES    256
#define ROUTE_PATTERN_MAX_SEGMENTS 32

struct route_patterns;

struct route_patterns *route_patterns_new(void);           /* NULL: no memory */
void route_patterns_free(struct route_patterns *patterns); /* NULL is fine */
size_t route_patterns_count(const struct route_patterns *patterns);

/*
 * Add a pattern (valid UTF-8), which is copied. Returns 0; -EINVAL when it is none, -EEXIST when one that matches
 * the same paths is there, -E2BIG over a limit, each with why as the end of a sentence that the pattern begins;
 * -ENOMEM.
 */
int route_patterns_add(struct route_patterns *patterns, struct sv pattern, struct buf *why);

/* The pattern that path (no query) matches, as it was added; empty: none. Borrowed from patterns. */
struct sv route_patterns_match(const struct route_patterns *patterns, struct sv path);

#endif
