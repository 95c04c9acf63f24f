// SPDX-License-Identifier: Apache-2.0
/* Sizes of messages, field by field, as export/otlp_protobuf.c writes them; see span_size.h. */
#include "metric/span_size.h"

#include <string.h>

enum {
	TAG = 1,      /* bytes of the tag of a field below 16 */
	LONG_TAG = 2, /* and of others */
	FIXED32 = 4,
	FIXED64 = 8,
};

static size_t varint(uint64_t value)
{
	size_t len = 1;

	while (value >>= 7)
		len++;
	return len;
}

/* A field with a length before it. */
static size_t field(size_t len)
{
	return TAG + varint(len) + len;
}

/* The same, which is left out when it is empty. */
static size_t field_if_any(size_t len)
{
	return len ? field(len) : 0;
}

static size_t number_if_any(uint64_t value)
{
	return value ? TAG + varint(value) : 0;
}

static size_t any_value(const struct attr *attr)
{
	switch (attr->type) {
	case ATTR_STRING:
		return field(attr->string.len);
	case ATTR_BOOL:
		return TAG + 1;
	case ATTR_INT:
		return TAG + varint((uint64_t)attr->integer);
	case ATTR_DOUBLE:
		return TAG + FIXED64;
	default:
		return 0;
	}
}

static size_t attributes(const struct attr *attrs, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += field(field(strlen(attrs[i].key)) + field(any_value(&attrs[i])));
	return len;
}

static size_t link_field(const struct span_link *link)
{
	size_t flags = link->flags ? TAG + FIXED32 : 0;

	return field(field(sizeof(link->trace_id.b)) + field(sizeof(link->span_id.b)) + flags);
}

size_t span_size_bytes(const struct span *span)
{
	const struct span_link *link = span_link(span);
	struct attr time[SPAN_TIME_ATTRS_MAX];
	size_t n_time = span_time_attrs(span, time);
	size_t parent = span_id_is_zero(&span->parent_id) ? 0 : sizeof(span->parent_id.b);
	size_t status = span->status != SPAN_STATUS_UNSET ? number_if_any(span->status) : 0;

	return field(sizeof(span->trace_id.b)) + field(sizeof(span->span_id.b)) +
	    field_if_any(span->trace_state.len) + field_if_any(parent) +
	    field_if_any(span->name.len) + number_if_any(span->kind) + 2 * (TAG + FIXED64) +
	    attributes(span->attrs, span->n_attrs) + attributes(time, n_time) +
	    number_if_any(span->dropped_attrs) + number_if_any(span->dropped_links) +
	    (link ? link_field(link) : 0) + field_if_any(status) +
	    (span->flags ? LONG_TAG + FIXED32 : 0);
}
