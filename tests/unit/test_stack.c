// SPDX-License-Identifier: Apache-2.0
/* stack.h on this very process, on processes that change and end, and on stacks of nonsense. */
#include "stack_fixture.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/mman.h>

static struct stack_reader *reader;
static struct stack_trace trace;
static volatile int sink;

/* The end of the mapping that an address lies in. */
static int take_end(const struct proc_map *map, void *arg)
{
	uint64_t *address = arg;

	if (*address < map->start || *address >= map->end)
		return 0;
	*address = map->end;
	return 1;
}

/* Bytes of our own stack; the sanitizer has an opinion on what lies between variables. */
__attribute__((no_sanitize("address"))) static size_t copy_own_stack(
    uint64_t sp, unsigned char *to, size_t max)
{
	const volatile unsigned char *from = (const volatile unsigned char *)(uintptr_t)sp;
	uint64_t end = sp;

	assert_int_equal(proc_each_map(getpid(), take_end, &end), 1);
	if (max > end - sp)
		max = (size_t)(end - sp);
	for (size_t i = 0; i < max; i++)
		to[i] = from[i];
	return max;
}

static unsigned char own_bytes[COPY_BYTES];
static struct stack_sample own;

__attribute__((noinline)) static int own_inner(void)
{
	ucontext_t context;

	getcontext(&context);
	own.pid = getpid();
	own.regs = regs_from_context(&context);
	own.len = copy_own_stack(own.regs.sp, own_bytes, sizeof(own_bytes));
	own.bytes = own_bytes;
	return sink;
}

__attribute__((noinline)) static int own_middle(void)
{
	int result = own_inner();

	sink++;
	return result;
}

__attribute__((noinline)) static int own_outer(void)
{
	int result = own_middle();

	sink--;
	return result;
}

static int tell(const struct stack_sample *sample, uint64_t now_ns)
{
	return stack_reader_trace(reader, sample, now_ns, &trace);
}

static void check_function(size_t i, const char *function)
{
	assert_true(i < trace.n);
	assert_non_null(trace.frames[i].function);
	assert_string_equal(trace.frames[i].function, function);
	assert_string_equal(trace.frames[i].module, "test_stack");
	assert_non_null(trace.frames[i].file);
	assert_non_null(strstr(trace.frames[i].file, "tests/unit/test_stack.c"));
	assert_true(trace.frames[i].line > 0);
}

/* With the registers of a thread that runs: works without ptrace, on any machine. */
static void own_stack(void **state)
{
	(void)state;
	own_outer();
	assert_int_equal(tell(&own, clock_monotonic_ns()), 0);
	check_function(0, "own_inner");
	check_function(1, "own_middle");
	check_function(2, "own_outer");
	check_function(3, "own_stack");
	assert_int_equal(trace.end, STACK_END_COMPLETE);
	assert_string_equal(trace.frames[trace.n - 1].function, "_start");
}

