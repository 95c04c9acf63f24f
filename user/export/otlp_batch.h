/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape that the OTLP encodings share: spans or log records of a batch grouped by service, one
 * ResourceSpans or ResourceLogs each, in order of first appearance.
 */
#ifndef ZS_EXPORT_OTLP_BATCH_H
#define ZS_EXPORT_OTLP_BATCH_H

#include <stddef.h>

#include "span/log_record.h"
#include "span/span.h"

#define OTLP_SCOPE_NAME "zerospan"
/* Of the semantic conventions that attribute names follow (v1.44.0). */
#define OTLP_SCHEMA_URL   "https://opentelemetry.io/schemas/1.44.0"
#define OTLP_SDK_NAME     "zerospan"
#define OTLP_SDK_LANGUAGE "c"

/* Number of telemetry.* attributes that follow the service's own in a resource. */
#define OTLP_N_TELEMETRY_ATTRS 5
extern const struct attr otlp_telemetry_attrs[OTLP_N_TELEMETRY_ATTRS];

struct otlp_group {
	const struct service *service; /* NULL only for items built without one */
	size_t first;                  /* index of its first item in otlp_batch.items */
	size_t n_items;                /* not 0 */
};

struct otlp_batch {
	struct otlp_group *groups;
	size_t n_groups;
	const void **items; /* all spans or all log records; borrowed from what was given */
	size_t n_items;
};

/* Return 0 or -ENOMEM. */
int otlp_batch_init(struct otlp_batch *batch, struct trace *const *traces, size_t n);
int otlp_batch_init_logs(struct otlp_batch *batch, struct log_batch *const *logs, size_t n);
void otlp_batch_release(struct otlp_batch *batch);

/* Item i of a batch of traces, or of logs. */
static inline const struct span *otlp_batch_span(const struct otlp_batch *batch, size_t i)
{
	return batch->items[i];
}

static inline const struct log_record *otlp_batch_record(const struct otlp_batch *batch, size_t i)
{
	return batch->items[i];
}

#endif
