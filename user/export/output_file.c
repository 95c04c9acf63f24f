// SPDX-License-Identifier: Apache-2.0
/* Line-atomic writes, rotation by size and recovery; see output_file.h. */
#include "export/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	FILE_POLL_MS = 100, /* who waits sees within this time that it must stop */
	/* A pipe that polls writable takes this many bytes (PIPE_BUF) without blocking. */
	FILE_PIPE_CHUNK = 4096,
	SUFFIX_MAX = 12, /* ".4294967295" */
};

struct output_file {
	atomic_int refs;
	uint64_t max_bytes;
	unsigned int keep;
	char *path;      /* NULL: a descriptor of the caller's */
	char *from, *to; /* of a renaming, with room for the suffix */

	pthread_mutex_t lock; /* guards everything below */
	int fd;
	bool regular;
	bool line_open; /* the last write failed inside a line and it could not be taken back */
	uint64_t size;  /* bytes in it, or since it could not be rotated */
	struct log_limit limit;
};

/* Who waits, and how it learns that it must not. */
struct waiter {
	bool (*stopping)(void *ctx);
	void *ctx;
};

static void set_kind(struct output_file *file)
{
	struct stat st;

	file->regular = fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode);
	file->size = file->regular ? (uint64_t)st.st_size : 0;
}

/* Open under its name, in place of the descriptor that it has. Returns 0 or negative errno. */
static int open_path(struct output_file *file, int flags)
{
	int fd = open(file->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0644);

	if (fd < 0)
		return -errno;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = fd;
	file->line_open = false;
	set_kind(file);
	return 0;
}

static struct output_file *file_new(void)
{
	struct output_file *file = calloc(1, sizeof(*file));

	if (!file) {
		errno = ENOMEM;
		return NULL;
	}
	atomic_init(&file->refs, 1);
	file->fd = -1;
	pthread_mutex_init(&file->lock, NULL);
	return file;
}

struct output_file *output_file_open(const struct output_file_options *options)
{
	size_t size = strlen(options->path) + SUFFIX_MAX + 1;
	struct output_file *file = file_new();
	int err;

	if (!file)
		return NULL;
	file->max_bytes = options->max_bytes;
	file->keep = options->keep ? options->keep : 1;
	file->path = strdup(options->path);
	file->from = malloc(size);
	file->to = malloc(size);
	err = file->path && file->from && file->to ? open_path(file, options->append ? 0 : O_TRUNC)
						   : -ENOMEM;
	if (err) {
		output_file_unref(file);
		errno = -err;
		return NULL;
	}
	return file;
}

struct output_file *output_file_of_fd(int fd)
{
	struct output_file *file = file_new();

	if (!file)
		return NULL;
	file->fd = fd;
	set_kind(file);
	return file;
}

struct output_file *output_file_ref(struct output_file *file)
{
	atomic_fetch_add(&file->refs, 1);
	return file;
}

void output_file_unref(struct output_file *file)
{
	if (!file || atomic_fetch_sub(&file->refs, 1) != 1)
		return;
	if (file->path && file->fd >= 0)
		close(file->fd);
	pthread_mutex_destroy(&file->lock);
	free(file->path);
	free(file->from);
	free(file->to);
	free(file);
}

const char *output_file_name(const struct output_file *file)
{
	return file->path ? file->path : "the terminal or pipe";
}

/* --- rotation -------------------------------------------------------------------------------- */

static void name_old(const struct output_file *file, char *name, unsigned int number)
{
	size_t size = strlen(file->path) + SUFFIX_MAX + 1;

	if (number)
		snprintf(name, size, "%s.%u", file->path, number);
	else
		snprintf(name, size, "%s", file->path);
}

/* FILE.1 to FILE.2 ..., the oldest first, so that only the one beyond `keep` is overwritten. */
static int rename_all(struct output_file *file)
{
	unsigned int last = 0;

	/* Numbers above a gap stay where they are. */
	while (last < file->keep - 1) {
		name_old(file, file->from, last + 1);
		if (access(file->from, F_OK) != 0)
			break;
		last++;
	}
	for (unsigned int i = last + 1; i-- > 0;) {
		name_old(file, file->from, i);
		name_old(file, file->to, i + 1);
		if (rename(file->from, file->to) != 0)
			return -errno;
	}
	return 0;
}

