// SPDX-License-Identifier: Apache-2.0
/*
 * Stacks of programs with return probes, which the kernel sets for perf events (perf_event_open(2), config of
 * /sys/bus/event_source/devices/uprobe).
 */
#include "stack_fixture.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>

#include "discover/elf.h"

enum {
	PROBES_MAX = 4,
};

/* What a trace says of a function. */
enum how {
	HOW_WHOLE = 0, /* with its line, as if there were no probe */
	HOW_NAME = 1,  /* without a line */
	HOW_LACKS = 2, /* nothing */
};

static struct stack_reader *reader;
static struct stack_trace trace;

static bool cannot_probe(void)
{
	if (getenv("ZEROSPAN_EMULATED")) {
		print_message("qemu-user has no ptrace\n");
		return true;
	}
	if (geteuid() != 0 || access("/sys/bus/event_source/devices/uprobe/type", R_OK) != 0) {
		print_message("no right to set probes\n");
		return true;
	}
	return false;
}

static uint64_t offset_of(const char *path, const char *function)
{
	struct elf_function f = {.name = function};
	struct elf_file *file;

	assert_int_equal(elf_file_open(path, &file), 0);
	assert_int_equal(elf_file_find(file, &f, 1), 1);
	elf_file_close(file);
	return f.offset;
}

/* The descriptor of a return probe, which is there until that is closed. */
static int set_probe(const char *path, const char *function)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .config = 1};
	unsigned type = 0;
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	int fd;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &type), 1);
	fclose(f);
	attr.type = type;
	attr.uprobe_path = (uint64_t)(uintptr_t)path;
	attr.probe_offset = offset_of(path, function);
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void tell(const struct stack_sample *sample, struct stack_trace *ret_trace)
{
	assert_int_equal(stack_reader_trace(reader, sample, clock_monotonic_ns(), ret_trace), 0);
}

/* A copy of a waiter for the test alone: others run the waiters meanwhile, and probes are of files. */
static void copy_waiter(const char *way, char *path, size_t size)
{
	char command[1200], directory[] = "/tmp/test-seam-XXXXXX";

	assert_non_null(mkdtemp(directory));
	snprintf(path, size, "%s/%s", directory, way);
	snprintf(command, sizeof(command), "cp %s/%s %s", TEST_WAITERS, way, path);
	assert_int_equal(system(command), 0);
}

static void drop_copy(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

/* Tell the stack of a waiter with return probes of functions, separated by spaces. */
static struct waiter run(const char *way, const char *mode, const char *functions)
{
	char path[512], names[128];
	int fds[PROBES_MAX];
	size_t n = 0;
	struct waiter w;
	struct taken t;

	copy_waiter(way, path, sizeof(path));
	snprintf(names, sizeof(names), "%s", functions);
	for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
		fds[n++] = set_probe(path, name);
	w = waiter_start(NULL, path, mode);
	t = waiter_sample(&w);
	tell(&t.sample, &trace);
	taken_free(&t);
	waiter_end(&w);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	drop_copy(path);
	stack_reader_forget(reader, w.pid);
	return w;
}

static bool is_named(const struct stack_frame *f, const char *function)
{
	return f->function && strcmp(f->function, function) == 0;
}

static size_t find_rest(void)
{
	size_t i = 0;

	while (i < trace.n && !is_named(&trace.frames[i], "rest"))
		i++;
	return i;
}

/* How a function is told, if it is not whole. */
struct exception {
	const char *function;
	enum how how;
};

static void check(const char *way, const char *mode, const char *functions,
    const struct exception *exception, bool lines)
{
	struct waiter w = run(way, mode, functions);
	bool gap = false;
	size_t i = find_rest();

	for (size_t k = 0; k < w.n_known; k++) {
		bool is = exception && strcmp(exception->function, w.known[k].function) == 0;
		bool signal = i < trace.n && is_named(&trace.frames[i], "<signal handler called>");
		const struct stack_frame *f = &trace.frames[i += signal];

		if (is && exception->how == HOW_LACKS) {
			gap = !signal;
			continue;
		}
		if (i >= trace.n)
			fail_msg("%s %s, %s: %zu frames, end %d: no %s", way, mode, functions,
			    trace.n, trace.end, w.known[k].function);
		assert_non_null(f->function);
		assert_string_equal(f->function, w.known[k].function);
		if (lines) {
			assert_int_equal(f->line, is ? 0 : w.known[k].line);
			assert_int_equal(f->guessed, is || gap);
		}
		gap = false;
		i++;
	}
	if (strcmp(way, "frames") != 0)
		assert_int_equal(trace.end, STACK_END_COMPLETE);
}

static const char *const ways[] = {"debug", "dwarf4", "nopie", "static", "static_pie", "compressed",
    "lto", "debug_frame", "clang"};

static const struct exception no_thread_main = {"thread_main", HOW_LACKS};
static const struct exception no_handler = {"handler", HOW_LACKS};

static void one_probe(void **state)
{
	(void)state;
	if (cannot_probe())
		skip();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		check(ways[i], "sleep", "rest", NULL, true);
		check(ways[i], "sleep", "level_two", NULL, true);
		check(ways[i], "inline", "level_two", NULL, true);
		check(ways[i], "thread", "level_one", &no_thread_main, true);
	}
	check("debug", "signal", "level_two", &no_handler, true);
	check("exported", "sleep", "level_two", NULL, false);
}

