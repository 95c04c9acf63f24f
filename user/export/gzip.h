/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of answers in gzip's format (RFC 1952), for scrapers that accept it. Pure. */
#ifndef ZS_EXPORT_GZIP_H
#define ZS_EXPORT_GZIP_H

#include "base/buf.h"

/* Append in compressed to out, as fast as zlib can. Returns 0, or -ENOMEM; then out is as it was. */
int gzip_append(struct buf *out, struct sv in);

#endif
