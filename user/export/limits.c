// SPDX-License-Identifier: Apache-2.0
/* Attribute limits; see limits.h. */
#include "export/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "span/builder.h"

enum {
	COUNT_DEFAULT = 128,
};

struct signal_limits attr_limits_default(void)
{
	const struct attr_limits attrs = {.value_chars = ATTR_NO_LIMIT, .count = COUNT_DEFAULT};

	return (struct signal_limits){.spans = attrs, .logs = attrs};
}

/* --- environment ----------------------------------------------------------------------------- */

/* Leaves *limit where the variable is unset, empty or no number. */
static void read_limit(
    const char *(*getenv_fn)(const char *name), const char *name, size_t *ret_limit)
{
	const char *text = getenv_fn(name);
	unsigned long long value;
	size_t digits;

	if (!text || !*text)
		return;
	digits = strspn(text, "0123456789");
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (text[digits] || digits == 0 || errno || value > INT32_MAX) {
		log_warn("%s='%s' is ignored: expected a number from 0 to 2147483647", name, text);
		return;
	}
	*ret_limit = (size_t)value;
}

struct signal_limits attr_limits_from_env(const char *(*getenv_fn)(const char *name))
{
	struct signal_limits limits = attr_limits_default();
	struct attr_limits general = limits.spans;

	read_limit(getenv_fn, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", &general.value_chars);
	read_limit(getenv_fn, "OTEL_ATTRIBUTE_COUNT_LIMIT", &general.count);
	limits.spans = limits.logs = general;
	read_limit(getenv_fn, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", &limits.spans.value_chars);
	read_limit(getenv_fn, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", &limits.spans.count);
	read_limit(
	    getenv_fn, "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", &limits.logs.value_chars);
	read_limit(getenv_fn, "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", &limits.logs.count);
	return limits;
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
}

void attr_limits_trace(const struct signal_limits *limits, struct trace *trace)
{
	for (size_t i = 0; i < trace->n_spans; i++)
		attr_limits_span(limits, trace->spans[i]);
}

bool attr_limits_span_may_pass(const struct signal_limits *limits)
{
	return limits->spans.value_chars != ATTR_NO_LIMIT ||
	    limits->spans.count < SPAN_BUILDER_MAX_ATTRS;
}