static void prints_frames(void **state)
{
	static const struct {
		struct stack_frame frame;
		const char *expected;
	} cases[] = {
	    {{.function = "deduct", .file = "/src/shop.c", .line = 412, .module = "shop"},
		"deduct (shop.c:412)"},
	    {{.function = "poll", .file = "../io/poll.c", .line = 29, .module = "libc.so.6"},
		"poll (poll.c:29, libc.so.6)"},
	    {{.function = "deduct", .file = "shop.c", .module = "shop"}, "deduct (shop.c)"},
	    {{.function = "nanosleep", .module = "libc.so.6", .offset = 3},
		"nanosleep (libc.so.6)"},
	    {{.function = "f"}, "f"},
	    {{.function = "f", .file = "dir/", .line = 1}, "f (dir/:1)"},
	    {{.module = "libfoo.so.1", .offset = 0x1a2b}, "libfoo.so.1+0x1a2b"},
	    {{.address = 0x7f0123456789, .offset = 0x7f0123456789}, "0x7f0123456789"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = {0};

		stack_frame_print(&cases[i].frame, &text);
		assert_string_equal(text.data, cases[i].expected);
		buf_release(&text);
	}
}

/* Whatever the limit, whole lines from the beginning on, and as many of them as fit. */
static void prints_traces(void **state)
{
	static const char expected[] = ">read (libc.so.6)\nload (shop.c:7)\nshop+0x1a2b";
	struct buf text = {0};

	(void)state;
	trace.n = 3;
	trace.frames[0] = (struct stack_frame){.function = "read", .module = "libc.so.6"};
	trace.frames[1] = (struct stack_frame){.function = "load", .file = "shop.c", .line = 7};
	trace.frames[2] = (struct stack_frame){.module = "shop", .offset = 0x1a2b};
	for (size_t max = 0; max <= sizeof(expected); max++) {
		size_t len;

		buf_clear(&text);
		buf_append_char(&text, '>');
		stack_trace_print(&trace, max, &text);
		len = text.len;
		assert_in_range(len, 1, max + 1);
		assert_memory_equal(text.data, expected, len);
		assert_int_equal(strlen(text.data), len);
		if (len < strlen(expected)) {
			assert_true(len == 1 || expected[len] == '\n');
			assert_true(1 + max < len + strcspn(expected + len + 1, "\n") + 1);
		}
	}
	assert_string_equal(text.data, expected);
	buf_release(&text);
}

/* A function that finds its caller by a register that functions preserve. */
extern const char by_saved_register[];
#if defined(__x86_64__)
#define SAVED_REGISTER "rbx"
#else
#define SAVED_REGISTER "x19"
#endif
__asm__(".text\n.cfi_startproc\n.globl by_saved_register\nby_saved_register:\n"
	".cfi_def_cfa " SAVED_REGISTER ", 16\n.cfi_offset 30, -8\n.cfi_offset 16, -8\n"
	"nop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\n.cfi_endproc\n");

static void registers_that_are_not_known(void **state)
{
	uint64_t words[4] = {0, 0, 0, own.regs.ip}, start = 0x10000;
	struct stack_sample sample = {.pid = getpid(),
	    .bytes = words,
	    .len = sizeof(words),
	    .regs = {.ip = (uint64_t)(uintptr_t)by_saved_register + 4,
		.sp = start,
		.saved = {start + 16},
		.saved_known = true}};

	(void)state;
	assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
	assert_true(trace.n >= 2);
	assert_string_equal(trace.frames[1].function, "own_inner");
	sample.regs.saved_known = false;
	assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
	assert_int_equal(trace.n, 1);
	assert_int_equal(trace.end, STACK_END_LOST);
}

static void outside_of_code(void **state)
{
	struct stack_sample sample = {.pid = getpid(), .regs = {.ip = 0x1000, .sp = 8}};
	struct stack_counts before = stack_reader_counts(reader);
	struct buf text = {0};

	(void)state;
	assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
	assert_int_equal(trace.n, 1);
	assert_int_equal(trace.end, STACK_END_LOST);
	assert_null(trace.frames[0].function);
	stack_frame_print(&trace.frames[0], &text);
	assert_string_equal(text.data, "0x1000");
	buf_release(&text);
	assert_int_equal(stack_reader_counts(reader).lost, before.lost + 1);
	assert_int_equal(stack_reader_counts(reader).traces, before.traces + 1);
	/* Our own data is no code either. */
	sample.regs.ip = (uint64_t)(uintptr_t)&sink;
	assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
	assert_int_equal(trace.n, 1);
	assert_null(trace.frames[0].module);
}

/*
 * Code that no file holds, as just-in-time compilers make it: by frame pointer to code that has
 * tables.
 */
static void code_without_a_file(void **state)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t words[4] = {0, 0, 0, own.regs.ip}, start = 0x10000;
	struct stack_sample sample = {.pid = getpid(),
	    .bytes = words,
	    .len = sizeof(words),
	    .regs = {.ip = (uint64_t)(uintptr_t)code + 16, .sp = start, .fp = start + 16}};

	(void)state;
	assert_ptr_not_equal(code, MAP_FAILED);
	assert_int_equal(tell(&sample, clock_monotonic_ns() + NS_PER_S), 0);
	assert_true(trace.n >= 2);
	assert_null(trace.frames[0].function);
	assert_null(trace.frames[0].module);
	assert_int_equal(trace.frames[0].address, sample.regs.ip);
	assert_string_equal(trace.frames[1].function, "own_inner");
	assert_true(trace.frames[1].guessed);
	words[3] = start; /* which is no code */
	assert_int_equal(tell(&sample, clock_monotonic_ns() + NS_PER_S), 0);
	assert_int_equal(trace.n, 1);
	munmap(code, 4096);
}

