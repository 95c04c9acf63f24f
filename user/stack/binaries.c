// SPDX-License-Identifier: Apache-2.0
/* Open files of code; see binaries.h. Few enough that a list does. */
#include "stack/binaries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hmap.h"
#include "base/list.h"

/* What tells one file from another. */
struct identity {
	uint64_t dev, inode, size, changed_s, changed_ns;
};

struct entry {
	struct list link; /* by last use, the oldest first */
	struct identity identity;
	struct binary *binary;
	size_t references;
};

struct binaries {
	struct list entries;
	size_t n;
};

struct binaries *binaries_new(void)
{
	struct binaries *binaries = calloc(1, sizeof(*binaries));

	if (binaries)
		list_init(&binaries->entries);
	return binaries;
}

static void drop(struct binaries *binaries, struct entry *entry)
{
	list_remove(&entry->link);
	binaries->n--;
	binary_free(entry->binary);
	free(entry);
}

void binaries_free(struct binaries *binaries)
{
	if (!binaries)
		return;
	list_for_each (link, &binaries->entries)
		drop(binaries, container_of(link, struct entry, link));
	free(binaries);
}

static void touch(struct binaries *binaries, struct entry *entry)
{
	list_remove(&entry->link);
	list_add_tail(&binaries->entries, &entry->link);
}

static struct entry *find(struct binaries *binaries, const struct identity *identity)
{
	list_for_each (link, &binaries->entries) {
		struct entry *entry = container_of(link, struct entry, link);

		if (memcmp(&entry->identity, identity, sizeof(*identity)) == 0)
			return entry;
	}
	return NULL;
}

static struct entry *entry_of(struct binaries *binaries, const struct binary *binary)
{
	list_for_each (link, &binaries->entries) {
		struct entry *entry = container_of(link, struct entry, link);

		if (entry->binary == binary)
			return entry;
	}
	return NULL;
}

/* Make room for one more. */
static int make_room(struct binaries *binaries)
{
	if (binaries->n < BINARIES_MAX)
		return 0;
	list_for_each (link, &binaries->entries) {
		struct entry *entry = container_of(link, struct entry, link);

		if (entry->references)
			continue;
		drop(binaries, entry);
		return 0;
	}
	return -ENFILE;
}

/* The image moves, also on failure. */
static int add(struct binaries *binaries, const struct identity *identity, struct image *image,
    struct binary **ret_binary)
{
	int err = make_room(binaries);
	struct entry *entry = err ? NULL : calloc(1, sizeof(*entry));

	if (!entry) {
		image_close(image);
		return err ? err : -ENOMEM;
	}
	entry->binary = binary_new(image);
	if (!entry->binary) {
		free(entry);
		return -ENOMEM;
	}
	entry->identity = *identity;
	entry->references = 1;
	list_add_tail(&binaries->entries, &entry->link);
	binaries->n++;
	*ret_binary = entry->binary;
	return 0;
}

static struct binary *reuse(struct binaries *binaries, const struct identity *identity)
{
	struct entry *entry = find(binaries, identity);

	if (!entry)
		return NULL;
	entry->references++;
	touch(binaries, entry);
	return entry->binary;
}

int binaries_open(struct binaries *binaries, int fd, struct binary **ret_binary)
{
	struct identity identity;
	struct binary *known;
	struct image *image;
	struct stat st;
	int err;

	if (fstat(fd, &st) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	identity = (struct identity){.dev = st.st_dev,
	    .inode = st.st_ino,
	    .size = (uint64_t)st.st_size,
	    .changed_s = (uint64_t)st.st_ctim.tv_sec,
	    .changed_ns = (uint64_t)st.st_ctim.tv_nsec};
	known = reuse(binaries, &identity);
	if (known) {
		close(fd);
		*ret_binary = known;
		return 0;
	}
	err = image_open(fd, &image);
	return err ? err : add(binaries, &identity, image, ret_binary);
}

int binaries_copy(
    struct binaries *binaries, const void *bytes, size_t len, struct binary **ret_binary)
{
	struct identity identity = {.inode = hash_bytes(bytes, len), .size = len};
	struct binary *known = reuse(binaries, &identity);
	struct image *image;
	int err;

	if (known) {
		*ret_binary = known;
		return 0;
	}
	err = image_copy(bytes, len, &image);
	return err ? err : add(binaries, &identity, image, ret_binary);
}

void binaries_unref(struct binaries *binaries, struct binary *binary)
{
	struct entry *entry = binary ? entry_of(binaries, binary) : NULL;

	if (entry)
		entry->references--;
}

void binaries_touch(struct binaries *binaries, struct binary *binary)
{
	struct entry *entry = entry_of(binaries, binary);

	if (entry)
		touch(binaries, entry);
}

size_t binaries_too_large(const struct binaries *binaries)
{
	const struct list *head = &binaries->entries;
	size_t n = 0;

	for (const struct list *link = head->next; link != head; link = link->next)
		n += binary_is_too_large(container_of(link, struct entry, link)->binary);
	return n;
}

void binaries_drop_unused(struct binaries *binaries)
{
	list_for_each (link, &binaries->entries) {
		struct entry *entry = container_of(link, struct entry, link);

		if (!entry->references)
			drop(binaries, entry);
	}
}

void binaries_trim(struct binaries *binaries)
{
	size_t total = 0;

	list_for_each (link, &binaries->entries)
		total += binary_memory(container_of(link, struct entry, link)->binary);
	list_for_each (link, &binaries->entries) {
		struct entry *entry = container_of(link, struct entry, link);
		size_t before = binary_memory(entry->binary);

		if (total <= BINARIES_MEMORY_MAX)
			return;
		binary_trim(entry->binary);
		total -= before - binary_memory(entry->binary);
	}
}
