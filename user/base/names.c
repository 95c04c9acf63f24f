// SPDX-License-Identifier: Apache-2.0
/* Texts that are kept; see names.h. */
#include "base/names.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/hmap.h"
#include "base/list.h"

struct names {
	struct hmap map;
};

struct name {
	struct hnode node;
	size_t len;
	_Alignas(max_align_t) char text[];
};

struct names *names_new(void)
{
	struct names *names = malloc(sizeof(*names));

	if (names)
		hmap_init(&names->map);
	return names;
}

void names_free(struct names *names)
{
	struct hnode *node;
	size_t slot = 0;

	if (!names)
		return;
	while ((node = hmap_pop(&names->map, &slot)))
		free(container_of(node, struct name, node));
	hmap_release(&names->map);
	free(names);
}

const char *names_keep(struct names *names, struct sv text)
{
	uint64_t hash = hash_bytes(text.p, text.len);
	struct name *name;

	hmap_for_each_hash (node, &names->map, hash) {
		name = container_of(node, struct name, node);
		if (sv_eq(sv_from(name->text, name->len), text))
			return name->text;
	}
	name = malloc(sizeof(*name) + text.len + 1);
	if (!name)
		return NULL;
	name->len = text.len;
	if (text.len)
		memcpy(name->text, text.p, text.len);
	name->text[text.len] = '\0';
	if (hmap_add(&names->map, hash, &name->node)) {
		free(name);
		return NULL;
	}
	return name->text;
}

const void *names_keep_bytes(struct names *names, const void *data, size_t size)
{
	return names_keep(names, sv_from(data, size));
}
