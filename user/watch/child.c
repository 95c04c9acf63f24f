// SPDX-License-Identifier: Apache-2.0
/* Starting, holding and collecting the command after "--"; see child.h. */
#include "watch/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sv.h"

/* Can exec take it? 0, -EACCES for what is no program, or why it cannot be told. */
static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode)) /* directories have an x bit too */
		return -EACCES;
	return access(path, X_OK) ? -errno : 0;
}

/* Find name as execvp() will: the first program on the path; an empty part of it is the current directory. */
static int find_program(const char *name, char *ret_path, size_t len)
{
	const char *part = getenv("PATH"), *end;
	int err = -ENOENT;

	if (!*name)
		return err;
	if (strchr(name, '/')) {
		if ((size_t)snprintf(ret_path, len, "%s", name) >= len)
			return -ENAMETOOLONG;
		return check_program(ret_path);
	}
	for (part = part ? part : "/usr/bin:/bin";; part = end + 1) {
		struct sv dir;
		int one;

		end = strchrnul(part, ':');
		dir = end > part ? sv_from(part, (size_t)(end - part)) : SV(".");
		if ((size_t)snprintf(ret_path, len, "%.*s/%s", SV_ARG(dir), name) < len) {
			one = check_program(ret_path);
			if (one == 0)
				return 0;
			if (one == -EACCES) /* says more than that it is nowhere else */
				err = one;
		}
		if (!*end)
			return err;
	}
}

/* In the child: wait for the word, then become the program. */
static void child_main(int go_fd, int error_fd, const char *path, char *const *argv)
{
	sigset_t none;
	char byte;
	int err;

	if (read(go_fd, &byte, 1) != 1)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(path, argv);
	err = errno;
	if (write(error_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int child_start(struct child *child, char *const *argv, struct buf *message)
{
	int go[2], error[2], err = find_program(argv[0], child->path, sizeof(child->path));

	if (err) {
		buf_printf(message, "cannot run '%s': %s", argv[0], strerror(-err));
		return err;
	}
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(error, O_CLOEXEC)) {
		err = -errno;
		close(go[0]);
		close(go[1]);
		return err;
	}
	fflush(NULL);
	child->pid = fork();
	if (child->pid == 0) {
		close(go[1]);
		close(error[0]);
		child_main(go[0], error[1], child->path, argv);
	}
	err = child->pid < 0 ? -errno : 0;
	close(go[0]);
	close(error[1]);
	child->go_fd = go[1];
	child->error_fd = error[0];
	if (err) {
		child->pid = 0;
		close(child->go_fd);
		close(child->error_fd);
		buf_printf(message, "cannot start '%s': %s", argv[0], strerror(-err));
	}
	return err;
}

int child_go(struct child *child, const char *name, struct buf *message)
{
	int err = 0;
	ssize_t got;

	if (write(child->go_fd, "", 1) != 1)
		err = errno;
	close(child->go_fd);
	do
		got = read(child->error_fd, &err, sizeof(err));
	while (got < 0 && errno == EINTR);
	close(child->error_fd);
	if (err)
		buf_printf(message, "cannot run '%s': %s", name, strerror(err));
	return -err;
}

bool child_poll(struct child *child)
{
	if (child->pid && !child->ended &&
	    waitpid(child->pid, &child->status, WNOHANG) == child->pid)
		child->ended = true;
	return child->ended;
}

void child_stop(struct child *child)
{
	if (!child->pid || child_poll(child))
		return;
	kill(child->pid, SIGTERM);
	while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR)
		;
	child->ended = true;
}

int child_exit_status(const struct child *child)
{
	if (WIFSIGNALED(child->status))
		return 128 + WTERMSIG(child->status);
	return WEXITSTATUS(child->status);
}
