// SPDX-License-Identifier: Apache-2.0
/* sqlite_copy.h: copies of the host's SQLite in this process and in programs, and ones to refuse.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "discover/elf.h"
#include "discover/sqlite_copy.h"
#include "discover/sqlite_source_id.h"
#include "sqlite_dl.h"

static const struct sqlite_copy *copy_of(const struct sqlite_copies *copies, const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	for (size_t i = 0; i < copies->n; i++)
		if (copies->items[i].inode == st.st_ino && copies->items[i].dev == st.st_dev)
			return &copies->items[i];
	return NULL;
}

/* The host's library; borrowed. */
static const char *library_path(struct sqlite_dl *s)
{
	static Dl_info info;

	assert_true(dladdr(dlsym(s->library, "sqlite3_step"), &info));
	return info.dli_fname;
}

static void check_traceable(const struct sqlite_copy *copy)
{
	struct elf_function f = {.name = "sqlite3_step"};
	struct elf_file *file;

	assert_non_null(copy);
	assert_int_equal(copy->state, SQLITE_COPY_TRACEABLE);
	assert_null(copy->reason);
	assert_null(copy->limit);
	assert_int_equal(copy->db_offset, 0);
	assert_true(copy->sql_offset > 0 && copy->sql_offset % 8 == 0);
	assert_true(copy->autocommit_offset > 0);
	assert_true(copy->errcode_offset > 0 && copy->errcode_offset % 4 == 0);
	for (int i = 0; i < SQLITE_FN_COUNT; i++) {
		const struct sqlite_probe *p = &copy->probe[i];

		if (i == SQLITE_FN_FINALIZE) { /* what it calls is probed */
			assert_int_equal(p->entry, 0);
			continue;
		}
		if (i == SQLITE_FN_LOCK_AND_PREPARE && elf_machine_host() != ELF_MACHINE_X86_64) {
			assert_int_equal(p->entry, 0); /* no instruction there is emulated */
			continue;
		}
		assert_true(p->entry > 0 && p->cheapest >= p->entry && p->cheapest < p->entry + 64);
		assert_true(!p->entry_cheap || (p->cheapest_cheap && p->cheapest == p->entry));
	}
	/* What a probe is attached with leads to the same code. */
	assert_int_equal(elf_file_open(copy->attach_path, &file), 0);
	assert_int_equal(elf_file_find(file, &f, 1), 1);
	assert_int_equal(f.offset, copy->probe[SQLITE_FN_STEP].entry);
	elf_file_close(file);
}

static void finds_the_shared_library(void **state)
{
	struct sqlite_dl s = sqlite_dl_open("libsqlite3.so.0");
	struct sqlite_copies copies;
	const struct sqlite_copy *copy;
	char real[4096];

	(void)state;
	assert_int_equal(sqlite_copy_scan(NULL, getpid(), 0, &copies), 0);
	assert_int_equal(copies.n, 1);
	copy = copy_of(&copies, library_path(&s));
	check_traceable(copy);
	assert_non_null(realpath(library_path(&s), real));
	if (!getenv("ZEROSPAN_EMULATED")) /* below qemu-user's root the kernel knows another path */
		assert_string_equal(copy->path, real);
	assert_ptr_equal(copy, copy_of(&copies, copy->path));
	sqlite_copies_release(&copies);
	assert_int_equal(copies.n, 0);
	dlclose(s.library);
}

static void finds_nothing_without_sqlite(void **state)
{
	struct sqlite_copies copies;

	(void)state;
	assert_int_equal(sqlite_copy_scan(NULL, getpid(), 0, &copies), 0);
	assert_int_equal(copies.n, 0);
	assert_int_equal(copies.unreadable, 0);
	sqlite_copies_release(&copies);
	assert_int_equal(sqlite_copy_scan(NULL, 2147483647, 0, &copies), -ESRCH);
}

static void copy_file(const char *from, const char *to)
{
	char block[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, block, sizeof(block))) > 0)
		assert_int_equal(write(out, block, (size_t)n), n);
	close(in);
	close(out);
}

/* A second copy whose file is gone: only map_files leads there, which takes a capability. */
static void finds_two_copies_and_a_deleted_one(void **state)
{
	char path[] = "/tmp/zerospan-unit-sqlite-XXXXXX";
	struct sqlite_dl s = sqlite_dl_open("libsqlite3.so.0");
	struct sqlite_copies copies;
	void *second;

	(void)state;
	close(mkstemp(path));
	copy_file(library_path(&s), path);
	second = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(second);
	assert_int_equal(sqlite_copy_scan(NULL, getpid(), 0, &copies), 0);
	assert_int_equal(copies.n, 2);
	check_traceable(copy_of(&copies, path));
	check_traceable(copy_of(&copies, library_path(&s)));
	sqlite_copies_release(&copies);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(sqlite_copy_scan(NULL, getpid(), 0, &copies), 0);
	if (geteuid() == 0) {
		assert_int_equal(copies.n, 2);
		for (size_t i = 0; i < 2; i++)
			check_traceable(&copies.items[i]);
	} else {
		assert_int_equal(copies.n + copies.unreadable, 2);
	}
	sqlite_copies_release(&copies);
	dlclose(second);
	dlclose(s.library);
}

