// SPDX-License-Identifier: Apache-2.0
/*
 * Functions around an address; see debug_walk.h. Debug information is a tree: units hold functions,
 * namespaces and types hold functions too, functions hold blocks and the calls inlined into them.
 * The walk goes down where the address is, without recursion: how deep the tree is, is for others
 * to say.
 */
#include "stack/debug_walk.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

enum {
	DEPTH = 64,       /* scopes within one another */
	CLOCK_EVERY = 16, /* entries between two looks at the clock */
	ORIGINS = 8,      /* from an inlined call to its function to its declaration: 3 */
	ABBREV_COST = 20, /* bytes that libdw keeps for each byte of abbreviations */
};

struct walk {
	struct debug_file *own, *alternate;
	uint64_t address;
	uint64_t deadline_ns; /* of debug_cpu_ns() */
	Dwarf_Die unit;
	uint64_t lines; /* where its line table is */
	bool has_lines;
	Dwarf_Die
	    around[DEBUG_INLINED_MAX]; /* the function, then what is inlined, outermost first */
	size_t n_around;
	size_t entries;
	size_t parsed; /* bytes that libdw keeps of what it parsed for this address */
	bool too_deep, too_much;
};

uint64_t debug_cpu_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Whether the walk is beyond its limits. */
static bool is_spent(struct walk *w)
{
	w->entries++;
	if (w->entries > DEBUG_ENTRIES_MAX ||
	    (w->entries % CLOCK_EVERY == 0 && debug_cpu_ns() > w->deadline_ns))
		w->too_much = true;
	return w->too_much;
}

/* Account for the abbreviations of the unit that an entry belongs to, before libdw parses them. */
static void see_unit(struct walk *w, Dwarf_Die *die)
{
	bool other = w->alternate->dwarf && dwarf_cu_getdwarf(die->cu) == w->alternate->dwarf;
	struct debug_file *file = other ? w->alternate : w->own;
	struct debug_unit *unit = debug_units_at(&file->units, dwarf_dieoffset(die));

	if (unit && !unit->seen) {
		unit->seen = true;
		file->kept += (size_t)unit->abbrevs * ABBREV_COST;
		w->parsed += (size_t)unit->abbrevs * ABBREV_COST;
	}
	if (!unit || w->parsed > DEBUG_KEPT_MAX)
		w->too_much = true;
}

enum scope {
	SCOPE_NONE = 0,     /* nothing to be found in it */
	SCOPE_FUNCTION = 1, /* a function or an inlined call */
	SCOPE_BLOCK = 2,    /* code of the function it stands in */
	SCOPE_NAMES = 3,    /* holds functions, without addresses of its own */
};

static enum scope scope_of(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_entry_point:
		return SCOPE_FUNCTION;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
		return SCOPE_BLOCK;
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type: /* Rust puts methods there */
		return SCOPE_NAMES;
	default:
		return SCOPE_NONE;
	}
}

/* The scopes on the way to the entry that is looked at. */
struct path {
	Dwarf_Die at[DEPTH];
	size_t depth; /* of entries; at[depth - 1] is looked at */
};

static bool go_in(struct path *path)
{
	Dwarf_Die *die = &path->at[path->depth - 1];

	if (path->depth == DEPTH || dwarf_child(die, die + 1) != 0)
		return false;
	path->depth++;
	return true;
}

static void go_on(struct path *path)
{
	while (path->depth) {
		Dwarf_Die *die = &path->at[path->depth - 1], next;

		if (dwarf_siblingof(die, &next) == 0) {
			*die = next;
			return;
		}
		path->depth--;
	}
}

/* The address lies in the looked-at entry: what stands beside it and above it is done with. */
static void commit(struct path *path)
{
	Dwarf_Die die = path->at[path->depth - 1];

	path->at[0] = die;
	path->depth = 1;
	if (!go_in(path)) {
		path->depth = 0;
		return;
	}
	path->at[0] = path->at[1];
	path->depth = 1;
}