/* Of functions that call one another, with others in between and without. */
static void several_probes(void **state)
{
	(void)state;
	if (cannot_probe())
		skip();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		check(ways[i], "sleep", "rest level_two", NULL, true);
		check(ways[i], "thread", "level_three level_one", &no_thread_main, true);
	}
}

/* In which of two calls a function waits is not known, nor which one was called through a pointer. */
static void what_cannot_be_known(void **state)
{
	static const struct exception twice = {"calls_twice", HOW_NAME},
				      pointer = {"called_by_pointer", HOW_LACKS};

	(void)state;
	if (cannot_probe())
		skip();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		check(ways[i], "twice", "level_one", &twice, true);
		check(ways[i], "pointer", "level_one", &pointer, true);
		check(ways[i], "pointer", "level_three", NULL, true);
	}
}

static void jumps_for_calls(void **state)
{
	(void)state;
	if (cannot_probe())
		skip();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		check(ways[i], "jump", "level_one", NULL, true);
}

/* By frame pointer on both sides of the probe. */
static void without_tables(void **state)
{
	static const struct exception level_three = {"level_three", HOW_NAME},
				      level_one = {"level_one", HOW_NAME};

	(void)state;
	if (cannot_probe())
		skip();
	check("frames", "sleep", "rest", &level_three, false);
	check("frames", "sleep", "level_two", &level_one, false);
}

/* A caller that has a return probe itself, between others. */
static void probes_of_neighbours(void **state)
{
	size_t i;

	(void)state;
	if (cannot_probe())
		skip();
	run("debug", "sleep", "level_three level_two");
	i = find_rest();
	assert_int_equal(trace.end, STACK_END_COMPLETE);
	assert_true(i + 3 < trace.n);
	assert_true(is_named(&trace.frames[i + 1], "level_three"));
	assert_true(is_named(&trace.frames[i + 2], "level_one"));
	assert_true(trace.frames[i + 2].guessed);
	assert_int_equal(trace.frames[i + 2].line, 0);
	assert_true(is_named(&trace.frames[i + 3], "main"));
	assert_true(trace.frames[i + 3].line > 0);
}

/*
 * The kernel hides the outer 64 calls of the probed function. All of them are gone, and main, which was called through
 * a pointer.
 */
static void probed_recursion(void **state)
{
	size_t i;

	(void)state;
	if (cannot_probe())
		skip();
	run("debug", "recurse", "recurse");
	i = find_rest() + 4;
	assert_int_equal(trace.end, STACK_END_COMPLETE);
	while (i < trace.n && is_named(&trace.frames[i], "recurse"))
		assert_false(trace.frames[i++].guessed);
	assert_true(i < trace.n);
	assert_true(trace.frames[i].guessed);
	assert_string_not_equal(trace.frames[i].module, "debug");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_probe),
	    cmocka_unit_test(several_probes),
	    cmocka_unit_test(what_cannot_be_known),
	    cmocka_unit_test(jumps_for_calls),
	    cmocka_unit_test(without_tables),
	    cmocka_unit_test(probes_of_neighbours),
	    cmocka_unit_test(probed_recursion),
	};
	int failed;

	reader = stack_reader_new();
	failed = reader ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	stack_reader_free(reader);
	return failed;
}
