// SPDX-License-Identifier: Apache-2.0
/* See gzip.h. */
#include "export/gzip.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>

#define GZIP_FORMAT (MAX_WBITS + 16) /* a gzip head instead of zlib's, says zlib.h */
#define MEMORY      8                /* zlib's default */

int gzip_append(struct buf *out, struct sv in)
{
	z_stream stream = {0};
	size_t bound;
	int result;

	if (in.len > UINT_MAX / 2 ||
	    deflateInit2(
		&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_FORMAT, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&stream, in.len);
	if (buf_reserve(out, bound)) {
		deflateEnd(&stream);
		return -ENOMEM;
	}
	stream.next_in = (Bytef *)(uintptr_t)in.p;
	stream.avail_in = (uInt)in.len;
	stream.next_out = (Bytef *)out->data + out->len;
	stream.avail_out = (uInt)bound;
	result = deflate(&stream, Z_FINISH); /* all at once: there is room for the worst */
	out->len += bound - stream.avail_out;
	deflateEnd(&stream);
	return result == Z_STREAM_END ? 0 : -ENOMEM;
}
