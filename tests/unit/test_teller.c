// SPDX-License-Identifier: Apache-2.0
/* teller.h on programs that wait: order, limits, the end, and what memory it takes. */
#include "stack_fixture.h"

#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "stack/teller.h"

enum {
	ANSWERS_MAX = 2 * STACK_QUESTIONS_MAX,
};

static const uint64_t patience_ns = 60 * NS_PER_S;

/* Answers as they came. */
static struct {
	pid_t pid, tid;
	uint64_t since_ns;
	char user[STACK_TEXT_MAX + 1], kernel[BLOCKED_KERNEL_MAX + 1];
} got[ANSWERS_MAX];
static size_t n_got;
static struct blocked_copy copy;

static void keep(struct sv s, char *to, size_t size)
{
	assert_true(s.len < size);
	memcpy(to, s.p ? s.p : "", s.len);
	to[s.len] = '\0';
}

static void on_answer(void *ctx, const struct stack_answer *a)
{
	assert_ptr_equal(ctx, &n_got);
	assert_in_range(n_got, 0, ANSWERS_MAX - 1);
	got[n_got].pid = a->pid;
	got[n_got].tid = a->tid;
	got[n_got].since_ns = a->since_ns;
	keep(a->user, got[n_got].user, sizeof(got[0].user));
	keep(a->kernel, got[n_got].kernel, sizeof(got[0].kernel));
	n_got++;
}

static struct stack_teller *teller_start(int wake_fd)
{
	struct stack_teller *teller = stack_teller_new(wake_fd, STACK_QUIET_NS);

	assert_non_null(teller);
	n_got = 0;
	return teller;
}

static size_t take(struct stack_teller *teller)
{
	return stack_teller_take(teller, on_answer, &n_got);
}

static size_t wait_and_take(struct stack_teller *teller)
{
	stack_teller_wait(teller, patience_ns);
	return take(teller);
}

static bool ask(struct stack_teller *teller, const struct blocked_thread *thread, uint64_t since_ns)
{
	struct stack_question question = {.pid = thread->pid,
	    .tid = thread->tid,
	    .since_ns = since_ns,
	    .regs = thread->regs,
	    .copy = &copy};

	return stack_teller_ask(teller, &question);
}

/* Copy what a thread waits in, wherever that is. */
static struct blocked_thread take_copy(pid_t pid, pid_t tid)
{
	uint64_t deadline = clock_monotonic_ns() + 10 * NS_PER_S;
	struct blocked_thread thread;

	do {
		assert_true(clock_monotonic_ns() < deadline);
		thread = blocked_from(pid, tid);
	} while (blocked_copy_take(&thread, &copy) != 0);
	return thread;
}

static void check_known(const struct waiter *w, const char *user)
{
	char expected[1024] = "", *p = expected;

	for (size_t k = 0; k < w->n_known; k++)
		p += snprintf(p, (size_t)(expected + sizeof(expected) - p), "\n%s (waiter.c:%u)",
		    w->known[k].function, w->known[k].line);
	assert_non_null(strstr(user, expected));
	assert_null(strstr(user, "\n\n"));
}

static void tells(void **state)
{
	struct stack_teller_counts counts;
	struct blocked_thread thread;
	struct stack_teller *teller;
	struct waiter w;

	(void)state;
	if (cannot_see_others())
		skip();
	w = waiter_built("debug", "thread");
	teller = teller_start(-1);
	assert_int_equal(take(teller), 0);
	thread = take_copy(w.pid, w.tid);
	assert_true(ask(teller, &thread, 7));
	assert_int_equal(wait_and_take(teller), 1);
	assert_int_equal(take(teller), 0);
	assert_true(got[0].pid == w.pid && got[0].tid == w.tid && got[0].since_ns == 7);
	check_known(&w, got[0].user);
	copy.kernel[copy.kernel_len] = '\0';
	assert_string_equal(got[0].kernel, copy.kernel);
	stack_teller_counts(teller, &counts);
	assert_true(counts.asked == 1 && counts.answered == 1);
	assert_true(counts.refused == 0 && counts.untold == 0);
	assert_int_equal(counts.stacks.traces, 1);
	stack_teller_free(teller);
	waiter_end(&w);
}

