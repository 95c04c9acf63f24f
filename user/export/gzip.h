/* SPDX-License-Identifier: Apache-2.0 */
/* Whole messages in the gzip format (RFC 1952), by zlib. */
#ifndef ZS_EXPORT_GZIP_H
#define ZS_EXPORT_GZIP_H

#include <stddef.h>

#include "base/buf.h"
#include "base/sv.h"

/* Append in, compressed. Returns 0 or -ENOMEM. */
int gzip_pack(struct buf *out, struct sv in);

/* Append what was compressed, at most max bytes. Returns 0, -EBADMSG, -E2BIG or -ENOMEM. */
int gzip_unpack(struct buf *out, struct sv in, size_t max);

#endif
