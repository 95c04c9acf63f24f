// SPDX-License-Identifier: Apache-2.0
/* Sections in memory; see section.h. Compression: System V ABI, "Section Compression". */
#include "stack/section.h"

#include <elf.h>
#include <errno.h>
#include <zlib.h>

enum {
	CHUNK = 32768, /* compressed bytes read at a time */
};

static bool compression(
    const struct image *image, const struct image_section *section, Elf64_Chdr *ret_header)
{
	return (section->flags & SHF_COMPRESSED) &&
	    image_read_section(image, section, 0, ret_header, sizeof(*ret_header)) ==
	    sizeof(*ret_header);
}

uint64_t section_size(const struct image *image, const struct image_section *section)
{
	Elf64_Chdr header;

	if (!(section->flags & SHF_COMPRESSED))
		return section->size;
	if (!compression(image, section, &header) || header.ch_type != ELFCOMPRESS_ZLIB)
		return 0;
	return header.ch_size;
}

static int load_plain(
    const struct image *image, const struct image_section *section, struct buf *out)
{
	size_t len = (size_t)section->size;

	if (buf_reserve(out, len))
		return -ENOMEM;
	if (image_read_section(image, section, 0, out->data + out->len, len) != len)
		return -EBADMSG;
	out->len += len;
	out->data[out->len] = '\0';
	return 0;
}

/* Feed the stream until it has filled what it was given. */
static int inflate_all(
    const struct image *image, const struct image_section *section, z_stream *stream)
{
	uint64_t place = sizeof(Elf64_Chdr);
	uint8_t chunk[CHUNK];

	while (stream->avail_out) {
		size_t n = image_read_section(image, section, place, chunk, sizeof(chunk));
		int status;

		if (!n)
			return -EBADMSG;
		place += n;
		stream->next_in = chunk;
		stream->avail_in = (unsigned)n;
		status = inflate(stream, Z_NO_FLUSH);
		if (status == Z_STREAM_END)
			return stream->avail_out ? -EBADMSG : 0;
		if (status != Z_OK)
			return status == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
	}
	return 0;
}

static int load_inflated(
    const struct image *image, const struct image_section *section, size_t len, struct buf *out)
{
	z_stream stream = {0};
	int err;

	if (buf_reserve(out, len))
		return -ENOMEM;
	if (inflateInit(&stream) != Z_OK)
		return -ENOMEM;
	stream.next_out = (unsigned char *)out->data + out->len;
	stream.avail_out = (unsigned)len;
	err = inflate_all(image, section, &stream);
	inflateEnd(&stream);
	if (!err)
		out->len += len;
	out->data[out->len] = '\0';
	return err;
}

int section_load(
    const struct image *image, const struct image_section *section, size_t max, struct buf *out)
{
	uint64_t size = section_size(image, section);

	if (size > max || size > INT32_MAX)
		return -EFBIG;
	if (!(section->flags & SHF_COMPRESSED))
		return load_plain(image, section, out);
	return size ? load_inflated(image, section, (size_t)size, out) : -ENOTSUP;
}