/* Without a process: nothing can be told, and that is the answer. */
static struct blocked_thread nobody(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	copy.len = 1000;
	copy.kernel_len = (size_t)snprintf(copy.kernel, sizeof(copy.kernel), "a\nb");
	return (struct blocked_thread){.pid = pid, .tid = pid};
}

static void one_answer_each_in_order(void **state)
{
	struct blocked_thread thread = nobody();
	struct stack_teller *teller = teller_start(-1);
	struct stack_teller_counts counts;

	(void)state;
	for (size_t i = 0; i < ANSWERS_MAX; i++) {
		while (!ask(teller, &thread, i))
			wait_and_take(teller);
		if (i % 3 == 0)
			take(teller);
	}
	wait_and_take(teller);
	assert_int_equal(n_got, ANSWERS_MAX);
	for (size_t i = 0; i < n_got; i++) {
		assert_int_equal(got[i].since_ns, i);
		assert_string_equal(got[i].user, "");
		assert_string_equal(got[i].kernel, "a\nb");
	}
	stack_teller_counts(teller, &counts);
	assert_int_equal(counts.asked, ANSWERS_MAX);
	assert_int_equal(counts.answered, ANSWERS_MAX);
	assert_int_equal(counts.untold, ANSWERS_MAX);
	assert_int_equal(counts.stacks.gone, ANSWERS_MAX);
	stack_teller_free(teller);
}

/* Answers that nobody takes keep their places. */
static void refuses_what_is_too_much(void **state)
{
	struct blocked_thread thread = nobody();
	struct stack_teller *teller = teller_start(-1);
	struct stack_teller_counts counts;

	(void)state;
	for (size_t i = 0; i < STACK_QUESTIONS_MAX; i++)
		assert_true(ask(teller, &thread, i));
	assert_false(ask(teller, &thread, 99));
	stack_teller_wait(teller, patience_ns);
	assert_false(ask(teller, &thread, 99));
	stack_teller_counts(teller, &counts);
	assert_int_equal(counts.asked, STACK_QUESTIONS_MAX);
	assert_int_equal(counts.refused, 2);
	assert_int_equal(take(teller), STACK_QUESTIONS_MAX);
	assert_true(ask(teller, &thread, 100));
	assert_int_equal(wait_and_take(teller), 1);
	assert_int_equal(got[n_got - 1].since_ns, 100);
	stack_teller_free(teller);
}

static void wakes(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct blocked_thread thread = nobody();
	struct stack_teller *teller = teller_start(fd);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	eventfd_t value;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	for (uint64_t i = 0; i < 3; i++) {
		assert_true(ask(teller, &thread, i));
		assert_int_equal(poll(&poll_fd, 1, 60000), 1);
		assert_int_equal(eventfd_read(fd, &value), 0);
		assert_int_equal(take(teller), 1);
		assert_int_equal(poll(&poll_fd, 1, 0), 0);
	}
	stack_teller_free(teller);
	close(fd);
}

/* What is known of a process outlives it, until it is forgotten; questions before that are told. */
static void forgets(void **state)
{
	struct blocked_thread thread;
	struct stack_teller *teller;
	struct waiter w;

	(void)state;
	if (cannot_see_others())
		skip();
	w = waiter_built("debug", "sleep");
	teller = teller_start(-1);
	thread = take_copy(w.pid, w.tid);
	stack_teller_forget(teller, w.pid); /* nothing to forget */
	assert_true(ask(teller, &thread, 0));
	assert_int_equal(wait_and_take(teller), 1);
	waiter_end(&w);
	assert_true(ask(teller, &thread, 1));
	stack_teller_forget(teller, w.pid);
	stack_teller_forget(teller, w.pid);
	assert_true(ask(teller, &thread, 2));
	assert_int_equal(wait_and_take(teller), 2);
	check_known(&w, got[0].user);
	check_known(&w, got[1].user);
	assert_string_equal(got[2].user, "");
	stack_teller_free(teller);
}

/* More processes than the reader keeps are asked about, and then all end. */
/* Files that are open; the teller's thread has none but those of programs. */
static size_t count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static uint64_t times_forgot(struct stack_teller *teller)
{
	struct stack_teller_counts counts;

	stack_teller_counts(teller, &counts);
	return counts.forgot;
}