/* Overwrite a function's first bytes in a copy of the library. */
static void patch(const char *path, const char *function, const void *code, size_t len)
{
	struct elf_function f = {.name = function};
	struct elf_file *file;
	int fd = open(path, O_WRONLY);

	assert_int_equal(elf_file_open(path, &file), 0);
	assert_int_equal(elf_file_find(file, &f, 1), 1);
	assert_int_equal(pwrite(fd, code, len, (off_t)f.offset), len);
	elf_file_close(file);
	close(fd);
}

static void refuses_an_accessor_it_does_not_understand(void **state)
{
	static const uint8_t unknown[8] = {0}; /* on no machine an accessor */
	char path[] = "/tmp/zerospan-unit-sqlite-XXXXXX";
	struct sqlite_dl s = sqlite_dl_open("libsqlite3.so.0");
	struct sqlite_copies copies;
	const struct sqlite_copy *copy;

	(void)state;
	close(mkstemp(path));
	copy_file(library_path(&s), path);
	patch(path, "sqlite3_sql", unknown, sizeof(unknown));
	assert_int_equal(sqlite_copy_for_program(NULL, path, 0, &copies), 0);
	copy = copy_of(&copies, path);
	assert_non_null(copy);
	assert_int_equal(copy->state, SQLITE_COPY_REFUSED);
	assert_string_equal(copy->reason, "the machine code of sqlite3_sql is not understood");
	sqlite_copies_release(&copies);
	unlink(path);
	dlclose(s.library);
}

/* A compiler that puts sqlite3_step into sqlite3_exec leaves no call: what runs there no probe would see. */
static void refuses_an_exec_that_does_not_call_step(void **state)
{
	static const uint8_t traps[64]; /* on no machine a call */
	char path[] = "/tmp/zerospan-unit-sqlite-XXXXXX";
	struct sqlite_dl s = sqlite_dl_open("libsqlite3.so.0");
	struct elf_function exec = {.name = "sqlite3_exec"};
	struct sqlite_copies copies;
	const struct sqlite_copy *copy;
	struct elf_file *file;
	int fd;

	(void)state;
	close(mkstemp(path));
	copy_file(library_path(&s), path);
	assert_int_equal(elf_file_open(path, &file), 0);
	assert_int_equal(elf_file_find(file, &exec, 1), 1);
	elf_file_close(file);
	fd = open(path, O_WRONLY);
	for (uint64_t at = 0; at < exec.size; at += sizeof(traps))
		assert_true(pwrite(fd, traps,
				exec.size - at < sizeof(traps) ? exec.size - at : sizeof(traps),
				(off_t)(exec.offset + at)) > 0);
	close(fd);
	assert_int_equal(sqlite_copy_for_program(NULL, path, 0, &copies), 0);
	copy = copy_of(&copies, path);
	assert_non_null(copy);
	assert_int_equal(copy->state, SQLITE_COPY_REFUSED);
	assert_string_equal(
	    copy->reason, "sqlite3_exec does not call sqlite3_step: a compiler has put it inside");
	sqlite_copies_release(&copies);
	unlink(path);
	dlclose(s.library);
}

static void knows_what_a_program_will_map(void **state)
{
	struct sqlite_dl s = sqlite_dl_open("libsqlite3.so.0");
	struct sqlite_copies copies;

	(void)state;
	/* Needs no SQLite, but might load it. */
	assert_int_equal(sqlite_copy_for_program(NULL, "/bin/true", 0, &copies), 0);
	assert_int_equal(copies.n, 1);
	check_traceable(copy_of(&copies, library_path(&s)));
	assert_true(strncmp(copies.items[0].attach_path, "/proc", 5) != 0);
	sqlite_copies_release(&copies);
	/* The program is the copy; it is listed once. */
	assert_int_equal(sqlite_copy_for_program(NULL, library_path(&s), 0, &copies), 0);
	assert_int_equal(copies.n, 1);
	sqlite_copies_release(&copies);
	assert_int_equal(sqlite_copy_for_program(NULL, "/no/such/program", 0, &copies), -ENOENT);
	/* A script. */
	assert_int_equal(sqlite_copy_for_program(NULL, "/proc/self/stat", 0, &copies), 0);
	sqlite_copies_release(&copies);
	dlclose(s.library);
}

#define HEX64 "df5c253c0b3dd24916e4ec7cf77d3db5294cc9fd45ae7b9c5e82ad8197f3alt1"

