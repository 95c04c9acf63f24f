// SPDX-License-Identifier: Apache-2.0
/* Programs started by the scenario; see guest.h. Their output is a file: no pipe that could fill and stop them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define POLL_MS     1
#define THREADS_MAX 64

struct thread {
	long tid; /* 0: free */
	unsigned long long ran_ns, waited_ns;
};

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void sleep_ms(int ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static void child(const struct process *p, int in, const char *const *argv, const char *extra)
{
	const char *environment[] = {"PATH=/bin:/usr/bin", "LANG=C.UTF-8", extra, NULL};
	int out = open(p->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);

	if (out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	close(out);
	close(in);
	execve(argv[0], (char *const *)argv, (char *const *)environment);
	_exit(127);
}

void process_start(struct process *p, const char *const *argv, const char *extra)
{
	static int count;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		die("pipe");
	memset(p, 0, sizeof(*p));
	snprintf(p->log, sizeof(p->log), "/tmp/%d.log", count++);
	p->in = ends[1];
	p->pid = fork();
	if (p->pid < 0)
		die("fork");
	if (p->pid == 0)
		child(p, ends[0], argv, extra);
	close(ends[0]);
}

/* The next complete line after p->read, cut to len. */
static bool next_line(struct process *p, char *ret_line, size_t len)
{
	int fd = open(p->log, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, ret_line, len - 1, (off_t)p->read);
	char *end;

	if (fd >= 0)
		close(fd);
	ret_line[n > 0 ? n : 0] = '\0';
	end = strchr(ret_line, '\n');
	if (!end && n < (ssize_t)len - 1)
		return false;
	if (end)
		*end = '\0';
	p->read += strlen(ret_line) + (end ? 1 : 0);
	return true;
}

bool process_wait_line(struct process *p, const char *prefix, char *ret_line, size_t len, int ms)
{
	for (int waited = 0; waited < ms; waited += POLL_MS) {
		bool ended = waitpid(p->pid, NULL, WNOHANG | WNOWAIT) == p->pid;

		while (next_line(p, ret_line, len))
			if (strncmp(ret_line, prefix, strlen(prefix)) == 0)
				return true;
		if (ended)
			return false;
		sleep_ms(POLL_MS);
	}
	return false;
}

void process_command(const struct process *p, const char *line)
{
	if (write(p->in, line, strlen(line)) != (ssize_t)strlen(line))
		die("a program does not listen");
}

int process_stop(struct process *p, int number)
{
	int status = 0;

	if (!p->pid)
		return 0;
	if (number)
		kill(p->pid, number);
	close(p->in);
	waitpid(p->pid, &status, 0);
	p->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

uint64_t process_cpu_ns(const struct process *p)
{
	struct timespec ts;
	clockid_t clock;

	if (!p->pid || clock_getcpuclockid(p->pid, &clock) || clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t process_status_kb(const struct process *p, const char *key)
{
	char path[64], line[256];
	unsigned long long value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", p->pid);
	f = p->pid ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return value;
}

static void take_thread(const struct process *p, const char *phase, long tid)
{
	static struct thread threads[THREADS_MAX];
	struct thread now = {.tid = tid}, *last = threads;
	char path[64], key[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%ld/schedstat", p->pid, tid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, "%llu %llu", &now.ran_ns, &now.waited_ns) != 2)
		now.ran_ns = now.waited_ns = 0;
	fclose(f);
	while (last < threads + THREADS_MAX && last->tid && last->tid != tid)
		last++;
	if (last == threads + THREADS_MAX)
		return;
	snprintf(key, sizeof(key), "ran:%ld", tid - p->pid);
	if (phase)
		report(phase, key, now.ran_ns - last->ran_ns);
	snprintf(key, sizeof(key), "waited:%ld", tid - p->pid);
	if (phase)
		report(phase, key, now.waited_ns - last->waited_ns);
	*last = now;
}

void process_take_threads(const struct process *p, const char *phase)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", p->pid);
	dir = p->pid ? opendir(path) : NULL;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			take_thread(p, phase, strtol(entry->d_name, NULL, 10));
	if (dir)
		closedir(dir);
}
