// SPDX-License-Identifier: Apache-2.0
/* Compressed bodies; see inflate.h. */
#include "rule/inflate.h"

#include <zlib.h>

/* zlib's numbers for gzip, zlib, and neither. */
#define WINDOW_GZIP (15 + 16)
#define WINDOW_ZLIB 15
#define WINDOW_BARE (-15)

/* A member of gzip may be followed by others: together they are one text. zlib's last word. */
static int inflate_members(z_stream *z, int window)
{
	int err = inflate(z, Z_SYNC_FLUSH);

	while (err == Z_STREAM_END && z->avail_in) {
		if (window != WINDOW_GZIP)
			return Z_DATA_ERROR;
		inflateReset(z);
		err = inflate(z, Z_SYNC_FLUSH);
	}
	return err;
}

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
	err = inflate_members(&z, window);
	out->len += max - z.avail_out;
	out->data[out->len] = '\0';
	inflateEnd(&z);
	return err;
}

bool inflate_append(struct buf *out, struct sv in, size_t max)
{
	bool gzip = sv_starts(in, SV("\x1f\x8b"));
	size_t before = out->len;
	int err = inflate_as(out, in, max, gzip ? WINDOW_GZIP : WINDOW_ZLIB);

	if (err == Z_DATA_ERROR && !gzip && out->len == before)
		err = inflate_as(out, in, max, WINDOW_BARE);
	return err == Z_STREAM_END;
}
