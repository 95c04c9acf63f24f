// SPDX-License-Identifier: Apache-2.0
/* See kernel_types.h. */
#include "probe/kernel_types.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hmap.h"
#include "base/list.h"

/* Structs in structs in structs; the kernel's are some ten deep. */
#define DEPTH_MAX 64

/* A name that one of our types has. */
struct wanted {
	struct hnode node;
	const char *name;
	size_t len;
};

struct selection {
	struct kernel_types *types;
	int pointer; /* the number in some of void * */
	struct hmap wanted;
	struct wanted *names;
};

int kernel_types_open(struct kernel_types *types)
{
	*types = (struct kernel_types){.fd = -1};
	types->all = btf__load_vmlinux_btf();
	if (!types->all)
		return -errno;
	types->fd = memfd_create("zerospan-kernel-types", MFD_CLOEXEC);
	if (types->fd < 0)
		return -errno;
	snprintf(types->path, sizeof(types->path), "/proc/self/fd/%d", types->fd);
	return 0;
}

static void forget(struct kernel_types *types)
{
	free(types->numbers);
	btf__free(types->some);
	btf__free(types->all);
	types->numbers = NULL;
	types->some = types->all = NULL;
}

void kernel_types_close(struct kernel_types *types)
{
	forget(types);
	if (types->fd >= 0)
		close(types->fd);
}

/* --- the names ------------------------------------------------------------------------------------ */

static bool is_named_by_us(const struct btf_type *type)
{
	return btf_is_composite(type) || btf_is_any_enum(type);
}

static size_t length_of(const char *name)
{
	const char *flavour = strstr(name, "___");

	return flavour ? (size_t)(flavour - name) : strlen(name);
}

static int want(struct selection *s, const struct btf *ours)
{
	__u32 n = btf__type_cnt(ours);

	s->names = calloc(n, sizeof(*s->names));
	if (!s->names)
		return -ENOMEM;
	for (__u32 i = 1; i < n; i++) {
		const struct btf_type *type = btf__type_by_id(ours, i);
		struct wanted *wanted = &s->names[i];

		if (!is_named_by_us(type) || !type->name_off)
			continue;
		wanted->name = btf__name_by_offset(ours, type->name_off);
		wanted->len = length_of(wanted->name);
		if (hmap_add(&s->wanted, hash_bytes(wanted->name, wanted->len), &wanted->node))
			return -ENOMEM;
	}
	return 0;
}

static bool is_wanted(const struct selection *s, const char *name)
{
	size_t len = length_of(name);

	hmap_for_each_hash (node, &s->wanted, hash_bytes(name, len)) {
		const struct wanted *wanted = container_of(node, struct wanted, node);

		if (wanted->len == len && memcmp(wanted->name, name, len) == 0)
			return true;
	}
	return false;
}

/* --- copying -------------------------------------------------------------------------------------- */

static int copy(struct selection *s, __u32 number, unsigned depth);

/* The type that we have just copied, to have its references changed. */
static struct btf_type *copied(const struct selection *s, int number)
{
	return (struct btf_type *)btf__type_by_id(s->types->some, (__u32)number);
}

static int copy_members(struct selection *s, const struct btf_type *from, int to, unsigned depth)
{
	const struct btf_member *members = btf_members(from);

	for (__u16 i = 0; i < btf_vlen(from); i++) {
		int number = copy(s, members[i].type, depth + 1);

		if (number < 0)
			return number;
		btf_members(copied(s, to))[i].type = (__u32)number;
	}
	return to;
}

static int copy_array(struct selection *s, const struct btf_type *from, int to, unsigned depth)
{
	int element = copy(s, btf_array(from)->type, depth + 1);
	int index = element < 0 ? element : copy(s, btf_array(from)->index_type, depth + 1);

	if (index < 0)
		return index;
	btf_array(copied(s, to))->type = (__u32)element;
	btf_array(copied(s, to))->index_type = (__u32)index;
	return to;
}

/* Copy a type with all that is embedded in it, unless it is there. Its number in the copy, or negative errno. */
static int copy(struct selection *s, __u32 number, unsigned depth)
{
	const struct btf_type *type = btf__type_by_id(s->types->all, number);
	int to;

	while (type && (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type))) {
		number = type->type;
		type = btf__type_by_id(s->types->all, number);
	}
	if (!type || depth > DEPTH_MAX)
		return -EINVAL;
	if (btf_is_ptr(type))
		return s->pointer;
	if (s->types->numbers[number] || btf_is_void(type))
		return (int)s->types->numbers[number];
	to = btf__add_type(s->types->some, s->types->all, type);
	if (to < 0)
		return to;
	s->types->numbers[number] = (uint32_t)to;
	if (btf_is_composite(type))
		return copy_members(s, type, to, depth);
	return btf_is_array(type) ? copy_array(s, type, to, depth) : to;
}

static int copy_wanted(struct selection *s)
{
	const struct btf *all = s->types->all;
	__u32 n = btf__type_cnt(all);
	int err = 0;

	s->types->some = btf__new_empty();
	s->types->numbers = calloc(n, sizeof(*s->types->numbers));
	if (!s->types->some || !s->types->numbers)
		return -ENOMEM;
	s->pointer = btf__add_ptr(s->types->some, 0);
	if (s->pointer < 0)
		return s->pointer;
	for (__u32 i = 1; i < n && err >= 0; i++) {
		const struct btf_type *type = btf__type_by_id(all, i);

		if (is_named_by_us(type) && is_wanted(s, btf__name_by_offset(all, type->name_off)))
			err = copy(s, i, 0);
	}
	return err < 0 ? err : 0;
}

int kernel_types_select(struct kernel_types *types, const struct btf *ours)
{
	struct selection s = {.types = types};
	int err;

	hmap_init(&s.wanted);
	err = want(&s, ours);
	if (!err)
		err = copy_wanted(&s);
	hmap_release(&s.wanted);
	free(s.names);
	return err;
}

uint32_t kernel_types_number(const struct kernel_types *types, const char *name)
{
	__s32 number = btf__find_by_name_kind(types->some, name, BTF_KIND_STRUCT);
	__u32 n = btf__type_cnt(types->all);

	for (__u32 i = 1; i < n && number > 0; i++)
		if (types->numbers[i] == (__u32)number)
			return i;
	return 0;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	for (ssize_t n; size; bytes += n, size -= (size_t)n) {
		n = write(fd, bytes, size);
		if (n < 0)
			return -errno;
	}
	return 0;
}

int kernel_types_write(struct kernel_types *types)
{
	__u32 size;
	const char *bytes = btf__raw_data(types->some, &size);
	int err = bytes ? write_all(types->fd, bytes, size) : -ENOMEM;

	forget(types);
	return err;
}
