/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A low-cardinality route from a path when nobody configured one: segments that look like
 * identifiers become {id}. A stated deviation from OpenTelemetry, which asks not to guess.
 */
#ifndef ZS_PROTO_ROUTE_H
#define ZS_PROTO_ROUTE_H

#include "base/buf.h"
#include "base/sv.h"

/* Longest route that is built; the rest of a longer path becomes a final wildcard segment. */
#define ROUTE_MAX_BYTES 256

/*
 * Append the route of path (no query, as sent): digits, UUIDs, hex of 16 and more, base64-like
 * tokens of 20 and more that mix letter case or digits, and mail addresses become {id}. Repaired to
 * valid UTF-8. An empty path gives "/".
 */
void route_infer(struct buf *out, struct sv path);

#endif
