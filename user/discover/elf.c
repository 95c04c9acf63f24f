// SPDX-License-Identifier: Apache-2.0
/* ELF facts through libelf; see elf.h. */
#include "discover/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct elf_file {
	int fd; /* our own */
	Elf *elf;
	GElf_Ehdr header;
	size_t n_segments;
};

static int elf_file_start(int fd, struct elf_file *file)
{
	file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (file->fd < 0)
		return -errno;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOSYS;
	file->elf = elf_begin(file->fd, ELF_C_READ, NULL);
	if (!file->elf || elf_kind(file->elf) != ELF_K_ELF)
		return -EBADMSG;
	if (!gelf_getehdr(file->elf, &file->header))
		return -EBADMSG;
	if (elf_getphdrnum(file->elf, &file->n_segments) != 0)
		return -EBADMSG;
	return 0;
}

int elf_file_open_fd(int fd, struct elf_file **ret_file)
{
	struct elf_file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->fd = -1;
	err = elf_file_start(fd, file);
	if (err) {
		elf_file_close(file);
		return err;
	}
	*ret_file = file;
	return 0;
}

int elf_file_open(const char *path, struct elf_file **ret_file)
{
	/* O_NONBLOCK: a name that turns out to be a FIFO must not hold us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = elf_file_open_fd(fd, ret_file);
	close(fd);
	return err;
}

void elf_file_close(struct elf_file *file)
{
	if (!file)
		return;
	elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

enum elf_machine elf_file_machine(const struct elf_file *file)
{
	const unsigned char *ident = file->header.e_ident;

	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
		return ELF_MACHINE_OTHER;
	switch (file->header.e_machine) {
	case EM_X86_64:
		return ELF_MACHINE_X86_64;
	case EM_AARCH64:
		return ELF_MACHINE_AARCH64;
	default:
		return ELF_MACHINE_OTHER;
	}
}

enum elf_machine elf_machine_host(void)
{
#if defined(__x86_64__)
	return ELF_MACHINE_X86_64;
#elif defined(__aarch64__)
	return ELF_MACHINE_AARCH64;
#else
	return ELF_MACHINE_OTHER;
#endif
}

/* Place of an address of executable code in the file, or 0. */
static uint64_t code_offset(const struct elf_file *file, uint64_t address)
{
	for (size_t i = 0; i < file->n_segments; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(file->elf, (int)i, &ph))
			return 0;
		if (ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) || address < ph.p_vaddr)
			continue;
		if (address - ph.p_vaddr < ph.p_filesz)
			return ph.p_offset + (address - ph.p_vaddr);
	}
	return 0;
}

uint64_t elf_file_code_address(const struct elf_file *file, uint64_t offset)
{
	for (size_t i = 0; i < file->n_segments; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(file->elf, (int)i, &ph))
			return 0;
		if (ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) || offset < ph.p_offset)
			continue;
		if (offset - ph.p_offset < ph.p_filesz)
			return ph.p_vaddr + (offset - ph.p_offset);
	}
	return 0;
}

/* How good the definition found so far is. */
enum found {
	FOUND_NOTHING = 0,
	FOUND_AMBIGUOUS = 1, /* local ones that differ */
	FOUND_LOCAL = 2,
	FOUND_GLOBAL = 3,
};

static void take_symbol(const struct elf_file *file, const GElf_Sym *sym,
    struct elf_function *function, enum found *found)
{
	bool local = GELF_ST_BIND(sym->st_info) == STB_LOCAL;
	uint64_t offset = code_offset(file, sym->st_value);

	if (!offset || *found == FOUND_GLOBAL)
		return;
	if (local && *found == FOUND_AMBIGUOUS)
		return;
	if (local && *found == FOUND_LOCAL) {
		if (function->offset != offset) {
			*found = FOUND_AMBIGUOUS;
			function->offset = function->size = 0;
		}
		return;
	}
	function->offset = offset;
	function->size = sym->st_size;
	*found = local ? FOUND_LOCAL : FOUND_GLOBAL;
}

/* Whether a symbol is the function itself: gcc and clang mark what was made local across files. */
static bool is_named(const char *symbol, const char *function)
{
	while (*function && *symbol == *function) {
		symbol++;
		function++;
	}
	if (*function)
		return false;
	return !*symbol || strncmp(symbol, ".lto_priv.", 10) == 0 ||
	    strncmp(symbol, ".llvm.", 6) == 0;
}

static void find_in_table(struct elf_file *file, Elf_Scn *section, const GElf_Shdr *sh,
    struct elf_function *functions, enum found *found, size_t n)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t entry = gelf_fsize(file->elf, ELF_T_SYM, 1, EV_CURRENT);
	size_t count = data && entry ? data->d_size / entry : 0;

	for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
		GElf_Sym sym;
		const char *name;

		if (!gelf_getsym(data, (int)i, &sym))
			return;
		if (GELF_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF)
			continue;
		name = elf_strptr(file->elf, sh->sh_link, sym.st_name);
		for (size_t k = 0; name && k < n; k++)
			if (is_named(name, functions[k].name))
				take_symbol(file, &sym, &functions[k], &found[k]);
	}
}

