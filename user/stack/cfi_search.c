// SPDX-License-Identifier: Apache-2.0
/* .eh_frame_hdr; see cfi_search.h. Format: Linux Standard Base 5.0, section 10.6.2. */
#include "stack/cfi_search.h"

#include <dwarf.h>
#include <errno.h>

#include "stack/cursor.h"

enum {
	HEADER_BYTES = 12, /* four bytes of encodings, .eh_frame's place, count */
	ROW_BYTES = 8,     /* where a function starts, where its entry is */
	HEAD_BYTES = 24,   /* enough of an entry to know its size */
};

void cfi_memory_release(struct cfi_memory *memory)
{
	buf_release(&memory->common);
	buf_release(&memory->function);
}

struct cfi_search cfi_search_from(const struct image *image)
{
	struct image_range range = image_eh_frame_hdr(image);
	struct cfi_search search = {.address = range.address};
	uint8_t bytes[HEADER_BYTES];
	uint64_t count;
	struct cursor c = cursor_from(bytes, sizeof(bytes));

	if (range.size < sizeof(bytes) ||
	    image_read_address(image, range.address, bytes, sizeof(bytes)) != sizeof(bytes))
		return search;
	/* What every linker writes: version 1, offsets and count of four bytes. */
	if (cursor_number(&c, 1) != 1 ||
	    cursor_number(&c, 1) != (DW_EH_PE_pcrel | DW_EH_PE_sdata4) ||
	    cursor_number(&c, 1) != DW_EH_PE_udata4 ||
	    cursor_number(&c, 1) != (DW_EH_PE_datarel | DW_EH_PE_sdata4))
		return search;
	cursor_number(&c, 4);
	count = cursor_number(&c, 4);
	if (count <= (range.size - HEADER_BYTES) / ROW_BYTES)
		search.count = count;
	return search;
}

static bool read_row(const struct cfi_search *search, const struct image *image, uint64_t i,
    uint64_t *ret_start, uint64_t *ret_entry)
{
	uint8_t bytes[ROW_BYTES];
	struct cursor c = cursor_from(bytes, sizeof(bytes));

	if (image_read_address(image, search->address + HEADER_BYTES + i * ROW_BYTES, bytes,
		sizeof(bytes)) != sizeof(bytes))
		return false;
	*ret_start = search->address + (uint64_t)cursor_signed(&c, 4);
	*ret_entry = search->address + (uint64_t)cursor_signed(&c, 4);
	return true;
}

/* Where the entry is of the last function that starts at or before address. */
static int find_entry(const struct cfi_search *search, const struct image *image, uint64_t address,
    uint64_t *ret_entry)
{
	uint64_t low = 0, high = search->count, found = 0;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2, start, entry;

		if (!read_row(search, image, middle, &start, &entry))
			return -EBADMSG;
		if (start <= address) {
			found = entry;
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (!low)
		return -ENOENT;
	*ret_entry = found;
	return 0;
}

/* A whole entry of .eh_frame into memory. */
static int read_entry(
    const struct image *image, uint64_t address, struct buf *out, struct cfi_entry *ret_entry)
{
	struct cfi_entry entry;
	size_t len;

	buf_clear(out);
	if (buf_reserve(out, HEAD_BYTES))
		return -ENOMEM;
	len = image_read_address(image, address, out->data, HEAD_BYTES);
	if (cfi_entry(sv_from(out->data, len), CFI_KIND_EH_FRAME, &entry) ||
	    entry.size > CFI_ENTRY_MAX)
		return -EBADMSG;
	if (buf_reserve(out, (size_t)entry.size))
		return -ENOMEM;
	out->len = image_read_address(image, address, out->data, (size_t)entry.size);
	if (out->len != entry.size)
		return -EBADMSG;
	*ret_entry = entry;
	return 0;
}

int cfi_search_find(const struct cfi_search *search, const struct image *image, uint64_t address,
    struct cfi_memory *memory, struct cfi_found *ret_found)
{
	struct cfi_entry entry, common_entry;
	struct cfi_found found;
	uint64_t at;
	int err = find_entry(search, image, address, &at);

	if (!err)
		err = read_entry(image, at, &memory->function, &entry);
	if (!err)
		err = entry.is_common ? -EBADMSG : 0;
	if (!err)
		err = read_entry(image, at - entry.common, &memory->common, &common_entry);
	if (!err)
		err = cfi_common(buf_sv(&memory->common), CFI_KIND_EH_FRAME, &found.common);
	if (!err)
		err = cfi_function(buf_sv(&memory->function), at, &found.common, &found.function);
	if (err)
		return err;
	if (address < found.function.start || address >= found.function.end)
		return -ENOENT;
	*ret_found = found;
	return 0;
}
