// SPDX-License-Identifier: Apache-2.0
/* The image that libdw is shown; see debug_image.h. */
#include "stack/debug_image.h"

#include <elf.h>
#include <errno.h>

#include "stack/section.h"

enum {
	SECTION_INFO = 0,
	SECTION_ABBREV = 1,
	SECTION_LINE = 2,
	SECTION_LINE_STR = 3,
	SECTION_STR = 4,
	SECTIONS = 9,
	GAP = 64,   /* zeros behind each section; libdw reads numbers of up to 8 bytes unchecked */
	ALIGN = 16, /* of each section, so that libelf does not copy it */
	HEADERS = SECTIONS + 2, /* the empty one, ours, the names */
};

static const char *const names[SECTIONS] = {
    [SECTION_INFO] = ".debug_info",
    [SECTION_ABBREV] = ".debug_abbrev",
    [SECTION_LINE] = ".debug_line",
    [SECTION_LINE_STR] = ".debug_line_str",
    [SECTION_STR] = ".debug_str",
    [5] = ".debug_str_offsets",
    [6] = ".debug_addr",
    [7] = ".debug_ranges",
    [8] = ".debug_rnglists",
};

static void pad(struct buf *out, size_t zeros)
{
	static const char nothing[GAP + ALIGN];

	buf_append(out, nothing, zeros);
	buf_append(out, nothing, (ALIGN - out->len % ALIGN) % ALIGN);
}

/* Bytes of all wanted sections, or an error. */
static int total_size(const struct image *image, uint64_t *ret_size)
{
	uint64_t total = 0;

	for (size_t i = 0; i < SECTIONS; i++) {
		struct image_section section;
		uint64_t size;

		if (!image_section_named(image, names[i], &section))
			continue;
		size = section_size(image, &section);
		if (section.size && !size)
			return -ENOTSUP;
		if (size > DEBUG_IMAGE_MAX || total + size > DEBUG_IMAGE_MAX)
			return -EFBIG;
		total += size;
	}
	*ret_size = total;
	return 0;
}

/* Contents and header of one section; an absent one stays an empty header. */
static int add_section(const struct image *image, size_t i, struct buf *out, Elf64_Shdr *ret_header)
{
	struct image_section section;
	size_t start = out->len;
	int err;

	if (!image_section_named(image, names[i], &section) || !section.size)
		return 0;
	err = section_load(image, &section, DEBUG_IMAGE_MAX, out);
	if (err)
		return err;
	*ret_header = (Elf64_Shdr){
	    .sh_type = SHT_PROGBITS,
	    .sh_offset = start,
	    .sh_size = out->len - start,
	    .sh_addralign = 1,
	};
	pad(out, GAP);
	return 0;
}

/* The section of names, of which each header learns its place. */
static void add_names(struct buf *out, Elf64_Shdr headers[HEADERS])
{
	Elf64_Shdr *own = &headers[HEADERS - 1];

	*own = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = out->len, .sh_addralign = 1};
	buf_append_char(out, '\0');
	for (size_t i = 0; i < SECTIONS; i++) {
		headers[1 + i].sh_name = (Elf64_Word)(out->len - own->sh_offset);
		buf_append(out, names[i], strlen(names[i]) + 1);
	}
	own->sh_name = (Elf64_Word)(out->len - own->sh_offset);
	buf_append(out, ".shstrtab", sizeof(".shstrtab"));
	own->sh_size = out->len - own->sh_offset;
	pad(out, GAP);
}

static void write_header(const struct image *image, struct buf *out, uint64_t headers_at)
{
	Elf64_Ehdr eh = {
	    .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	    .e_type = ET_EXEC,
	    .e_machine = image_machine(image) == ELF_MACHINE_AARCH64 ? EM_AARCH64 : EM_X86_64,
	    .e_version = EV_CURRENT,
	    .e_shoff = headers_at,
	    .e_ehsize = sizeof(Elf64_Ehdr),
	    .e_shentsize = sizeof(Elf64_Shdr),
	    .e_shnum = HEADERS,
	    .e_shstrndx = HEADERS - 1,
	};

	memcpy(out->data, &eh, sizeof(eh));
}

static struct sv contents(const struct buf *out, const Elf64_Shdr *header)
{
	return sv_from(out->data + header->sh_offset, header->sh_size);
}

int debug_image_build(
    const struct image *image, struct buf *out, struct debug_sections *ret_sections)
{
	Elf64_Shdr headers[HEADERS] = {0};
	uint64_t size, headers_at;
	int err = total_size(image, &size);

	if (err)
		return err;
	if (buf_reserve(out, (size_t)size + (SECTIONS + 2) * (GAP + ALIGN) + 4096))
		return -ENOMEM;
	pad(out, sizeof(Elf64_Ehdr));
	for (size_t i = 0; !err && i < SECTIONS; i++)
		err = add_section(image, i, out, &headers[1 + i]);
	if (err)
		return err;
	if (!headers[1 + SECTION_INFO].sh_size || !headers[1 + SECTION_ABBREV].sh_size)
		return -ENOENT;
	add_names(out, headers);
	headers_at = out->len;
	buf_append(out, headers, sizeof(headers));
	if (out->failed)
		return -ENOMEM;
	write_header(image, out, headers_at);
	*ret_sections = (struct debug_sections){
	    .info = contents(out, &headers[1 + SECTION_INFO]),
	    .abbrev = contents(out, &headers[1 + SECTION_ABBREV]),
	    .lines.line = contents(out, &headers[1 + SECTION_LINE]),
	    .lines.line_str = contents(out, &headers[1 + SECTION_LINE_STR]),
	    .lines.str = contents(out, &headers[1 + SECTION_STR]),
	};
	return 0;
}
