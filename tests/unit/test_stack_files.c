// SPDX-License-Identifier: Apache-2.0
/*
 * What the stack reader reads of files: that damaged and hostile ones are refused, and that limits
 * hold.
 */
#include "support.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hmap.h"
#include "stack/binary.h"
#include "stack/debug_file.h"
#include "stack/debug_info.h"
#include "stack/debug_units.h"
#include "stack/root.h"
#include "stack/section.h"

static const struct binary_user nobody = {.path = ""};

/*
 * Contents of one of the programs of stack/module.mk; NULL where it is not built: clang's, for
 * another machine.
 */
static uint8_t *read_waiter(const char *way, size_t *ret_len)
{
	char path[512];
	uint8_t *bytes = malloc(4 << 20);
	FILE *f;

	assert_non_null(bytes);
	snprintf(path, sizeof(path), TEST_WAITERS "/%s", way);
	f = fopen(path, "rb");
	if (!f) {
		free(bytes);
		return NULL;
	}
	*ret_len = fread(bytes, 1, 4 << 20, f);
	fclose(f);
	return bytes;
}

static int open_bytes(const void *p, size_t len, struct image **ret_image)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, len), len);
	return image_open(fd, ret_image);
}

/* Ask for everything that a binary can tell. Returns the number of answers. */
static size_t exercise(const void *p, size_t len, const uint64_t *addresses, size_t n)
{
	struct cfi_memory memory = {0};
	struct binary *binary;
	struct image *image;
	size_t answers = 0;

	if (open_bytes(p, len, &image) != 0)
		return 0;
	binary = binary_new(image);
	assert_non_null(binary);
	for (size_t i = 0; i < n; i++) {
		struct debug_place places[4];
		char name[SYMBOL_NAME_SIZE];
		struct cfi_found found;
		struct cfi_row row;
		uint64_t start;

		if (binary_find_rules(binary, &nobody, addresses[i], &memory, &found) == 0 &&
		    cfi_row(&found.common, &found.function, addresses[i], &row) == 0)
			answers++;
		answers += binary_find_symbol(binary, &nobody, addresses[i], name, &start) == 0;
		answers += binary_find_places(binary, &nobody, addresses[i], places, 4) > 0;
	}
	assert_true(binary_memory(binary) < 32 << 20);
	cfi_memory_release(&memory);
	binary_free(binary);
	return answers;
}

/* Addresses of some functions of the file. */
static size_t some_addresses(const void *p, size_t len, uint64_t *addresses, size_t max)
{
	struct image_section section;
	struct image *image;
	size_t n = 0;

	assert_int_equal(open_bytes(p, len, &image), 0);
	assert_true(image_section_named(image, ".text", &section));
	for (; n < max; n++)
		addresses[n] = section.address + n * section.size / max + 5;
	image_close(image);
	return n;
}

static void refuses_what_is_no_image(void **state)
{
	Elf64_Ehdr eh = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
	    .e_machine = EM_RISCV};
	struct image *image = (void *)1;

	(void)state;
	assert_int_equal(open_bytes("", 0, &image), -EBADMSG);
	assert_int_equal(open_bytes("\177ELF", 4, &image), -EBADMSG);
	assert_int_equal(open_bytes(&eh, sizeof(eh), &image), -ENOTSUP);
	eh.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(open_bytes(&eh, sizeof(eh), &image), -ENOTSUP);
	assert_int_equal(image_open(open("/dev/null", O_RDONLY), &image), -EBADMSG);
	assert_int_equal(image_open(open("/", O_RDONLY), &image), -EBADMSG);
	assert_int_equal(image_copy("", 0, &image), -EBADMSG);
	assert_ptr_equal(image, (void *)1);
	image_close(NULL);
	binary_free(NULL);
}

