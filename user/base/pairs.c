// SPDX-License-Identifier: Apache-2.0
/* Keys and values as one text; see pairs.h. */
#include "base/pairs.h"

#include "base/utf8.h"

void pairs_add(struct buf *pairs, struct sv key, struct sv value)
{
	struct sv there;

	if (!key.len || !value.len || pairs_find(buf_sv(pairs), key, &there))
		return;
	buf_append_sv(pairs, key);
	buf_append_char(pairs, '\0');
	buf_append_sv(pairs, value);
	buf_append_char(pairs, '\0');
}

void pairs_add_all(struct buf *pairs, struct sv more)
{
	struct sv key, value;

	while (pairs_next(&more, &key, &value))
		pairs_add(pairs, key, value);
}

bool pairs_next(struct sv *rest, struct sv *ret_key, struct sv *ret_value)
{
	struct sv key = sv_from(rest->p, sv_find(*rest, '\0'));
	struct sv behind = sv_skip(*rest, key.len + 1);
	struct sv value = sv_from(behind.p, sv_find(behind, '\0'));

	if (!key.len || value.len == behind.len) /* no NUL behind the value, or no value */
		return false;
	*rest = sv_skip(behind, value.len + 1);
	*ret_key = key;
	*ret_value = value;
	return true;
}

bool pairs_find(struct sv pairs, struct sv key, struct sv *ret_value)
{
	struct sv at, value;

	while (pairs_next(&pairs, &at, &value)) {
		if (sv_eq(at, key)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

bool pairs_valid(struct sv text)
{
	struct sv key, value;

	while (pairs_next(&text, &key, &value)) {
		struct sv again;

		if (!utf8_valid(key) || pairs_find(text, key, &again))
			return false;
	}
	return text.len == 0;
}
