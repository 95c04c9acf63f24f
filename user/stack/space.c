// SPDX-License-Identifier: Apache-2.0
/* Mappings of a process; see space.h. */
#include "stack/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "discover/proc.h"
#include "stack/root.h"

enum {
	NO_FILE = -1,
};

struct file {
	unsigned dev_major, dev_minor;
	uint64_t inode;      /* 0: the vdso */
	uint64_t start, end; /* one of its mappings */
	bool deleted;
	bool tried; /* to open it */
	char *path;
	struct binary *binary;
};

struct map {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	int file;        /* index, or NO_FILE */
	bool probes;     /* the kernel's, for probes of user functions */
};

/* One reading of the mappings. */
struct reading {
	struct map *maps;
	size_t n_maps;
	struct file *files;
	size_t n_files;
	uint64_t refused;
};

struct space {
	struct binaries *binaries;
	pid_t pid;
	uint64_t start_ticks; /* of the process */
	uint64_t exe_dev, exe_inode;
	uint64_t read_ns;
	uint64_t refused;
	struct reading now;
};

static void release_reading(struct binaries *binaries, struct reading *r)
{
	for (size_t i = 0; i < r->n_files; i++) {
		binaries_unref(binaries, r->files[i].binary);
		free(r->files[i].path);
	}
	free(r->files);
	free(r->maps);
	*r = (struct reading){0};
}

static bool is_vdso(const struct proc_map *map)
{
	return sv_eq(map->path, SV("[vdso]"));
}

static bool is_of(const struct file *file, const struct proc_map *map)
{
	return file->inode == map->inode && file->dev_major == map->dev_major &&
	    file->dev_minor == map->dev_minor;
}

static int find_file(const struct reading *r, const struct proc_map *map)
{
	for (size_t i = 0; i < r->n_files; i++)
		if (is_of(&r->files[i], map))
			return (int)i;
	return NO_FILE;
}

/*
 * The index of the mapped file, which is added if it is new; NO_FILE when it has none, or no room.
 */
static int need_file(struct reading *r, const struct proc_map *map)
{
	int known = find_file(r, map);
	struct file *files;

	if (!is_vdso(map) && (!map->inode || !map->path.len || map->path.p[0] != '/'))
		return NO_FILE;
	if (known != NO_FILE)
		return known;
	if (r->n_files == SPACE_FILES_MAX) {
		r->refused++;
		return NO_FILE;
	}
	files = reallocarray(r->files, r->n_files + 1, sizeof(*files));
	if (!files)
		return NO_FILE;
	r->files = files;
	files[r->n_files] = (struct file){.dev_major = map->dev_major,
	    .dev_minor = map->dev_minor,
	    .inode = map->inode,
	    .start = map->start,
	    .end = map->end,
	    .deleted = map->deleted,
	    .path = strndup(map->path.p, map->path.len)};
	if (!files[r->n_files].path)
		return NO_FILE;
	return (int)r->n_files++;
}

static int take_map(const struct proc_map *map, void *arg)
{
	struct reading *r = arg;
	struct map *maps;

	if (!map->executable)
		return 0;
	if (r->n_maps == SPACE_MAPS_MAX) {
		r->refused++;
		return 0;
	}
	if (r->n_maps % 64 == 0) {
		maps = reallocarray(r->maps, r->n_maps + 64, sizeof(*maps));
		if (!maps)
			return -ENOMEM;
		r->maps = maps;
	}
	r->maps[r->n_maps++] = (struct map){.start = map->start,
	    .end = map->end,
	    .offset = map->offset,
	    .file = need_file(r, map),
	    .probes = sv_eq(map->path, SV("[uprobes]"))};
	return 0;
}

/* Files that are still mapped keep what is open. */
static void carry_over(struct reading *from, struct reading *to)
{
	for (size_t i = 0; i < to->n_files; i++) {
		struct file *f = &to->files[i];

		for (size_t k = 0; k < from->n_files; k++) {
			struct file *old = &from->files[k];

			if (old->inode != f->inode || old->dev_major != f->dev_major ||
			    old->dev_minor != f->dev_minor || strcmp(old->path, f->path) != 0)
				continue;
			f->binary = old->binary;
			f->tried = old->tried;
			old->binary = NULL;
			break;
		}
	}
}

static int read_maps(struct space *space, uint64_t now_ns)
{
	struct reading fresh = {0};
	int err = proc_each_map(space->pid, take_map, &fresh);

	if (!err && !fresh.n_maps) /* between its end and its burial */
		err = -ESRCH;
	if (err) {
		release_reading(space->binaries, &fresh);
		return err;
	}
	carry_over(&space->now, &fresh);
	release_reading(space->binaries, &space->now);
	space->now = fresh;
	space->refused += fresh.refused;
	space->read_ns = now_ns;
	return 0;
}

