// SPDX-License-Identifier: Apache-2.0
/* Copying from a thread that waits; see blocked.h. */
#include "stack/blocked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "discover/proc.h"

enum {
	SYSCALL_SIZE = 256,         /* nine numbers */
	KERNEL_TEXT_SIZE = 8 << 10, /* 64 lines */
	PART = 4096, /* the smallest page of any machine; larger ones are made of it */
	PARTS = BLOCKED_STACK_MAX / PART + 1,
};

/* In terms of the thread. */
static int failure(int err)
{
	if (err == ENOENT)
		return -ESRCH;
	return err == EPERM ? -EACCES : -err;
}

/* The kernel gives such a text whole in one read, if there is room for it. */
static int read_text(const struct blocked_thread *thread, const char *name, char *text, size_t size,
    struct sv *ret_text)
{
	char path[64];
	ssize_t n;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", thread->pid, thread->tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failure(errno);
	do
		n = read(fd, text, size);
	while (n < 0 && errno == EINTR);
	err = n < 0 ? failure(errno) : 0;
	close(fd);
	if (!err)
		*ret_text = sv_from(text, (size_t)n);
	return err;
}

/* What the thread waits in, if that is where it entered the kernel. */
static int read_wait(const struct blocked_thread *thread, char text[SYSCALL_SIZE], struct sv *ret)
{
	struct proc_syscall call;
	struct sv read;
	int err = read_text(thread, "syscall", text, SYSCALL_SIZE, &read);

	if (!err)
		err = proc_parse_syscall(read, &call);
	if (err)
		return err;
	if (call.running || call.sp != thread->regs.sp || call.pc != thread->regs.ip)
		return -EAGAIN;
	*ret = read;
	return 0;
}

/*
 * By its manual a transfer ends before the first part that cannot be read whole: parts do not cross
 * pages, so that nothing in front of the end of a mapping is lost.
 */
static int copy_stack(const struct blocked_thread *thread, struct blocked_copy *copy)
{
	struct iovec local = {.iov_base = copy->bytes, .iov_len = sizeof(copy->bytes)};
	uint64_t at = thread->regs.sp, left = UINT64_MAX - at;
	struct iovec parts[PARTS];
	unsigned long n = 0;
	ssize_t copied;

	if (left > sizeof(copy->bytes))
		left = sizeof(copy->bytes);
	while (left) {
		uint64_t len = PART - at % PART;

		if (len > left)
			len = left;
		parts[n++] =
		    (struct iovec){.iov_base = (void *)(uintptr_t)at, .iov_len = (size_t)len};
		at += len;
		left -= len;
	}
	copied = process_vm_readv(thread->tid, &local, 1, parts, n, 0);
	if (copied <= 0)
		return copied < 0 ? failure(errno) : -EFAULT;
	copy->len = (size_t)copied;
	return 0;
}

static void copy_kernel(const struct blocked_thread *thread, struct blocked_copy *copy)
{
	char text[KERNEL_TEXT_SIZE];
	struct sv read;

	copy->kernel_len = 0;
	if (read_text(thread, "stack", text, sizeof(text), &read) == 0)
		copy->kernel_len =
		    proc_parse_kernel_stack(read, copy->kernel, sizeof(copy->kernel));
}

int blocked_copy_take(const struct blocked_thread *thread, struct blocked_copy *ret_copy)
{
	char before[SYSCALL_SIZE], after[SYSCALL_SIZE];
	struct sv was, is;
	int err = read_wait(thread, before, &was);

	if (!err) {
		copy_kernel(thread, ret_copy);
		err = copy_stack(thread, ret_copy);
	}
	if (!err)
		err = read_wait(thread, after, &is);
	if (!err && !sv_eq(was, is)) /* another call, or with other arguments */
		err = -EAGAIN;
	return err;
}
