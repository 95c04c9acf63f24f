// SPDX-License-Identifier: Apache-2.0
/* Copies of SQLite in processes and programs; see sqlite_copy.h. */
#include "discover/sqlite_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "discover/elf.h"
#include "discover/proc.h"
#include "discover/sqlite_code.h"
#include "discover/sqlite_copy_cache.h"
#include "discover/sqlite_inner.h"
#include "discover/sqlite_source_id.h"

enum {
	FN_SQL = SQLITE_FN_COUNT, /* the accessors, behind the probed functions */
	FN_DB_HANDLE,
	FN_AUTOCOMMIT,
	FN_ERRCODE,
	FN_VDBE_FINALIZE, /* an inner function, see sqlite_inner.h */
	FN_DATA_COUNT,
	FN_ALL,
	FILES_MAX = 4096, /* distinct files per process; the largest seen (a browser) has 300 */
};

static const char *const function_names[FN_ALL] = {
    [SQLITE_FN_STEP] = "sqlite3_step",
    [SQLITE_FN_RESET] = "sqlite3_reset",
    [SQLITE_FN_FINALIZE] = "sqlite3_finalize",
    [SQLITE_FN_PREPARE_V2] = "sqlite3_prepare_v2",
    [SQLITE_FN_PREPARE_V3] = "sqlite3_prepare_v3",
    [SQLITE_FN_EXEC] = "sqlite3_exec",
    [SQLITE_FN_OPEN_V2] = "sqlite3_open_v2",
    [SQLITE_FN_CLOSE] = "sqlite3_close",
    [SQLITE_FN_CLOSE_V2] = "sqlite3_close_v2",
    [SQLITE_FN_LOCK_AND_PREPARE] = "sqlite3LockAndPrepare",
    [FN_SQL] = "sqlite3_sql",
    [FN_DB_HANDLE] = "sqlite3_db_handle",
    [FN_AUTOCOMMIT] = "sqlite3_get_autocommit",
    [FN_ERRCODE] = "sqlite3_extended_errcode",
    [SQLITE_FN_VDBE_DELETE] = "sqlite3VdbeDelete",
    [FN_VDBE_FINALIZE] = "sqlite3VdbeFinalize",
    [FN_DATA_COUNT] = "sqlite3_data_count",
};

const char *sqlite_function_name(enum sqlite_function function)
{
	return (unsigned)function < SQLITE_FN_COUNT ? function_names[function] : NULL;
}

void sqlite_copies_release(struct sqlite_copies *copies)
{
	for (size_t i = 0; i < copies->n; i++) {
		free(copies->items[i].path);
		free(copies->items[i].attach_path);
	}
	free(copies->items);
	*copies = (struct sqlite_copies){0};
}

static bool copies_have(const struct sqlite_copies *copies, const struct stat *st)
{
	for (size_t i = 0; i < copies->n; i++)
		if (copies->items[i].dev == st->st_dev && copies->items[i].inode == st->st_ino)
			return true;
	return false;
}

/* Append a copy; takes its description but the paths, which are copied. */
static int copies_add(struct sqlite_copies *copies, const struct sqlite_copy *copy,
    const char *path, const char *attach_path)
{
	struct sqlite_copy *items =
	    reallocarray(copies->items, copies->n + 1, sizeof(*copies->items));
	struct sqlite_copy *added;

	if (!items)
		return -ENOMEM;
	copies->items = items;
	added = &items[copies->n];
	*added = *copy;
	added->path = strdup(path);
	added->attach_path = strdup(attach_path);
	if (!added->path || !added->attach_path) {
		free(added->path);
		free(added->attach_path);
		return -ENOMEM;
	}
	copies->n++;
	return 0;
}

/* The offset that an accessor's code reveals. */
static int read_field(const struct elf_file *file, const struct elf_function *function,
    int (*reveal)(enum elf_machine, const uint8_t *, size_t, uint32_t *), uint32_t *ret_offset)
{
	uint8_t code[SQLITE_CODE_BYTES];
	int len = function->offset ? elf_file_read(file, function, code, sizeof(code)) : -ENOENT;

	if (len < 0)
		return len;
	return reveal(elf_file_machine(file), code, (size_t)len, ret_offset);
}