/* Sizes and places of headers beyond the file, and tables that overlap everything. */
static void headers_are_not_believed(void **state)
{
	size_t len;
	uint8_t *bytes = read_waiter("debug", &len);
	Elf64_Ehdr *eh = (Elf64_Ehdr *)(void *)bytes;
	uint64_t addresses[4];

	(void)state;
	assert_non_null(bytes);
	some_addresses(bytes, len, addresses, 4);
	assert_true(exercise(bytes, len, addresses, 4) >= 11);
	for (size_t field = 16; field + 2 <= sizeof(*eh); field += 2) {
		static const uint16_t values[] = {0, 1, 0xffff, 0x7fff, 0x0400};

		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
			uint16_t before;

			memcpy(&before, bytes + field, 2);
			memcpy(bytes + field, &values[v], 2);
			exercise(bytes, len, addresses, 4);
			memcpy(bytes + field, &before, 2);
		}
	}
	for (size_t cut = 0; cut < len; cut += cut < 1024 ? 7 : 631)
		exercise(bytes, cut, addresses, 4);
	free(bytes);
}

/* One of the sections that are read, whose bytes will be changed. */
static bool find_section(
    const void *p, size_t len, const char *name, struct image_section *ret_section)
{
	struct image *image;
	bool found;

	assert_int_equal(open_bytes(p, len, &image), 0);
	found = image_section_named(image, name, ret_section) && ret_section->size;
	image_close(image);
	return found;
}

static void damage(const char *way, const char *name, int rounds)
{
	size_t len = 0;
	uint8_t *bytes = read_waiter(way, &len), *hurt = malloc(len + 1);
	struct image_section section;
	uint64_t addresses[3];

	assert_non_null(hurt);
	if (bytes && find_section(bytes, len, name, &section)) {
		some_addresses(bytes, len, addresses, 3);
		for (int round = 0; round < rounds; round++) {
			memcpy(hurt, bytes, len);
			for (int k = 0; k <= round % 4; k++)
				hurt[section.offset + (size_t)rand() % section.size] =
				    (uint8_t)(rand() % 3 ? rand() : 0xff);
			exercise(hurt, len, addresses, 3);
		}
	}
	free(hurt);
	free(bytes);
}

static void damaged_sections(void **state)
{
	static const char *const names[] = {".eh_frame", ".eh_frame_hdr", ".debug_frame", ".symtab",
	    ".debug_info", ".debug_abbrev", ".debug_line", ".debug_line_str", ".debug_str",
	    ".debug_rnglists", ".debug_ranges", ".debug_addr", ".debug_str_offsets", ".dynsym"};
	static const char *const ways[] = {"debug", "dwarf4", "clang", "debug_frame", "compressed"};

	(void)state;
	srand(1);
	for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			damage(ways[w], names[i], 60);
}

/* The size in a compressed section's header is not that of its contents. */
static void compressed_sections(void **state)
{
	static const struct {
		uint64_t more;
		uint32_t type;
		int expected;
	} cases[] = {
	    {0, ELFCOMPRESS_ZLIB, 0}, {1, ELFCOMPRESS_ZLIB, -EBADMSG},
	    {(uint64_t)-1, ELFCOMPRESS_ZLIB, 0}, {UINT64_MAX / 2, ELFCOMPRESS_ZLIB, -EFBIG},
	    {0, 2, -ENOTSUP}, /* zstd */
	};
	size_t len;
	uint8_t *bytes = read_waiter("compressed", &len);
	struct image_section section;
	struct image *image;
	Elf64_Chdr header, changed;
	struct buf out = {0};
	int err;

	(void)state;
	assert_non_null(bytes);
	assert_true(find_section(bytes, len, ".debug_info", &section));
	memcpy(&header, bytes + section.offset, sizeof(header));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		changed = header;
		changed.ch_size += cases[i].more;
		changed.ch_type = cases[i].type;
		memcpy(bytes + section.offset, &changed, sizeof(changed));
		assert_int_equal(open_bytes(bytes, len, &image), 0);
		buf_clear(&out);
		err = section_load(image, &section, 1 << 20, &out);
		assert_int_equal(err, cases[i].expected);
		image_close(image);
	}
	buf_release(&out);
	free(bytes);
}

