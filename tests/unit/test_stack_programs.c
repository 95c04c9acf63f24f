// SPDX-License-Identifier: Apache-2.0
/* stack.h against programs that know their stack, compiled in many ways; see stack/waiter.c. */
#include <sched.h>
#include <sys/stat.h>

#include "stack_fixture.h"

/* What a trace has to say of the program's own functions. */
enum detail {
	DETAIL_LINES = 1,   /* function, file, line, inlined ones too */
	DETAIL_NAMES = 2,   /* functions; what is inlined is not seen */
	DETAIL_NOTHING = 3, /* module and offset */
};

static struct stack_reader *reader;
static struct stack_trace trace;
static struct buf text;

static bool cannot_trace(void)
{
	if (!getenv("ZEROSPAN_EMULATED"))
		return false;
	print_message("qemu-user has no ptrace\n");
	return true;
}

static const char *printed(const struct stack_frame *frame)
{
	buf_clear(&text);
	stack_frame_print(frame, &text);
	return text.data;
}

static bool is_named(const struct stack_frame *f, const char *function)
{
	return f->function && strcmp(f->function, function) == 0;
}

static bool is_inlined(const struct known_frame *k)
{
	return strncmp(k->function, "inlined_", 8) == 0;
}

static bool ends_with(const char *string, const char *end)
{
	size_t len = string ? strlen(string) : 0;

	return len >= strlen(end) && strcmp(string + len - strlen(end), end) == 0;
}

static void check_frame(const struct stack_frame *f, const struct known_frame *k,
    enum detail detail, const char *module)
{
	char expected[160];

	assert_string_equal(f->module, module);
	if (detail == DETAIL_LINES)
		snprintf(expected, sizeof(expected), "%s (waiter.c:%u)", k->function, k->line);
	else if (detail == DETAIL_NAMES)
		snprintf(expected, sizeof(expected), "%s (%s)", k->function, module);
	else
		snprintf(
		    expected, sizeof(expected), "%s+0x%llx", module, (unsigned long long)f->offset);
	assert_string_equal(printed(f), expected);
	assert_true(
	    detail == DETAIL_LINES ? ends_with(f->file, "tests/unit/stack/waiter.c") : !f->file);
}

/* Index of the program's innermost frame: before it are only those of nanosleep. */
static size_t skip_library(const struct stack_trace *t, const char *module)
{
	size_t i = 0;

	while (i < t->n && !is_named(&t->frames[i], "rest") &&
	    !(strcmp(t->frames[i].module, module) == 0 && !t->frames[i].function))
		i++;
	assert_in_range(i, 1, 4);
	return i;
}

/* The frames are what the waiter said. Returns how many that were, those of the C library too. */
static size_t check_known(
    const struct waiter *w, const struct stack_trace *t, enum detail detail, const char *module)
{
	size_t n = skip_library(t, module);

	for (size_t k = 0; k < w->n_known; k++) {
		if (detail != DETAIL_LINES && is_inlined(&w->known[k]))
			continue;
		if (n == t->n && t->end == STACK_END_LIMIT)
			break;
		if (n < t->n && is_named(&t->frames[n], "<signal handler called>"))
			n++;
		if (n >= t->n)
			fail_msg("%s: %zu frames, end %d: no %s", module, t->n, t->end,
			    w->known[k].function);
		check_frame(&t->frames[n], &w->known[k], detail, module);
		assert_int_equal(t->frames[n].inlined, is_inlined(&w->known[k]));
		n++;
	}
	return n;
}

static void take(const struct taken *t)
{
	assert_int_equal(stack_reader_trace(reader, &t->sample, clock_monotonic_ns(), &trace), 0);
}

/* Returns how the trace ends. */
static enum stack_end check_program(const char *way, const char *mode, enum detail detail)
{
	struct waiter w = waiter_built(way, mode);
	struct taken t = waiter_sample(&w);

	take(&t);
	check_known(&w, &trace, detail, way);
	taken_free(&t);
	waiter_end(&w);
	stack_reader_forget(reader, w.pid);
	return trace.end;
}

static const char *const with_lines[] = {"debug", "dwarf4", "nopie", "static", "static_pie",
    "compressed", "lto", "debug_frame", "clang", "apart"};

