// SPDX-License-Identifier: Apache-2.0
/* Limits of attributes and links; see limits.h. */
#include "export/limits.h"

#include "span/builder.h"

enum {
	COUNT_DEFAULT = 128,
};

struct signal_limits attr_limits_default(void)
{
	const struct attr_limits attrs = {.value_chars = ATTR_NO_LIMIT, .count = COUNT_DEFAULT};

	return (struct signal_limits){.spans = attrs, .logs = attrs, .links = COUNT_DEFAULT};
}

/* --- environment ----------------------------------------------------------------------------- */

/* Each limit by its variable, else as it is. */
static struct attr_limits read_limits(
    env_fn *get, const char *chars_name, const char *count_name, struct attr_limits otherwise)
{
	return (struct attr_limits){
	    .value_chars = env_number(get, chars_name, 0, INT32_MAX, otherwise.value_chars),
	    .count = env_number(get, count_name, 0, INT32_MAX, otherwise.count),
	};
}

/* Limits of what there is none of. */
static void read_without_effect(env_fn *get)
{
	static const char *const names[] = {"OTEL_SPAN_EVENT_COUNT_LIMIT",
	    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		env_number(get, names[i], 0, INT32_MAX, COUNT_DEFAULT);
}

struct signal_limits attr_limits_from_env(env_fn *get)
{
	struct attr_limits general = read_limits(get, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
	    "OTEL_ATTRIBUTE_COUNT_LIMIT", attr_limits_default().spans);

	read_without_effect(get);
	return (struct signal_limits){
	    .links = env_number(get, "OTEL_SPAN_LINK_COUNT_LIMIT", 0, INT32_MAX, COUNT_DEFAULT),
	    .spans = read_limits(get, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", general),
	    .logs = read_limits(get, "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
		"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", general),
	};
}

/* --- application ----------------------------------------------------------------------------- */

/* Bytes of the first n code points: a byte that does not continue one (10xxxxxx) begins one. */
static size_t prefix_len(struct sv text, size_t n)
{
	if (text.len <= n) /* none is shorter than a byte */
		return text.len;
	for (size_t i = 0; i < text.len; i++)
		if (((unsigned char)text.p[i] & 0xc0) != 0x80 && n-- == 0)
			return i;
	return text.len;
}

size_t attr_limits_apply(
    const struct attr_limits *limits, struct attr *attrs, size_t n, uint32_t *dropped)
{
	if (n > limits->count) {
		*dropped += (uint32_t)(n - limits->count);
		n = limits->count;
	}
	if (limits->value_chars == ATTR_NO_LIMIT)
		return n;
	for (size_t i = 0; i < n; i++) {
		if (attrs[i].type == ATTR_STRING)
			attrs[i].string.len = prefix_len(attrs[i].string, limits->value_chars);
	}
	return n;
}

void attr_limits_span(const struct signal_limits *limits, struct span *span)
{
	span->n_attrs =
	    attr_limits_apply(&limits->spans, span->attrs, span->n_attrs, &span->dropped_attrs);
	if (span->n_metric_attrs > span->n_attrs)
		span->n_metric_attrs = span->n_attrs;
	if (limits->links == 0 && span_link(span))
		span->dropped_links = 1;
}

void attr_limits_trace(const struct signal_limits *limits, struct trace *trace)
{
	for (size_t i = 0; i < trace->n_spans; i++)
		attr_limits_span(limits, trace->spans[i]);
}

bool attr_limits_span_may_pass(const struct signal_limits *limits)
{
	return limits->spans.value_chars != ATTR_NO_LIMIT ||
	    limits->spans.count < SPAN_BUILDER_MAX_ATTRS || limits->links == 0;
}