static void knows_a_source_id(void **state)
{
	static const char id[] = "2022-12-28 14:03:47 " HEX64;
	static const char *const strangers[] = {"", "2022-12-28 14:03:47 ", "2022-12-28 14:03:47",
	    "2022-12-28 14:03:47 df5c253c0b3dd249", "1999-12-28 14:03:47 " HEX64,
	    "2022-12-28T14:03:47 " HEX64};

	(void)state;
	assert_true(sqlite_source_id_at(SV("2022-12-28 14:03:47 " HEX64)));
	assert_true(sqlite_source_id_at(
	    SV("2017-03-28 18:48:43 424a0d380332858ee55bdebc4af3789f74e70a2b")));
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		assert_false(sqlite_source_id_at(sv_cstr(strangers[i])));
	for (size_t cut = 0; cut < sizeof(id) - 1; cut++) {
		struct edge edge = edge_copy(id, cut);

		sqlite_source_id_at(sv_from(edge.p, edge.len));
		edge_free(&edge);
	}
}

/* A file with the two texts at the given places, 0: without. */
static int texts_file(off_t id_at, off_t head_at)
{
	static const char id[] = "2022-12-28 14:03:47 " HEX64, head[] = "SQLite format 3";
	int fd = memfd_create("program", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 3 << 20), 0);
	if (id_at)
		assert_int_equal(pwrite(fd, id, sizeof(id), id_at), sizeof(id));
	if (head_at)
		assert_int_equal(pwrite(fd, head, sizeof(head), head_at), sizeof(head));
	return fd;
}

static int search(off_t id_at, off_t head_at)
{
	int fd = texts_file(id_at, head_at), found = sqlite_source_id_in_file(fd);

	close(fd);
	return found;
}

/* The same in pieces of whatever size, which say so as long as they do not know. */
static int search_in_pieces(off_t id_at, off_t head_at, size_t bytes)
{
	struct sqlite_source_search search = {.fd = texts_file(id_at, head_at)};
	int found = sqlite_source_search(&search, bytes), pieces = 1;

	for (; found == -EAGAIN; pieces++)
		found = sqlite_source_search(&search, bytes);
	close(search.fd);
	assert_true(bytes > 1 << 20 || pieces > 1);
	return found;
}

static void searches_in_pieces(void **state)
{
	(void)state;
	for (size_t bytes = 1; bytes <= 8 << 20; bytes <<= 4) {
		assert_int_equal(search_in_pieces((2 << 20) - 40, (3 << 20) - 17, bytes), 1);
		assert_int_equal(search_in_pieces(0, (3 << 20) - 17, bytes), 0);
		assert_int_equal(search_in_pieces(100, 0, bytes), 0);
	}
}

static void searches_files_for_both_texts(void **state)
{
	(void)state;
	assert_int_equal(search(100, 5000), 1);
	assert_int_equal(search(100, 0), 0);
	assert_int_equal(search(0, 100), 0);
	/* Across every border between two reads, and at the very end. */
	for (off_t at = (1 << 20) - 300; at < (1 << 20) + 10; at += 7)
		assert_int_equal(search(at, 2 << 20), 1);
	assert_int_equal(search((3 << 20) - 85, (3 << 20) - 1000), 1);
	assert_int_equal(sqlite_source_id_in_file(-1), -EBADF);
}

static void reports_stripped_copies_when_asked(void **state)
{
	int fd = texts_file(8192, 12288);
	void *mapped = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	const struct sqlite_copy *copy;
	struct sqlite_copies copies;
	char link[64];

	(void)state;
	if (mapped == MAP_FAILED || geteuid() != 0) {
		print_message("skipped: an executable memfd is only reached by root\n");
		skip();
	}
	assert_int_equal(sqlite_copy_scan(NULL, getpid(), 0, &copies), 0);
	assert_int_equal(copies.n, 0);
	assert_int_equal(sqlite_copy_scan(NULL, getpid(), SQLITE_COPY_SEARCH_STRIPPED, &copies), 0);
	/* This program holds both texts for its other cases and is reported too. */
	assert_int_equal(copies.n, 2);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	copy = copy_of(&copies, link);
	assert_non_null(copy);
	assert_int_equal(copy->state, SQLITE_COPY_STRIPPED);
	assert_string_equal(copy->path, "/memfd:program");
	assert_non_null(copy->reason);
	sqlite_copies_release(&copies);
	assert_int_equal(sqlite_copy_scan(NULL, getpid(), SQLITE_COPY_LIST_NAMELESS, &copies), 0);
	assert_non_null(copy_of(&copies, link));
	assert_int_equal(copy_of(&copies, link)->state, SQLITE_COPY_NAMELESS);
	assert_true(copies.n > 2); /* every library, too */
	sqlite_copies_release(&copies);
	munmap(mapped, 4096);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_nothing_without_sqlite),
	    cmocka_unit_test(finds_the_shared_library),
	    cmocka_unit_test(finds_two_copies_and_a_deleted_one),
	    cmocka_unit_test(refuses_an_accessor_it_does_not_understand),
	    cmocka_unit_test(refuses_an_exec_that_does_not_call_step),
	    cmocka_unit_test(knows_what_a_program_will_map),
	    cmocka_unit_test(knows_a_source_id),
	    cmocka_unit_test(searches_files_for_both_texts),
	    cmocka_unit_test(searches_in_pieces),
	    cmocka_unit_test(reports_stripped_copies_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
