// SPDX-License-Identifier: Apache-2.0
/* elf.h against the library and the program at hand, and against damaged files. */
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "discover/elf.h"

/* A function to find in our own .symtab. */
__attribute__((noinline, used)) static int test_elf_landmark(int x)
{
	return x * 3 + 1;
}

static struct elf_file *open_self(void)
{
	struct elf_file *file = NULL;

	assert_int_equal(elf_file_open("/proc/self/exe", &file), 0);
	return file;
}

/* Path of the library that defines a function. */
static const char *library_of(const char *function)
{
	static Dl_info info;

	assert_true(dladdr(dlsym(RTLD_NEXT, function), &info));
	return info.dli_fname;
}

static void finds_local_symbols_and_their_code(void **state)
{
	struct elf_function f[] = {{.name = "test_elf_landmark"}, {.name = "no_such_function"}};
	struct elf_file *file = open_self();
	uint8_t code[4096];
	int n;

	(void)state;
	assert_int_equal(test_elf_landmark(2), 7);
	assert_int_equal(elf_file_find(file, f, 2), 1);
	assert_true(f[0].offset > 0 && f[0].size > 0);
	assert_int_equal(f[1].offset, 0);
	n = elf_file_read(file, &f[0], code, sizeof(code));
	assert_int_equal(n, f[0].size);
	assert_memory_equal(code, (const void *)(uintptr_t)test_elf_landmark, f[0].size);
	assert_int_equal(elf_file_read(file, &f[0], code, 1), 1);
	elf_file_close(file);
}

static void finds_dynamic_symbols_of_a_library(void **state)
{
	struct elf_function f = {.name = "fnmatch"};
	struct elf_file *file;
	uint8_t code[16];

	(void)state;
	assert_int_equal(elf_file_open(library_of("fnmatch"), &file), 0);
	assert_int_equal(elf_file_find(file, &f, 1), 1);
	assert_int_equal(elf_file_read(file, &f, code, sizeof(code)), sizeof(code));
	assert_memory_equal(code, dlsym(RTLD_NEXT, "fnmatch"), sizeof(code));
	elf_file_close(file);
}

static void imported_symbols_do_not_count(void **state)
{
	struct elf_function f = {.name = "malloc"};
	struct elf_file *file;

	(void)state;
	assert_int_equal(elf_file_open(library_of("_cmocka_run_group_tests"), &file), 0);
	assert_int_equal(elf_file_find(file, &f, 1), 0);
	assert_int_equal(f.offset, 0);
	elf_file_close(file);
}

static void knows_machine_needed_and_build_id(void **state)
{
	struct elf_file *file = open_self();
	char id[ELF_BUILD_ID_HEX];
	bool needs_libc = false;
	const char *name;
	size_t n = 0;

	(void)state;
	assert_int_equal(elf_file_machine(file), elf_machine_host());
	for (; (name = elf_file_needed(file, n)); n++)
		needs_libc = needs_libc || strcmp(name, "libc.so.6") == 0;
	assert_true(needs_libc);
	assert_null(elf_file_needed(file, n));
	assert_null(elf_file_needed(file, n + 100));
	elf_file_close(file);

	assert_int_equal(elf_file_open(library_of("fnmatch"), &file), 0);
	assert_int_equal(elf_file_build_id(file, id), 0);
	assert_int_equal(strlen(id), 40);
	assert_int_equal(strspn(id, "0123456789abcdef"), 40);
	elf_file_close(file);
}

static int open_bytes(const void *p, size_t len, struct elf_file **ret_file)
{
	int fd = memfd_create("elf", MFD_CLOEXEC), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, len), len);
	err = elf_file_open_fd(fd, ret_file);
	close(fd);
	return err;
}

static void refuses_what_is_no_elf_file(void **state)
{
	struct elf_file *file = (void *)1;

	(void)state;
	assert_int_equal(elf_file_open("/no/such/file", &file), -ENOENT);
	assert_int_equal(elf_file_open("/proc/self/stat", &file), -EBADMSG);
	assert_true(elf_file_open("/", &file) < 0);
	assert_int_equal(elf_file_open("/dev/null", &file), -EBADMSG);
	assert_int_equal(open_bytes("", 0, &file), -EBADMSG);
	assert_int_equal(open_bytes("\177ELF", 4, &file), -EBADMSG);
	assert_int_equal(open_bytes("#!/bin/sh\n", 10, &file), -EBADMSG);
	assert_ptr_equal(file, (void *)1);
	elf_file_close(NULL);
}

static void exercise(const void *p, size_t len)
{
	struct elf_function f = {.name = "test_elf_landmark"};
	struct elf_file *file;
	char id[ELF_BUILD_ID_HEX];
	uint8_t code[64];

	if (open_bytes(p, len, &file) != 0)
		return;
	elf_file_machine(file);
	if (elf_file_find(file, &f, 1))
		elf_file_read(file, &f, code, sizeof(code));
	for (size_t i = 0; i < 100 && elf_file_needed(file, i); i++)
		;
	elf_file_build_id(file, id);
	elf_file_close(file);
}

/* The smallest program around; read whole. */
static char *small_elf(size_t *ret_len)
{
	FILE *f = fopen("/bin/true", "rb");
	char *text = malloc(1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	*ret_len = fread(text, 1, 1 << 20, f);
	assert_true(*ret_len > 4096);
	fclose(f);
	return text;
}

static void survives_damage(void **state)
{
	size_t len;
	char *text = small_elf(&len), *hurt = malloc(len);

	(void)state;
	assert_non_null(hurt);
	for (size_t cut = 0; cut < len; cut += cut < 256 ? 1 : 997)
		exercise(text, cut);
	srand(1);
	for (int round = 0; round < 400; round++) {
		memcpy(hurt, text, len);
		/* Headers first: file header, program headers, then the section table at the end.
		 */
		for (int k = 0; k < 4; k++)
			hurt[rand() % 1024] = (char)rand();
		for (int k = 0; k < 8; k++)
			hurt[len - 1 - (size_t)rand() % 1984] = (char)rand();
		exercise(hurt, len);
	}
	free(hurt);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_local_symbols_and_their_code),
	    cmocka_unit_test(finds_dynamic_symbols_of_a_library),
	    cmocka_unit_test(imported_symbols_do_not_count),
	    cmocka_unit_test(knows_machine_needed_and_build_id),
	    cmocka_unit_test(refuses_what_is_no_elf_file),
	    cmocka_unit_test(survives_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
