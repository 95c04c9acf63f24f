// SPDX-License-Identifier: Apache-2.0
/* blocked.h on threads that wait, run, fault and end. */
#include "stack_fixture.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static struct blocked_copy copy;
static struct stack_trace trace;

static int take_end(const struct proc_map *map, void *arg)
{
	uint64_t *address = arg;

	if (*address < map->start || *address >= map->end)
		return 0;
	*address = map->end;
	return 1;
}

/* Whether a page was ever touched. */
static bool is_touched(pid_t pid, uint64_t address)
{
	uint64_t entry = 0, page = address / (uint64_t)sysconf(_SC_PAGESIZE);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(
	    pread(fd, &entry, sizeof(entry), (off_t)(page * sizeof(entry))), sizeof(entry));
	close(fd);
	return entry >> 62;
}

/*
 * The bytes are the thread's, and none lack in front of the end of a mapping; but for pages that
 * were never touched, of which the kernel leaves one or two below the environment.
 */
static void check_copy(const struct blocked_thread *thread)
{
	unsigned char *expected = malloc(BLOCKED_STACK_MAX);
	char path[64];
	uint64_t end;
	int fd;

	assert_non_null(expected);
	assert_int_equal(blocked_copy_take(thread, &copy), 0);
	assert_in_range(copy.len, 1, BLOCKED_STACK_MAX);
	snprintf(path, sizeof(path), "/proc/%d/mem", thread->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, expected, copy.len, (off_t)thread->regs.sp), copy.len);
	assert_memory_equal(copy.bytes, expected, copy.len);
	close(fd);
	free(expected);
	end = thread->regs.sp + copy.len - 1;
	assert_int_equal(proc_each_map(thread->pid, take_end, &end), 1);
	while (end > thread->regs.sp + copy.len && !is_touched(thread->pid, end - 1))
		end -= (uint64_t)sysconf(_SC_PAGESIZE);
	assert_true(copy.len == BLOCKED_STACK_MAX || end == thread->regs.sp + copy.len);
}

static bool has_line_with(struct sv lines, const char *word)
{
	return lines.len && memmem(lines.p, lines.len, word, strlen(word));
}

static void waiting_threads(void **state)
{
	static const char *const modes[] = {"sleep", "thread", "recurse"};

	(void)state;
	if (cannot_see_others())
		skip();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct waiter w = waiter_built("debug", modes[i]);
		struct blocked_thread thread = blocked_from(w.pid, w.tid);
		struct sv kernel;

		check_copy(&thread);
		kernel = sv_from(copy.kernel, copy.kernel_len);
		assert_int_equal(sv_find(kernel, '+'), kernel.len);
		assert_int_equal(sv_find(kernel, '['), kernel.len);
		if (kernel.len)
			assert_true(has_line_with(kernel, "nanosleep"));
		else
			print_message("no kernel stacks here\n");
		waiter_end(&w);
	}
}

/* What is copied is what a reader of stacks wants. */
static void copies_can_be_told(void **state)
{
	struct blocked_thread thread;
	struct stack_reader *reader;
	struct stack_sample sample;
	size_t i = 0;
	struct waiter w;

	(void)state;
	if (cannot_see_others())
		skip();
	w = waiter_built("debug", "sleep");
	thread = blocked_from(w.pid, w.tid);
	assert_int_equal(blocked_copy_take(&thread, &copy), 0);
	sample = (struct stack_sample){
	    .pid = w.pid, .regs = thread.regs, .bytes = copy.bytes, .len = copy.len};
	reader = stack_reader_new();
	assert_non_null(reader);
	assert_int_equal(stack_reader_trace(reader, &sample, clock_monotonic_ns(), &trace), 0);
	while (i < trace.n && strcmp(trace.frames[i].module, "debug") != 0)
		i++;
	for (size_t k = 0; k < w.n_known; k++, i++) {
		assert_true(i < trace.n);
		assert_string_equal(trace.frames[i].function, w.known[k].function);
		assert_int_equal(trace.frames[i].line, w.known[k].line);
	}
	waiter_end(&w);
	stack_reader_free(reader);
}

static void threads_that_are_elsewhere(void **state)
{
	struct blocked_thread thread, other;
	struct waiter w;

	(void)state;
	if (cannot_see_others())
		skip();
	w = waiter_built("debug", "sleep");
	thread = other = blocked_from(w.pid, w.tid);
	other.regs.sp += 8;
	assert_int_equal(blocked_copy_take(&other, &copy), -EAGAIN);
	other = thread;
	other.regs.ip -= 2;
	assert_int_equal(blocked_copy_take(&other, &copy), -EAGAIN);
	other = thread;
	other.tid = getpid(); /* a thread, but not one of that process */
	assert_int_equal(blocked_copy_take(&other, &copy), -ESRCH);
	waiter_end(&w);
	assert_int_equal(blocked_copy_take(&thread, &copy), -ESRCH);
}

/*
 * A child that does that and nothing else; it has begun when it has written to the pipe. -1 when it
 * could not.
 */
