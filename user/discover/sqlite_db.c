// SPDX-License-Identifier: Apache-2.0
/* From a connection handle to its file; see sqlite_db.h. */
#include "discover/sqlite_db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sv.h"
#include "discover/proc.h"

enum {
	HANDLE_WORDS = 16, /* aDb is word 4 in every release since 3.3 */
	/* zFilename is word 21 to 27 of about 45; behind the Pager proper lie its page cache and
	 * file objects in the same allocation, at least 100 words in all: no neighbour is ever
	 * read. */
	PAGER_WORDS = 64,
	NAMES_MAX = 8, /* file, journal and log, and room for chance hits */
	PAGE = 4096,
};

/* peek() where the system lacks process_vm_readv: kernels without CONFIG_CROSS_MEMORY_ATTACH, and
 * qemu-user. */
static ssize_t peek_through_proc(pid_t pid, uint64_t address, void *buf, size_t len)
{
	ssize_t n = -1;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? -ESRCH : -EPERM;
	if (address <= INT64_MAX)
		n = pread(fd, buf, len, (off_t)address);
	close(fd);
	return n > 0 ? n : -EFAULT;
}

/* Up to len bytes, fewer when the mapping ends. Returns how many or -EFAULT, -ESRCH, -EPERM. */
static ssize_t peek(pid_t pid, uint64_t address, void *buf, size_t len)
{
	struct iovec local = {.iov_base = buf, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = len};
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0 && errno == ENOSYS)
		return peek_through_proc(pid, address, buf, len);
	return n < 0 ? -errno : n;
}

/* Words of an object that may be shorter than n; those that cannot be read are 0. -EFAULT when not
 * even the first can. */
static int peek_words(pid_t pid, uint64_t address, uint64_t *words, size_t n)
{
	size_t first = PAGE - address % PAGE, size = n * sizeof(*words);
	ssize_t got;

	memset(words, 0, size);
	if (address % sizeof(*words) || address < PAGE)
		return -EFAULT;
	got = peek(pid, address, words, first < size ? first : size);
	if (got < 0)
		return (int)got;
	if ((size_t)got == first && first < size)
		peek(pid, address + first, (char *)words + first, size - first);
	return 0;
}

/* A string of the process, read page by page so that it may end before an unmapped one. -EFAULT, or
 * -ENAMETOOLONG when no NUL comes in len bytes. */
static int peek_string(pid_t pid, uint64_t address, char *text, size_t len)
{
	size_t have = 0;

	if (address < PAGE)
		return -EFAULT;
	while (have < len) {
		size_t part = PAGE - (address + have) % PAGE;
		ssize_t got =
		    peek(pid, address + have, text + have, part < len - have ? part : len - have);

		if (got <= 0)
			return got < 0 ? (int)got : -EFAULT;
		if (memchr(text + have, '\0', (size_t)got))
			return 0;
		have += (size_t)got;
	}
	return -ENAMETOOLONG;
}

/* Whether the word is a Btree of this handle; gives its Pager. */
static int pager_of_btree(pid_t pid, uint64_t db, uint64_t btree, uint64_t *ret_pager)
{
	uint64_t words[2], pager;
	int err = peek_words(pid, btree, words, 2);

	if (err)
		return err;
	if (words[0] != db)
		return -ENOENT;
	err = peek_words(pid, words[1], &pager, 1);
	if (!err)
		*ret_pager = pager;
	return err;
}

/* Follow one word of the handle as aDb. */
static int pager_of_list(pid_t pid, uint64_t db, uint64_t list, uint64_t *ret_pager)
{
	uint64_t words[2];
	char name[sizeof("main")];
	int err = peek_words(pid, list, words, 2);

	if (!err)
		err = peek_string(pid, words[0], name, sizeof(name));
	if (err)
		return err;
	return strcmp(name, "main") == 0 ? pager_of_btree(pid, db, words[1], ret_pager) : -ENOENT;
}

static int find_pager(pid_t pid, uint64_t db, uint64_t *ret_pager)
{
	uint64_t words[HANDLE_WORDS];
	int err = peek_words(pid, db, words, HANDLE_WORDS);

	if (err)
		return err;
	for (size_t i = 0; i < HANDLE_WORDS; i++)
		if (pager_of_list(pid, db, words[i], ret_pager) == 0)
			return 0;
	return -ENOENT;
}

