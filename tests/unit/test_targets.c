// SPDX-License-Identifier: Apache-2.0
/* target.h: which selectors mean which processes, and what is said when they mean none. */
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>

#include "discover/target.h"

static struct target_set set_of(enum target_kind kind, const char *text)
{
	struct target_set set;

	target_set_init(&set, getpid());
	assert_int_equal(target_set_add(&set, kind, text), 0);
	return set;
}

static void takes_only_sound_selectors(void **state)
{
	static const char *const bad[] = {
	    "", "0", "-1", "1x", "x", " 1", "99999999999999999999", "2147483648"};
	struct target_set set;

	(void)state;
	target_set_init(&set, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(target_set_add(&set, TARGET_PID, bad[i]), -EINVAL);
	assert_int_equal(target_set_add(&set, TARGET_PORT, "65536"), -EINVAL);
	assert_int_equal(target_set_add(&set, TARGET_PORT, "0"), -EINVAL);
	assert_int_equal(target_set_add(&set, TARGET_NAME, ""), -EINVAL);
	assert_int_equal(target_set_add(&set, TARGET_INVALID, "x"), -EINVAL);
	assert_int_equal(set.n, 0);
	assert_int_equal(target_set_add(&set, TARGET_PORT, "65535"), 0);
	assert_true(target_set_has(&set, TARGET_PORT));
	assert_false(target_set_has(&set, TARGET_PID));
	for (int i = 0; i < 255; i++)
		assert_int_equal(target_set_add(&set, TARGET_NAME, "x"), 0);
	assert_int_equal(target_set_add(&set, TARGET_NAME, "x"), -E2BIG);
	target_set_release(&set);
}

static struct target_facts shop(void)
{
	struct target_facts facts = {.pid = 4711,
	    .start_ticks = 5,
	    .elf_bits = 64,
	    .comm = "a-long-name-of-",
	    .exe = "/opt/shop/bin/a-long-name-of-a-shop",
	    .ports = {80, 8000},
	    .n_ports = 2};

	return facts;
}

static bool meant(enum target_kind kind, const char *text, const struct target_facts *facts)
{
	struct target_set set = set_of(kind, text);
	const struct target_selector *why = NULL;
	bool matched = target_match(&set, facts, &why);

	assert_ptr_equal(why, matched ? set.items : NULL);
	target_set_release(&set);
	return matched;
}

static void matches_by_facts(void **state)
{
	struct target_facts facts = shop();

	(void)state;
	assert_true(meant(TARGET_PID, "4711", &facts));
	assert_false(meant(TARGET_PID, "471", &facts));
	assert_true(meant(TARGET_NAME, "a-long-name-of-", &facts));
	assert_true(meant(TARGET_NAME, "a-long-name-of-a-shop", &facts));
	assert_false(meant(TARGET_NAME, "a-long-name", &facts));
	assert_true(meant(TARGET_EXE, "/opt/*/a-long*", &facts));
	assert_true(meant(TARGET_EXE, "/opt/*", &facts));
	assert_false(meant(TARGET_EXE, "opt/*", &facts));
	assert_true(meant(TARGET_PORT, "8000", &facts));
	assert_false(meant(TARGET_PORT, "8001", &facts));
}

static void says_which_selector(void **state)
{
	struct target_set set = set_of(TARGET_NAME, "nobody");
	struct target_facts facts = shop();
	const struct target_selector *why;

	(void)state;
	assert_int_equal(target_set_add(&set, TARGET_PORT, "80"), 0);
	assert_true(target_match(&set, &facts, &why));
	assert_ptr_equal(why, &set.items[1]);
	target_set_release(&set);
}

static void never_itself_kernel_threads_or_32_bits(void **state)
{
	struct target_facts facts = shop();
	struct target_set none;
	const struct target_selector *why;

	(void)state;
	facts.elf_bits = 32;
	assert_false(meant(TARGET_PID, "4711", &facts));
	facts = shop();
	facts.kernel_thread = true;
	assert_false(meant(TARGET_PID, "4711", &facts));
	facts = shop();
	facts.pid = getpid();
	assert_false(meant(TARGET_PORT, "80", &facts));
	facts = shop();
	facts.exe[0] = '\0';
	assert_false(meant(TARGET_EXE, "*", &facts));
	target_set_init(&none, 1);
	assert_false(target_match(&none, &facts, &why));
}

/* A child that waits; its comm and exe are ours. */
static pid_t start_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What target_resolve() says; the pids are checked against expected (0: none). */
static int resolve(struct target_set *set, pid_t expected, const char *message)
{
	struct target_pids pids = {0};
	struct buf text;
	bool found = false;
	int err;

	buf_init(&text);
	err = target_resolve(set, &pids, &text);
	for (size_t i = 0; i < pids.n; i++) {
		assert_int_not_equal(pids.items[i], set->self);
		found = found || pids.items[i] == expected;
	}
	assert_true(found == (expected != 0));
	assert_string_equal(text.len ? text.data : "", message);
	target_pids_release(&pids);
	buf_release(&text);
	return err;
}

static void resolves_a_pid_and_notices_its_reuse(void **state)
{
	char text[16];
	pid_t pid = start_child();
	const struct target_selector *why;
	struct target_facts facts;
	struct target_set set;

	(void)state;
	snprintf(text, sizeof(text), "%d", pid);
	set = set_of(TARGET_PID, text);
	assert_int_equal(resolve(&set, pid, ""), 0);
	assert_int_equal(target_facts_read(pid, true, &facts), 0);
	assert_true(target_match(&set, &facts, &why));
	facts.start_ticks++;
	assert_false(target_match(&set, &facts, &why));
	stop(pid);
	assert_int_equal(target_facts_read(pid, false, &facts), -ESRCH);
	target_set_release(&set);
}

static void resolves_name_and_exe_without_itself(void **state)
{
	pid_t pid = start_child();
	struct target_facts facts;
	struct target_set set;

	(void)state;
	assert_int_equal(target_facts_read(pid, false, &facts), 0);
	assert_int_equal(facts.elf_bits, 64);
	set = set_of(TARGET_NAME, facts.comm);
	assert_int_equal(resolve(&set, pid, ""), 0);
	target_set_release(&set);
	set = set_of(TARGET_EXE, facts.exe);
	assert_int_equal(resolve(&set, pid, ""), 0);
	assert_int_equal(target_set_add(&set, TARGET_NAME, "no-such-name"), 0);
	assert_int_equal(resolve(&set, pid, "no process is named 'no-such-name'"), -ESRCH);
	target_set_release(&set);
	stop(pid);
}

static void resolves_a_port(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char text[16], message[64];
	struct target_set set;
	pid_t pid;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	snprintf(text, sizeof(text), "%d", ntohs(address.sin_port));
	set = set_of(TARGET_PORT, text);
	pid = start_child();
	assert_int_equal(resolve(&set, pid, ""), 0);
	stop(pid);
	snprintf(message, sizeof(message), "--port '%s' is zerospan itself", text);
	assert_int_equal(resolve(&set, 0, message), -ESRCH);
	close(fd);
	snprintf(message, sizeof(message), "nobody listens on port %s", text);
	assert_int_equal(resolve(&set, 0, message), -ESRCH);
	target_set_release(&set);
}

static void says_what_is_missing(void **state)
{
	struct target_set set = set_of(TARGET_PID, "2147483647");
	char text[16], message[64];

	(void)state;
	assert_int_equal(target_set_add(&set, TARGET_NAME, "no-such-name"), 0);
	assert_int_equal(target_set_add(&set, TARGET_EXE, "/no/such/*"), 0);
	assert_int_equal(resolve(&set, 0,
			     "no such process: pid 2147483647; no process is named 'no-such-name'; "
			     "no process runs a program that matches '/no/such/*'"),
	    -ESRCH);
	target_set_release(&set);
	snprintf(text, sizeof(text), "%d", getpid());
	snprintf(message, sizeof(message), "--pid '%s' is zerospan itself", text);
	set = set_of(TARGET_PID, text);
	assert_int_equal(resolve(&set, 0, message), -ESRCH);
	target_set_release(&set);
}

static void *wait_for_byte(void *arg)
{
	int *fds = arg;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;

	assert_int_equal(write(fds[1], &tid, sizeof(tid)), sizeof(tid));
	assert_int_equal(read(fds[2], &byte, 1), 1);
	return NULL;
}

static void a_thread_is_no_process(void **state)
{
	int fds[4];
	char text[16], message[64];
	struct target_set set;
	pthread_t thread;
	pid_t tid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(fds + 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_byte, fds), 0);
	assert_int_equal(read(fds[0], &tid, sizeof(tid)), sizeof(tid));
	snprintf(text, sizeof(text), "%d", tid);
	snprintf(message, sizeof(message), "%d is a thread of process %d", tid, getpid());
	set = set_of(TARGET_PID, text);
	assert_int_equal(resolve(&set, 0, message), -ESRCH);
	assert_int_equal(write(fds[3], "", 1), 1);
	pthread_join(thread, NULL);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	target_set_release(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_only_sound_selectors),
	    cmocka_unit_test(matches_by_facts),
	    cmocka_unit_test(says_which_selector),
	    cmocka_unit_test(never_itself_kernel_threads_or_32_bits),
	    cmocka_unit_test(resolves_a_pid_and_notices_its_reuse),
	    cmocka_unit_test(resolves_name_and_exe_without_itself),
	    cmocka_unit_test(resolves_a_port),
	    cmocka_unit_test(says_what_is_missing),
	    cmocka_unit_test(a_thread_is_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