/* xorshift64 (Marsaglia 2003). */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Numbers that lead on: addresses of code and of the stack itself. */
static uint64_t plausible(uint64_t *x)
{
	uint64_t r = next_random(x);

	switch (r & 3) {
	case 0:
		return own.regs.ip + (r >> 8) % 65536 - 32768;
	case 1:
		return own.regs.sp + (r >> 8) % COPY_BYTES;
	case 2:
		return ((const uint64_t *)(const void *)own_bytes)[(r >> 8) % (COPY_BYTES / 8)];
	default:
		return r;
	}
}

static void nonsense(void **state)
{
	uint64_t *words = malloc(COPY_BYTES), x = 88172645463325252ULL;
	struct stack_sample sample = own;

	(void)state;
	assert_non_null(words);
	for (int round = 0; round < 3000; round++) {
		size_t len = next_random(&x) % (round % 2 ? 256 : COPY_BYTES);

		for (size_t i = 0; i <= len / 8; i++)
			words[i] = plausible(&x);
		sample.regs.ip = plausible(&x);
		sample.regs.fp = plausible(&x);
		for (size_t i = 0; i < STACK_SAVED; i++)
			sample.regs.saved[i] = plausible(&x);
		sample.bytes = words;
		sample.len = len;
		assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
		assert_in_range(trace.n, 1, STACK_FRAMES_MAX);
		assert_in_range(trace.end, STACK_END_COMPLETE, STACK_END_LOST);
		assert_in_range(trace.text_len, 0, sizeof(trace.text));
		for (size_t i = 1; i < trace.n; i++)
			assert_true(trace.frames[i].module || trace.frames[i].guessed ||
			    trace.frames[i - 1].guessed || !trace.frames[i].function);
	}
	free(words);
}