/* A file that shrinks while it is open ends early; nobody dies of it. */
static void files_that_shrink(void **state)
{
	size_t len;
	uint8_t *bytes = read_waiter("debug", &len);
	int fd = memfd_create("image", MFD_CLOEXEC), other;
	struct cfi_memory memory = {0};
	struct debug_place places[4];
	struct cfi_found found;
	struct binary *binary;
	struct image *image;
	uint64_t address;

	(void)state;
	assert_non_null(bytes);
	some_addresses(bytes, len, &address, 1);
	assert_int_equal(write(fd, bytes, len), len);
	other = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(image_open(fd, &image), 0);
	binary = binary_new(image);
	assert_non_null(binary);
	assert_int_equal(ftruncate(other, 100), 0);
	assert_true(binary_find_rules(binary, &nobody, address, &memory, &found) < 0);
	assert_int_equal(binary_find_places(binary, &nobody, address, places, 4), 0);
	close(other);
	cfi_memory_release(&memory);
	binary_free(binary);
	free(bytes);
}

static size_t put_unit(uint8_t *to, uint64_t abbrevs)
{
	const uint8_t unit[] = {9, 0, 0, 0, 4, 0, (uint8_t)abbrevs, (uint8_t)(abbrevs >> 8),
	    (uint8_t)(abbrevs >> 16), 0, 8, 1, 0};

	memcpy(to, unit, sizeof(unit));
	return sizeof(unit);
}

/* Units without number, and abbreviations that libdw would multiply. */
static void units_have_limits(void **state)
{
	size_t max = (DEBUG_UNITS_MAX + 1) * 13, len = 0, abbrev_len = DEBUG_ABBREVS_MAX + 64;
	uint8_t *info = malloc(max), *abbrev = calloc(1, abbrev_len);
	struct debug_sections sections = {0};
	struct debug_units units;

	(void)state;
	assert_non_null(info);
	assert_non_null(abbrev);
	memcpy(abbrev, "\x01\x11\x00\x00\x00\x00", 6);
	for (int i = 0; i < DEBUG_UNITS_MAX; i++)
		len += put_unit(info + len, 0);
	sections.abbrev = sv_from(abbrev, 6);
	sections.info = sv_from(info, len);
	assert_int_equal(debug_units_list(&sections, &units), 0);
	assert_int_equal(units.n, DEBUG_UNITS_MAX);
	assert_int_equal(debug_units_at(&units, 25)->offset, 13);
	assert_int_equal(debug_units_at(&units, 13)->die, 13 + 11);
	assert_int_equal(debug_units_at(&units, UINT64_MAX)->offset, len - 13);
	debug_units_release(&units);
	len += put_unit(info + len, 0);
	sections.info = sv_from(info, len);
	assert_int_equal(debug_units_list(&sections, &units), -EFBIG);
	/*
	 * A table without end; then one of the greatest length whose first code is the last, used
	 * often.
	 */
	for (size_t i = 0; i + 5 < abbrev_len; i += 5)
		memcpy(abbrev + i, "\x02\x11\x00\x00\x00", 5);
	sections.info = sv_from(info, 13);
	sections.abbrev = sv_from(abbrev, abbrev_len);
	assert_int_equal(debug_units_list(&sections, &units), -EFBIG);
	memcpy(abbrev + DEBUG_ABBREVS_MAX / 5 * 5 - 5, "\x01\x11\x00\x00\x00\x00", 6);
	assert_int_equal(debug_units_list(&sections, &units), 0);
	assert_in_range(units.items[0].abbrevs, DEBUG_ABBREVS_MAX - 5, DEBUG_ABBREVS_MAX);
	debug_units_release(&units);
	sections.info = sv_from(info, len / 13 / 32 * 13);
	assert_int_equal(debug_units_list(&sections, &units), -EFBIG);
	free(abbrev);
	free(info);
}

static void cut_units(void **state)
{
	struct debug_sections sections = {.abbrev = SV("\x01\x11\x00\x00\x00\x00")};
	uint8_t info[13];

	(void)state;
	put_unit(info, 0);
	for (size_t len = 0; len <= sizeof(info); len++) {
		struct edge edge = edge_copy(info, len);
		struct debug_units units = {0};
		int err;

		sections.info = sv_from(edge.p, len);
		err = debug_units_list(&sections, &units);
		assert_int_equal(err, len == sizeof(info) ? 0 : -ENOENT);
		debug_units_release(&units);
		edge_free(&edge);
	}
}

