// SPDX-License-Identifier: Apache-2.0
/* Forms and queries; see form.h. */
#include "proto/form.h"

#include "base/percent.h"

static char take_byte(struct sv *text)
{
	if (text->p[0] != '+')
		return percent_take_lenient(text);
	*text = sv_skip(*text, 1);
	return ' ';
}

void form_append(struct buf *out, struct sv text)
{
	while (text.len)
		buf_append_char(out, take_byte(&text));
}

static bool says(struct sv text, struct sv key)
{
	for (; text.len && key.len; key = sv_skip(key, 1))
		if (take_byte(&text) != key.p[0])
			return false;
	return !text.len && !key.len;
}

bool form_find(struct sv text, bool whole, struct sv key, struct sv *ret_value)
{
	while (text.len) {
		size_t end = sv_find(text, '&'), equals;
		struct sv pair = sv_from(text.p, end);

		if (end == text.len && !whole)
			return false;
		equals = sv_find(pair, '=');
		if (says(sv_from(pair.p, equals), key)) {
			*ret_value = sv_skip(pair, equals + 1);
			return true;
		}
		text = sv_skip(text, end + 1);
	}
	return false;
}
