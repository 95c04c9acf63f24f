// SPDX-License-Identifier: Apache-2.0
/* A table of names by number and by hash; see names.h. */
#include "why/names.h"

#include <stdlib.h>

#include "base/hmap.h"
#include "base/list.h"

struct name {
	struct hnode node;
	uint32_t number;
	enum why_name_kind kind;
	size_t n_parts;
	struct sv parts[WHY_PARTS_MAX]; /* point into bytes */
	char bytes[];
};

struct why_names {
	struct hmap by_text;
	struct name *all[WHY_NAMES_MAX]; /* by number; 0 is none */
	uint32_t n;
	uint32_t n_routes;
	size_t bytes;
	uint64_t refused;
};

static bool is_route(enum why_name_kind kind)
{
	return kind == WHY_NAME_REQUEST || kind == WHY_NAME_LONE_STATEMENT ||
	    kind == WHY_NAME_LONE_CALL;
}

/* Not more of it than is kept, without half a character at the end. */
static struct sv cut(enum why_name_kind kind, struct sv text)
{
	size_t max = kind == WHY_NAME_STACK ? WHY_STACK_MAX : WHY_TEXT_MAX;

	if (text.len <= max)
		return text;
	text.len = max;
	while (text.len && ((unsigned char)text.p[text.len] & 0xc0) == 0x80)
		text.len--;
	return text;
}

static uint64_t hash_of(enum why_name_kind kind, const struct sv *parts, size_t n)
{
	uint64_t hash = hash_u64(kind);

	for (size_t i = 0; i < n; i++)
		hash = hash_combine(hash, hash_bytes(parts[i].p, parts[i].len));
	return hash;
}

static bool is_same(
    const struct name *name, enum why_name_kind kind, const struct sv *parts, size_t n)
{
	if (name->kind != kind || name->n_parts != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!sv_eq(name->parts[i], parts[i]))
			return false;
	return true;
}

static struct name *name_new(enum why_name_kind kind, const struct sv *parts, size_t n, size_t len)
{
	struct name *name = calloc(1, sizeof(*name) + len + 1);
	char *at;

	if (!name)
		return NULL;
	name->kind = kind;
	name->n_parts = n;
	at = name->bytes;
	for (size_t i = 0; i < n; i++) {
		name->parts[i] = sv_from(at, parts[i].len);
		if (parts[i].len)
			memcpy(at, parts[i].p, parts[i].len);
		at += parts[i].len;
	}
	return name;
}

static bool has_room(const struct why_names *names, enum why_name_kind kind, size_t len)
{
	return names->n < WHY_NAMES_MAX && len <= WHY_NAMES_BYTES_MAX - names->bytes &&
	    (!is_route(kind) || names->n_routes < WHY_ROUTES_MAX);
}

static uint32_t add(
    struct why_names *names, enum why_name_kind kind, const struct sv *parts, size_t n)
{
	struct name *name;
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	name = has_room(names, kind, len) ? name_new(kind, parts, n, len) : NULL;
	if (!name || hmap_add(&names->by_text, hash_of(kind, parts, n), &name->node)) {
		free(name);
		names->refused++;
		return WHY_NAME_REST;
	}
	name->number = names->n++;
	names->all[name->number] = name;
	names->bytes += len;
	names->n_routes += is_route(kind);
	return name->number;
}

struct why_names *why_names_new(void)
{
	struct why_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	hmap_init(&names->by_text);
	names->n = WHY_NAME_REST;
	if (add(names, WHY_NAME_OTHERS, NULL, 0) == WHY_NAME_REST && names->refused == 0)
		return names;
	why_names_free(names);
	return NULL;
}

void why_names_free(struct why_names *names)
{
	if (!names)
		return;
	for (uint32_t i = WHY_NAME_REST; i < names->n; i++)
		free(names->all[i]);
	hmap_release(&names->by_text);
	free(names);
}

uint32_t why_name(
    struct why_names *names, enum why_name_kind kind, const struct sv *parts, size_t n)
{
	struct sv kept[WHY_PARTS_MAX];

	for (size_t i = 0; i < n; i++)
		kept[i] = cut(kind, parts[i]);
	hmap_for_each_hash (node, &names->by_text, hash_of(kind, kept, n)) {
		const struct name *name = container_of(node, struct name, node);

		if (is_same(name, kind, kept, n))
			return name->number;
	}
	return add(names, kind, kept, n);
}

enum why_name_kind why_name_kind(const struct why_names *names, uint32_t name)
{
	return names->all[name] ? names->all[name]->kind : WHY_NAME_INVALID;
}

struct sv why_name_part(const struct why_names *names, uint32_t name, size_t part)
{
	const struct name *hit = names->all[name];

	return hit && part < hit->n_parts ? hit->parts[part] : (struct sv){0};
}

uint64_t why_names_refused(const struct why_names *names)
{
	return names->refused;
}