static void forgets_all_when_it_is_quiet(void **state)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t deadline = clock_monotonic_ns() + patience_ns;
	size_t files = count_files();
	struct blocked_thread thread;
	struct stack_teller *teller;
	struct waiter w;

	(void)state;
	if (cannot_see_others())
		skip();
	w = waiter_built("debug", "sleep");
	thread = take_copy(w.pid, w.tid);
	teller = stack_teller_new(-1, NS_PER_MS);
	assert_non_null(teller);
	n_got = 0;
	for (uint64_t i = 1; i <= 2; i++) {
		assert_true(ask(teller, &thread, i));
		while (times_forgot(teller) < i) {
			assert_true(clock_monotonic_ns() < deadline);
			nanosleep(&pause, NULL);
		}
		assert_int_equal(count_files(), files);
	}
	nanosleep(&pause, NULL);
	assert_int_equal(times_forgot(teller), 2); /* there is nothing more to forget */
	stack_teller_forget(teller, w.pid);
	assert_int_equal(wait_and_take(teller), 2);
	check_known(&w, got[0].user);
	check_known(&w, got[1].user);
	stack_teller_free(teller);
	waiter_end(&w);
}

/* It is not quiet as long as questions come. */
static void forgets_nothing_meanwhile(void **state)
{
	size_t files = count_files();
	struct blocked_thread thread;
	struct stack_teller *teller;
	struct waiter w;

	(void)state;
	if (cannot_see_others())
		skip();
	w = waiter_built("debug", "sleep");
	thread = take_copy(w.pid, w.tid);
	teller = teller_start(-1);
	for (uint64_t i = 0; i < 10; i++) {
		assert_true(ask(teller, &thread, i));
		stack_teller_wait(teller, patience_ns);
		assert_true(count_files() > files);
	}
	assert_int_equal(times_forgot(teller), 0);
	stack_teller_free(teller);
	assert_int_equal(count_files(), files);
	waiter_end(&w);
}

static void forgets_many(void **state)
{
	struct blocked_thread thread = nobody();
	struct stack_teller *teller = teller_start(-1);
	pid_t first = thread.pid;

	(void)state;
	for (pid_t i = 0; i < 3 * STACK_PROCESSES_MAX; i++) {
		thread.pid = INT32_MAX - i;
		while (!ask(teller, &thread, 0)) {
			wait_and_take(teller);
			n_got = 0;
		}
		stack_teller_forget(teller, thread.pid);
		stack_teller_forget(teller, first);
		thread.pid = INT32_MAX - i - 1000;
		while (!ask(teller, &thread, 0)) {
			wait_and_take(teller);
			n_got = 0;
		}
	}
	for (pid_t i = 0; i < 3 * STACK_PROCESSES_MAX; i++)
		stack_teller_forget(teller, INT32_MAX - i - 1000);
	wait_and_take(teller);
	stack_teller_free(teller);
}

/* What is left is dropped, and nobody waits for it. */
static void ends_with_questions_left(void **state)
{
	struct blocked_thread thread = nobody();
	struct stack_teller *teller;

	(void)state;
	for (int round = 0; round < 20; round++) {
		teller = teller_start(-1);
		for (int i = 0; i < round; i++)
			assert_true(ask(teller, &thread, 0));
		stack_teller_forget(teller, thread.pid);
		stack_teller_free(teller);
	}
	stack_teller_free(NULL);
}

static void wait_has_an_end(void **state)
{
	struct blocked_thread thread = nobody();
	struct stack_teller *teller = teller_start(-1);

	(void)state;
	stack_teller_wait(teller, UINT64_MAX); /* nothing to wait for */
	assert_true(ask(teller, &thread, 0));
	stack_teller_wait(teller, 0);
	stack_teller_wait(teller, UINT64_MAX);
	assert_int_equal(take(teller), 1);
	stack_teller_free(teller);
}

/* Whoever blocks a signal in all threads that it knows of gets it when it asks for it. */
static void leaves_signals_to_others(void **state)
{
	struct blocked_thread thread = nobody();
	struct stack_teller *teller = teller_start(-1);
	sigset_t one, before, pending;
	int number;

	(void)state;
	assert_true(ask(teller, &thread, 0)); /* it has begun, then */
	assert_int_equal(wait_and_take(teller), 1);
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &one, &before), 0);
	assert_false(sigismember(&before, SIGUSR1));
	kill(getpid(), SIGUSR1); /* would end a thread that does not block it, and us */
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGUSR1));
	assert_int_equal(sigwait(&one, &number), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	stack_teller_free(teller);
}

