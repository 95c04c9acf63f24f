// SPDX-License-Identifier: Apache-2.0
/* See attr_value.h. */
#include "export/attr_value.h"

#include "export/put.h"

bool attr_value_append(struct buf *out, const struct attr *attr)
{
	char text[PUT_DOUBLE_MAX];

	switch (attr->type) {
	case ATTR_STRING:
		return false;
	case ATTR_INT:
		buf_append(out, text, (size_t)(put_i64(text, attr->integer) - text));
		break;
	case ATTR_DOUBLE:
		buf_append(out, text, (size_t)(put_double(text, attr->real) - text));
		break;
	case ATTR_BOOL:
		buf_append_cstr(out, attr->boolean ? "true" : "false");
		break;
	case ATTR_INVALID:
		break;
	}
	return true;
}
