// SPDX-License-Identifier: Apache-2.0
/* Whole unwind sections; see cfi_index.h. */
#include "stack/cfi_index.h"

#include <errno.h>
#include <stdlib.h>

#include "stack/section.h"

struct place {
	uint64_t start; /* of the function */
	size_t at;      /* its entry in the section */
};

struct cfi_index {
	enum cfi_kind kind;
	uint64_t address; /* of the section */
	struct buf bytes;
	struct place *places;
	size_t n, cap;
};

static struct sv bytes_from(const struct cfi_index *index, uint64_t at)
{
	struct sv all = buf_sv(&index->bytes);

	return at < all.len ? sv_skip(all, (size_t)at) : (struct sv){0};
}

/* The entry at a place, and what it refers to. -ENOENT for one that is no function's. */
static int read_function(const struct cfi_index *index, size_t at, const struct cfi_entry *entry,
    struct cfi_found *ret_found)
{
	uint64_t common_at = index->kind == CFI_KIND_EH_FRAME ? at - entry->common : entry->common;
	int err;

	if (entry->is_common)
		return -ENOENT;
	err = cfi_common(bytes_from(index, common_at), index->kind, &ret_found->common);
	if (err)
		return err;
	return cfi_function(
	    bytes_from(index, at), index->address + at, &ret_found->common, &ret_found->function);
}

static int add(struct cfi_index *index, uint64_t start, size_t at)
{
	if (index->n == CFI_INDEX_ENTRIES_MAX)
		return -EFBIG;
	if (index->n == index->cap) {
		size_t cap = index->cap ? 2 * index->cap : 256;
		struct place *places = reallocarray(index->places, cap, sizeof(*places));

		if (!places)
			return -ENOMEM;
		index->places = places;
		index->cap = cap;
	}
	index->places[index->n++] = (struct place){.start = start, .at = at};
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Damage ends the walk; what was read up to there stays. */
static int scan(struct cfi_index *index)
{
	size_t at = 0;
	int err = 0;

	while (!err && at < index->bytes.len) {
		struct sv rest = bytes_from(index, at);
		struct cfi_found found;
		struct cfi_entry entry;
		int status = cfi_entry(rest, index->kind, &entry);

		if (status == -ENOENT) { /* the terminator, of which several may have been linked */
			at += 4;
			continue;
		}
		if (status || entry.size > rest.len)
			break;
		if (read_function(index, at, &entry, &found) == 0)
			err = add(index, found.function.start, at);
		at += (size_t)entry.size;
	}
	if (!err && !index->n)
		err = -ENOENT;
	if (!err)
		qsort(index->places, index->n, sizeof(*index->places), compare);
	return err;
}

int cfi_index_new(const struct image *image, enum cfi_kind kind, struct cfi_index **ret_index)
{
	const char *name = kind == CFI_KIND_EH_FRAME ? ".eh_frame" : ".debug_frame";
	struct image_section section;
	struct cfi_index *index;
	int err;

	if (!image_section_named(image, name, &section) || !section.size)
		return -ENOENT;
	index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	index->kind = kind;
	index->address = section.address;
	err = section_load(image, &section, CFI_INDEX_BYTES_MAX, &index->bytes);
	if (!err)
		err = scan(index);
	if (err)
		cfi_index_free(index);
	else
		*ret_index = index;
	return err;
}

void cfi_index_free(struct cfi_index *index)
{
	if (!index)
		return;
	buf_release(&index->bytes);
	free(index->places);
	free(index);
}

int cfi_index_find(const struct cfi_index *index, uint64_t address, struct cfi_found *ret_found)
{
	size_t low = 0, high = index->n, at;
	struct cfi_entry entry;
	struct cfi_found found;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->places[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return -ENOENT;
	at = index->places[low - 1].at;
	if (cfi_entry(bytes_from(index, at), index->kind, &entry) ||
	    read_function(index, at, &entry, &found) || address >= found.function.end)
		return -ENOENT;
	*ret_found = found;
	return 0;
}

size_t cfi_index_memory(const struct cfi_index *index)
{
	return sizeof(*index) + index->bytes.cap + index->cap * sizeof(*index->places);
}