/* A child that does nothing, with the stack that we had. */
static pid_t start_idle(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void unknown_processes(void **state)
{
	struct stack_sample sample = own;
	struct stack_counts before = stack_reader_counts(reader);

	(void)state;
	sample.pid = fork();
	if (sample.pid == 0)
		_exit(0);
	waitpid(sample.pid, NULL, 0);
	assert_int_equal(tell(&sample, clock_monotonic_ns()), -ESRCH);
	assert_int_equal(stack_reader_counts(reader).gone, before.gone + 1);
	stack_reader_forget(reader, sample.pid);
}

/* What is known of a process outlives it. */
static void processes_that_end(void **state)
{
	struct stack_sample sample = own;

	(void)state;
	if (cannot_see_others())
		skip();
	sample.pid = start_idle();
	assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
	check_function(0, "own_inner");
	kill(sample.pid, SIGKILL);
	waitpid(sample.pid, NULL, 0);
	assert_int_equal(tell(&sample, clock_monotonic_ns() + 10 * NS_PER_S), 0);
	check_function(0, "own_inner");
	check_function(2, "own_outer");
	stack_reader_forget(reader, sample.pid);
	assert_int_equal(tell(&sample, clock_monotonic_ns()), -ESRCH);
}

/* One after the other more than are kept; the first comes again. */
static void many_processes(void **state)
{
	pid_t pids[STACK_PROCESSES_MAX + 3];
	size_t n = sizeof(pids) / sizeof(pids[0]);
	struct stack_sample sample = own;

	(void)state;
	if (cannot_see_others())
		skip();
	for (size_t i = 0; i < n; i++)
		pids[i] = start_idle();
	for (size_t i = 0; i <= n; i++) {
		sample.pid = pids[i % n];
		assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
		check_function(1, "own_middle");
	}
	for (size_t i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (size_t i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
}

/* The same pid runs another program, and nobody said so. */
static void another_program(void **state)
{
	struct stack_sample sample = own;
	int go[2];
	char c;

	(void)state;
	if (cannot_see_others())
		skip();
	assert_int_equal(pipe(go), 0);
	sample.pid = fork();
	if (sample.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		c = (char)read(go[0], &c, 1);
		execlp("sleep", "sleep", "100", NULL);
		_exit(127);
	}
	assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
	check_function(0, "own_inner");
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < 5000; i++) {
		struct proc_stat stat;

		if (proc_read_stat(sample.pid, &stat) == 0 && strcmp(stat.comm, "sleep") == 0)
			break;
		usleep(1000);
	}
	assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
	for (size_t i = 0; i < trace.n; i++)
		assert_true(
		    !trace.frames[i].module || strcmp(trace.frames[i].module, "test_stack") != 0);
	kill(sample.pid, SIGKILL);
	waitpid(sample.pid, NULL, 0);
}

/* A library loaded late is found when it is needed, but mappings are not read again and again. */
static void libraries_loaded_late(void **state)
{
	uint64_t now_ns = clock_monotonic_ns() + 100 * NS_PER_S;
	struct stack_sample sample = {.pid = getpid(), .regs = {.sp = 8}};
	void *library, *function;

	(void)state;
	assert_int_equal(tell(&own, now_ns), 0); /* reads the mappings */
	library = dlopen("libBrokenLocale.so.1", RTLD_NOW);
	if (!library) {
		print_message("no libBrokenLocale.so.1, a part of the C library\n");
		skip();
	}
	function = dlsym(library, "__ctype_get_mb_cur_max");
	assert_non_null(function);
	sample.regs.ip = (uint64_t)(uintptr_t)function + 1;
	assert_int_equal(tell(&sample, now_ns + 50 * NS_PER_MS), 0);
	assert_null(trace.frames[0].module);
	assert_int_equal(tell(&sample, now_ns + 150 * NS_PER_MS), 0);
	assert_string_equal(trace.frames[0].module, "libBrokenLocale.so.1");
	assert_string_equal(trace.frames[0].function, "__ctype_get_mb_cur_max");
	dlclose(library);
	/* What is known of it lasts for a second. */
	assert_int_equal(tell(&sample, now_ns + 1200 * NS_PER_MS), 0);
	assert_null(trace.frames[0].module);
}

/* Only the vdso's page is known of it, in memory. */
static void vdso(void **state)
{
	void *library = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
	void *function = library ? dlsym(library, "__vdso_clock_gettime") : NULL;
	struct stack_sample sample = own;
	uint64_t words[1] = {own.regs.ip};

	(void)state;
	if (!function) {
		print_message("no vdso with __vdso_clock_gettime here\n");
		skip();
	}
	sample.regs.ip = (uint64_t)(uintptr_t)function;
	sample.bytes = words;
	sample.len = sizeof(words);
	assert_int_equal(tell(&sample, clock_monotonic_ns()), 0);
	assert_string_equal(trace.frames[0].module, "[vdso]");
	assert_non_null(strstr(trace.frames[0].function, "clock_gettime"));
	assert_string_equal(trace.frames[1].function, "own_inner");
	dlclose(library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(own_stack),
	    cmocka_unit_test(prints_frames),
	    cmocka_unit_test(prints_traces),
	    cmocka_unit_test(registers_that_are_not_known),
	    cmocka_unit_test(outside_of_code),
	    cmocka_unit_test(code_without_a_file),
	    cmocka_unit_test(nonsense),
	    cmocka_unit_test(unknown_processes),
	    cmocka_unit_test(processes_that_end),
	    cmocka_unit_test(many_processes),
	    cmocka_unit_test(another_program),
	    cmocka_unit_test(libraries_loaded_late),
	    cmocka_unit_test(vdso),
	};
	int failed;

	reader = stack_reader_new();
	failed = reader ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	stack_reader_free(reader);
	return failed;
}