size_t elf_file_find(struct elf_file *file, struct elf_function *functions, size_t n)
{
	enum found *found = calloc(n ? n : 1, sizeof(*found));
	Elf_Scn *section = NULL;
	size_t hits = 0;

	for (size_t k = 0; k < n; k++)
		functions[k].offset = functions[k].size = 0;
	while (found && (section = elf_nextscn(file->elf, section))) {
		GElf_Shdr sh;

		if (!gelf_getshdr(section, &sh))
			break;
		if (sh.sh_type == SHT_DYNSYM || sh.sh_type == SHT_SYMTAB)
			find_in_table(file, section, &sh, functions, found, n);
	}
	for (size_t k = 0; k < n; k++)
		hits += functions[k].offset != 0;
	free(found);
	return hits;
}

static void take_slot(struct elf_slots *slots, size_t n, const char *name, uint64_t address)
{
	for (size_t k = 0; name && k < n; k++) {
		if (strcmp(name, slots[k].name) != 0)
			continue;
		if (!slots[k].address[0])
			slots[k].address[0] = address;
		else if (!slots[k].address[1])
			slots[k].address[1] = address;
	}
}

/* Relocations that store the plain address of a symbol. */
static bool is_address(const struct elf_file *file, unsigned type)
{
	if (file->header.e_machine == EM_X86_64)
		return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
	return file->header.e_machine == EM_AARCH64 &&
	    (type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT);
}

static void find_slots_in(
    struct elf_file *file, Elf_Scn *section, const GElf_Shdr *sh, struct elf_slots *slots, size_t n)
{
	Elf_Data *data = elf_getdata(section, NULL);
	Elf_Scn *symbols = elf_getscn(file->elf, sh->sh_link);
	Elf_Data *table = symbols ? elf_getdata(symbols, NULL) : NULL;
	GElf_Shdr table_sh;
	GElf_Rela rela;
	GElf_Sym sym;

	if (!data || !table || !gelf_getshdr(symbols, &table_sh))
		return;
	for (int i = 0; gelf_getrela(data, i, &rela); i++) {
		if (!is_address(file, (unsigned)GELF_R_TYPE(rela.r_info)) ||
		    GELF_R_SYM(rela.r_info) > INT32_MAX ||
		    !gelf_getsym(table, (int)GELF_R_SYM(rela.r_info), &sym))
			continue;
		take_slot(
		    slots, n, elf_strptr(file->elf, table_sh.sh_link, sym.st_name), rela.r_offset);
	}
}

void elf_file_find_slots(struct elf_file *file, struct elf_slots *slots, size_t n)
{
	Elf_Scn *section = NULL;
	GElf_Shdr sh;

	for (size_t k = 0; k < n; k++)
		slots[k].address[0] = slots[k].address[1] = 0;
	while ((section = elf_nextscn(file->elf, section)))
		if (gelf_getshdr(section, &sh) && sh.sh_type == SHT_RELA &&
		    (sh.sh_flags & SHF_ALLOC))
			find_slots_in(file, section, &sh, slots, n);
}

int elf_file_read(
    const struct elf_file *file, const struct elf_function *function, uint8_t *buf, size_t len)
{
	size_t got = 0;

	if (function->size && function->size < len)
		len = (size_t)function->size;
	if (function->offset > INT64_MAX - len || len > INT32_MAX)
		return -ERANGE;
	while (got < len) {
		ssize_t r = pread(file->fd, buf + got, len - got, (off_t)(function->offset + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (int)got;
}

static const char *needed_in_section(Elf *elf, Elf_Scn *section, const GElf_Shdr *sh, size_t i)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Dyn dyn;

	for (int k = 0; data && gelf_getdyn(data, k, &dyn); k++) {
		if (dyn.d_tag == DT_NULL)
			break;
		if (dyn.d_tag == DT_NEEDED && i-- == 0)
			return elf_strptr(elf, sh->sh_link, dyn.d_un.d_val);
	}
	return NULL;
}

const char *elf_file_needed(struct elf_file *file, size_t i)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section))) {
		GElf_Shdr sh;

		if (!gelf_getshdr(section, &sh))
			return NULL;
		if (sh.sh_type == SHT_DYNAMIC)
			return needed_in_section(file->elf, section, &sh, i);
	}
	return NULL;
}

static int build_id_in_notes(Elf_Data *data, char ret_hex[ELF_BUILD_ID_HEX])
{
	size_t at = 0, name_at, desc_at;
	GElf_Nhdr note;

	while (data && at < data->d_size &&
	    (at = gelf_getnote(data, at, &note, &name_at, &desc_at)) > 0) {
		const char *bytes = data->d_buf;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof(ELF_NOTE_GNU) ||
		    memcmp(bytes + name_at, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) != 0)
			continue;
		if (note.n_descsz == 0 || note.n_descsz > ELF_BUILD_ID_MAX)
			continue;
		for (size_t k = 0; k < note.n_descsz; k++)
			snprintf(ret_hex + 2 * k, 3, "%02x", (unsigned char)bytes[desc_at + k]);
		return 0;
	}
	return -ENOENT;
}

int elf_file_build_id(struct elf_file *file, char ret_hex[ELF_BUILD_ID_HEX])
{
	for (size_t i = 0; i < file->n_segments; i++) {
		GElf_Phdr ph;
		Elf_Data *data;

		if (!gelf_getphdr(file->elf, (int)i, &ph))
			break;
		if (ph.p_type != PT_NOTE)
			continue;
		data = elf_getdata_rawchunk(file->elf, (int64_t)ph.p_offset, ph.p_filesz,
		    ph.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (build_id_in_notes(data, ret_hex) == 0)
			return 0;
	}
	return -ENOENT;
}
