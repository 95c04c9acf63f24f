/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of attributes and links as the OpenTelemetry SDK has them (opentelemetry-specification v1.60.0, common/README.md
 * "Attribute limits", trace/sdk.md "Span Limits" and the environment variables of them). Spans and log records are limited once, before
 * they are published: whoever holds them then shares one view. Nothing is copied: a text is cut by
 * shortening its view. Resources, metrics and the bodies of log records have no limits.
 */
#ifndef ZS_EXPORT_LIMITS_H
#define ZS_EXPORT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "span/log_record.h"
#include "span/span.h"

#define ATTR_NO_LIMIT SIZE_MAX

struct attr_limits {
	size_t value_chars; /* code points of a text; ATTR_NO_LIMIT: none */
	size_t count;       /* attributes of a span or record */
};

struct signal_limits {
	struct attr_limits spans, logs;
	size_t links; /* of a span, which has one at most */
};

/* No limit of texts, 128 attributes, 128 links. */
struct signal_limits attr_limits_default(void);

/*
 * OTEL_ATTRIBUTE_{VALUE_LENGTH,COUNT}_LIMIT, their OTEL_SPAN_ and OTEL_LOGRECORD_ forms, which win, and OTEL_SPAN_LINK_COUNT_LIMIT.
 * By the rules of base/env.h. Spans have no events, and links no attributes: what would limit those is read for mistakes
 * in it only.
 */
struct signal_limits attr_limits_from_env(env_fn *get);

/* Can a span be over them at all, given how many attributes it has at most? */
bool attr_limits_span_may_pass(const struct signal_limits *limits);

/* Before publishing, after its metrics are recorded (they have no limits): attributes beyond the count go
 * and are counted in dropped_attrs, a link in dropped_links, texts are cut between code points. Where nothing is over a
 * limit nothing is written. */
void attr_limits_span(const struct signal_limits *limits, struct span *span);
void attr_limits_trace(const struct signal_limits *limits, struct trace *trace);

/* The same for the model of a record, before log_record_new(): attrs are the caller's, n of them;
 * returns how many stay. */
size_t attr_limits_apply(
    const struct attr_limits *limits, struct attr *attrs, size_t n, uint32_t *dropped);

#endif
