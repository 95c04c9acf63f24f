// SPDX-License-Identifier: Apache-2.0
/* Readers and parsers of /proc/PID; see proc.h. Formats: proc(5). */
#include "discover/proc.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PROC_PATH_SIZE = 64, /* of our own names below /proc/PID */
	PROC_STAT_MAX = 4096,
	PROC_STATUS_MAX = 65536,
	PROC_CGROUP_MAX = 65536,    /* a dozen hierarchies, each with a path below PATH_MAX */
	PROC_ENVIRON_MAX = 8 << 20, /* the kernel allows a quarter of the stack limit */
	PROC_MAPS_MAX = 64 << 20,   /* 65530 mappings (vm.max_map_count) of 1 KiB */
};

/* A process that is gone shows as a missing file or as ESRCH on read. */
static int gone(int err)
{
	return err == ENOENT ? -ESRCH : -err;
}

int proc_read_file(const char *path, size_t max, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t taken = 0;
	int err = 0;

	if (fd < 0)
		return gone(errno);
	for (;;) {
		ssize_t r;

		err = buf_reserve(out, 16384);
		if (err)
			break;
		r = read(fd, out->data + out->len, 16384);
		if (r < 0 && errno == EINTR)
			continue;
		err = r < 0 ? gone(errno) : 0;
		if (r <= 0)
			break;
		out->len += (size_t)r;
		out->data[out->len] = '\0';
		taken += (size_t)r;
		if (taken > max) {
			err = -EFBIG;
			break;
		}
	}
	close(fd);
	return err;
}

static int read_pid_file(pid_t pid, const char *name, size_t max, struct buf *out)
{
	char path[PROC_PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return proc_read_file(path, max, out);
}

static int copy_out(struct sv s, char *ret_text, size_t len)
{
	if (s.len >= len)
		return -ENAMETOOLONG;
	memcpy(ret_text, s.p ? s.p : "", s.len);
	ret_text[s.len] = '\0';
	return 0;
}

int proc_read_stat(pid_t pid, struct proc_stat *ret_stat)
{
	struct buf text;
	int err;

	buf_init(&text);
	err = read_pid_file(pid, "stat", PROC_STAT_MAX, &text);
	if (!err)
		err = proc_parse_stat(buf_sv(&text), ret_stat);
	buf_release(&text);
	return err;
}

int proc_exe(pid_t pid, char *ret_path, size_t len)
{
	char name[PROC_PATH_SIZE], target[4096];
	struct stat st;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/exe", pid);
	n = readlink(name, target, sizeof(target));
	if (n < 0 && errno == ENOENT) {
		/* The link of a kernel thread or a zombie is there and leads nowhere. */
		snprintf(name, sizeof(name), "/proc/%d", pid);
		return stat(name, &st) == 0 ? -ENOENT : -ESRCH;
	}
	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	return copy_out(proc_strip_deleted(sv_from(target, (size_t)n)), ret_path, len);
}

int proc_argv0(pid_t pid, char *ret_text, size_t len)
{
	struct buf text;
	struct sv all;
	int err;

	buf_init(&text);
	err = read_pid_file(pid, "cmdline", PROC_ENVIRON_MAX, &text);
	all = buf_sv(&text);
	all.len = sv_find(all, '\0');
	if (!err)
		err = all.len ? copy_out(all, ret_text, len) : -ENOENT;
	buf_release(&text);
	return err;
}

int proc_read_environ(pid_t pid, struct buf *out)
{
	return read_pid_file(pid, "environ", PROC_ENVIRON_MAX, out);
}

int proc_read_cgroup(pid_t pid, struct buf *out)
{
	return read_pid_file(pid, "cgroup", PROC_CGROUP_MAX, out);
}

int proc_owner(pid_t pid, uid_t *ret_uid)
{
	struct buf text;
	const char *line;
	uid_t real, effective;
	int err;

	buf_init(&text);
	err = read_pid_file(pid, "status", PROC_STATUS_MAX, &text);
	line = err ? NULL : strstr(text.data, "\nUid:");
	if (line && sscanf(line, "\nUid:\t%u\t%u", &real, &effective) == 2)
		*ret_uid = effective;
	else
		err = err ? err : -EBADMSG;
	buf_release(&text);
	return err;
}

int proc_elf_bits(pid_t pid)
{
	unsigned char ident[EI_NIDENT];
	char path[PROC_PATH_SIZE];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gone(errno);
	n = pread(fd, ident, sizeof(ident), 0);
	close(fd);
	if (n != sizeof(ident) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	return ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
}

int proc_namespace(pid_t pid, const char *kind, uint64_t *ret_inode)
{
	char path[PROC_PATH_SIZE];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	if (stat(path, &st) != 0)
		return gone(errno);
	*ret_inode = st.st_ino;
	return 0;
}

int proc_thread_group(pid_t pid, pid_t *ret_pid)
{
	struct buf text;
	const char *line;
	int err, group;

	buf_init(&text);
	err = read_pid_file(pid, "status", PROC_STATUS_MAX, &text);
	line = err ? NULL : strstr(text.data, "\nTgid:");
	if (line && sscanf(line, "\nTgid:\t%d", &group) == 1)
		*ret_pid = group;
	else
		err = err ? err : -EBADMSG;
	buf_release(&text);
	return err;
}

int proc_each(int (*visit)(pid_t pid, void *arg), void *arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return -errno;
	while (result == 0 && (entry = readdir(dir))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (pid > 0 && *end == '\0')
			result = visit((pid_t)pid, arg);
	}
	closedir(dir);
	return result;
}

int proc_each_map(pid_t pid, int (*visit)(const struct proc_map *map, void *arg), void *arg)
{
	struct buf text;
	struct sv rest;
	int result;

	buf_init(&text);
	result = read_pid_file(pid, "maps", PROC_MAPS_MAX, &text);
	rest = buf_sv(&text);
	while (result == 0 && rest.len) {
		size_t len = sv_find(rest, '\n');
		struct proc_map map;

		if (proc_parse_maps_line(sv_from(rest.p, len), &map) == 0)
			result = visit(&map, arg);
		rest = sv_skip(rest, len + 1);
	}
	buf_release(&text);
	return result;
}

int proc_read_pages(pid_t pid, uint64_t address, uint64_t len, struct proc_pages *ret_pages)
{
	struct proc_pages p = {.size = (uint64_t)sysconf(_SC_PAGESIZE)};
	uint64_t n = len / p.size + (address % p.size + len % p.size + p.size - 1) / p.size;
	char path[64];
	ssize_t got;
	int fd, err;

	p.first = address / p.size;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		snprintf(path, sizeof(path), "/proc/%d/maps", pid);
		return access(path, F_OK) == 0 ? -ENOSYS : -ESRCH;
	}
	if (fd < 0)
		return errno == EPERM ? -EACCES : -errno;
	got = pread(fd, p.entries, (n < PROC_PAGES_MAX ? n : PROC_PAGES_MAX) * sizeof(p.entries[0]),
	    (off_t)(p.first * sizeof(p.entries[0])));
	err = got < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err == -EPERM ? -EACCES : err;
	p.n = (size_t)got / sizeof(p.entries[0]);
	*ret_pages = p;
	return 0;
}