/* File names that a Pager points to. */
struct names {
	char *text[NAMES_MAX];
	size_t n;
};

static bool names_have(const struct names *names, struct sv name)
{
	for (size_t i = 0; i < names->n; i++)
		if (sv_eq(sv_cstr(names->text[i]), name))
			return true;
	return false;
}

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->text[i]);
}

/* Gather what looks like names: an absolute path, or ":memory:". */
static int gather_names(pid_t pid, uint64_t pager, struct names *names)
{
	uint64_t words[PAGER_WORDS];
	char text[PATH_MAX];
	int err = peek_words(pid, pager, words, PAGER_WORDS);

	for (size_t i = 0; !err && i < PAGER_WORDS && names->n < NAMES_MAX; i++) {
		if (peek_string(pid, words[i], text, sizeof(text)) != 0)
			continue;
		if ((text[0] != '/' && strcmp(text, ":memory:") != 0) ||
		    names_have(names, sv_cstr(text)))
			continue;
		names->text[names->n] = strdup(text);
		if (!names->text[names->n])
			err = -ENOMEM;
		else
			names->n++;
	}
	return err;
}

/* The journal and the write-ahead log of another name in the list are not the database. */
static bool is_companion(const struct names *names, const char *name)
{
	static const char *const suffixes[] = {"-journal", "-wal"};
	struct sv all = sv_cstr(name);

	for (size_t i = 0; i < 2; i++) {
		struct sv suffix = sv_cstr(suffixes[i]);

		if (all.len > suffix.len && sv_eq(sv_skip(all, all.len - suffix.len), suffix) &&
		    names_have(names, sv_from(all.p, all.len - suffix.len)))
			return true;
	}
	return false;
}

/* Path of an open regular file, from the process' own root; "" for anything else. */
static void open_path(int dir, const char *entry, struct sv root, char *path, size_t len)
{
	ssize_t n = readlinkat(dir, entry, path, len - 1);
	struct sv link;
	struct stat st;

	if (n <= 0 || path[0] != '/' || fstatat(dir, entry, &st, 0) != 0 || !S_ISREG(st.st_mode))
		n = 0;
	link = proc_strip_deleted(sv_from(path, (size_t)n));
	if (root.len > 1 && sv_starts(link, root) && link.len > root.len && link.p[root.len] == '/')
		link = sv_skip(link, root.len);
	memmove(path, link.p, link.len);
	path[link.len] = '\0';
}

/* Mark which names are open files of the process. */
static int mark_open(pid_t pid, const struct names *names, bool *opened)
{
	char path[PATH_MAX + 16], root[PATH_MAX];
	struct dirent *entry;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	n = readlink(path, root, sizeof(root));
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((entry = readdir(dir))) {
		open_path(dirfd(dir), entry->d_name, sv_from(root, n > 0 ? (size_t)n : 0), path,
		    sizeof(path));
		for (size_t i = 0; i < names->n; i++)
			opened[i] = opened[i] || strcmp(names->text[i], path) == 0;
	}
	closedir(dir);
	return 0;
}

/* The one name that is proved to be the database. */
static int choose(pid_t pid, const struct names *names, const char **ret_name)
{
	bool opened[NAMES_MAX] = {false};
	const char *found = NULL;
	int err = mark_open(pid, names, opened);

	if (err)
		return err;
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->text[i];

		if ((!opened[i] && name[0] == '/') || is_companion(names, name))
			continue;
		if (found)
			return -ENOENT;
		found = name;
	}
	if (!found)
		return -ENOENT;
	*ret_name = found;
	return 0;
}

int sqlite_db_path(pid_t pid, uint64_t db, char *ret_path, size_t len)
{
	struct names names = {0};
	const char *name;
	uint64_t pager;
	int err = find_pager(pid, db, &pager);

	if (!err)
		err = gather_names(pid, pager, &names);
	if (!err)
		err = choose(pid, &names, &name);
	if (!err && strlen(name) >= len)
		err = -ENAMETOOLONG;
	if (!err)
		memcpy(ret_path, name, strlen(name) + 1);
	names_release(&names);
	return err == -EFAULT ? -ENOENT : err;
}
