// SPDX-License-Identifier: Apache-2.0
/* Functions by address; see symbols.h. */
#include "stack/symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = 256,    /* symbols read at a time */
	LOOK_BACK = 16, /* functions that start before and may reach over another's start */
	ALIASES = 16,   /* names compared for one function */
	/*
	 * A function without a size (hand-written assembly) reaches to the next one, but not
	 * further than this.
	 */
	UNSIZED_BYTES = 1024,
};

struct symbol {
	uint64_t start;
	uint32_t size; /* 0: not given */
	uint32_t name; /* place among the names */
	bool global;
};

struct symbols {
	const struct image *image;
	struct image_section names;
	bool exported; /* a dynamic table: between its functions lie others */
	struct symbol *items;
	size_t n, cap;
};

static int add(struct symbols *symbols, const Elf64_Sym *sym)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);

	if ((type != STT_FUNC && type != STT_GNU_IFUNC) || sym->st_shndx == SHN_UNDEF ||
	    !sym->st_value || !sym->st_name)
		return 0;
	if (symbols->n == SYMBOLS_MAX)
		return -EFBIG;
	if (symbols->n == symbols->cap) {
		size_t cap = symbols->cap ? 2 * symbols->cap : CHUNK;
		struct symbol *items = reallocarray(symbols->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		symbols->items = items;
		symbols->cap = cap;
	}
	symbols->items[symbols->n++] = (struct symbol){
	    .start = sym->st_value,
	    .size = sym->st_size < UINT32_MAX ? (uint32_t)sym->st_size : UINT32_MAX,
	    .name = sym->st_name,
	    .global = ELF64_ST_BIND(sym->st_info) == STB_GLOBAL,
	};
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int read_table(struct symbols *symbols, const struct image_section *section)
{
	Elf64_Sym chunk[CHUNK];
	uint64_t place = 0;
	int err = 0;

	while (!err && place < section->size) {
		size_t got =
		    image_read_section(symbols->image, section, place, chunk, sizeof(chunk));

		if (got < sizeof(chunk[0]))
			break;
		for (size_t i = 0; !err && i < got / sizeof(chunk[0]); i++)
			err = add(symbols, &chunk[i]);
		place += got;
	}
	if (!err && !symbols->n)
		err = -ENOENT;
	return err;
}

/* Give back what doubling left over, then sort. */
static void settle(struct symbols *symbols)
{
	struct symbol *items = reallocarray(symbols->items, symbols->n, sizeof(*symbols->items));

	if (items) {
		symbols->items = items;
		symbols->cap = symbols->n;
	}
	qsort(symbols->items, symbols->n, sizeof(*symbols->items), compare);
}

int symbols_new(const struct image *image, enum symbols_table table, struct symbols **ret_symbols)
{
	bool dynamic = table == SYMBOLS_TABLE_DYNAMIC;
	struct image_section section;
	struct symbols *symbols;
	int err;

	if (!image_section_named(image, dynamic ? ".dynsym" : ".symtab", &section) ||
	    !section.size || (section.flags & SHF_COMPRESSED))
		return -ENOENT;
	symbols = calloc(1, sizeof(*symbols));
	if (!symbols)
		return -ENOMEM;
	symbols->image = image;
	symbols->exported = dynamic;
	err = image_section_at(image, section.link, &symbols->names) ? 0 : -EBADMSG;
	if (!err)
		err = read_table(symbols, &section);
	if (err) {
		symbols_free(symbols);
		return err;
	}
	settle(symbols);
	*ret_symbols = symbols;
	return 0;
}

void symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	free(symbols->items);
	free(symbols);
}

static bool covers(const struct symbols *symbols, size_t i, uint64_t address)
{
	const struct symbol *s = &symbols->items[i];
	uint64_t size = s->size;

	if (!size && !symbols->exported)
		size = UNSIZED_BYTES;
	return address - s->start < size;
}

/* The function that the address lies in; n when there is none. */
static size_t find(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->items[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t back = 1; back <= LOOK_BACK && back <= low; back++)
		if (covers(symbols, low - back, address))
			return low - back;
	return symbols->n;
}

static bool read_name(
    const struct symbols *symbols, const struct symbol *symbol, char name[SYMBOL_NAME_SIZE])
{
	size_t got = image_read_section(
	    symbols->image, &symbols->names, symbol->name, name, SYMBOL_NAME_SIZE - 1);

	name[got] = '\0';
	name[strcspn(name, "@")] = '\0'; /* a version: "memcpy@@GLIBC_2.14" */
	return name[0] != '\0';
}

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

/* Whether a name says more plainly what the function is than the one so far. */
static bool plainer(const char *name, bool global, const char *than, bool than_global)
{
	if (underscores(name) != underscores(than))
		return underscores(name) < underscores(than);
	if (global != than_global)
		return global;
	return strlen(name) < strlen(than);
}

int symbols_find(const struct symbols *symbols, uint64_t address, char ret_name[SYMBOL_NAME_SIZE],
    uint64_t *ret_start)
{
	size_t found = find(symbols, address), first = found;
	char name[SYMBOL_NAME_SIZE];
	bool any = false, global = false;

	if (found == symbols->n)
		return -ENOENT;
	while (first && found - first < ALIASES &&
	    symbols->items[first - 1].start == symbols->items[found].start)
		first--;
	for (size_t i = first; i <= found; i++) {
		const struct symbol *s = &symbols->items[i];

		if (!covers(symbols, i, address) || !read_name(symbols, s, name) ||
		    (any && !plainer(name, s->global, ret_name, global)))
			continue;
		memcpy(ret_name, name, sizeof(name));
		global = s->global;
		any = true;
	}
	*ret_start = symbols->items[found].start;
	return any ? 0 : -ENOENT;
}

size_t symbols_memory(const struct symbols *symbols)
{
	return sizeof(*symbols) + symbols->cap * sizeof(*symbols->items);
}
