// SPDX-License-Identifier: Apache-2.0
/* Separate debug files; see debug_file.h. */
#include "stack/debug_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "stack/cursor.h"
#include "stack/root.h"

enum {
	PATH_SIZE = 4096,
	LINK_SIZE = 1024, /* of a link section: a name and a checksum or build id */
};

#define DEBUG_DIR "/usr/lib/debug"

/* What a debug file has to be. */
struct wanted {
	uint8_t id[IMAGE_ID_MAX];
	int id_len;   /* 0: has none */
	bool has_sum; /* the checksum counts if there is no build id */
	uint32_t sum;
};

static bool has_id(const struct image *image, const struct wanted *wanted)
{
	uint8_t id[IMAGE_ID_MAX];

	return image_build_id(image, id) == wanted->id_len &&
	    memcmp(id, wanted->id, (size_t)wanted->id_len) == 0;
}

static bool has_sum(const struct image *image, uint32_t wanted)
{
	unsigned char chunk[65536];
	uLong sum = crc32(0, NULL, 0);
	uint64_t at = 0;
	size_t n;

	while ((n = image_read(image, at, chunk, sizeof(chunk))) > 0) {
		at += n;
		if (at > DEBUG_FILE_SUMMED_MAX)
			return false;
		sum = crc32(sum, chunk, (uInt)n);
	}
	return sum == wanted;
}

static bool is_wanted(const struct image *image, const struct wanted *wanted)
{
	if (wanted->id_len > 0)
		return has_id(image, wanted);
	return wanted->has_sum && has_sum(image, wanted->sum);
}

/* Open one candidate; pid 0: below our own root. */
static int try_path(
    pid_t pid, const char *path, const struct wanted *wanted, struct image **ret_debug)
{
	struct image *image;
	int err, fd = root_open(pid, path);

	if (fd < 0)
		return -ENOENT;
	err = image_open(fd, &image);
	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	if (!is_wanted(image, wanted)) {
		image_close(image);
		return -ENOENT;
	}
	*ret_debug = image;
	return 0;
}

static int try_build_id(pid_t pid, const struct wanted *wanted, struct image **ret_debug)
{
	char path[sizeof(DEBUG_DIR "/.build-id/") + 2 * IMAGE_ID_MAX + sizeof("/.debug")];
	int at, err = -ENOENT;

	if (wanted->id_len < 2)
		return -ENOENT;
	at = snprintf(path, sizeof(path), DEBUG_DIR "/.build-id/%02x/", wanted->id[0]);
	for (int i = 1; i < wanted->id_len; i++)
		at += snprintf(path + at, sizeof(path) - (size_t)at, "%02x", wanted->id[i]);
	snprintf(path + at, sizeof(path) - (size_t)at, ".debug");
	if (pid)
		err = try_path(pid, path, wanted, ret_debug);
	if (err == -ENOENT)
		err = try_path(0, path, wanted, ret_debug);
	return err;
}

/* A link section: a file's name, which is borrowed from bytes, then the rest. */
static bool read_link(const struct image *image, const char *section_name, char bytes[LINK_SIZE],
    const char **ret_name, struct cursor *ret_rest)
{
	struct image_section section;
	const char *name;

	if (!image_section_named(image, section_name, &section))
		return false;
	*ret_rest = cursor_from(bytes, image_read_section(image, &section, 0, bytes, LINK_SIZE));
	name = cursor_string(ret_rest);
	if (!name || !*name)
		return false;
	*ret_name = name;
	return true;
}

/* The three places where a linked file may lie. */
static int try_link(pid_t pid, const char *path, const char *name, const struct wanted *wanted,
    struct image **ret_debug)
{
	static const struct {
		const char *before, *between; /* the program's directory */
	} places[] = {{"", "/"}, {"", "/.debug/"}, {DEBUG_DIR, "/"}};
	const char *slash = strrchr(path, '/');
	char candidate[PATH_SIZE];
	int err = -ENOENT;

	if (!pid || !slash || strchr(name, '/'))
		return -ENOENT;
	for (size_t i = 0; err == -ENOENT && i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(candidate, sizeof(candidate), "%s%.*s%s%s", places[i].before,
		    (int)(slash - path), path, places[i].between, name);

		if (len < (int)sizeof(candidate) && strcmp(candidate, path) != 0)
			err = try_path(pid, candidate, wanted, ret_debug);
	}
	return err;
}

int debug_file_open(
    const struct image *image, pid_t pid, const char *path, struct image **ret_debug)
{
	struct wanted wanted = {0};
	char bytes[LINK_SIZE];
	const char *name;
	struct cursor rest;
	int err;

	wanted.id_len = image_build_id(image, wanted.id);
	if (wanted.id_len < 0)
		wanted.id_len = 0;
	err = try_build_id(pid, &wanted, ret_debug);
	if (err != -ENOENT || !read_link(image, ".gnu_debuglink", bytes, &name, &rest))
		return err;
	/* The checksum is aligned to four bytes behind the name. */
	cursor_take(&rest, (4 - (strlen(name) + 1) % 4) % 4);
	wanted.sum = (uint32_t)cursor_number(&rest, 4);
	wanted.has_sum = !rest.bad;
	return try_link(pid, path, name, &wanted, ret_debug);
}

int debug_file_open_shared(const struct image *debug, pid_t pid, struct image **ret_shared)
{
	struct wanted wanted = {0};
	char bytes[LINK_SIZE];
	const char *name;
	struct cursor rest;
	size_t len;
	int err;

	if (!read_link(debug, ".gnu_debugaltlink", bytes, &name, &rest) ||
	    strncmp(name, DEBUG_DIR "/", sizeof(DEBUG_DIR)) != 0)
		return -ENOENT;
	len = cursor_left(&rest);
	if (len == 0 || len > sizeof(wanted.id))
		return -ENOENT;
	memcpy(wanted.id, rest.p, len);
	wanted.id_len = (int)len;
	err = try_build_id(pid, &wanted, ret_shared);
	if (err == -ENOENT && pid)
		err = try_path(pid, name, &wanted, ret_shared);
	if (err == -ENOENT)
		err = try_path(0, name, &wanted, ret_shared);
	return err;
}
