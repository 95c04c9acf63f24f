// SPDX-License-Identifier: Apache-2.0
/*
 * Paths of source files; see line_table.h. Up to DWARF 4 the lists have a fixed form, DWARF 5
 * describes them.
 */
#include <dwarf.h>
#include <errno.h>

#include "stack/line_header.h"

enum {
	FORMATS_MAX = 8, /* fields of an entry; compilers write up to 5 */
};

/* One entry of a list. */
struct entry {
	struct sv name;
	uint64_t directory;
};

static struct sv string_at(struct sv section, uint64_t offset)
{
	struct sv rest = offset < section.len ? sv_skip(section, (size_t)offset) : (struct sv){0};

	rest.len = sv_find(rest, '\0');
	return rest;
}

static struct sv take_string(struct cursor *c)
{
	return sv_cstr(cursor_string(c));
}

/*
 * --- up to DWARF 4: names until an empty one ----------------------------------------------------
 */

/* Step over the directories; *ret_name is the wanted one (from 1), if there is one. */
static void take_old_directories(struct cursor *c, uint64_t wanted, struct sv *ret_name)
{
	for (uint64_t i = 1;; i++) {
		struct sv name = take_string(c);

		if (!name.len || c->bad)
			return;
		if (i == wanted)
			*ret_name = name;
	}
}

static bool find_old_file(struct cursor c, uint64_t wanted, struct entry *ret_entry)
{
	struct sv ignored;

	take_old_directories(&c, 0, &ignored);
	for (uint64_t i = 1; !c.bad; i++) {
		struct entry entry = {.name = take_string(&c)};

		if (!entry.name.len)
			return false;
		entry.directory = cursor_uleb(&c);
		cursor_uleb(&c); /* when it was changed */
		cursor_uleb(&c); /* its length */
		if (i == wanted && !c.bad) {
			*ret_entry = entry;
			return true;
		}
	}
	return false;
}

/*
 * --- DWARF 5: formats, a count, entries ----------------------------------------------------------
 */

struct format {
	uint64_t content[FORMATS_MAX], form[FORMATS_MAX];
	size_t n;
	uint64_t entries;
};

static bool take_format(struct cursor *c, struct format *format)
{
	format->n = (size_t)cursor_number(c, 1);
	if (format->n > FORMATS_MAX)
		return false;
	for (size_t i = 0; i < format->n; i++) {
		format->content[i] = cursor_uleb(c);
		format->form[i] = cursor_uleb(c);
	}
	format->entries = cursor_uleb(c);
	/* Each field takes a byte at least. */
	return !c->bad && format->entries <= cursor_left(c) && (format->n || !format->entries);
}

/* One field: a string, or a number, as its form says. */
static void take_field(struct cursor *c, const struct line_sections *sections, uint8_t width,
    uint64_t form, struct sv *ret_string, uint64_t *ret_number)
{
	switch (form) {
	case DW_FORM_string:
		*ret_string = take_string(c);
		break;
	case DW_FORM_line_strp:
		*ret_string = string_at(sections->line_str, cursor_number(c, width));
		break;
	case DW_FORM_strp:
		*ret_string = string_at(sections->str, cursor_number(c, width));
		break;
	case DW_FORM_udata:
		*ret_number = cursor_uleb(c);
		break;
	case DW_FORM_data1:
		*ret_number = cursor_number(c, 1);
		break;
	case DW_FORM_data2:
		*ret_number = cursor_number(c, 2);
		break;
	case DW_FORM_data4:
		*ret_number = cursor_number(c, 4);
		break;
	case DW_FORM_data8:
		*ret_number = cursor_number(c, 8);
		break;
	case DW_FORM_data16: /* a checksum */
		cursor_take(c, 16);
		break;
	case DW_FORM_block:
		cursor_take(c, cursor_uleb(c));
		break;
	default:
		c->bad = true;
	}
}

static struct entry take_entry(struct cursor *c, const struct line_sections *sections,
    uint8_t width, const struct format *format)
{
	struct entry entry = {0};

	for (size_t i = 0; i < format->n; i++) {
		struct sv string = {0};
		uint64_t number = 0;

		take_field(c, sections, width, format->form[i], &string, &number);
		if (format->content[i] == DW_LNCT_path)
			entry.name = string;
		else if (format->content[i] == DW_LNCT_directory_index)
			entry.directory = number;
	}
	return entry;
}

/* Step over a list; *ret_entry is the wanted one (from 0), if there is one. */
static bool take_list(struct cursor *c, const struct line_sections *sections, uint8_t width,
    uint64_t wanted, struct entry *ret_entry)
{
	struct format format;
	bool found = false;

	if (!take_format(c, &format))
		return false;
	for (uint64_t i = 0; i < format.entries && !c->bad; i++) {
		struct entry entry = take_entry(c, sections, width, &format);

		if (i == wanted && !c->bad) {
			*ret_entry = entry;
			found = true;
		}
	}
	return found;
}

/* --- both ------------------------------------------------------------------------------------- */

static bool find_file(const struct line_sections *sections, const struct line_header *h,
    uint64_t file, struct entry *ret_entry)
{
	struct cursor c = h->files;
	struct entry ignored;

	if (h->version < 5)
		return find_old_file(c, file, ret_entry);
	take_list(&c, sections, h->width, UINT64_MAX, &ignored);
	return !c.bad && take_list(&c, sections, h->width, file, ret_entry);
}

static struct sv find_directory(const struct line_sections *sections, const struct line_header *h,
    const char *directory, uint64_t wanted)
{
	struct cursor c = h->files;
	struct entry entry = {0};

	if (h->version == 5)
		return take_list(&c, sections, h->width, wanted, &entry) ? entry.name
									 : (struct sv){0};
	if (wanted == 0)
		return sv_cstr(directory);
	take_old_directories(&c, wanted, &entry.name);
	return entry.name;
}

/* Put a part before what is in the path already; what does not fit is left out. */
static void prepend(char *path, size_t *start, struct sv part)
{
	if (part.len > *start)
		part = sv_skip(part, part.len - *start);
	*start -= part.len;
	if (part.len)
		memcpy(path + *start, part.p, part.len);
}

int line_table_file(const struct line_sections *sections, uint64_t offset, const char *directory,
    uint64_t file, char *ret_path, size_t size)
{
	struct line_header header;
	size_t start = size - 1;
	struct entry entry;
	struct sv before;
	int err = line_header_read(sections->line, offset, &header);

	if (err)
		return err;
	if (!find_file(sections, &header, file, &entry) || !entry.name.len)
		return -ENOENT;
	ret_path[start] = '\0';
	prepend(ret_path, &start, entry.name);
	if (entry.name.p[0] != '/') {
		before = find_directory(sections, &header, directory, entry.directory);
		if (before.len) {
			prepend(ret_path, &start, SV("/"));
			prepend(ret_path, &start, before);
		}
	}
	memmove(ret_path, ret_path + start, size - start);
	return 0;
}
