// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as the sections of a program that unwinding and symbolising read: no crash, names end,
 * lines have files. libdw reads them too. Input: sections one after the other, each as its number,
 * two bytes of length, contents.
 */
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "stack/binary.h"

enum {
	TEXT = 0x1000, /* where the code is said to lie */
	TEXT_BYTES = 0x1000,
	SECTIONS_MAX = 16,
};

static const char *const names[] = {".debug_info", ".debug_abbrev", ".debug_line",
    ".debug_line_str", ".debug_str", ".debug_str_offsets", ".debug_addr", ".debug_ranges",
    ".debug_rnglists", ".symtab", ".strtab", ".eh_frame", ".debug_frame", ".note.gnu.build-id"};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

static void put_name(struct buf *out, uint64_t names_at, Elf64_Shdr *sh, const char *name)
{
	sh->sh_name = (Elf64_Word)(out->len - names_at);
	buf_append(out, name, strlen(name) + 1);
}

/* An ELF file that holds the sections of the input. */
static void build(struct fuzz_choices *c, struct buf *out)
{
	Elf64_Ehdr eh = {
	    .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
	    .e_machine = elf_machine_host() == ELF_MACHINE_AARCH64 ? EM_AARCH64 : EM_X86_64,
	    .e_phentsize = sizeof(Elf64_Phdr),
	    .e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Shdr sh[SECTIONS_MAX] = {0};
	size_t kinds[SECTIONS_MAX], n = 0;

	buf_append(out, &eh, sizeof(eh));
	for (; c->left && n < SECTIONS_MAX - 1; n++) {
		uint8_t kind = fuzz_byte(c);
		struct sv bytes = fuzz_bytes(c, fuzz_word(c));

		kinds[n] = (kind & 0x7f) % N_NAMES;
		sh[n].sh_flags = kind & 0x80 ? SHF_COMPRESSED : 0;
		sh[n].sh_type = SHT_PROGBITS;
		sh[n].sh_offset = out->len;
		sh[n].sh_size = bytes.len;
		sh[n].sh_link = (Elf64_Word)(n + 1);
		buf_append_sv(out, bytes);
	}
	sh[n].sh_offset = out->len;
	for (size_t i = 0; i < n; i++)
		put_name(out, sh[n].sh_offset, &sh[i], names[kinds[i]]);
	sh[n].sh_size = out->len - sh[n].sh_offset;
	eh.e_shstrndx = (Elf64_Half)n;
	eh.e_shnum = (Elf64_Half)(n + 1);
	eh.e_shoff = out->len;
	buf_append(out, sh, (n + 1) * sizeof(sh[0]));
	REQUIRE(!out->failed);
	memcpy(out->data, &eh, sizeof(eh));
}

static void check_address(struct binary *binary, uint64_t address)
{
	static const struct binary_user nobody = {.path = ""};
	struct debug_place places[DEBUG_INLINED_MAX];
	struct cfi_memory memory = {0};
	char name[SYMBOL_NAME_SIZE];
	struct cfi_found found;
	size_t n = binary_find_places(binary, &nobody, address, places, DEBUG_INLINED_MAX);
	uint64_t start;

	REQUIRE(n <= DEBUG_INLINED_MAX);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(!places[i].function || strlen(places[i].function) < 1 << 20);
		REQUIRE(memchr(places[i].file, '\0', sizeof(places[i].file)));
		REQUIRE(places[i].file[0] || !places[i].line);
	}
	if (binary_find_symbol(binary, &nobody, address, name, &start) == 0)
		REQUIRE(strlen(name) && start <= address);
	if (binary_find_rules(binary, &nobody, address, &memory, &found) == 0)
		REQUIRE(found.function.start <= address && address < found.function.end);
	cfi_memory_release(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {.p = data, .left = size};
	int fd = memfd_create("program", MFD_CLOEXEC);
	uint64_t address = TEXT + fuzz_word(&c) % TEXT_BYTES;
	struct buf file = {0};
	struct binary *binary;
	struct image *image;

	build(&c, &file);
	REQUIRE(fd >= 0 && write(fd, file.data, file.len) == (ssize_t)file.len);
	REQUIRE(image_open(fd, &image) == 0);
	binary = binary_new(image);
	REQUIRE(binary);
	for (size_t i = 0; i < 4; i++)
		check_address(binary, address + i * (TEXT_BYTES / 8));
	REQUIRE(binary_memory(binary) < 64 << 20);
	binary_free(binary);
	buf_release(&file);
	return 0;
}
