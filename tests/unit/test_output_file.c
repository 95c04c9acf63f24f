// SPDX-License-Identifier: Apache-2.0
/* The file that sinks share: whole lines, rotation, and what happens when it cannot be written. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "export/output_file.h"
#include "support.h"

static char directory[64], path[96];

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/zs-output-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/out", directory);
	return 0;
}

static int tear_down(void **state)
{
	char name[128];

	(void)state;
	unlink(path);
	for (int i = 1; i < 300; i++) {
		snprintf(name, sizeof(name), "%s.%d", path, i);
		unlink(name);
	}
	return rmdir(directory);
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

static bool always(void *ctx)
{
	(void)ctx;
	return true;
}

static struct output_file *open_with(uint64_t max, unsigned int keep, bool append)
{
	const struct output_file_options options = {
	    .path = path, .append = append, .max_bytes = max, .keep = keep};
	struct output_file *file = output_file_open(&options);

	assert_non_null(file);
	return file;
}

static void put(struct output_file *file, const char *lines)
{
	int err = 1;

	assert_int_equal(output_file_write(file, sv_cstr(lines), never, NULL, &err), strlen(lines));
	assert_int_equal(err, 1); /* untouched */
}

/* The contents of out.N, or of out for 0; "-" when there is none. */
static const char *contents(int n)
{
	static char text[65536];
	char name[128];
	size_t len;
	FILE *f;

	snprintf(name, sizeof(name), n ? "%s.%d" : "%s", path, n);
	f = fopen(name, "r");
	if (!f)
		return "-";
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	fclose(f);
	return text;
}

static void test_truncates_or_appends(void **state)
{
	struct output_file *file = open_with(0, 0, false);

	(void)state;
	assert_string_equal(output_file_name(file), path);
	put(file, "a\n");
	output_file_unref(file);
	file = open_with(0, 0, true);
	put(file, "b\n");
	assert_string_equal(contents(0), "a\nb\n");
	output_file_unref(file);
	file = open_with(0, 0, false);
	assert_string_equal(contents(0), "");
	output_file_unref(output_file_ref(file));
	put(file, "c\n");
	assert_string_equal(contents(0), "c\n");
	output_file_unref(file);
	output_file_unref(NULL);
}

static void test_rotates_between_lines(void **state)
{
	struct output_file *file = open_with(10, 2, false);

	(void)state;
	put(file, "aaaa\nbbbb\n"); /* just fits */
	assert_string_equal(contents(0), "aaaa\nbbbb\n");
	put(file, "cccc\ndd\ne\nfff\n"); /* in one write: 10 bytes, then the rest */
	assert_string_equal(contents(0), "fff\n");
	assert_string_equal(contents(1), "cccc\ndd\ne\n");
	assert_string_equal(contents(2), "aaaa\nbbbb\n");
	put(file, "longer than any\n");
	assert_string_equal(contents(0), "longer than any\n"); /* a file for itself */
	assert_string_equal(contents(1), "fff\n");
	assert_string_equal(contents(2), "cccc\ndd\ne\n"); /* the oldest is gone: two are kept */
	assert_string_equal(contents(3), "-");
	put(file, "g\n");
	assert_string_equal(contents(0), "g\n");
	output_file_unref(file);
	file = open_with(10, 2, true); /* what is there counts */
	put(file, "12345678\n");
	assert_string_equal(contents(0), "12345678\n");
	assert_string_equal(contents(1), "g\n");
	output_file_unref(file);
}

static void test_is_found_again(void **state)
{
	struct output_file *file = open_with(0, 0, false);
	char moved[128];
	int err = 0;

	(void)state;
	put(file, "a\n");
	snprintf(moved, sizeof(moved), "%s.1", path);
	assert_int_equal(rename(path, moved), 0); /* as logrotate does */
	put(file, "b\n");
	assert_string_equal(contents(0), "b\n");
	assert_string_equal(contents(1), "a\n");
	unlink(moved);
	unlink(path);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(output_file_write(file, SV("lost\n"), never, NULL, &err), 0);
	assert_int_equal(err, -ENOENT);
	assert_int_equal(mkdir(directory, 0755), 0);
	put(file, "c\n");
	assert_string_equal(contents(0), "c\n");
	output_file_unref(file);
}

