/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a span with its attributes and strings as one allocation. Attributes are collected first,
 * texts in a scratch buffer that is reused from span to span; the end copies both behind the span.
 */
#ifndef ZS_SPAN_BUILDER_H
#define ZS_SPAN_BUILDER_H

#include "base/buf.h"
#include "span/span.h"

#define SPAN_BUILDER_MAX_ATTRS 32

struct span_builder {
	struct buf text; /* texts of this span, one after the other */
	size_t n_attrs;
	struct {
		struct attr attr; /* string values: p is NULL, offset in text below; or static */
		size_t at;
	} attrs[SPAN_BUILDER_MAX_ATTRS];
};

void span_builder_init(struct span_builder *builder);
void span_builder_release(struct span_builder *builder);

/* Forget the collected span, keep the memory. */
void span_builder_clear(struct span_builder *builder);

/* Add an attribute; key is static. Empty strings are left out, bytes that are no UTF-8 repaired. */
void span_builder_string(struct span_builder *builder, const char *key, struct sv value);
/* The same for a text that is there for good and is UTF-8: it is not copied. Not empty. */
void span_builder_static(struct span_builder *builder, const char *key, struct sv value);
void span_builder_int(struct span_builder *builder, const char *key, int64_t value);

/* Add the text that was appended to builder->text (valid UTF-8) since at; also under several keys. */
void span_builder_text(struct span_builder *builder, const char *key, size_t at);

/*
 * The span, or NULL without memory. name is copied (repaired); takes its own reference on service.
 * Ids, kind, times, status are the caller's to set. The builder is clear afterwards.
 */
struct span *span_builder_finish(
    struct span_builder *builder, struct service *service, struct sv name, struct sv trace_state);

#endif