/* Begin a new file. Where the old one cannot be moved away it grows on: no line is lost for that. */
static int rotate(struct output_file *file)
{
	uint64_t suppressed;
	int err = rename_all(file);

	if (!err)
		return open_path(file, 0);
	file->size = 0;
	if (log_limit_pass(&file->limit, clock_monotonic_ns(), &suppressed))
		log_warn("cannot rename '%s' to '%s': %s; '%s' grows beyond its limit until its "
			 "directory can be written",
		    file->from, file->to, strerror(-err), file->path);
	return 0;
}

/* Bytes of the next lines that belong into this file; 0: none, it is full. */
static size_t fitting(const struct output_file *file, struct sv lines)
{
	uint64_t room = file->max_bytes > file->size ? file->max_bytes - file->size : 0;
	const char *end;

	if (!file->path || !file->regular || !file->max_bytes || lines.len <= room)
		return lines.len;
	end = memrchr(lines.p, '\n', (size_t)room);
	if (end)
		return (size_t)(end - lines.p) + 1;
	if (file->size)
		return 0;
	end = memchr(lines.p, '\n', lines.len); /* longer than any file may be: one for itself */
	return end ? (size_t)(end - lines.p) + 1 : lines.len;
}

/* --- writing --------------------------------------------------------------------------------- */

/* It may have been moved or deleted, by a person or by logrotate. */
static int find_again(struct output_file *file)
{
	struct stat named, open;

	if (!file->path || !file->regular)
		return 0;
	if (stat(file->path, &named) == 0 && fstat(file->fd, &open) == 0 &&
	    named.st_ino == open.st_ino && named.st_dev == open.st_dev)
		return 0;
	return open_path(
	    file, O_NONBLOCK); /* should it be a pipe now, nobody waits for its reader */
}

/* Returns 0, -ECANCELED when who waits must stop first, or negative errno. *ret_done: bytes. */
static int write_bytes(
    struct output_file *file, struct sv bytes, const struct waiter *waiter, size_t *ret_done)
{
	size_t done = 0;
	int err = 0;

	while (done < bytes.len && !err) {
		struct pollfd pfd = {.fd = file->fd, .events = POLLOUT};
		size_t len = bytes.len - done;
		ssize_t n;

		if (!file->regular && poll(&pfd, 1, FILE_POLL_MS) == 0) {
			if (waiter->stopping(waiter->ctx))
				err = -ECANCELED;
			continue;
		}
		if (!file->regular && len > FILE_PIPE_CHUNK)
			len = FILE_PIPE_CHUNK;
		n = write(file->fd, bytes.p + done, len);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			err = -errno;
	}
	*ret_done = done;
	return err;
}

/* All of the lines or none, where the file allows it. */
static int write_lines(struct output_file *file, struct sv lines, const struct waiter *waiter)
{
	off_t begin = file->path && file->regular ? lseek(file->fd, 0, SEEK_END) : -1;
	size_t done = 0;
	int err = file->line_open ? write_bytes(file, SV("\n"), waiter, &done) : 0;

	if (err)
		return err;
	file->line_open = false;
	err = write_bytes(file, lines, waiter, &done);
	if (!err)
		file->size += done;
	else if (done && (begin < 0 || ftruncate(file->fd, begin) != 0))
		file->line_open = lines.p[done - 1] != '\n';
	return err;
}

static int lock(struct output_file *file, const struct waiter *waiter)
{
	int err;

	do {
		uint64_t until = clock_monotonic_ns() + FILE_POLL_MS * NS_PER_MS;
		struct timespec deadline = {
		    .tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S)};

		err = pthread_mutex_clocklock(&file->lock, CLOCK_MONOTONIC, &deadline);
	} while (err == ETIMEDOUT && !waiter->stopping(waiter->ctx));
	return err == ETIMEDOUT ? -ECANCELED : -err;
}

size_t output_file_write(struct output_file *file, struct sv lines, bool (*stopping)(void *ctx),
    void *ctx, int *ret_error)
{
	const struct waiter waiter = {.stopping = stopping, .ctx = ctx};
	size_t done = 0;
	int err = lock(file, &waiter);

	if (err) {
		*ret_error = err;
		return 0;
	}
	err = find_again(file);
	while (!err && done < lines.len) {
		size_t len = fitting(file, sv_skip(lines, done));

		if (len == 0) {
			err = rotate(file);
			continue;
		}
		err = write_lines(file, sv_from(lines.p + done, len), &waiter);
		if (!err)
			done += len;
	}
	pthread_mutex_unlock(&file->lock);
	if (err)
		*ret_error = err;
	return done;
}