static void lines_however_compiled(void **state)
{
	(void)state;
	if (cannot_trace())
		skip();
	for (size_t i = 0; i < sizeof(with_lines) / sizeof(with_lines[0]); i++)
		assert_int_equal(
		    check_program(with_lines[i], "sleep", DETAIL_LINES), STACK_END_COMPLETE);
}

static void inlined_functions(void **state)
{
	(void)state;
	if (cannot_trace())
		skip();
	for (size_t i = 0; i < sizeof(with_lines) / sizeof(with_lines[0]); i++)
		assert_int_equal(
		    check_program(with_lines[i], "inline", DETAIL_LINES), STACK_END_COMPLETE);
	check_program("exported", "inline", DETAIL_NAMES);
}

static void names_of_stripped_programs(void **state)
{
	(void)state;
	if (cannot_trace())
		skip();
	assert_int_equal(check_program("exported", "sleep", DETAIL_NAMES), STACK_END_COMPLETE);
	assert_int_equal(check_program("bare", "sleep", DETAIL_NOTHING), STACK_END_COMPLETE);
}

/* Without unwind tables, the C library's functions by table, the program's by frame pointer. */
static void frame_pointers(void **state)
{
	struct waiter w;
	struct taken t;

	(void)state;
	if (cannot_trace())
		skip();
	w = waiter_built("frames", "sleep");
	t = waiter_sample(&w);
	take(&t);
	check_known(&w, &trace, DETAIL_NAMES, "frames");
	for (size_t i = 0; i < trace.n; i++)
		assert_int_equal(trace.frames[i].guessed,
		    i && strcmp(trace.frames[i - 1].module, "frames") == 0);
	taken_free(&t);
	waiter_end(&w);
}

static void signal_handlers(void **state)
{
	(void)state;
	if (cannot_trace())
		skip();
	assert_int_equal(check_program("debug", "signal", DETAIL_LINES), STACK_END_COMPLETE);
	assert_int_equal(check_program("static", "signal", DETAIL_LINES), STACK_END_COMPLETE);
	assert_int_equal(check_program("exported", "signal", DETAIL_NAMES), STACK_END_COMPLETE);
}

/* What is on the other stack was not copied: the trace ends with what was interrupted. */
static void handler_on_its_own_stack(void **state)
{
	struct waiter w;
	struct taken t;
	size_t n;

	(void)state;
	if (cannot_trace())
		skip();
	w = waiter_built("debug", "other-stack");
	t = waiter_sample(&w);
	take(&t);
	assert_string_equal(w.known[w.n_known - 1].function, "main");
	w.n_known--;
	n = check_known(&w, &trace, DETAIL_LINES, "debug");
	assert_int_equal(n, trace.n);
	assert_int_equal(trace.end, STACK_END_CUT);
	taken_free(&t);
	waiter_end(&w);
}

static void other_threads(void **state)
{
	(void)state;
	if (cannot_trace())
		skip();
	assert_int_equal(check_program("debug", "thread", DETAIL_LINES), STACK_END_COMPLETE);
	assert_int_equal(check_program("static", "thread", DETAIL_LINES), STACK_END_COMPLETE);
}

static void deep_recursion_is_limited(void **state)
{
	(void)state;
	if (cannot_trace())
		skip();
	assert_int_equal(check_program("debug", "recurse", DETAIL_LINES), STACK_END_LIMIT);
	assert_int_equal(trace.n, STACK_FRAMES_MAX);
	assert_int_equal(check_program("bare", "recurse", DETAIL_NOTHING), STACK_END_LIMIT);
}

static void copy_file(const char *from, const char *to)
{
	char command[1200];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
}

/* Its file is gone, and another one has its name. */
static void deleted_programs(void **state)
{
	char path[] = "/tmp/test-stack-XXXXXX";
	struct waiter w;
	struct taken t;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	if (cannot_trace())
		skip();
	copy_file(TEST_WAITERS "/debug", path);
	w = waiter_start(NULL, path, "sleep");
	unlink(path);
	copy_file(TEST_WAITERS "/bare", path);
	t = waiter_sample(&w);
	take(&t);
	check_known(&w, &trace, DETAIL_LINES, strrchr(path, '/') + 1);
	taken_free(&t);
	waiter_end(&w);
	unlink(path);
}