/* How many of its arguments a function's probe reads. */
static int arguments_of(enum sqlite_function function)
{
	switch (function) {
	case SQLITE_FN_STEP:
	case SQLITE_FN_RESET:
	case SQLITE_FN_FINALIZE:
	case SQLITE_FN_VDBE_DELETE:
	case SQLITE_FN_CLOSE:
	case SQLITE_FN_CLOSE_V2:
		return 1;
	default:
		return 3;
	}
}

static void place_probe(const struct elf_file *file, const struct elf_function *function,
    int arguments, struct sqlite_probe *probe)
{
	uint8_t code[SQLITE_CODE_BYTES];
	int len = function->offset ? elf_file_read(file, function, code, sizeof(code)) : 0;
	enum elf_machine machine = elf_file_machine(file);

	*probe = (struct sqlite_probe){.entry = function->offset, .cheapest = function->offset};
	if (len <= 0)
		return;
	probe->entry_cheap = sqlite_code_entry_is_cheap(machine, code, (size_t)len);
	probe->cheapest +=
	    sqlite_code_probe_offset(machine, code, (size_t)len, arguments, &probe->cheapest_cheap);
}

/* Why the copy cannot be traced, or NULL after its offsets are filled in. */
static const char *read_offsets(
    const struct elf_file *file, const struct elf_function *functions, struct sqlite_copy *copy)
{
	int err;

	if (elf_file_machine(file) != elf_machine_host())
		return "built for another machine or for 32 bits";
	if (!functions[SQLITE_FN_RESET].offset || !functions[SQLITE_FN_FINALIZE].offset)
		return "no symbol sqlite3_reset or sqlite3_finalize";
	if (!functions[FN_SQL].offset || !functions[FN_DB_HANDLE].offset)
		return "no symbol sqlite3_sql or sqlite3_db_handle to learn the statement's layout from";
	err = read_field(file, &functions[FN_SQL], sqlite_code_field, &copy->sql_offset);
	if (err)
		return "the machine code of sqlite3_sql is not understood";
	err = read_field(file, &functions[FN_DB_HANDLE], sqlite_code_field, &copy->db_offset);
	if (err)
		return "the machine code of sqlite3_db_handle is not understood";
	if (copy->sql_offset == copy->db_offset)
		return "sqlite3_sql and sqlite3_db_handle return the same field";
	/* Without it everything but transactions is told. */
	if (read_field(file, &functions[FN_AUTOCOMMIT], sqlite_code_byte, &copy->autocommit_offset))
		copy->autocommit_offset = 0;
	/* Without it errors have the codes that the program gets. */
	if (read_field(file, &functions[FN_ERRCODE], sqlite_code_word, &copy->errcode_offset))
		copy->errcode_offset = 0;
	/* Without it there are no beginnings of executions without their ends. */
	if (read_field(file, &functions[FN_DATA_COUNT], sqlite_code_tested, &copy->row_offset))
		copy->row_offset = 0;
	return NULL;
}

/* Make the probes reach what sqlite3_exec does inside; why the copy cannot be traced, or NULL. */
static const char *reach_inside(
    struct elf_file *file, const struct elf_function *functions, struct sqlite_copy *copy)
{
	const struct sqlite_outer outer = {
	    .step = functions[SQLITE_FN_STEP],
	    .reset = functions[SQLITE_FN_RESET],
	    .finalize = functions[SQLITE_FN_FINALIZE],
	    .prepare_v2 = functions[SQLITE_FN_PREPARE_V2],
	    .prepare_v3 = functions[SQLITE_FN_PREPARE_V3],
	    .exec = functions[SQLITE_FN_EXEC],
	    .vdbe_delete = functions[SQLITE_FN_VDBE_DELETE],
	    .vdbe_finalize = functions[FN_VDBE_FINALIZE],
	    .db_offset = copy->db_offset,
	};
	struct sqlite_probe *prepare = &copy->probe[SQLITE_FN_LOCK_AND_PREPARE];
	struct sqlite_inner inner;

