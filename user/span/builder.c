// SPDX-License-Identifier: Apache-2.0
/* One-allocation span building; see builder.h. */
#include "span/builder.h"

#include <stdlib.h>

#include "base/utf8.h"

void span_builder_init(struct span_builder *builder)
{
	buf_init(&builder->text);
	builder->brief = false;
	builder->n_attrs = builder->n_metric_attrs = 0;
}

void span_builder_release(struct span_builder *builder)
{
	buf_release(&builder->text);
}

void span_builder_clear(struct span_builder *builder)
{
	buf_clear(&builder->text);
	builder->n_attrs = builder->n_metric_attrs = 0;
}

static struct attr *builder_add(struct span_builder *builder, const char *key, enum attr_type type)
{
	struct attr *attr;

	if (builder->n_attrs == SPAN_BUILDER_MAX_ATTRS)
		abort(); /* the builders below this room have a fixed number of attributes */
	attr = &builder->attrs[builder->n_attrs++].attr;
	attr->key = key;
	attr->type = type;
	return attr;
}

void span_builder_text(struct span_builder *builder, const char *key, size_t at)
{
	size_t len = builder->text.len - at;

	if (len == 0)
		return;
	builder->attrs[builder->n_attrs].at = at;
	builder_add(builder, key, ATTR_STRING)->string = sv_from(NULL, len);
}

void span_builder_string(struct span_builder *builder, const char *key, struct sv value)
{
	size_t at = builder->text.len;

	utf8_append_repaired(&builder->text, value);
	span_builder_text(builder, key, at);
}

void span_builder_constant(struct span_builder *builder, const char *key, struct sv value)
{
	if (value.len == 0)
		return;
	builder->attrs[builder->n_attrs].at = SPAN_BUILDER_CONSTANT;
	builder_add(builder, key, ATTR_STRING)->string = value;
}

void span_builder_metric_end(struct span_builder *builder)
{
	builder->n_metric_attrs = builder->n_attrs;
}

void span_builder_int(struct span_builder *builder, const char *key, int64_t value)
{
	builder_add(builder, key, ATTR_INT)->integer = value;
}

void span_builder_double(struct span_builder *builder, const char *key, double value)
{
	builder_add(builder, key, ATTR_DOUBLE)->real = value;
}

struct span *span_builder_finish(
    struct span_builder *builder, struct service *service, struct sv name, struct sv trace_state)
{
	size_t name_at = builder->text.len, state_at, n = builder->n_attrs;
	struct span *span = NULL;
	char *text;

	utf8_append_repaired(&builder->text, name);
	state_at = builder->text.len;
	buf_append_sv(&builder->text, trace_state);
	if (!builder->text.failed)
		span = malloc(sizeof(*span) + (n + 1) * sizeof(span->attrs[0]) + builder->text.len);
	if (span) {
		*span = (struct span){0};
		span->attrs = (struct attr *)(span + 1);
		span->n_attrs = n;
		span->n_metric_attrs = builder->n_metric_attrs;
		text = (char *)(span->attrs + n + 1);
		memcpy(text, builder->text.data, builder->text.len);
		for (size_t i = 0; i < n; i++) {
			span->attrs[i] = builder->attrs[i].attr;
			if (span->attrs[i].type == ATTR_STRING &&
			    builder->attrs[i].at != SPAN_BUILDER_CONSTANT)
				span->attrs[i].string.p = text + builder->attrs[i].at;
		}
		span->name = sv_from(text + name_at, state_at - name_at);
		span->trace_state = sv_from(text + state_at, trace_state.len);
		span->service = service_ref(service);
	}
	span_builder_clear(builder);
	return span;
}