/* Whatever the thread that starts it has. */
static void goes_behind_others(void **state)
{
	struct blocked_thread thread = nobody();
	struct stack_teller *teller;
	struct dirent *entry;
	size_t n = 0;
	DIR *tasks;

	(void)state;
	if (cannot_see_others())
		skip();
	teller = teller_start(-1);
	assert_true(ask(teller, &thread, 0));
	assert_int_equal(wait_and_take(teller), 1);
	tasks = opendir("/proc/self/task");
	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		pid_t tid = (pid_t)atoi(entry->d_name);

		if (tid <= 0 || tid == getpid())
			continue;
		assert_true(getpriority(PRIO_PROCESS, (id_t)tid) >= 10);
		n++;
	}
	closedir(tasks);
	assert_int_equal(n, 1);
	stack_teller_free(teller);
}

/* --- memory -------------------------------------------------------------------------------------- */

enum {
	/* python3 built with its debug information takes 38 MB, the C library's among them */
	MEMORY_MAX = 64 << 20,
	MEMORY_GROWTH_MAX = 1 << 20,
	TIMES = 50,
};

/* Bytes of live allocations. gcc has the sanitizer's function, but not always its header. */
#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void);

static size_t allocated(void)
{
	return __sanitizer_get_current_allocated_bytes();
}
#else
static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}
#endif

/* An interpreter that says that it has begun, then waits. 0 when it is not installed. */
static pid_t start_interpreter(const char *name, const char *option, const char *script)
{
	int out[2];
	ssize_t n;
	pid_t pid;
	char c;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* when a test fails */
		dup2(out[1], STDOUT_FILENO);
		execlp(name, name, option, script, NULL);
		_exit(127);
	}
	close(out[1]);
	n = read(out[0], &c, 1);
	close(out[0]);
	if (n == 1)
		return pid;
	waitpid(pid, NULL, 0);
	return 0;
}

static void tell_often(struct stack_teller *teller, pid_t pid)
{
	size_t before = allocated(), first, last;
	struct blocked_thread thread = take_copy(pid, pid);

	assert_true(ask(teller, &thread, 0));
	assert_int_equal(wait_and_take(teller), 1);
	assert_true(strlen(got[0].user) > 0);
	first = allocated();
	for (int i = 0; i < TIMES; i++) {
		n_got = 0;
		assert_true(ask(teller, &thread, 0));
		assert_int_equal(wait_and_take(teller), 1);
	}
	last = allocated();
	n_got = 0;
	print_message("%zu KiB, after %d more %zu KiB\n", (first - before) >> 10, TIMES,
	    (last - before) >> 10);
	assert_in_range(first, 0, before + MEMORY_MAX);
	assert_in_range(last, 0, first + MEMORY_GROWTH_MAX);
}

static void memory_of_large_programs(void **state)
{
	static const char *const programs[][3] = {
	    {"python3", "-c", "import os, time; os.write(1, b'1'); time.sleep(1000)"},
	    {"node", "-e", "console.log(1); setTimeout(() => 0, 1e6)"},
	};
	struct stack_teller *teller;
	size_t n = 0;

	(void)state;
	if (cannot_see_others())
		skip();
	teller = teller_start(-1);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		pid_t pid = start_interpreter(programs[i][0], programs[i][1], programs[i][2]);

		if (!pid) {
			print_message("no %s\n", programs[i][0]);
			continue;
		}
		print_message("%s: ", programs[i][0]);
		tell_often(teller, pid);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		stack_teller_forget(teller, pid);
		n++;
	}
	stack_teller_free(teller);
	if (!n)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tells),
	    cmocka_unit_test(one_answer_each_in_order),
	    cmocka_unit_test(refuses_what_is_too_much),
	    cmocka_unit_test(wakes),
	    cmocka_unit_test(forgets),
	    cmocka_unit_test(forgets_all_when_it_is_quiet),
	    cmocka_unit_test(forgets_nothing_meanwhile),
	    cmocka_unit_test(forgets_many),
	    cmocka_unit_test(ends_with_questions_left),
	    cmocka_unit_test(wait_has_an_end),
	    cmocka_unit_test(leaves_signals_to_others),
	    cmocka_unit_test(goes_behind_others),
	    cmocka_unit_test(memory_of_large_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
