// SPDX-License-Identifier: Apache-2.0
/* Units of .debug_info; see debug_units.h. Format: DWARF 5, section 7.5. */
#include "stack/debug_units.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "stack/cursor.h"

/* A unit's header as far as it is needed. */
struct header {
	uint64_t size; /* of the unit, header included */
	uint64_t abbrevs;
	uint64_t die; /* place of the first entry behind the start of the unit */
};

/* A length as DWARF writes it; *ret_width: of offsets in that unit. */
static uint64_t take_length(struct cursor *c, unsigned *ret_width)
{
	uint64_t length = cursor_number(c, 4);

	*ret_width = 4;
	if (length == 0xffffffff) {
		*ret_width = 8;
		length = cursor_number(c, 8);
	}
	return length;
}

static bool read_header(struct sv bytes, struct header *ret_header)
{
	struct cursor c = cursor_from(bytes.p, bytes.len);
	unsigned width;
	uint64_t length = take_length(&c, &width);
	uint64_t start = (uint64_t)((const char *)c.p - bytes.p), version, type = DW_UT_compile;
	struct header header;

	if (length > bytes.len - start)
		return false;
	version = cursor_number(&c, 2);
	if (version < 2 || version > 5)
		return false;
	if (version == 5) {
		type = cursor_number(&c, 1);
		cursor_number(&c, 1);
	}
	header.abbrevs = cursor_number(&c, width);
	if (version < 5)
		cursor_number(&c, 1);
	if (type == DW_UT_skeleton || type == DW_UT_split_compile)
		cursor_number(&c, 8);
	else if (type == DW_UT_type || type == DW_UT_split_type)
		cursor_take(&c, 8 + width);
	header.die = (uint64_t)((const char *)c.p - bytes.p);
	header.size = start + length;
	*ret_header = header;
	return !c.bad && header.die < header.size;
}

/* Step over one abbreviation and return its code; 0: the table ends. */
static uint64_t take_abbrev(struct cursor *c)
{
	uint64_t code = cursor_uleb(c), name, form;

	if (!code)
		return 0;
	cursor_uleb(c);
	cursor_number(c, 1);
	do {
		name = cursor_uleb(c);
		form = cursor_uleb(c);
		if (form == DW_FORM_implicit_const)
			cursor_sleb(c);
	} while ((name || form) && !c->bad);
	return code;
}

/* Size of a table of abbreviations, and how much of it has been read when code is found. */
static int measure(
    struct sv abbrev, uint64_t offset, uint64_t code, uint32_t *ret_size, uint32_t *ret_searched)
{
	struct sv table = offset < abbrev.len ? sv_skip(abbrev, (size_t)offset) : (struct sv){0};
	uint64_t found = 0, each;
	struct cursor c;

	if (table.len > DEBUG_ABBREVS_MAX + 1)
		table.len = DEBUG_ABBREVS_MAX + 1;
	c = cursor_from(table.p, table.len);
	do {
		each = take_abbrev(&c);
		if (each == code && !found)
			found = (uint64_t)((const char *)c.p - table.p);
	} while (each && !c.bad);
	if (c.bad)
		return table.len > DEBUG_ABBREVS_MAX ? -EFBIG : -EBADMSG;
	*ret_size = (uint32_t)((const char *)c.p - table.p);
	*ret_searched = found ? (uint32_t)found : *ret_size;
	return 0;
}

static int add(struct debug_units *units, size_t *cap, struct debug_unit unit)
{
	if (units->n == DEBUG_UNITS_MAX)
		return -EFBIG;
	if (units->n == *cap) {
		size_t bigger = *cap ? 2 * *cap : 64;
		struct debug_unit *items =
		    reallocarray(units->items, bigger, sizeof(*units->items));

		if (!items)
			return -ENOMEM;
		units->items = items;
		*cap = bigger;
	}
	units->items[units->n++] = unit;
	return 0;
}

/* Damage ends the list; what was read up to there stays. */
static int list(const struct debug_sections *sections, struct debug_units *units)
{
	uint64_t offset = 0, measured = 0, searched = 0;
	size_t cap = 0;
	int err = 0;

	while (!err && offset < sections->info.len) {
		struct sv rest = sv_skip(sections->info, (size_t)offset);
		struct debug_unit unit = {.offset = offset};
		struct header header;
		struct cursor c;
		uint32_t here;

		if (!read_header(rest, &header))
			break;
		unit.die = offset + header.die;
		c = cursor_from(rest.p + header.die, (size_t)(header.size - header.die));
		err = measure(
		    sections->abbrev, header.abbrevs, cursor_uleb(&c), &unit.abbrevs, &here);
		if (err)
			break;
		measured += unit.abbrevs;
		searched += here;
		if (measured > DEBUG_MEASURED_MAX || searched > DEBUG_SEARCHED_MAX)
			err = -EFBIG;
		else
			err = add(units, &cap, unit);
		offset += header.size;
	}
	if (!err && !units->n)
		err = -ENOENT;
	return err;
}

int debug_units_list(const struct debug_sections *sections, struct debug_units *ret_units)
{
	struct debug_units units = {0};
	int err = list(sections, &units);

	if (err)
		debug_units_release(&units);
	else
		*ret_units = units;
	return err;
}

void debug_units_release(struct debug_units *units)
{
	free(units->items);
	*units = (struct debug_units){0};
}

struct debug_unit *debug_units_at(struct debug_units *units, uint64_t offset)
{
	size_t low = 0, high = units->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (units->items[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &units->items[low - 1] : NULL;
}
