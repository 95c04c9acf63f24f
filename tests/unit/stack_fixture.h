/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of stacks for tests: of tests/unit/stack/waiter.c, which says what its stack is, taken
 * with ptrace, and of the calling thread itself, where ptrace does not work (qemu-user).
 */
#ifndef ZS_TESTS_STACK_FIXTURE_H
#define ZS_TESTS_STACK_FIXTURE_H

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "discover/proc.h"
#include "stack/blocked.h"
#include "stack/stack.h"
#include "support.h"

enum {
	COPY_BYTES = 32 << 10,
	KNOWN_MAX = 128,
};

struct known_frame {
	char function[64];
	unsigned line;
};

/* A waiter that waits. */
struct waiter {
	pid_t pid, tid;
	struct known_frame known[KNOWN_MAX]; /* innermost first */
	size_t n_known;
};

struct taken {
	struct stack_sample sample;
	unsigned char *bytes;
};

static inline char waiter_state(const struct waiter *w)
{
	struct proc_stat stat;

	return proc_read_stat(w->tid, &stat) == 0 ? stat.state : '?';
}

static inline void waiter_read_known(struct waiter *w, FILE *from)
{
	char line[256];
	long tid = 0;

	while (!tid && fgets(line, sizeof(line), from)) {
		struct known_frame *k = &w->known[w->n_known];

		if (sscanf(line, "frame %63s %u", k->function, &k->line) == 2)
			w->n_known++;
		else
			sscanf(line, "ready %ld", &tid);
		assert_true(w->n_known < KNOWN_MAX);
	}
	assert_true(tid > 0);
	w->tid = (pid_t)tid;
}

/* Run a program; it is below root where root is not NULL. */
static inline struct waiter waiter_start(const char *root, const char *path, const char *mode)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t deadline = clock_monotonic_ns() + 10 * NS_PER_S;
	struct waiter w = {0};
	int out[2];
	FILE *from;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (w.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* when a test fails */
		dup2(out[1], STDOUT_FILENO);
		if (root && (chroot(root) != 0 || chdir("/") != 0))
			_exit(126);
		execl(path, path, mode, NULL);
		_exit(127);
	}
	close(out[1]);
	from = fdopen(out[0], "r");
	assert_non_null(from);
	waiter_read_known(&w, from);
	fclose(from);
	while (waiter_state(&w) != 'S') {
		assert_true(clock_monotonic_ns() < deadline);
		nanosleep(&pause, NULL);
	}
	return w;
}

static inline void waiter_end(const struct waiter *w)
{
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
}

static inline struct stack_regs regs_from_user(const struct user_regs_struct *u)
{
#if defined(__x86_64__)
	return (struct stack_regs){.ip = u->rip,
	    .sp = u->rsp,
	    .fp = u->rbp,
	    .saved = {u->rbx, u->r12, u->r13, u->r14, u->r15},
	    .saved_known = true};
#else
	struct stack_regs regs = {
	    .ip = u->pc, .sp = u->sp, .fp = u->regs[29], .lr = u->regs[30], .saved_known = true};

	memcpy(regs.saved, u->regs + 19, sizeof(regs.saved));
	return regs;
#endif
}

/* What a kernel program would have copied when the thread went to sleep. */
static inline struct taken waiter_sample(const struct waiter *w)
{
	struct user_regs_struct user;
	struct iovec iov = {.iov_base = &user, .iov_len = sizeof(user)};
	struct taken t = {.bytes = malloc(COPY_BYTES)};
	char path[64];
	ssize_t len;
	int fd;

	assert_non_null(t.bytes);
	assert_int_equal(ptrace(PTRACE_SEIZE, w->tid, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, w->tid, 0, 0), 0);
	assert_int_equal(waitpid(w->tid, NULL, __WALL), w->tid);
	assert_int_equal(ptrace(PTRACE_GETREGSET, w->tid, (void *)NT_PRSTATUS, &iov), 0);
	t.sample =
	    (struct stack_sample){.pid = w->pid, .regs = regs_from_user(&user), .bytes = t.bytes};
	snprintf(path, sizeof(path), "/proc/%d/mem", w->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	len = pread(fd, t.bytes, COPY_BYTES, (off_t)t.sample.regs.sp);
	assert_true(len > 0);
	t.sample.len = (size_t)len;
	close(fd);
	assert_int_equal(ptrace(PTRACE_DETACH, w->tid, 0, 0), 0);
	return t;
}

/* What getcontext() wrote. */
static inline struct stack_regs regs_from_context(const ucontext_t *context)
{
	struct stack_regs regs = {.saved_known = true};

#if defined(__x86_64__)
	const greg_t *r = context->uc_mcontext.gregs;

	regs.ip = (uint64_t)r[REG_RIP];
	regs.sp = (uint64_t)r[REG_RSP];
	regs.fp = (uint64_t)r[REG_RBP];
	regs.saved[0] = (uint64_t)r[REG_RBX];
	for (int i = 0; i < 4; i++)
		regs.saved[1 + i] = (uint64_t)r[REG_R12 + i];
#else
	regs.ip = context->uc_mcontext.pc;
	regs.sp = context->uc_mcontext.sp;
	regs.fp = context->uc_mcontext.regs[29];
	regs.lr = context->uc_mcontext.regs[30];
	memcpy(regs.saved, context->uc_mcontext.regs + 19, sizeof(regs.saved));
#endif
	return regs;
}

/* qemu-user shows a process its own mappings; those of others are of qemu. */
static inline bool cannot_see_others(void)
{
	if (!getenv("ZEROSPAN_EMULATED"))
		return false;
	print_message("below qemu-user, another process is qemu\n");
	return true;
}

/* A waiter compiled in one of the ways of stack/module.mk. */
static inline struct waiter waiter_built(const char *way, const char *mode)
{
	char path[512];

	snprintf(path, sizeof(path), TEST_WAITERS "/%s", way);
	return waiter_start(NULL, path, mode);
}

/*
 * With what a thread entered the kernel, as the kernel says, which leaves out the frame pointer.
 * False while it does not wait.
 */
static inline bool read_blocked(pid_t pid, pid_t tid, struct stack_regs *ret_regs)
{
	unsigned long long numbers[9];
	char path[64], text[256] = "";
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	n = sscanf(text, "%lld %llx %llx %llx %llx %llx %llx %llx %llx", (long long *)&numbers[0],
	    &numbers[1], &numbers[2], &numbers[3], &numbers[4], &numbers[5], &numbers[6],
	    &numbers[7], &numbers[8]);
	if (n < 3)
		return false;
	*ret_regs = (struct stack_regs){.sp = numbers[n - 2], .ip = numbers[n - 1]};
	return true;
}

/* A thread that waits or is about to. */
static inline struct blocked_thread blocked_from(pid_t pid, pid_t tid)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t deadline = clock_monotonic_ns() + 10 * NS_PER_S;
	struct blocked_thread thread = {.pid = pid, .tid = tid};

	while (!read_blocked(pid, tid, &thread.regs)) {
		assert_true(clock_monotonic_ns() < deadline);
		nanosleep(&pause, NULL);
	}
	return thread;
}

static inline void taken_free(struct taken *t)
{
	free(t->bytes);
}

#endif
