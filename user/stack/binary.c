// SPDX-License-Identifier: Apache-2.0
/* What is known of a file of code; see binary.h. */
#include "stack/binary.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "stack/cfi_index.h"
#include "stack/debug_file.h"

/*
 * Debug information that was given up for want of memory stays away for so long, or where it is
 * wanted most there would be no end of reading it.
 */
static const uint64_t debug_pause_ns = 30 * NS_PER_S;

struct binary {
	struct image *image;
	struct cfi_search search; /* count 0: by index */
	struct cfi_index *eh_frame, *debug_frame;
	struct image *separate; /* its debug file */
	struct symbols *symbols;
	struct debug_info *debug;
	/* What has been looked for, found or not. */
	bool tried_eh_frame, tried_debug_frame, tried_separate, tried_symbols, tried_debug;
	bool too_large;
	uint64_t debug_not_before_ns; /* monotonic */
};

struct binary *binary_new(struct image *image)
{
	struct binary *binary = calloc(1, sizeof(*binary));

	if (!binary) {
		image_close(image);
		return NULL;
	}
	binary->image = image;
	binary->search = cfi_search_from(image);
	return binary;
}

void binary_trim(struct binary *binary)
{
	uint64_t not_before_ns = binary->debug_not_before_ns;

	if (binary->debug)
		not_before_ns = clock_monotonic_ns() + debug_pause_ns;
	debug_info_free(binary->debug);
	symbols_free(binary->symbols);
	cfi_index_free(binary->eh_frame);
	cfi_index_free(binary->debug_frame);
	image_close(binary->separate);
	*binary = (struct binary){
	    .image = binary->image,
	    .search = binary->search,
	    .too_large = binary->too_large,
	    .debug_not_before_ns = not_before_ns,
	};
}

void binary_free(struct binary *binary)
{
	if (!binary)
		return;
	binary_trim(binary);
	image_close(binary->image);
	free(binary);
}

const struct image *binary_image(const struct binary *binary)
{
	return binary->image;
}

bool binary_is_too_large(const struct binary *binary)
{
	return binary->too_large;
}

/* The separate debug file, or NULL. */
static struct image *need_separate(struct binary *binary, const struct binary_user *user)
{
	if (!binary->tried_separate) {
		binary->tried_separate = true;
		if (debug_file_open(binary->image, user->pid, user->path, &binary->separate))
			binary->separate = NULL;
	}
	return binary->separate;
}

static struct cfi_index *need_eh_frame(struct binary *binary)
{
	if (!binary->tried_eh_frame) {
		binary->tried_eh_frame = true;
		if (cfi_index_new(binary->image, CFI_KIND_EH_FRAME, &binary->eh_frame))
			binary->eh_frame = NULL;
	}
	return binary->eh_frame;
}

static struct cfi_index *need_debug_frame(struct binary *binary, const struct binary_user *user)
{
	struct cfi_index *index = NULL;
	struct image *separate;

	if (binary->tried_debug_frame)
		return binary->debug_frame;
	binary->tried_debug_frame = true;
	if (cfi_index_new(binary->image, CFI_KIND_DEBUG_FRAME, &index)) {
		separate = need_separate(binary, user);
		if (separate && cfi_index_new(separate, CFI_KIND_DEBUG_FRAME, &index))
			index = NULL;
	}
	binary->debug_frame = index;
	return index;
}

int binary_find_rules(struct binary *binary, const struct binary_user *user, uint64_t address,
    struct cfi_memory *memory, struct cfi_found *ret_found)
{
	const struct cfi_index *index;
	int err = -ENOENT;

	if (binary->search.count) {
		err = cfi_search_find(&binary->search, binary->image, address, memory, ret_found);
	} else {
		index = need_eh_frame(binary);
		if (index)
			err = cfi_index_find(index, address, ret_found);
	}
	if (err == 0 || err == -ENOMEM)
		return err;
	index = need_debug_frame(binary, user);
	return index && cfi_index_find(index, address, ret_found) == 0 ? 0 : err;
}

/* Debug information of an image, with what it shares with others. */
static int read_debug(const struct image *image, pid_t pid, struct debug_info **ret_debug)
{
	struct image *shared = NULL;
	int err;

	if (debug_file_open_shared(image, pid, &shared))
		shared = NULL;
	err = debug_info_new(image, shared, ret_debug);
	image_close(shared);
	return err;
}

static struct debug_info *need_debug(struct binary *binary, const struct binary_user *user)
{
	struct debug_info *debug = NULL;
	struct image *separate;
	int err;

	if (binary->tried_debug || clock_monotonic_ns() < binary->debug_not_before_ns)
		return binary->debug;
	binary->tried_debug = true;
	err = read_debug(binary->image, user->pid, &debug);
	separate = err == -ENOENT ? need_separate(binary, user) : NULL;
	if (separate)
		err = read_debug(separate, user->pid, &debug);
	binary->debug = err ? NULL : debug;
	binary->too_large = binary->too_large || err == -EFBIG;
	return binary->debug;
}

size_t binary_find_places(struct binary *binary, const struct binary_user *user, uint64_t address,
    struct debug_place *places, size_t max)
{
	struct debug_info *debug = need_debug(binary, user);

	return debug ? debug_info_find(debug, address, places, max) : 0;
}

static struct symbols *need_symbols(struct binary *binary, const struct binary_user *user)
{
	struct symbols *symbols = NULL;
	struct image *separate;
	int err;

	if (binary->tried_symbols)
		return binary->symbols;
	binary->tried_symbols = true;
	err = symbols_new(binary->image, SYMBOLS_TABLE_FULL, &symbols);
	separate = err == -ENOENT ? need_separate(binary, user) : NULL;
	if (separate)
		err = symbols_new(separate, SYMBOLS_TABLE_FULL, &symbols);
	if (err)
		err = symbols_new(binary->image, SYMBOLS_TABLE_DYNAMIC, &symbols);
	binary->symbols = err ? NULL : symbols;
	return binary->symbols;
}

int binary_find_symbol(struct binary *binary, const struct binary_user *user, uint64_t address,
    char ret_name[SYMBOL_NAME_SIZE], uint64_t *ret_start)
{
	const struct symbols *symbols = need_symbols(binary, user);

	return symbols ? symbols_find(symbols, address, ret_name, ret_start) : -ENOENT;
}

size_t binary_memory(const struct binary *binary)
{
	size_t bytes = sizeof(*binary) + image_memory(binary->image);

	if (binary->eh_frame)
		bytes += cfi_index_memory(binary->eh_frame);
	if (binary->debug_frame)
		bytes += cfi_index_memory(binary->debug_frame);
	if (binary->separate)
		bytes += image_memory(binary->separate);
	if (binary->symbols)
		bytes += symbols_memory(binary->symbols);
	if (binary->debug)
		bytes += debug_info_memory(binary->debug);
	return bytes;
}
