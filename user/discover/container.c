// SPDX-License-Identifier: Apache-2.0
/* Container ids in paths of control groups; see container.h. */
#include "discover/container.h"

static bool is_hex(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

static bool ends_with(struct sv s, struct sv end)
{
	return s.len >= end.len && sv_eq(sv_skip(s, s.len - end.len), end);
}

static bool parse_component(struct sv component, struct sv *ret_id)
{
	static const struct sv scope = {.p = ".scope", .len = 6};
	struct sv words, id;

	if (ends_with(component, scope))
		component.len -= scope.len;
	if (component.len < CONTAINER_ID_LEN)
		return false;
	words = sv_from(component.p, component.len - CONTAINER_ID_LEN);
	id = sv_skip(component, words.len);
	if (!is_hex(id) || ends_with(words, SV("conmon-")))
		return false;
	if (words.len && words.p[words.len - 1] != '-' && words.p[words.len - 1] != ':')
		return false;
	*ret_id = id;
	return true;
}

static bool parse_path(struct sv path, struct sv *ret_id)
{
	bool found = false;

	while (path.len) {
		struct sv component = sv_from(path.p, sv_find(path, '/'));

		found |= parse_component(component, ret_id);
		path = sv_skip(path, component.len + 1);
	}
	return found;
}

bool container_parse_cgroup(struct sv text, struct sv *ret_id)
{
	while (text.len) {
		struct sv line = sv_from(text.p, sv_find(text, '\n')), path = line;

		text = sv_skip(text, line.len + 1);
		for (int field = 0; field < 2; field++) /* hierarchy:controllers:path */
			path = sv_skip(path, sv_find(path, ':') + 1);
		if (parse_path(path, ret_id))
			return true;
	}
	return false;
}