	sqlite_inner_find(file, &outer, &inner);
	place_probe(file, &inner.prepare, 3, prepare);
	if (!prepare->entry_cheap || copy->probe[SQLITE_FN_PREPARE_V2].entry_cheap)
		*prepare = (struct sqlite_probe){0};
	if (!outer.exec.offset)
		return NULL;
	if (!inner.exec_steps)
		return "sqlite3_exec does not call sqlite3_step: a compiler has put it inside";
	copy->exec_prepare_call = inner.prepare_call;
	copy->exec_prepare_return = inner.prepare_next;
	copy->exec_prepare_return_cheap = inner.prepare_next_cheap;
	if (inner.vdbe_delete.offset) {
		place_probe(file, &inner.vdbe_delete, arguments_of(SQLITE_FN_VDBE_DELETE),
		    &copy->probe[SQLITE_FN_VDBE_DELETE]);
		copy->probe[SQLITE_FN_FINALIZE] = (struct sqlite_probe){0};
	} else {
		copy->probe[SQLITE_FN_VDBE_DELETE] = (struct sqlite_probe){0};
		copy->limit =
		    "traceable, but what a callback of sqlite3_exec stops is not told from the next";
	}
	if (!inner.exec_prepares && !inner.prepare_call)
		copy->limit =
		    "traceable, but statements that sqlite3_exec cannot prepare are not seen";
	return NULL;
}

/* Fill copy from an ELF file. -ENOENT when it holds no SQLite with symbols. */
static int describe(int fd, struct sqlite_copy *copy)
{
	struct elf_function functions[FN_ALL] = {0};
	struct elf_file *file;
	int err = elf_file_open_fd(fd, &file);

	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	for (int i = 0; i < FN_ALL; i++)
		functions[i].name = function_names[i];
	elf_file_find(file, functions, FN_ALL);
	if (!functions[SQLITE_FN_STEP].offset) {
		elf_file_close(file);
		return -ENOENT;
	}
	for (int i = 0; i < SQLITE_FN_COUNT; i++)
		place_probe(file, &functions[i], arguments_of(i), &copy->probe[i]);
	copy->reason = read_offsets(file, functions, copy);
	if (!copy->reason)
		copy->reason = reach_inside(file, functions, copy);
	copy->state = copy->reason ? SQLITE_COPY_REFUSED : SQLITE_COPY_TRACEABLE;
	elf_file_close(file);
	return 0;
}

/* The copies found so far, and how files are looked at. */
struct search {
	struct sqlite_copies copies;
	struct sqlite_copy_cache *cache;
	unsigned flags;
};

/* describe(), or what the cache knows; state SQLITE_COPY_INVALID when there is no SQLite with symbols. */
static int describe_once(
    const struct search *search, int fd, const struct stat *st, struct sqlite_copy *copy)
{
	int err;

	if (sqlite_copy_cache_get(search->cache, st, copy))
		return 0;
	copy->dev = st->st_dev;
	copy->inode = st->st_ino;
	err = describe(fd, copy);
	if (err && err != -ENOENT)
		return err;
	sqlite_copy_cache_put(search->cache, st, copy);
	return 0;
}

static bool is_sqlite_library(const char *name)
{
	return sv_starts(sv_cstr(name), SV("libsqlite3.so"));
}

bool sqlite_copy_loads_library(int fd)
{
	struct elf_file *file;
	const char *name;
	bool loads = false;

	if (elf_file_open_fd(fd, &file))
		return false;
	for (size_t i = 0; !loads && (name = elf_file_needed(file, i)); i++)
		loads = is_sqlite_library(name);
	elf_file_close(file);
	return loads;
}

/* Look at one open file and add it when it is a copy. */
static int examine(struct search *search, int fd, const char *path, const char *attach_path)
{
	struct sqlite_copy copy = {0};
	struct stat st;
	int err;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || copies_have(&search->copies, &st))
		return 0;
	err = describe_once(search, fd, &st, &copy);
	if (err)
		return err;
	if (copy.state == SQLITE_COPY_INVALID) {
		if (search->flags & SQLITE_COPY_LIST_NAMELESS)
			copy.state = SQLITE_COPY_NAMELESS;
		else if (!(search->flags & SQLITE_COPY_SEARCH_STRIPPED) ||
		    sqlite_source_id_in_file(fd) <= 0 || sqlite_copy_loads_library(fd))
			return 0;
		else
			copy.state = SQLITE_COPY_STRIPPED;
		copy.reason = "linked in without symbols";
	}
	return copies_add(&search->copies, &copy, path, attach_path);
}