static pid_t start_child(void (*work)(int begun))
{
	int begun[2];
	ssize_t n;
	pid_t pid;
	char c;

	assert_int_equal(pipe2(begun, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* when a test fails */
		work(begun[1]);
		_exit(1);
	}
	close(begun[1]);
	n = read(begun[0], &c, 1);
	close(begun[0]);
	if (n == 1)
		return pid;
	waitpid(pid, NULL, 0);
	return -1;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void spin(int begun)
{
	volatile int sink = 0;

	if (write(begun, "", 1) == 1)
		for (;;)
			sink++;
}

static void running_threads(void **state)
{
	struct blocked_thread thread = {0};

	(void)state;
	if (cannot_see_others())
		skip();
	thread.pid = thread.tid = start_child(spin);
	for (int i = 0; i < 100; i++)
		assert_int_equal(blocked_copy_take(&thread, &copy), -EAGAIN);
	end_child(thread.pid);
}

enum {
	SMALL_STACK = 64 << 10,
};
static ucontext_t small_context;
static int small_begun;

static void wait_on_small_stack(void)
{
	if (write(small_begun, "", 1) == 1)
		for (;;)
			pause();
}

/* The stack ends, and behind it nothing may be read. */
static void use_small_stack(int begun)
{
	char *memory =
	    mmap(NULL, SMALL_STACK * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || mprotect(memory + SMALL_STACK, SMALL_STACK, PROT_NONE) != 0 ||
	    getcontext(&small_context) != 0)
		return;
	small_begun = begun;
	small_context.uc_stack = (stack_t){.ss_sp = memory, .ss_size = SMALL_STACK};
	makecontext(&small_context, wait_on_small_stack, 0);
	setcontext(&small_context);
}

static void end_of_the_mapping(void **state)
{
	struct blocked_thread thread;
	uint64_t end;
	pid_t pid;

	(void)state;
	if (cannot_see_others())
		skip();
	pid = start_child(use_small_stack);
	thread = blocked_from(pid, pid);
	end = thread.regs.sp;
	assert_int_equal(proc_each_map(pid, take_end, &end), 1);
	assert_in_range(end - thread.regs.sp, 1, BLOCKED_STACK_MAX - 1);
	check_copy(&thread);
	assert_int_equal(copy.len, end - thread.regs.sp);
	end_child(pid);
}

/* Read what nobody will provide. */
static void fault(int begun)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *memory =
	    mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING,
	    .range = {.start = (uint64_t)(uintptr_t)memory, .len = page}};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0 || ioctl(fd, UFFDIO_REGISTER, &range) != 0)
		return;
	if (write(begun, "", 1) == 1)
		_exit(memory[0]);
}

static void page_faults(void **state)
{
	struct blocked_thread thread;
	pid_t pid;

	(void)state;
	if (cannot_see_others())
		skip();
	pid = start_child(fault);
	if (pid < 0) {
		print_message("no right to userfaultfd\n");
		skip();
	}
	thread = blocked_from(pid, pid);
	check_copy(&thread);
	end_child(pid);
}

/* A stack above which nobody will ever provide the pages. */
static void use_stack_below_absent_pages(int begun)
{
	char *memory =
	    mmap(NULL, SMALL_STACK * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING,
	    .range = {.start = (uint64_t)(uintptr_t)memory + SMALL_STACK, .len = SMALL_STACK}};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || memory == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) != 0 ||
	    ioctl(fd, UFFDIO_REGISTER, &range) != 0 || getcontext(&small_context) != 0)
		return;
	small_begun = begun;
	small_context.uc_stack = (stack_t){.ss_sp = memory, .ss_size = SMALL_STACK};
	makecontext(&small_context, wait_on_small_stack, 0);
	setcontext(&small_context);
}

enum {
	PAGE_MAX = 64 << 10,
};

/* A large array on the stack, of which two pages are as if they had never been touched. */
static void use_sparse_stack(int begun)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char array[5 * PAGE_MAX];

	memset(array, 1, sizeof(array));
	if (madvise((char *)(((uintptr_t)array + page) & ~(page - 1)), 2 * page, MADV_DONTNEED))
		return;
	if (write(begun, "", 1) == 1)
		for (;;)
			pause();
}

static void sparse_stacks(void **state)
{
	struct blocked_thread thread;
	size_t zeros = 0;
	pid_t pid;

	(void)state;
	if (cannot_see_others())
		skip();
	pid = start_child(use_sparse_stack);
	thread = blocked_from(pid, pid);
	check_copy(&thread);
	for (size_t i = 0; i < copy.len; i++)
		zeros += copy.bytes[i] == 0;
	assert_in_range(zeros, 2 * (size_t)sysconf(_SC_PAGESIZE), copy.len);
	end_child(pid);
}

/* They are not waited for. */
static void absent_pages(void **state)
{
	struct blocked_thread thread;
	uint64_t end;
	pid_t pid;

	(void)state;
	if (cannot_see_others())
		skip();
	pid = start_child(use_stack_below_absent_pages);
	if (pid < 0) {
		print_message("no right to userfaultfd\n");
		skip();
	}
	thread = blocked_from(pid, pid);
	end = thread.regs.sp;
	assert_int_equal(proc_each_map(pid, take_end, &end), 1);
	alarm(10); /* rather than for ever */
	assert_int_equal(blocked_copy_take(&thread, &copy), 0);
	alarm(0);
	assert_int_equal(copy.len, end - thread.regs.sp);
	end_child(pid);
}

/* Another user's. */
static void without_the_right(void **state)
{
	struct blocked_thread thread;
	struct waiter w;
	int status;
	pid_t pid;

	(void)state;
	if (cannot_see_others())
		skip();
	if (geteuid() != 0) {
		print_message("only root can become another user\n");
		skip();
	}
	w = waiter_built("debug", "sleep");
	thread = blocked_from(w.pid, w.tid);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(0);
		_exit(-blocked_copy_take(&thread, &copy));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EACCES);
	waiter_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(waiting_threads),
	    cmocka_unit_test(copies_can_be_told),
	    cmocka_unit_test(threads_that_are_elsewhere),
	    cmocka_unit_test(running_threads),
	    cmocka_unit_test(end_of_the_mapping),
	    cmocka_unit_test(page_faults),
	    cmocka_unit_test(sparse_stacks),
	    cmocka_unit_test(absent_pages),
	    cmocka_unit_test(without_the_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
