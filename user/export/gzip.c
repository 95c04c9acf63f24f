// SPDX-License-Identifier: Apache-2.0
/* Compression of whole messages; see gzip.h. */
#include "export/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <zlib.h>

enum {
	WINDOW_GZIP = 15 + 16, /* zlib: the largest window, in a gzip wrapper */
	MEMORY_LEVEL = 8,      /* zlib's default */
	STEP_BYTES = 64 << 10,
};

int gzip_pack(struct buf *out, struct sv in)
{
	z_stream z = {0};
	size_t bound;
	int result;

	if (in.len > UINT_MAX / 2)
		return -ENOMEM;
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL,
		Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, in.len);
	if (buf_reserve(out, bound)) {
		deflateEnd(&z);
		return -ENOMEM;
	}
	z.next_in = (Bytef *)(uintptr_t)in.p;
	z.avail_in = (uInt)in.len;
	z.next_out = (Bytef *)(out->data + out->len);
	z.avail_out = (uInt)bound;
	result = deflate(&z, Z_FINISH);
	out->len += z.total_out;
	out->data[out->len] = '\0';
	deflateEnd(&z);
	return result == Z_STREAM_END ? 0 : -ENOMEM;
}

/* As much as there is room for now. Returns zlib's result, or Z_MEM_ERROR. */
static int unpack_step(z_stream *z, struct buf *out)
{
	int result;

	if (buf_reserve(out, STEP_BYTES))
		return Z_MEM_ERROR;
	z->next_out = (Bytef *)(out->data + out->len);
	z->avail_out = STEP_BYTES;
	result = inflate(z, Z_NO_FLUSH);
	out->len += STEP_BYTES - z->avail_out;
	out->data[out->len] = '\0';
	return result;
}

int gzip_unpack(struct buf *out, struct sv in, size_t max)
{
	const size_t before = out->len;
	int result = Z_OK;
	z_stream z = {0};

	if (in.len > UINT_MAX || inflateInit2(&z, WINDOW_GZIP) != Z_OK)
		return -ENOMEM;
	z.next_in = (Bytef *)(uintptr_t)in.p;
	z.avail_in = (uInt)in.len;
	while (result == Z_OK && out->len - before <= max)
		result = unpack_step(&z, out);
	inflateEnd(&z);
	if (out->len - before > max)
		return -E2BIG;
	if (result == Z_MEM_ERROR)
		return -ENOMEM;
	return result == Z_STREAM_END && z.avail_in == 0 ? 0 : -EBADMSG;
}