/* State of a walk over the mappings of one process. */
struct scan {
	pid_t pid;
	struct search search;
	struct seen {
		unsigned dev_major, dev_minor;
		uint64_t inode;
	} seen[FILES_MAX];
	size_t n_seen;
};

static bool first_sight(struct scan *scan, const struct proc_map *map)
{
	for (size_t i = 0; i < scan->n_seen; i++) {
		const struct seen *seen = &scan->seen[i];

		if (seen->inode == map->inode && seen->dev_major == map->dev_major &&
		    seen->dev_minor == map->dev_minor)
			return false;
	}
	if (scan->n_seen == FILES_MAX) {
		scan->search.copies.unreadable++;
		return false;
	}
	scan->seen[scan->n_seen++] = (struct seen){
	    .dev_major = map->dev_major, .dev_minor = map->dev_minor, .inode = map->inode};
	return true;
}

/*
 * Open a mapped file. The map_files link needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE; the path
 * below the process' root does not, but may by now lead to another file, hence the inode.
 */
static int open_mapped(const struct scan *scan, const struct proc_map *map, char *path, size_t len)
{
	struct stat st;
	int fd;

	snprintf(path, len, "/proc/%d/map_files/%llx-%llx", scan->pid,
	    (unsigned long long)map->start, (unsigned long long)map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	snprintf(path, len, "/proc/%d/root%.*s", scan->pid, SV_ARG(map->path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_ino != map->inode)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int visit_map(const struct proc_map *map, void *arg)
{
	struct scan *scan = arg;
	char path[4096 + 64], shown[4096];
	int fd, err;

	if (!map->executable || !map->inode || !map->path.len || map->path.p[0] != '/')
		return 0;
	if (!first_sight(scan, map))
		return 0;
	fd = open_mapped(scan, map, path, sizeof(path));
	if (fd < 0) {
		scan->search.copies.unreadable++;
		return 0;
	}
	snprintf(shown, sizeof(shown), "%.*s", SV_ARG(map->path));
	err = examine(&scan->search, fd, shown, path);
	close(fd);
	return err;
}

int sqlite_copy_scan(
    struct sqlite_copy_cache *cache, pid_t pid, unsigned flags, struct sqlite_copies *ret_copies)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	int err;

	if (!scan)
		return -ENOMEM;
	scan->pid = pid;
	scan->search = (struct search){.cache = cache, .flags = flags};
	err = proc_each_map(pid, visit_map, scan);
	if (err)
		sqlite_copies_release(&scan->search.copies);
	else
		*ret_copies = scan->search.copies;
	free(scan);
	return err;
}

/* Where the dynamic linker looks by default, most specific first. */
static const char *const library_dirs[] = {
#if defined(__x86_64__)
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
#endif
    "/usr/local/lib",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
};

/* Examine the first library of this name that the directories have. */
static int examine_library(struct search *search, const char *name)
{
	for (size_t i = 0; i < sizeof(library_dirs) / sizeof(library_dirs[0]); i++) {
		char path[512];
		int fd, err;

		if (snprintf(path, sizeof(path), "%s/%s", library_dirs[i], name) >=
		    (int)sizeof(path))
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		err = examine(search, fd, path, path);
		close(fd);
		return err;
	}
	return 0;
}

static int examine_needed(struct search *search, int fd)
{
	struct elf_file *file;
	const char *name;
	int err = elf_file_open_fd(fd, &file);

	if (err)
		return err == -ENOMEM ? err : 0;
	for (size_t i = 0; !err && (name = elf_file_needed(file, i)); i++)
		if (is_sqlite_library(name) && !strchr(name, '/'))
			err = examine_library(search, name);
	elf_file_close(file);
	return err;
}

int sqlite_copy_for_program(struct sqlite_copy_cache *cache, const char *path, unsigned flags,
    struct sqlite_copies *ret_copies)
{
	struct search search = {.cache = cache, .flags = flags};
	int err, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	err = examine(&search, fd, path, path);
	if (!err)
		err = examine_needed(&search, fd);
	if (!err)
		err = examine_library(&search, "libsqlite3.so.0");
	close(fd);
	if (err)
		sqlite_copies_release(&search.copies);
	else
		*ret_copies = search.copies;
	return err;
}