/* A root directory of its own, with the debug information below that; and what cannot be read. */
static void contained_programs(void **state)
{
	struct waiter w;
	struct taken t;

	(void)state;
	if (cannot_trace())
		skip();
	if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) {
		print_message("no right to change the root directory\n");
		skip();
	}
	w = waiter_start(TEST_WAITERS "/root", "/waiter", "inline");
	t = waiter_sample(&w);
	take(&t);
	check_known(&w, &trace, DETAIL_LINES, "waiter");
	assert_int_equal(trace.end, STACK_END_COMPLETE);
	taken_free(&t);
	waiter_end(&w);
}

/* A copy of a program in which a string stands for another of the same length. */
static void write_changed(const char *way, const char *path, const char *from, const char *to)
{
	char original[512], *bytes = malloc(1 << 20), *at;
	size_t len, left;
	FILE *f;

	assert_non_null(bytes);
	snprintf(original, sizeof(original), TEST_WAITERS "/%s", way);
	f = fopen(original, "rb");
	assert_non_null(f);
	len = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	for (at = bytes; (left = len - (size_t)(at - bytes)) > 0 &&
	     (at = memmem(at, left, from, strlen(from))) != NULL;
	     at++)
		memcpy(at, to, strlen(to));
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(path, 0700), 0);
	free(bytes);
}

/* Names come from the program, and go to terminals. */
static void names_are_made_fit_to_show(void **state)
{
	char path[] = "/tmp/test-stack-\033[1m-XXXXXX";
	struct waiter w;
	struct taken t;
	int fd = mkstemp(path);
	size_t i;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	if (cannot_trace())
		skip();
	write_changed("exported", path, "level_two", "l\033[1m\xff\n\x7fo");
	w = waiter_start(NULL, path, "sleep");
	t = waiter_sample(&w);
	take(&t);
	for (i = 0; i < trace.n && !is_named(&trace.frames[i], "level_three"); i++)
		;
	assert_true(i + 1 < trace.n);
	assert_string_equal(trace.frames[i + 1].function, "l?[1m???o");
	assert_non_null(strstr(trace.frames[i].module, "-?[1m-"));
	taken_free(&t);
	waiter_end(&w);
	unlink(path);
}

static bool same_frame(const struct stack_frame *a, const struct stack_frame *b)
{
	return a->address == b->address && a->line == b->line && a->inlined == b->inlined &&
	    (!a->function) == (!b->function) &&
	    (!a->function || strcmp(a->function, b->function) == 0);
}

/* Cut off anywhere, a stack tells the first frames, and no others. */
static void cut_copies(void **state)
{
	struct stack_trace *whole = malloc(sizeof(*whole));
	struct waiter w;
	struct taken t;
	size_t most = 0;

	(void)state;
	if (cannot_trace())
		skip();
	w = waiter_built("debug", "inline");
	t = waiter_sample(&w);
	take(&t);
	assert_non_null(whole);
	memcpy(whole, &trace, sizeof(*whole));
	for (size_t len = 0; len <= 2048; len++) {
		struct edge edge = edge_copy(t.bytes, len);
		struct stack_sample cut = t.sample;

		cut.bytes = edge.p;
		cut.len = len;
		assert_int_equal(stack_reader_trace(reader, &cut, clock_monotonic_ns(), &trace), 0);
		assert_in_range(trace.n, most, whole->n);
		for (size_t i = 0; i < trace.n; i++)
			assert_true(same_frame(&trace.frames[i], &whole->frames[i]));
		assert_int_equal(
		    trace.end, trace.n == whole->n ? STACK_END_COMPLETE : STACK_END_CUT);
		most = trace.n;
		edge_free(&edge);
	}
	assert_int_equal(most, whole->n);
	taken_free(&t);
	waiter_end(&w);
	free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_however_compiled),
	    cmocka_unit_test(inlined_functions),
	    cmocka_unit_test(names_of_stripped_programs),
	    cmocka_unit_test(frame_pointers),
	    cmocka_unit_test(signal_handlers),
	    cmocka_unit_test(handler_on_its_own_stack),
	    cmocka_unit_test(other_threads),
	    cmocka_unit_test(deep_recursion_is_limited),
	    cmocka_unit_test(deleted_programs),
	    cmocka_unit_test(contained_programs),
	    cmocka_unit_test(names_are_made_fit_to_show),
	    cmocka_unit_test(cut_copies),
	};
	int failed;

	reader = stack_reader_new();
	failed = reader ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	stack_reader_free(reader);
	buf_release(&text);
	return failed;
}
