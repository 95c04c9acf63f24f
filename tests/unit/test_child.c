// SPDX-License-Identifier: Apache-2.0
/* The command after "--": found, held, let go, collected. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "support.h"
#include "watch/child.h"

static struct buf message;
static char directory[] = "/tmp/test-child-XXXXXX";

/* Wait until the child has ended; fails the test after ten seconds. */
static void await(struct child *child)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t deadline = clock_monotonic_ns() + 10 * NS_PER_S;

	while (!child_poll(child)) {
		assert_true(clock_monotonic_ns() < deadline);
		nanosleep(&pause, NULL);
	}
}

static struct child start(const char *const *argv)
{
	struct child child = {0};

	if (child_start(&child, (char *const *)argv, &message))
		fail_msg("%s", message.data);
	assert_true(child.pid > 0);
	return child;
}

static int run(const char *const *argv)
{
	struct child child = start(argv);

	assert_int_equal(child_go(&child, argv[0], &message), 0);
	await(&child);
	return child_exit_status(&child);
}

static int shell(const char *script)
{
	return run((const char *[]){"sh", "-c", script, NULL});
}

static void exit_status(void **state)
{
	(void)state;
	assert_int_equal(run((const char *[]){"true", NULL}), 0);
	assert_int_equal(run((const char *[]){"false", NULL}), 1);
	assert_int_equal(shell("exit 42"), 42);
	assert_int_equal(shell("kill -TERM $$"), 128 + SIGTERM);
	assert_int_equal(shell("kill -KILL $$"), 128 + SIGKILL);
}

/* Its first instruction waits for the word. */
static void held_until_told(void **state)
{
	char file[128];
	const char *argv[] = {"touch", file, NULL};
	struct child child;

	(void)state;
	snprintf(file, sizeof(file), "%s/touched", directory);
	child = start(argv);
	assert_int_equal(access(file, F_OK), -1);
	assert_false(child_poll(&child));
	assert_int_equal(child_go(&child, "touch", &message), 0);
	await(&child);
	assert_int_equal(access(file, F_OK), 0);
	unlink(file);
}

static void path_as_exec_finds_it(void **state)
{
	const char *argv[] = {"sh", "-c", ":", NULL};
	struct child child = start(argv);

	(void)state;
	assert_int_equal(child.path[0], '/');
	assert_int_equal(access(child.path, X_OK), 0);
	assert_int_equal(child_go(&child, "sh", &message), 0);
	await(&child);
}

static void not_found(void **state)
{
	const char *missing[] = {"no-such-program-anywhere", NULL};
	const char *missing_path[] = {"/no/such/program", NULL};
	const char *no_program[] = {"/etc/passwd", NULL};
	const char *no_file[] = {"/etc", NULL}, *no_name[] = {"", NULL};
	struct child child = {0};
	char old[4096];

	(void)state;
	/* A directory that may not be searched, as root's are to others, would say -EACCES. */
	snprintf(old, sizeof(old), "%s", getenv("PATH"));
	setenv("PATH", "/usr/bin:/bin", 1);
	assert_int_equal(child_start(&child, (char *const *)missing, &message), -ENOENT);
	setenv("PATH", old, 1);
	assert_string_equal(
	    message.data, "cannot run 'no-such-program-anywhere': No such file or directory");
	assert_int_equal(child.pid, 0);
	buf_clear(&message);
	assert_int_equal(child_start(&child, (char *const *)missing_path, &message), -ENOENT);
	buf_clear(&message);
	assert_int_equal(child_start(&child, (char *const *)no_program, &message), -EACCES);
	assert_non_null(strstr(message.data, "cannot run '/etc/passwd'"));
	assert_int_equal(child_start(&child, (char *const *)no_file, &message), -EACCES);
	assert_int_equal(child_start(&child, (char *const *)no_name, &message), -ENOENT);
	child_stop(&child); /* nothing was started */
}

/* Found and executable, yet no program: exec's own answer comes back. */
static void exec_fails(void **state)
{
	char file[128];
	const char *argv[] = {file, NULL};
	struct child child;
	int fd;

	(void)state;
	snprintf(file, sizeof(file), "%s/garbage", directory);
	fd = open(file, O_CREAT | O_WRONLY, 0755);
	assert_true(fd >= 0);
	assert_int_equal(write(fd,
			     "\x7f"
			     "ELF garbage",
			     12),
	    12);
	close(fd);
	child = start(argv);
	assert_int_equal(child_go(&child, file, &message), -ENOEXEC);
	assert_non_null(strstr(message.data, "cannot run"));
	await(&child);
	unlink(file);
}