/* What tells one program in a process from the next. */
static int identify(pid_t pid, uint64_t *ret_start, uint64_t *ret_dev, uint64_t *ret_inode)
{
	struct proc_stat process;
	char name[64];
	struct stat st;
	int err = proc_read_stat(pid, &process);

	if (err)
		return err;
	snprintf(name, sizeof(name), "/proc/%d/exe", pid);
	if (stat(name, &st) != 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_start = process.start_ticks;
	*ret_dev = st.st_dev;
	*ret_inode = st.st_ino;
	return 0;
}

int space_new(struct binaries *binaries, pid_t pid, uint64_t now_ns, struct space **ret_space)
{
	struct space *space = calloc(1, sizeof(*space));
	int err;

	if (!space)
		return -ENOMEM;
	space->binaries = binaries;
	space->pid = pid;
	err = identify(pid, &space->start_ticks, &space->exe_dev, &space->exe_inode);
	if (!err)
		err = read_maps(space, now_ns);
	if (err)
		space_free(space);
	else
		*ret_space = space;
	return err;
}

void space_free(struct space *space)
{
	if (!space)
		return;
	release_reading(space->binaries, &space->now);
	free(space);
}

pid_t space_pid(const struct space *space)
{
	return space->pid;
}

uint64_t space_refused(const struct space *space)
{
	return space->refused;
}

bool space_is_stale(const struct space *space)
{
	uint64_t start, dev, inode;

	if (identify(space->pid, &start, &dev, &inode))
		return false; /* it is gone, and what is known of it still holds */
	return start != space->start_ticks || dev != space->exe_dev || inode != space->exe_inode;
}

void space_refresh(struct space *space, uint64_t now_ns, uint64_t age_ns)
{
	if (now_ns - space->read_ns >= age_ns && read_maps(space, now_ns))
		space->read_ns = now_ns; /* not again at once */
}

static bool read_memory(const struct space *space, uint64_t address, void *buf, size_t len)
{
	char name[64];
	ssize_t got;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/mem", space->pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = pread(fd, buf, len, (off_t)address);
	close(fd);
	return got == (ssize_t)len;
}

bool space_read(const struct space *space, uint64_t address, void *buf, size_t len)
{
	struct proc_pages pages;

	if (proc_read_pages(space->pid, address, len, &pages))
		return false;
	for (size_t i = 0; i < pages.n; i++)
		if (!(pages.entries[i] & PROC_PAGE_PRESENT))
			return false;
	return pages.n && read_memory(space, address, buf, len);
}

/* The vdso's image, which is in no file. */
static int copy_vdso(struct space *space, const struct file *file, struct binary **ret_binary)
{
	size_t len = (size_t)(file->end - file->start);
	char *bytes;
	int err = -EIO;

	if (file->end - file->start > IMAGE_MEMORY_MAX)
		return -EFBIG;
	bytes = malloc(len);
	if (bytes && read_memory(space, file->start, bytes, len))
		err = binaries_copy(space->binaries, bytes, len, ret_binary);
	free(bytes);
	return err;
}

static int open_file(struct space *space, const struct file *file, struct binary **ret_binary)
{
	const struct proc_map map = {.start = file->start,
	    .end = file->end,
	    .inode = file->inode,
	    .path = sv_cstr(file->path),
	    .deleted = file->deleted};
	int fd;

	if (is_vdso(&map))
		return copy_vdso(space, file, ret_binary);
	fd = root_open_mapped(space->pid, &map);
	return fd < 0 ? fd : binaries_open(space->binaries, fd, ret_binary);
}

static struct binary *need_binary(struct space *space, struct file *file)
{
	if (!file->tried) {
		file->tried = true;
		if (open_file(space, file, &file->binary)) {
			file->binary = NULL;
			space->refused++;
		}
	}
	if (file->binary)
		binaries_touch(space->binaries, file->binary);
	return file->binary;
}

static const struct map *find_map(const struct space *space, uint64_t address)
{
	size_t low = 0, high = space->now.n_maps;

	while (low < high) { /* the kernel lists them by address */
		size_t middle = low + (high - low) / 2;

		if (space->now.maps[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == space->now.n_maps || space->now.maps[low].start > address)
		return NULL;
	return &space->now.maps[low];
}

bool space_is_return_probe(const struct space *space, uint64_t address)
{
	const struct map *map = find_map(space, address);

	return map && map->probes;
}

bool space_find(struct space *space, uint64_t address, struct space_place *ret_place)
{
	const struct map *map = find_map(space, address);
	const char *slash;
	struct file *file;
	struct space_place place = {.address = address, .user = {.pid = space->pid, .path = ""}};

	if (!map)
		return false;
	if (map->file != NO_FILE) {
		file = &space->now.files[map->file];
		slash = strrchr(file->path, '/');
		place.name = slash ? slash + 1 : file->path;
		place.user.path = slash ? file->path : "";
		place.address = address - map->start + map->offset;
		place.binary = need_binary(space, file);
		if (place.binary &&
		    !image_code_address(binary_image(place.binary), place.address, &place.address))
			place.binary = NULL;
	}
	place.load = address - place.address;
	*ret_place = place;
	return true;
}
