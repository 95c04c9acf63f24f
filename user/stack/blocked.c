// SPDX-License-Identifier: Apache-2.0
/* Copying from a thread that waits; see blocked.h. */
#include "stack/blocked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "discover/proc.h"

enum {
	SYSCALL_SIZE = 256,         /* nine numbers */
	KERNEL_TEXT_SIZE = 8 << 10, /* 64 lines */
	PART = 4096, /* the smallest page of any machine; larger ones are made of it */
	PARTS = BLOCKED_STACK_MAX / PART + 1,
};
_Static_assert((int)PARTS <= (int)PROC_PAGES_MAX, "all pages of a copy are asked for at once");

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

/* Which bytes go where. */
struct transfer {
	struct iovec from[PARTS], to[PARTS];
	size_t n;
};

static void add_part(struct transfer *t, uint64_t at, unsigned char *to, size_t len)
{
	t->from[t->n] = (struct iovec){.iov_base = (void *)(uintptr_t)at, .iov_len = len};
	t->to[t->n++] = (struct iovec){.iov_base = to, .iov_len = len};
}

/* Parts that are in memory; those that never were hold zeros, until one is elsewhere. */
static void plan_transfer(const struct proc_pages *pages, uint64_t at, uint64_t left,
    unsigned char *to, struct transfer *t)
{
	while (left) {
		uint64_t page = at / pages->size - pages->first, len = PART - at % PART;

		if (len > left)
			len = left;
		if (page >= pages->n || pages->entries[page] & PROC_PAGE_SWAPPED)
			return;
		if (pages->entries[page] & PROC_PAGE_PRESENT)
			add_part(t, at, to, (size_t)len);
		else
			memset(to, 0, (size_t)len);
		at += len;
		to += len;
		left -= len;
	}
}

/*
 * By its manual a transfer ends before the first part that cannot be read whole: parts do not cross
 * pages, so that nothing in front of the end of a mapping is lost.
 */
static int copy_stack(const struct blocked_thread *thread, struct blocked_copy *copy)
{
	uint64_t at = thread->regs.sp, left = UINT64_MAX - at;
	struct transfer t = {.n = 0};
	struct proc_pages pages;
	ssize_t copied;
	int err;

	if (left > sizeof(copy->bytes))
		left = sizeof(copy->bytes);
	err = proc_read_pages(thread->pid, at, left, &pages);
	if (err)
		return err;
	plan_transfer(&pages, at, left, copy->bytes, &t);
	copied = t.n ? process_vm_readv(thread->tid, t.to, t.n, t.from, t.n, 0) : 0;
	if (copied <= 0)
		return copied < 0 ? failure(errno) : -EFAULT;
	copy->len = 0;
	for (size_t i = 0; i < t.n && (size_t)copied >= t.to[i].iov_len; i++) {
		copied -= (ssize_t)t.to[i].iov_len;
		copy->len =
		    (size_t)((unsigned char *)t.to[i].iov_base - copy->bytes) + t.to[i].iov_len;
	}
	return copy->len ? 0 : -EFAULT;
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
