// SPDX-License-Identifier: Apache-2.0
/* Files of another process; see root.h. */
#include "stack/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
};

/*
 * From a mere handle to a readable file, if it is a regular one: opening a device can have effects.
 */
static int open_regular(int handle)
{
	struct stat st;
	char name[64];
	int fd = -EINVAL;

	if (handle < 0)
		return -errno;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", handle);
	if (fstat(handle, &st) == 0 && S_ISREG(st.st_mode)) {
		fd = open(name, READ_FLAGS);
		if (fd < 0)
			fd = -errno;
	}
	close(handle);
	return fd;
}

int root_open(pid_t pid, const char *path)
{
	struct open_how how = {
	    .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	char name[64];
	int root, fd;

	if (path[0] != '/')
		return -EINVAL;
	snprintf(name, sizeof(name), pid ? "/proc/%d/root" : "/", pid);
	root = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return errno == ENOENT && pid ? -ESRCH : -errno;
	fd = open_regular((int)syscall(SYS_openat2, root, path, &how, sizeof(how)));
	close(root);
	return fd;
}

/* Keep a descriptor only if it leads to the mapped file. */
static int only_if_same(int fd, const struct proc_map *map)
{
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && st.st_ino == map->inode)
		return fd;
	close(fd);
	return -ENOENT;
}

static int open_link(const char *name)
{
	return open_regular(open(name, O_PATH | O_CLOEXEC));
}

int root_open_mapped(pid_t pid, const struct proc_map *map)
{
	char name[4096];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/map_files/%llx-%llx", pid,
	    (unsigned long long)map->start, (unsigned long long)map->end);
	fd = open_link(name);
	if (fd >= 0)
		return fd;
	snprintf(name, sizeof(name), "/proc/%d/exe", pid);
	fd = only_if_same(open_link(name), map);
	if (fd >= 0 || map->deleted ||
	    snprintf(name, sizeof(name), "%.*s", SV_ARG(map->path)) >= (int)sizeof(name))
		return fd;
	return only_if_same(root_open(pid, name), map);
}
