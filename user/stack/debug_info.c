// SPDX-License-Identifier: Apache-2.0
/*
 * Debug information through libdw; see debug_info.h. How a place is found in a unit: debug_walk.c.
 */
#include "stack/debug_info.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hmap.h"
#include "stack/debug_walk.h"

enum {
	LOOK_BACK = 16,    /* ranges of units that overlap, which correct ones do not */
	UNIT_BYTES = 1300, /* what libdw keeps of each unit */
	/*
	 * Answers that are kept: an address in SQLite as one file takes 5 ms each time. In the worst
	 * case (DEBUG_INLINED_MAX) all of them take 1.8 MB.
	 */
	SETS = 32, /* by hash of the address; two or three of a long stack fall into the same */
	WAYS = 8,
};

struct range {
	uint64_t start, end;
	uint32_t unit; /* index */
};

/* An answer; the places where a program waits are few. */
struct answer {
	uint64_t address; /* 0: none */
	size_t n;
	struct debug_place *places; /* owned; NULL: there are none */
};

struct debug_info {
	struct debug_file own, alternate; /* alternate.dwarf NULL: none */
	struct range *ranges;
	size_t n, cap;
	bool given_up;
	struct answer answers[SETS][WAYS]; /* the one used last comes first in its set */
	size_t answered;                   /* places in all of them */
};

static int add_range(struct debug_info *info, uint64_t start, uint64_t end, size_t unit)
{
	if (start >= end || start == 0) /* of functions that the linker dropped */
		return 0;
	if (info->n == DEBUG_RANGES_MAX)
		return -EFBIG;
	if (info->n == info->cap) {
		size_t cap = info->cap ? 2 * info->cap : 64;
		struct range *ranges = reallocarray(info->ranges, cap, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		info->ranges = ranges;
		info->cap = cap;
	}
	info->ranges[info->n++] =
	    (struct range){.start = start, .end = end, .unit = (uint32_t)unit};
	return 0;
}

static int add_unit(struct debug_info *info, size_t i)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t next = 0;
	Dwarf_Die die;
	int err = 0;

	if (!dwarf_offdie(info->own.dwarf, info->own.units.items[i].die, &die) ||
	    dwarf_tag(&die) == DW_TAG_type_unit)
		return 0;
	while (!err && (next = dwarf_ranges(&die, next, &base, &start, &end)) > 0)
		err = add_range(info, start, end, i);
	return err;
}

static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int list_ranges(struct debug_info *info)
{
	uint64_t deadline_ns = debug_cpu_ns() + DEBUG_LIST_MS_MAX * NS_PER_MS;
	int err = 0;

	for (size_t i = 0; !err && i < info->own.units.n; i++)
		err = debug_cpu_ns() > deadline_ns ? -EFBIG : add_unit(info, i);
	if (!err && !info->n)
		err = -ENOENT;
	if (!err)
		qsort(info->ranges, info->n, sizeof(*info->ranges), compare);
	return err;
}

/* Let libdw read the sections anew, which drops all that it has parsed. */
static int start_libdw(struct debug_file *file)
{
	elf_version(EV_CURRENT);
	file->elf = elf_memory(file->bytes.data, file->bytes.len);
	file->dwarf = file->elf ? dwarf_begin_elf(file->elf, DWARF_C_READ, NULL) : NULL;
	for (size_t i = 0; i < file->units.n; i++)
		file->units.items[i].seen = false;
	file->kept = file->units.n * UNIT_BYTES;
	return file->dwarf ? 0 : -EBADMSG;
}

static void stop_libdw(struct debug_file *file)
{
	dwarf_end(file->dwarf);
	elf_end(file->elf);
	file->dwarf = NULL;
	file->elf = NULL;
}

static void close_file(struct debug_file *file)
{
	stop_libdw(file);
	debug_units_release(&file->units);
	buf_release(&file->bytes);
}

static void drop_answer(struct debug_info *info, struct answer *answer)
{
	info->answered -= answer->n;
	free(answer->places);
	*answer = (struct answer){0};
}

static void drop_answers(struct debug_info *info)
{
	for (size_t i = 0; i < SETS * WAYS; i++)
		drop_answer(info, &info->answers[i / WAYS][i % WAYS]);
}

