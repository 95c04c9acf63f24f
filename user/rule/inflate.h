/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a body that was sent compressed (Content-Encoding: gzip, deflate), as far as it is there. zlib does it. */
#ifndef ZS_RULE_INFLATE_H
#define ZS_RULE_INFLATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/sv.h"

/*
 * Append what in says, at most max bytes: gzip (RFC 1952, of any number of members), zlib (RFC 1950) or, as some servers send it, bare deflate
 * (RFC 1951). True: that was all; false: in or the output is cut, or what follows or all of in is nothing of these, or memory is short. What was
 * said before stays.
 */
bool inflate_append(struct buf *out, struct sv in, size_t max);

#endif