/* A directory is executable by access() and no program; exec would look on. */
static void directory_on_the_path(void **state)
{
	char path[4096], sub[128], old[4000];
	const char *argv[] = {"sh", "-c", "exit 3", NULL};
	struct child child;
	int err;

	(void)state;
	snprintf(old, sizeof(old), "%s", getenv("PATH"));
	snprintf(sub, sizeof(sub), "%s/sh", directory);
	assert_int_equal(mkdir(sub, 0755), 0);
	snprintf(path, sizeof(path), "%s:%s", directory, old);
	setenv("PATH", path, 1);
	child = start(argv);
	err = child_go(&child, "sh", &message);
	await(&child);
	setenv("PATH", old, 1);
	rmdir(sub);
	assert_int_equal(err, 0);
	assert_int_equal(child_exit_status(&child), 3);
}

/* An empty part of the path is the current directory; what is no program there hides none behind. */
static void empty_part_of_the_path(void **state)
{
	static const char *const paths[] = {"", ":/nowhere", "/nowhere:", "/nowhere::/nowhere"};
	const char *argv[] = {"here", NULL};
	char old[4000], back[4096], file[128];
	int fd;

	(void)state;
	snprintf(old, sizeof(old), "%s", getenv("PATH"));
	snprintf(file, sizeof(file), "%s/here", directory);
	fd = open(file, O_CREAT | O_WRONLY, 0755);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#!/bin/sh\nexit 4\n", 17), 17);
	close(fd);
	assert_non_null(getcwd(back, sizeof(back)));
	assert_int_equal(chdir(directory), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		setenv("PATH", paths[i], 1);
		assert_int_equal(run(argv), 4);
	}
	chmod("here", 0644);
	assert_int_equal(child_start(&(struct child){0}, (char *const *)argv, &message), -EACCES);
	setenv("PATH", old, 1);
	assert_int_equal(chdir(back), 0);
	unlink(file);
}

static void stopped(void **state)
{
	const char *argv[] = {"sleep", "1000", NULL};
	struct child child = start(argv);

	(void)state;
	assert_int_equal(child_go(&child, "sleep", &message), 0);
	assert_false(child_poll(&child));
	child_stop(&child);
	assert_true(child.ended);
	assert_int_equal(child_exit_status(&child), 128 + SIGTERM);
	child_stop(&child); /* again is nothing */
}

/* Signals that the parent blocks or ignores are the child's as usual. */
static void signals_are_as_usual(void **state)
{
	sigset_t blocked, old;
	int status;

	(void)state;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	signal(SIGPIPE, SIG_IGN);
	status = shell("kill -USR1 $$; exit 5");
	assert_int_equal(status, 128 + SIGUSR1);
	status = shell("kill -PIPE $$; exit 5");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(status, 128 + SIGPIPE);
}

/* Neither pipe is left open, here or in the child. */
static void no_descriptor_is_left(void **state)
{
	int before = dup(0), after;

	(void)state;
	close(before);
	assert_int_equal(shell("exit 0"), 0);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	/* 0, 1, 2, and the one that lists */
	assert_int_equal(
	    shell("for f in 3 4 5 6 7 8; do if test -p /dev/fd/$f; then exit 1; fi; done"), 0);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int clear_message(void **state)
{
	(void)state;
	buf_release(&message);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(exit_status, clear_message),
	    cmocka_unit_test_teardown(held_until_told, clear_message),
	    cmocka_unit_test_teardown(path_as_exec_finds_it, clear_message),
	    cmocka_unit_test_teardown(not_found, clear_message),
	    cmocka_unit_test_teardown(exec_fails, clear_message),
	    cmocka_unit_test_teardown(directory_on_the_path, clear_message),
	    cmocka_unit_test_teardown(empty_part_of_the_path, clear_message),
	    cmocka_unit_test_teardown(stopped, clear_message),
	    cmocka_unit_test_teardown(signals_are_as_usual, clear_message),
	    cmocka_unit_test_teardown(no_descriptor_is_left, clear_message),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