/* Collect the functions around the address. */
static void descend(struct walk *w)
{
	struct path path = {.at = {w->unit}, .depth = 1};

	if (!go_in(&path))
		return;
	path.at[0] = path.at[1];
	path.depth = 1;
	while (path.depth && !is_spent(w)) {
		Dwarf_Die *die = &path.at[path.depth - 1];
		enum scope scope = scope_of(die);

		if ((scope == SCOPE_FUNCTION || scope == SCOPE_BLOCK) &&
		    dwarf_haspc(die, w->address) == 1) {
			if (scope == SCOPE_FUNCTION && w->n_around == DEBUG_INLINED_MAX)
				w->too_deep = true;
			else if (scope == SCOPE_FUNCTION)
				w->around[w->n_around++] = *die;
			commit(&path);
		} else if (scope != SCOPE_NAMES || !go_in(&path)) {
			go_on(&path);
		}
	}
}

static const char *string_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr(die, name, &attribute));
}

/*
 * The name that linkers know, else the one in the source; an inlined call has that of its function.
 */
static void set_name(struct walk *w, const Dwarf_Die *of, struct debug_place *place)
{
	Dwarf_Die die = *of, next;

	for (int i = 0; i < ORIGINS; i++) {
		Dwarf_Attribute attribute, *origin;
		const char *name;

		see_unit(w, &die);
		if (w->too_much)
			return;
		name = string_of(&die, DW_AT_linkage_name);
		if (!name)
			name = string_of(&die, DW_AT_MIPS_linkage_name);
		if (name) {
			place->function = name;
			place->linked = true;
			return;
		}
		if (!place->function)
			place->function = string_of(&die, DW_AT_name);
		origin = dwarf_attr(&die, DW_AT_abstract_origin, &attribute);
		if (!origin)
			origin = dwarf_attr(&die, DW_AT_specification, &attribute);
		if (!origin || origin->form == DW_FORM_ref_sig8 ||
		    !dwarf_formref_die(origin, &next))
			return;
		die = next;
	}
}

static bool number_of(Dwarf_Die *die, unsigned name, uint64_t *ret_number)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0)
		return false;
	*ret_number = value;
	return true;
}

/* The file of a place, from the unit's line table. */
static void set_file(struct walk *w, uint64_t file, uint64_t line, struct debug_place *place)
{
	const char *directory = string_of(&w->unit, DW_AT_comp_dir);

	if (line_table_file(&w->own->sections.lines, w->lines, directory, file, place->file,
		sizeof(place->file)) == 0 &&
	    line <= INT32_MAX)
		place->line = (uint32_t)line;
}

/* Where the innermost function was. */
static void set_own_line(struct walk *w, struct debug_place *place)
{
	struct line_row row;

	if (line_table_find(&w->own->sections.lines, w->lines, w->address, &row) == 0)
		set_file(w, row.file, row.line, place);
}

/* Where a function was when it entered the call that was inlined into it. */
static void set_call_line(struct walk *w, Dwarf_Die *call, struct debug_place *place)
{
	uint64_t file, line = 0;

	number_of(call, DW_AT_call_line, &line);
	if (number_of(call, DW_AT_call_file, &file))
		set_file(w, file, line, place);
}

static size_t fill(struct walk *w, struct debug_place *places, size_t max)
{
	size_t n = w->n_around ? w->n_around : 1;

	for (size_t i = 0; i < n && i < max; i++) {
		size_t from_outside = n - 1 - i;

		places[i] = (struct debug_place){0};
		if (w->n_around)
			set_name(w, &w->around[from_outside], &places[i]);
		if (!w->has_lines)
			continue;
		if (i == 0)
			set_own_line(w, &places[i]);
		else
			set_call_line(w, &w->around[from_outside + 1], &places[i]);
	}
	return n < max ? n : max;
}

int debug_walk(struct debug_file *own, struct debug_file *alternate, size_t unit, uint64_t address,
    struct debug_place *places, size_t max)
{
	struct walk w = {.own = own,
	    .alternate = alternate,
	    .address = address,
	    .deadline_ns = debug_cpu_ns() + DEBUG_FIND_MS_MAX * NS_PER_MS};
	size_t n;

	if (!max || !dwarf_offdie(own->dwarf, own->units.items[unit].die, &w.unit))
		return 0;
	see_unit(&w, &w.unit);
	w.has_lines = number_of(&w.unit, DW_AT_stmt_list, &w.lines);
	descend(&w);
	if (w.too_much)
		return -ETIME;
	if (w.too_deep)
		return 0;
	n = fill(&w, places, max);
	if (n == 1 && !places[0].function && !places[0].file[0])
		return 0;
	return (int)n;
}
