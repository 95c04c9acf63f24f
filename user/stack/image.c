// SPDX-License-Identifier: Apache-2.0
/* ELF images read in places; see image.h. Format: System V ABI, chapters 4 and 5; elf(5). */
#include "stack/image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HEADERS_MAX = 512, /* program headers looked at */
	NOTES_MAX = 4,     /* note segments kept; ld writes two */
	NOTE_BYTES = 4096, /* of each, looked at */
};

struct segment {
	uint64_t address, offset, size; /* size: of the part that the file holds */
	bool executable;
};

struct image {
	int fd;          /* -1: in memory */
	uint8_t *memory; /* NULL: in a file */
	uint64_t size;
	enum elf_machine machine;
	struct segment segments[IMAGE_SEGMENTS_MAX];
	size_t n_segments;
	struct segment notes[NOTES_MAX];
	size_t n_notes;
	struct image_range eh_frame_hdr;
	struct image_section *sections;
	size_t n_sections;
	char *names; /* NUL-terminated at the end */
	size_t names_len;
};

size_t image_read(const struct image *image, uint64_t offset, void *buf, size_t len)
{
	size_t got = 0;

	if (offset >= image->size)
		return 0;
	if (len > image->size - offset)
		len = (size_t)(image->size - offset);
	if (image->memory) {
		memcpy(buf, image->memory + offset, len);
		return len;
	}
	while (got < len) {
		ssize_t r = pread(image->fd, (char *)buf + got, len - got, (off_t)(offset + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	return got;
}

/* Exactly len bytes. */
static bool read_all(const struct image *image, uint64_t offset, void *buf, size_t len)
{
	return image_read(image, offset, buf, len) == len;
}

size_t image_read_address(const struct image *image, uint64_t address, void *buf, size_t len)
{
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct segment *s = &image->segments[i];
		uint64_t skip = address - s->address;

		if (address < s->address || skip >= s->size)
			continue;
		if (len > s->size - skip)
			len = (size_t)(s->size - skip);
		return image_read(image, s->offset + skip, buf, len);
	}
	return 0;
}

size_t image_read_section(const struct image *image, const struct image_section *section,
    uint64_t place, void *buf, size_t len)
{
	if (place >= section->size)
		return 0;
	if (len > section->size - place)
		len = (size_t)(section->size - place);
	return image_read(image, section->offset + place, buf, len);
}

bool image_code_address(const struct image *image, uint64_t offset, uint64_t *ret_address)
{
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct segment *s = &image->segments[i];

		if (!s->executable || offset < s->offset || offset - s->offset >= s->size)
			continue;
		*ret_address = s->address + (offset - s->offset);
		return true;
	}
	return false;
}

/* Whether [offset, offset + size) lies in the file and can be addressed. */
static bool within(const struct image *image, uint64_t offset, uint64_t size)
{
	return offset <= image->size && size <= image->size - offset;
}

static void take_segment(struct image *image, const Elf64_Phdr *ph)
{
	struct segment s = {.address = ph->p_vaddr,
	    .offset = ph->p_offset,
	    .size = ph->p_filesz,
	    .executable = ph->p_flags & PF_X};

	if (!within(image, s.offset, s.size) || !s.size || s.size > UINT64_MAX - s.address)
		return;
	if (ph->p_type == PT_LOAD && image->n_segments < IMAGE_SEGMENTS_MAX)
		image->segments[image->n_segments++] = s;
	else if (ph->p_type == PT_NOTE && image->n_notes < NOTES_MAX)
		image->notes[image->n_notes++] = s;
	else if (ph->p_type == PT_GNU_EH_FRAME)
		image->eh_frame_hdr = (struct image_range){.address = s.address, .size = s.size};
}

static int read_segments(struct image *image, const Elf64_Ehdr *eh)
{
	size_t n = eh->e_phnum < HEADERS_MAX ? eh->e_phnum : HEADERS_MAX;

	if (n && eh->e_phentsize != sizeof(Elf64_Phdr))
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		Elf64_Phdr ph;

		if (!within(image, eh->e_phoff, (i + 1) * sizeof(ph)) ||
		    !read_all(image, eh->e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
			return -EBADMSG;
		take_segment(image, &ph);
	}
	return 0;
}

static struct image_section section_from(const struct image *image, const Elf64_Shdr *sh)
{
	struct image_section section = {
	    .type = sh->sh_type,
	    .link = sh->sh_link,
	    .flags = sh->sh_flags,
	    .address = sh->sh_addr,
	    .offset = sh->sh_offset,
	    .size = sh->sh_size,
	    .name = sh->sh_name,
	};

	if (sh->sh_type == SHT_NOBITS || !within(image, sh->sh_offset, sh->sh_size))
		section.size = section.offset = 0;
	return section;
}

static int read_names(struct image *image, size_t index)
{
	const struct image_section *section = &image->sections[index];
	size_t len = section->size < IMAGE_NAMES_MAX ? (size_t)section->size : IMAGE_NAMES_MAX;

	image->names = calloc(1, len + 1);
	if (!image->names)
		return -ENOMEM;
	image->names_len = image_read(image, section->offset, image->names, len);
	return 0;
}

/* A file without section headers, or with damaged ones, is still good for its code. */
static int read_sections(struct image *image, const Elf64_Ehdr *eh)
{
	size_t n = eh->e_shnum;

	if (!n || n > IMAGE_SECTIONS_MAX || eh->e_shentsize != sizeof(Elf64_Shdr) ||
	    eh->e_shstrndx >= n || !within(image, eh->e_shoff, n * sizeof(Elf64_Shdr)))
		return 0;
	image->sections = calloc(n, sizeof(*image->sections));
	if (!image->sections)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		Elf64_Shdr sh;

		if (!read_all(image, eh->e_shoff + i * sizeof(sh), &sh, sizeof(sh)))
			return 0;
		image->sections[i] = section_from(image, &sh);
		image->n_sections = i + 1;
	}
	return read_names(image, eh->e_shstrndx);
}

static enum elf_machine machine_of(const Elf64_Ehdr *eh)
{
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return ELF_MACHINE_OTHER;
	switch (eh->e_machine) {
	case EM_X86_64:
		return ELF_MACHINE_X86_64;
	case EM_AARCH64:
		return ELF_MACHINE_AARCH64;
	default:
		return ELF_MACHINE_OTHER;
	}
}

static int read_headers(struct image *image)
{
	Elf64_Ehdr eh;
	int err;

	if (!read_all(image, 0, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return -EBADMSG;
	image->machine = machine_of(&eh);
	if (image->machine != elf_machine_host())
		return -ENOTSUP;
	err = read_segments(image, &eh);
	return err ? err : read_sections(image, &eh);
}

/* Hand over or release. */
static int finish_open(struct image *image, int err, struct image **ret_image)
{
	if (!err)
		err = read_headers(image);
	if (err)
		image_close(image);
	else
		*ret_image = image;
	return err;
}

int image_open(int fd, struct image **ret_image)
{
	struct image *image = calloc(1, sizeof(*image));
	struct stat st;
	int err = 0;

	if (!image) {
		close(fd);
		return -ENOMEM;
	}
	image->fd = fd;
	if (fstat(fd, &st) != 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		err = -EBADMSG;
	else
		image->size = (uint64_t)st.st_size;
	return finish_open(image, err, ret_image);
}

int image_copy(const void *bytes, size_t len, struct image **ret_image)
{
	struct image *image;

	if (len > IMAGE_MEMORY_MAX)
		return -EFBIG;
	if (!len)
		return -EBADMSG;
	image = calloc(1, sizeof(*image));
	if (!image)
		return -ENOMEM;
	image->fd = -1;
	image->size = len;
	image->memory = malloc(len);
	if (image->memory)
		memcpy(image->memory, bytes, len);
	return finish_open(image, image->memory ? 0 : -ENOMEM, ret_image);
}

void image_close(struct image *image)
{
	if (!image)
		return;
	if (image->fd >= 0)
		close(image->fd);
	free(image->memory);
	free(image->sections);
	free(image->names);
	free(image);
}

enum elf_machine image_machine(const struct image *image)
{
	return image->machine;
}

bool image_section_at(const struct image *image, size_t index, struct image_section *ret_section)
{
	if (index >= image->n_sections)
		return false;
	*ret_section = image->sections[index];
	return true;
}

bool image_section_named(
    const struct image *image, const char *name, struct image_section *ret_section)
{
	for (size_t i = 0; i < image->n_sections; i++) {
		uint32_t at = image->sections[i].name;

		if (at < image->names_len && strcmp(image->names + at, name) == 0)
			return image_section_at(image, i, ret_section);
	}
	return false;
}

struct image_range image_eh_frame_hdr(const struct image *image)
{
	return image->eh_frame_hdr;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* The build id among notes; notes with 8-byte alignment hold properties, never a build id. */
static int id_in_notes(const uint8_t *bytes, size_t len, uint8_t ret_id[IMAGE_ID_MAX])
{
	while (len >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		size_t name, total;

		memcpy(&note, bytes, sizeof(note));
		if (note.n_namesz > len || note.n_descsz > len)
			break;
		name = align4(note.n_namesz);
		total = sizeof(note) + name + align4(note.n_descsz);
		if (total > len)
			break;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) &&
		    memcmp(bytes + sizeof(note), ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0 &&
		    note.n_descsz > 0 && note.n_descsz <= IMAGE_ID_MAX) {
			memcpy(ret_id, bytes + sizeof(note) + name, note.n_descsz);
			return (int)note.n_descsz;
		}
		bytes += total;
		len -= total;
	}
	return -ENOENT;
}

int image_build_id(const struct image *image, uint8_t ret_id[IMAGE_ID_MAX])
{
	struct image_section section;
	uint8_t bytes[NOTE_BYTES];

	/* The segments of a separate debug file say where things were in the program's own. */
	if (image_section_named(image, ".note.gnu.build-id", &section)) {
		size_t len = image_read_section(image, &section, 0, bytes, sizeof(bytes));

		return id_in_notes(bytes, len, ret_id);
	}
	for (size_t i = 0; i < image->n_notes; i++) {
		const struct segment *s = &image->notes[i];
		size_t len = s->size < sizeof(bytes) ? (size_t)s->size : sizeof(bytes);
		int n = id_in_notes(bytes, image_read(image, s->offset, bytes, len), ret_id);

		if (n > 0)
			return n;
	}
	return -ENOENT;
}

size_t image_memory(const struct image *image)
{
	return sizeof(*image) + image->n_sections * sizeof(*image->sections) + image->names_len +
	    (image->memory ? (size_t)image->size : 0);
}