/* A limit of the file size is a disk that gets full inside a line. */
static void test_no_half_line_when_full(void **state)
{
	struct output_file *file = open_with(0, 0, false);
	struct rlimit before, limit;
	int err = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	put(file, "first\n");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){.rlim_cur = 10, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(output_file_write(file, SV("second\n"), never, NULL, &err), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(err, -EFBIG);
	assert_string_equal(contents(0), "first\n");
	put(file, "third\n");
	assert_string_equal(contents(0), "first\nthird\n");
	output_file_unref(file);
}

/* FILE.1 is a directory that is not empty: nothing can be renamed to it. */
static void test_grows_where_it_cannot_be_renamed(void **state)
{
	struct output_file *file = open_with(4, 1, false);
	char old[128], inner[160];

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(old, sizeof(old), "%s.1", path);
	snprintf(inner, sizeof(inner), "%s/x", old);
	assert_int_equal(mkdir(old, 0755), 0);
	assert_int_equal(mkdir(inner, 0755), 0);
	put(file, "aaa\nbbb\nccc\n");
	assert_string_equal(contents(0), "aaa\nbbb\nccc\n");
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rmdir(old), 0);
	put(file, "ddd\n");
	assert_string_equal(contents(0), "ddd\n");
	assert_string_equal(contents(1), "aaa\nbbb\nccc\n");
	output_file_unref(file);
	log_set_level(LOG_LEVEL_INFO);
}

static void test_cannot_open(void **state)
{
	const struct output_file_options options = {.path = "/nonexistent/out"};

	(void)state;
	assert_null(output_file_open(&options));
	assert_int_equal(errno, ENOENT);
}

enum {
	WRITERS = 4,
	WRITES = 200,
};

static void *write_pairs(void *file)
{
	static atomic_int next;
	int id = atomic_fetch_add(&next, 1);
	char lines[64];

	for (int i = 0; i < WRITES; i++) {
		snprintf(lines, sizeof(lines), "%d %d begin\n%d %d end\n", id, i, id, i);
		put(file, lines);
	}
	return NULL;
}

/* Nothing between the two lines of one write, even where a new file begins, and nothing lost. */
static void test_writers_do_not_mix(void **state)
{
	struct output_file *file = open_with(1024, 250, false);
	char begin[32], expected[32];
	pthread_t threads[WRITERS];
	int lines = 0, id, n;

	(void)state;
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_pairs, file), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	output_file_unref(file);
	*expected = '\0';
	for (int f = 250; f >= 0; f--) {
		const char *text = contents(f), *p = text;

		if (strcmp(text, "-") == 0)
			continue;
		assert_true(strlen(text) <= 1024);
		for (; *p; p = strchr(p, '\n') + 1, lines++) {
			assert_int_equal(sscanf(p, "%d %d %31s", &id, &n, begin), 3);
			if (*expected)
				assert_memory_equal(p, expected, strlen(expected));
			*expected = '\0';
			if (strcmp(begin, "begin") == 0)
				snprintf(expected, sizeof(expected), "%d %d end\n", id, n);
		}
	}
	assert_int_equal(lines, 2 * WRITERS * WRITES);
}

/* Who must stop does not wait for a reader, nor for the lock of one who does. */
static void *write_to_stalled(void *file)
{
	static char lines[100000];
	int err = 0;

	memset(lines, '\n', sizeof(lines));
	output_file_write(file, sv_from(lines, sizeof(lines)), never, NULL, &err);
	return NULL;
}

static void test_stalled_reader(void **state)
{
	struct output_file *file;
	pthread_t thread;
	char drain[4096];
	int fds[2], err = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	file = output_file_of_fd(fds[1]);
	assert_int_equal(pthread_create(&thread, NULL, write_to_stalled, file), 0);
	while (poll(&(struct pollfd){.fd = fds[1], .events = POLLOUT}, 1, 0) == 1)
		sched_yield(); /* until it is full */
	assert_int_equal(output_file_write(file, SV("x\n"), always, NULL, &err), 0);
	assert_int_equal(err, -ECANCELED);
	for (size_t left = 100000; left > 0;) {
		ssize_t n = read(fds[0], drain, sizeof(drain));

		assert_true(n > 0);
		left -= (size_t)n;
	}
	pthread_join(thread, NULL);
	output_file_unref(file);
	close(fds[0]);
	assert_int_equal(close(fds[1]), 0); /* the caller's */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_truncates_or_appends, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_rotates_between_lines, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_is_found_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_no_half_line_when_full, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_grows_where_it_cannot_be_renamed, set_up, tear_down),
	    cmocka_unit_test(test_cannot_open),
	    cmocka_unit_test_setup_teardown(test_writers_do_not_mix, set_up, tear_down),
	    cmocka_unit_test(test_stalled_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
