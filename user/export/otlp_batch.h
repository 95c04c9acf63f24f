/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape that both OTLP encodings share: the spans of a batch of traces grouped by service, one
 * ResourceSpans each, in order of first appearance.
 */
#ifndef ZS_EXPORT_OTLP_BATCH_H
#define ZS_EXPORT_OTLP_BATCH_H

#include <stddef.h>

#include "span/span.h"

#define OTLP_SCOPE_NAME "zerospan"
/* Of the semantic conventions that attribute names follow (v1.44.0). */
#define OTLP_SCHEMA_URL   "https://opentelemetry.io/schemas/1.44.0"
#define OTLP_SDK_NAME     "zerospan"
#define OTLP_SDK_LANGUAGE "c"

/* Number of telemetry.sdk.* attributes that follow the service's own in a resource. */
#define OTLP_N_SDK_ATTRS 3
extern const struct attr otlp_sdk_attrs[OTLP_N_SDK_ATTRS];

struct otlp_group {
	const struct service *service; /* NULL only for spans built without one */
	size_t first;                  /* index of its first span in otlp_batch.spans */
	size_t n_spans;                /* not 0 */
};

struct otlp_batch {
	struct otlp_group *groups;
	size_t n_groups;
	const struct span **spans; /* borrowed from the traces */
	size_t n_spans;
	size_t n_attrs; /* of all spans */
};

/* Returns 0 or -ENOMEM. */
int otlp_batch_init(struct otlp_batch *batch, struct trace *const *traces, size_t n);
void otlp_batch_release(struct otlp_batch *batch);

#endif