static int open_file(const struct image *image, struct debug_file *file)
{
	int err = debug_image_build(image, &file->bytes, &file->sections);

	if (!err)
		err = debug_units_list(&file->sections, &file->units);
	return err ? err : start_libdw(file);
}

int debug_info_new(
    const struct image *image, const struct image *alternate, struct debug_info **ret_info)
{
	struct debug_info *info = calloc(1, sizeof(*info));
	int err;

	if (!info)
		return -ENOMEM;
	err = open_file(image, &info->own);
	if (!err && alternate && open_file(alternate, &info->alternate))
		close_file(&info->alternate);
	if (!err) {
		dwarf_setalt(info->own.dwarf, info->alternate.dwarf);
		err = list_ranges(info);
	}
	if (err)
		debug_info_free(info);
	else
		*ret_info = info;
	return err;
}

void debug_info_free(struct debug_info *info)
{
	if (!info)
		return;
	drop_answers(info);
	close_file(&info->own);
	close_file(&info->alternate);
	free(info->ranges);
	free(info);
}

static const struct range *find_range(const struct debug_info *info, uint64_t address)
{
	size_t low = 0, high = info->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (info->ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t back = 1; back <= LOOK_BACK && back <= low; back++)
		if (address < info->ranges[low - back].end)
			return &info->ranges[low - back];
	return NULL;
}

/* Before strings are handed out, never after: answers have some. */
static int renew(struct debug_info *info)
{
	int err;

	if (info->own.kept + info->alternate.kept <=
	    DEBUG_KEPT_MAX + info->own.units.n * UNIT_BYTES)
		return 0;
	drop_answers(info);
	stop_libdw(&info->own);
	err = start_libdw(&info->own);
	if (info->alternate.dwarf) {
		stop_libdw(&info->alternate);
		err = err ? err : start_libdw(&info->alternate);
	}
	if (!err)
		dwarf_setalt(info->own.dwarf, info->alternate.dwarf);
	return err;
}

static size_t look_up(
    struct debug_info *info, uint64_t address, struct debug_place *places, size_t max)
{
	const struct range *range = find_range(info, address);
	int n;

	if (!range)
		return 0;
	n = debug_walk(&info->own, &info->alternate, range->unit, address, places, max);
	if (n == -ETIME)
		info->given_up = true;
	return n > 0 ? (size_t)n : 0;
}

/*
 * The answer for an address, or else the one that was used the longest ago. It is now the first of
 * its set.
 */
static struct answer *need_answer(struct debug_info *info, uint64_t address)
{
	struct answer *set = info->answers[hash_u64(address) % SETS], found;
	size_t i = 0;

	while (i < WAYS - 1 && set[i].address != address)
		i++;
	found = set[i];
	memmove(&set[1], &set[0], i * sizeof(set[0]));
	set[0] = found;
	return &set[0];
}

/* Without memory it is not kept. */
static void keep_answer(struct debug_info *info, struct answer *answer, uint64_t address,
    const struct debug_place *places, size_t n)
{
	drop_answer(info, answer);
	if (n) {
		answer->places = malloc(n * sizeof(places[0]));
		if (!answer->places)
			return;
		memcpy(answer->places, places, n * sizeof(places[0]));
	}
	answer->address = address;
	answer->n = n;
	info->answered += n;
}

size_t debug_info_find(
    struct debug_info *info, uint64_t address, struct debug_place *places, size_t max)
{
	struct answer *answer;
	size_t n;

	if (!info->given_up && renew(info))
		info->given_up = true;
	if (info->given_up)
		return 0;
	answer = need_answer(info, address);
	if (address && answer->address == address && answer->n <= max) {
		if (answer->n)
			memcpy(places, answer->places, answer->n * sizeof(places[0]));
		return answer->n;
	}
	n = look_up(info, address, places, max);
	if (n < max) /* else there may be more of them */
		keep_answer(info, answer, address, places, n);
	return n;
}

size_t debug_info_memory(const struct debug_info *info)
{
	return sizeof(*info) + info->own.bytes.len + info->own.kept + info->alternate.bytes.len +
	    info->alternate.kept + info->cap * sizeof(*info->ranges) +
	    info->answered * sizeof(struct debug_place);
}
