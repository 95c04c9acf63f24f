// SPDX-License-Identifier: Apache-2.0
/* Compressed bodies; see inflate.h. */
#include "rule/inflate.h"

#include <zlib.h>

/* zlib's numbers for gzip or zlib by their heads, and for neither. */
#define WINDOW_BY_HEAD (15 + 32)
#define WINDOW_BARE    (-15)

static int inflate_as(struct buf *out, struct sv in, size_t max, int window)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.len};
	int err = inflateInit2(&z, window);

	if (err != Z_OK)
		return err;
	if (buf_reserve(out, max)) {
		inflateEnd(&z);
		return Z_MEM_ERROR;
	}
	z.next_out = (Bytef *)out->data + out->len;
	z.avail_out = (uInt)max;
	err = inflate(&z, Z_SYNC_FLUSH);
	out->len += max - z.avail_out;
	out->data[out->len] = '\0';
	inflateEnd(&z);
	return err;
}

bool inflate_append(struct buf *out, struct sv in, size_t max)
{
	size_t before = out->len;
	int err = inflate_as(out, in, max, WINDOW_BY_HEAD);

	if (err == Z_DATA_ERROR && out->len == before)
		err = inflate_as(out, in, max, WINDOW_BARE);
	return err == Z_STREAM_END;
}