/*
 * A debug file that does not belong to the program is not taken; one with a FIFO's name does not
 * hold us.
 */
static void wrong_debug_files(void **state)
{
	char dir[] = "/tmp/test-stack-XXXXXX", path[64], command[1024];
	struct image *image, *debug = NULL;
	int fd;

	(void)state;
	if (getenv("ZEROSPAN_EMULATED")) {
		print_message("qemu-user has no openat2\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/apart", dir);
	fd = open(TEST_WAITERS "/apart", O_RDONLY | O_CLOEXEC);
	assert_int_equal(image_open(fd, &image), 0);
	assert_int_equal(debug_file_open(image, getpid(), TEST_WAITERS "/apart", &debug), 0);
	image_close(debug);
	assert_int_equal(debug_file_open(image, getpid(), path, &debug), -ENOENT);
	snprintf(command, sizeof(command),
	    "cp " TEST_WAITERS "/debug %s/apart.debug && mkdir %s/.debug && "
	    "mkfifo %s/.debug/apart.debug",
	    dir, dir, dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(debug_file_open(image, getpid(), path, &debug), -ENOENT);
	image_close(image);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void files_below_a_root(void **state)
{
	int fd = root_open(getpid(), "/proc/self/maps");

	(void)state;
	if (fd == -ENOSYS) {
		print_message("no openat2 here\n");
		skip();
	}
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(root_open(getpid(), "/dev/null"), -EINVAL);
	assert_int_equal(root_open(getpid(), "/no/such/file"), -ENOENT);
	assert_int_equal(root_open(getpid(), "relative"), -EINVAL);
	assert_true(root_open(INT32_MAX, "/bin/sh") == -ESRCH);
}

/* What is said of an address, as a number. */
static uint64_t hash_places(struct debug_info *info, uint64_t address)
{
	struct debug_place places[DEBUG_INLINED_MAX + 1];
	size_t n = debug_info_find(info, address, places, sizeof(places) / sizeof(places[0]));
	uint64_t hash = n;

	for (size_t i = 0; i < n; i++) {
		const char *function = places[i].function ? places[i].function : "";

		hash = hash * 31 + hash_bytes(function, strlen(function));
		hash = hash * 31 + hash_bytes(places[i].file, strlen(places[i].file));
		hash = hash * 31 + places[i].line;
	}
	return hash;
}

/* Far more addresses than answers that are kept, in whatever order: what is said is the same. */
static void kept_answers(void **state)
{
	struct image_section text;
	struct debug_info *info;
	struct image *image;
	uint64_t *expected;
	size_t memory = 0;
	int fd = open(TEST_WAITERS "/debug", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(image_open(fd, &image), 0);
	assert_true(image_section_named(image, ".text", &text));
	assert_int_equal(debug_info_new(image, NULL, &info), 0);
	expected = calloc(text.size, sizeof(*expected));
	assert_non_null(expected);
	for (uint64_t i = 0; i < text.size; i++) {
		expected[i] = hash_places(info, text.address + i);
		assert_int_equal(hash_places(info, text.address + i), expected[i]);
	}
	for (int round = 0; round < 3; round++) {
		for (uint64_t i = text.size; i-- > 0;)
			assert_int_equal(hash_places(info, text.address + i), expected[i]);
		assert_true(round == 0 || debug_info_memory(info) == memory);
		memory = debug_info_memory(info);
	}
	free(expected);
	debug_info_free(info);
	image_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refuses_what_is_no_image),
	    cmocka_unit_test(headers_are_not_believed),
	    cmocka_unit_test(damaged_sections),
	    cmocka_unit_test(compressed_sections),
	    cmocka_unit_test(files_that_shrink),
	    cmocka_unit_test(units_have_limits),
	    cmocka_unit_test(cut_units),
	    cmocka_unit_test(wrong_debug_files),
	    cmocka_unit_test(files_below_a_root),
	    cmocka_unit_test(kept_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
