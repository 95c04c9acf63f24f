/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a span with its attributes and strings as one allocation. Attributes are collected first,
 * texts in a scratch buffer that is reused from span to span; the end copies both behind the span.
 */
#ifndef ZS_SPAN_BUILDER_H
#define ZS_SPAN_BUILDER_H

#include <stdint.h>

#include "base/buf.h"
#include "span/span.h"

#define SPAN_BUILDER_MAX_ATTRS 32

/* attrs[].at of a text that is not in the builder's. */
#define SPAN_BUILDER_CONSTANT SIZE_MAX

struct span_builder {
	bool
	    brief; /* nobody reads the spans but the metrics: attributes that are not theirs are left out */
	struct buf text; /* texts of this span, one after the other */
	size_t n_attrs;
	size_t n_metric_attrs;
	struct {
		struct attr attr; /* string values: p is NULL, offset in text below */
		size_t at;
	} attrs[SPAN_BUILDER_MAX_ATTRS];
};

void span_builder_init(struct span_builder *builder);
void span_builder_release(struct span_builder *builder);

/* Forget the collected span, keep the memory. */
void span_builder_clear(struct span_builder *builder);

/* Add an attribute; key is static. Empty strings are left out, bytes that are no UTF-8 repaired. */
void span_builder_string(struct span_builder *builder, const char *key, struct sv value);

/* A text that lives as long as the program and is valid UTF-8: nothing is copied. */
void span_builder_constant(struct span_builder *builder, const char *key, struct sv value);

void span_builder_int(struct span_builder *builder, const char *key, int64_t value);

void span_builder_double(struct span_builder *builder, const char *key, double value);

/* What was added until now are the attributes of the span's duration metric. */
void span_builder_metric_end(struct span_builder *builder);

/* Add the text that was appended to builder->text (valid UTF-8) since at. */
void span_builder_text(struct span_builder *builder, const char *key, size_t at);

/*
 * The span, or NULL without memory. name is copied (repaired); takes its own reference on service.
 * Ids, kind, times, status are the caller's to set. The builder is clear afterwards.
 */
struct span *span_builder_finish(
    struct span_builder *builder, struct service *service, struct sv name, struct sv trace_state);

#endif
